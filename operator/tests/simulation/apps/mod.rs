//! One history of an app: rounds of the operator between things that people, programs and faults do; then quiet.

mod cluster;
mod group;
mod nature;
mod people;
mod promises;
mod world;

use crate::{faults::Fault, story::Lines, tally::Tally};
use futures::executor::block_on;
use millrace_crds::{AppPhase, StreamApp};
use millrace_operator::{
    app::{
        action::Action,
        desired::Desired,
        plan::{Plan, plan},
        spec::parse,
        status::status,
    },
    view::{
        desired::{DeletionPolicy, Image},
        moment::Moment,
        spec::Settings,
        status::Outcome,
        tenancy::Tenancy,
    },
    world::{Performed, Report, World},
};
use serde_json::json;
use std::collections::{BTreeSet, VecDeque};
use world::SimulatedWorld;

pub const STEPS: usize = 200;
/// Rounds within which a world without faults becomes steady.
const ENOUGH: usize = 300;

pub const INPUT: &str = "order-events";
pub const OUTPUT: &str = "inventory-events";
pub const INTERNAL: &str = "inventory-stock-changelog";

pub struct History {
    pub seed: u64,
    pub world: SimulatedWorld,
    pub app: StreamApp,
    settings: Settings,
    pub replays: u32,
    /// What another operator has planned from an older look, and has not done yet.
    other: Option<(Desired, VecDeque<Action>)>,
}

impl History {
    pub fn new(seed: u64, lines: Option<Lines>) -> History {
        let mut app: StreamApp = serde_json::from_value(json!({
            "apiVersion": "millrace.dev/v1alpha1",
            "kind": "StreamApp",
            "metadata": {"name": "inventory", "namespace": "shop", "uid": "uid-1", "generation": 1},
            "spec": {
                "inputs": [{"topic": INPUT, "ensureTopic": {"partitions": 2, "replicas": 3}}],
                "outputs": [{"topic": OUTPUT, "ensureTopic": {"partitions": 2, "replicas": 3}}],
                "consumerGroup": "inventory",
                "podTemplate": {"spec": {"containers": [{"name": "inventory", "image": "inventory:1"}]}},
                "workers": {"mode": "Auto", "replicas": 1, "min": 1, "max": 4},
            },
        }))
        .expect("the manifest is an app");
        if seed.is_multiple_of(2) {
            let internal = json!({"prefix": "inventory-"});
            app.spec.internal_topics = Some(serde_json::from_value(internal).expect("a prefix"));
        }
        let settings = Settings {
            image: Image { name: "millrace/worker:dev".into(), pull_policy: "IfNotPresent".into() },
            tenancy: Tenancy::default(),
            concurrent_rollouts: 4,
        };
        History { seed, world: SimulatedWorld::new(seed, lines), app, settings, replays: 0, other: None }
    }

    pub fn run(mut self, skipped: &BTreeSet<usize>, tally: &mut Tally<AppPhase>) {
        for step in (0..STEPS).filter(|step| !skipped.contains(step)) {
            {
                let mut state = self.world.state();
                state.faults.begin(step);
                state.story.tell(|| format!("step {step}"));
                state.nature();
            }
            self.people();
            self.round();
        }
        self.world.state().faults.begin(STEPS);
        self.becomes_steady();
        let state = self.world.state();
        tally.add(state.promises.counts(), &state.story);
    }

    /// What is asked for, as the controller reads it.
    pub fn desired(&self) -> Desired {
        let mut app = self.app.clone();
        let state = self.world.state();
        app.status = Some(state.status.clone());
        app.metadata.finalizers =
            state.cluster.finalizer.then(|| vec![millrace_operator::app::spec::FINALIZER.to_owned()]);
        parse(&app, &self.settings, [])
    }

    /// One round of the operator, as the controller does it.
    pub fn round(&mut self) -> Plan {
        let desired = self.desired();
        let observed = block_on(self.world.observe(&desired));
        let now = self.world.state().now;
        let plan = plan(&desired, &observed, now);
        {
            let mut state = self.world.state();
            state.check_plan(&desired, &observed, &plan);
            state.story.phase = plan.phase;
            state.story.tell(|| told(&plan));
            if self.other.is_none() && state.faults.strikes() {
                self.other = Some((desired.clone(), plan.actions.iter().cloned().collect()));
            }
        }
        let mut outcome = Outcome::Done;
        for action in &plan.actions {
            self.other_operator_acts();
            match block_on(self.world.perform(&desired, action)) {
                Ok(Performed::Done) => continue,
                Ok(Performed::NotYet(what)) => outcome = Outcome::Waiting(what),
                Err(trouble) => outcome = Outcome::Failed(trouble),
            }
            break;
        }
        self.other_operator_acts();
        let previous = self.world.state().status.clone();
        let status = status(&desired, &observed, &plan, &outcome, &previous, now);
        let report = Report { status: Some(status), events: Vec::new() };
        block_on(self.world.report(&desired, &report)).expect("a simulated report does not fail");
        self.world.state().crashed = false;
        plan
    }

    /// Two operators, for a while: the one that leads no more does what it had planned, one thing now and one later.
    fn other_operator_acts(&mut self) {
        let Some((desired, actions)) = &mut self.other else { return };
        {
            let mut state = self.world.state();
            if !state.faults.chance(30) {
                return;
            }
            state.story.struck(Fault::OtherOperator);
            state.stale = true;
        }
        let done = actions.pop_front().map(|action| block_on(self.world.perform(desired, &action)));
        if !matches!(done, Some(Ok(Performed::Done))) {
            self.other = None;
        }
        let mut state = self.world.state();
        (state.crashed, state.stale) = (false, false);
    }

    /// Faults end, strangers go, a person asks for a last replay: the app reads everything again and becomes steady, and
    /// then nothing is done. Deleted in the end, it leaves what it is told to leave.
    fn becomes_steady(&mut self) {
        self.other = None;
        {
            let mut state = self.world.state();
            state.faults.rate = 0;
            (state.away.kafka, state.away.cluster) = (false, false);
            state.cluster.refused = false;
            state.group.strangers_go();
            state.story.tell(|| "the faults end".into());
        }
        self.app.spec.suspend = false;
        self.app.metadata.annotations = None;
        self.ask_for(json!({"earliest": {}}));
        let mut quiet = 0;
        let mut last = Plan::idle();
        for _ in 0..ENOUGH {
            self.calm();
            last = self.round();
            quiet = if last.actions.is_empty() { quiet + 1 } else { 0 };
            if quiet >= 3 && last.phase == Some(AppPhase::Steady) {
                break;
            }
        }
        let context = || format!("seed {}: {last:#?}", self.seed);
        {
            let state = self.world.state();
            assert!(quiet >= 3 && last.phase == Some(AppPhase::Steady), "{}", context());
            assert_eq!(last.troubles, [], "{}", context());
            let id = self.app.spec.replay.as_ref().expect("it was asked for").id.clone();
            assert!(state.promises.has_acted(&id), "the last replay has not acted: {}", context());
            let partitions = state.kafka.topics[INPUT].partitions.len() as i32;
            let deployment = state.cluster.deployment.as_ref().expect("it runs");
            assert_eq!(deployment.wanted, partitions.min(4), "{}", context());
            let shown = state.status.replays.last().expect("it is shown");
            assert_eq!((&shown.id, shown.caught_up_at.is_some()), (&id, true), "{}", context());
        }
        self.is_deleted();
    }

    fn is_deleted(&mut self) {
        let delete = self.seed.is_multiple_of(3);
        self.app.spec.deletion_policy =
            if delete { millrace_crds::DeletionPolicy::Delete } else { millrace_crds::DeletionPolicy::Retain };
        self.app.metadata.deletion_timestamp =
            Some(serde_json::from_value(json!("2023-11-14T22:13:20Z")).expect("a time"));
        for _ in 0..ENOUGH {
            self.calm();
            self.round();
            if !self.world.state().cluster.finalizer {
                break;
            }
        }
        let desired = self.desired();
        let state = self.world.state();
        assert!(!state.cluster.finalizer, "seed {}: the deletion sticks", self.seed);
        assert_eq!(desired.deletion_policy == DeletionPolicy::Delete, delete);
        let left = (state.group.committed.is_empty(), state.cluster.ledger.is_none());
        assert_eq!(left, (delete, delete), "seed {}: what is left behind", self.seed);
    }

    fn calm(&mut self) {
        let mut state = self.world.state();
        state.now = Moment(state.now.0 + 1_000);
        state.settle();
        state.work();
    }
}

/// A plan in some lines.
fn told(plan: &Plan) -> String {
    let mut text = format!("  the operator sees {:?}", plan.phase);
    for trouble in &plan.troubles {
        text.push_str(&format!(", {}: {}", trouble.reason, trouble.message));
    }
    if let Some(waiting) = &plan.waiting_on {
        text.push_str(&format!(", and waits for {waiting}"));
    }
    text
}
