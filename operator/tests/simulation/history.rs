//! One history: rounds of the operator between things that people, topics, workers and faults do; then quiet.

use crate::{faults::Fault, specs::Specs, story::Lines, tally::Tally, world::SimulatedWorld};
use futures::executor::block_on;
use millrace_contract::revision::RevisionState;
use millrace_crds::{ComparisonGate, RolloutPhase};
use millrace_operator::{
    view::{
        action::Action,
        deletion::PATIENCE,
        desired::{Deletion, Desired},
        moment::Moment,
        plan::{Plan, plan},
        replay::{Replay, ReplayFrom},
        shown::Shown,
        spec::blocked_since,
        status::{Outcome, status},
    },
    world::{Performed, Report, World},
};
use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

pub const STEPS: usize = 200;
/// Rounds within which a world without faults becomes steady.
const ENOUGH: usize = 300;

pub struct History<'a> {
    pub seed: u64,
    pub specs: &'a Specs,
    pub world: SimulatedWorld,
    pub desired: Desired,
    pub uids: u32,
    pub replays: u32,
    /// What another operator has planned from an older look, and has not done yet.
    other: Option<(Desired, VecDeque<Action>)>,
}

impl<'a> History<'a> {
    pub fn new(seed: u64, specs: &'a Specs, lines: Option<Lines>) -> History<'a> {
        let desired = specs.valid[0].clone();
        let world = SimulatedWorld::new(seed, &desired.identity.uid, lines);
        History { seed, specs, world, desired, uids: 1, replays: 0, other: None }
    }

    pub fn run(mut self, skipped: &BTreeSet<usize>, tally: &mut Tally<RolloutPhase>) {
        self.desired.rollout.gates.comparison = (self.seed % 4 == 3).then_some(ComparisonGate::RequireEqual);
        self.desired.rollout.keep_previous_current = self.seed % 3 == 1;
        for step in (0..STEPS).filter(|step| !skipped.contains(step)) {
            {
                let mut state = self.world.state();
                state.faults.begin(step);
                state.story.tell(|| format!("step {step}"));
                state.nature(&self.desired);
            }
            self.people();
            let plan = self.round();
            self.react(&plan);
        }
        self.world.state().faults.begin(STEPS);
        self.becomes_steady();
        let state = self.world.state();
        tally.add(state.promises.counts(), &state.story);
    }

    /// One round of the operator, as the controller does it.
    pub fn round(&mut self) -> Plan {
        let mut desired = self.desired.clone();
        {
            let state = self.world.state();
            desired.finalizer = state.cluster.finalizer;
            desired.deletion = desired.deletion.map(|_| Deletion { blocked_since: blocked_since(&state.status) });
            desired.remembered_replays = state.status.replays.iter().map(|replay| replay.id.clone()).collect();
        }
        let observed = block_on(self.world.observe(&desired));
        let now = self.world.state().now;
        let plan = plan(&desired, &observed, now);
        {
            let mut state = self.world.state();
            state.promises.check_plan(&observed, &plan);
            state.story.phase = plan.rollout.as_ref().map(|rollout| rollout.phase);
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
        if outcome == Outcome::Done && desired.deletion.is_none() {
            let state = self.world.state();
            state.promises.check_fence(&observed, &state.postgres, &desired.identity, now);
        }
        let previous = self.world.state().status.clone();
        let status = status(&desired, &observed, &plan, &outcome, &previous, now);
        let report = Report { status: Some(status), events: Vec::new() };
        block_on(self.world.report(&desired, &report)).expect("a simulated report does not fail");
        let mut state = self.world.state();
        state.crashed = false;
        // The API server lets go of the resource, and of what it owns.
        let gone = self.desired.deletion.is_some() && !state.cluster.finalizer;
        if gone {
            state.cluster.deployments.clear();
            state.cluster.secret = None;
            state.status = Default::default();
        }
        drop(state);
        if gone {
            self.make_again();
        }
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
        }
        let done = actions.pop_front().map(|action| block_on(self.world.perform(desired, &action)));
        if !matches!(done, Some(Ok(Performed::Done))) {
            self.other = None;
        }
        self.world.state().crashed = false;
    }

    /// Faults end, but a deletion may have to do without Postgres; readers go, a person asks for what can be had: the
    /// view becomes steady, and then nothing is done.
    fn becomes_steady(&mut self) {
        self.other = None;
        {
            let mut state = self.world.state();
            state.faults.rate = 0;
            state.postgres.readers.clear();
            (state.away.kafka, state.away.cluster) = (false, false);
            state.postgres.says_no = false;
            state.zombies.clear();
            state.story.tell(|| "the faults end".into());
        }
        let mut rounds = 0;
        while self.desired.deletion.is_some() {
            self.calm();
            self.round();
            rounds += 1;
            assert!(rounds < ENOUGH + PATIENCE.as_secs() as usize, "seed {}: the deletion sticks", self.seed);
        }
        self.world.state().away.postgres = false;
        self.ask(self.specs.valid[2].clone());
        (self.desired.suspended, self.desired.paused, self.desired.verify_every) = (false, false, None);
        self.desired.rollout = self.specs.valid[2].rollout.clone();
        self.desired.rollout.keep_previous_current = self.seed % 2 == 1;
        self.desired.rollout.gates = self.specs.gates[self.seed as usize % 3].clone();
        self.desired.requests = Vec::new();
        self.desired.readers = vec!["dashboards".into()];
        let (id, from) = ("the last".into(), ReplayFrom::Earliest);
        self.desired.replays = vec![Replay { id, from, accept_truncation: true, discard_history: false }];
        for pass in ["once", "after what is kept for a while is gone"] {
            let mut last = Plan::idle();
            let mut quiet = 0;
            for _ in 0..ENOUGH {
                self.calm();
                last = self.round();
                quiet = if last.actions.is_empty() && !self.verifies() { quiet + 1 } else { 0 };
                if quiet >= 3 && last.rollout.as_ref().is_some_and(|rollout| rollout.phase == RolloutPhase::Steady) {
                    break;
                }
            }
            let state = self.world.state();
            let view = state.postgres.view.as_ref().expect("the view has its row");
            let rows: Vec<String> = view
                .revisions
                .iter()
                .map(|(name, row)| format!("{name} {:?} ended {:?}", row.state, row.ended_at))
                .collect();
            let context =
                || format!("seed {}, {pass}, at {:?}: {rows:#?} {:?} with {last:#?}", self.seed, state.now, view.shown);
            assert!(quiet >= 3, "something is done again and again: {}", context());
            let wanted = self.desired.query.as_ref().expect("it compiles").revision(view.replay_count);
            assert_eq!(view.live.as_ref(), Some(&wanted), "{}", context());
            assert_eq!(view.shown, Shown::Plain(wanted), "{}", context());
            assert_eq!(last.troubles, [], "{}", context());
            assert!(view.live_row().is_some_and(|(_, row)| row.state == RevisionState::Open), "{}", context());
            assert_eq!(state.postgres.granted, BTreeSet::from(["dashboards".to_owned()]), "{}", context());
            if pass != "once" {
                assert_eq!(view.revisions.len(), 1, "{}", context());
                let kept = state.cluster.deployments.values().filter(|deployment| !deployment.deleting).count();
                assert_eq!(kept, 1, "{}", context());
            }
            drop(state);
            // What is kept current comes to stand where the live one does.
            (0..20).for_each(|_| self.calm());
            let mut state = self.world.state();
            let world = &mut *state;
            world.promises.check_standby_is_current(&world.postgres);
            state.now = state.now + Duration::from_secs(3600);
        }
    }

    fn verifies(&self) -> bool {
        let state = self.world.state();
        let verification = state.postgres.view.as_ref().and_then(|view| view.verification.as_ref());
        verification.is_some_and(|verification| verification.result.is_none())
    }

    fn calm(&mut self) {
        let mut state = self.world.state();
        state.now = Moment(state.now.0 + 1_000);
        let world = &mut *state;
        world.cluster.settle(&mut world.faults);
        world.work(&self.desired);
    }
}

/// A plan in some lines.
fn told(plan: &Plan) -> String {
    let rollout = plan.rollout.as_ref().map(|rollout| format!("{:?} of {}", rollout.phase, rollout.revision));
    let mut text = format!("  the operator sees {}", rollout.as_deref().unwrap_or("no rollout"));
    for trouble in &plan.troubles {
        text.push_str(&format!(", {}: {}", trouble.reason, trouble.message));
    }
    if let Some(waiting) = &plan.waiting_on {
        text.push_str(&format!(", and waits for {waiting}"));
    }
    text
}
