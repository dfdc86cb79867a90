//! One history: rounds of the operator between things that people, topics, workers and faults do; then quiet.

use crate::{
    specs::{Specs, TOPIC, UID},
    world::SimulatedWorld,
};
use futures::executor::block_on;
use millrace_contract::revision::RevisionState;
use millrace_crds::{OnBreakingChange, Promotion, Reason, RolloutPhase};
use millrace_operator::{
    view::{
        deletion::PATIENCE,
        desired::{Deletion, DeletionPolicy, Desired},
        moment::Moment,
        plan::{Plan, plan},
        replay::{Replay, ReplayFrom},
        request::{Request, Verb},
        shown::Shown,
        spec::blocked_since,
        status::{Outcome, status},
        trouble::Trouble,
    },
    world::{Performed, Report, World},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

const STEPS: usize = 200;
/// Rounds within which a world without faults becomes steady.
const ENOUGH: usize = 300;

pub struct History<'a> {
    seed: u64,
    specs: &'a Specs,
    world: SimulatedWorld,
    desired: Desired,
    /// The resource is there.
    exists: bool,
    uids: u32,
    replays: u32,
}

#[derive(Default)]
pub struct Tally {
    cut_overs: u64,
    fences: u64,
    drops: u64,
    abandoned: u64,
    adoptions: u64,
    left_behind: u64,
    losses: u64,
    problems: u64,
    pauses: u64,
    refusals: u64,
    midway: u64,
    aborts: u64,
    retries: u64,
    rollbacks: u64,
    approvals: u64,
    losses_approved: u64,
}

impl Tally {
    pub fn counts(&self) -> [(&'static str, u64); 16] {
        [
            ("a cut-over", self.cut_overs),
            ("a fence", self.fences),
            ("a drop", self.drops),
            ("an abandoned revision", self.abandoned),
            ("an adoption", self.adoptions),
            ("a deletion that left things behind", self.left_behind),
            ("a look at records that are gone", self.losses),
            ("a look at workers that cannot go on", self.problems),
            ("a look at a table that was not read for long", self.pauses),
            ("a look at a replay that is refused", self.refusals),
            ("a revision that leaves records out as it was told to", self.midway),
            ("an abort", self.aborts),
            ("a retry", self.retries),
            ("a rollback that went live", self.rollbacks),
            ("a cut-over that a person let happen", self.approvals),
            ("a cut-over that takes columns from readers", self.losses_approved),
        ]
    }
}

impl<'a> History<'a> {
    pub fn new(seed: u64, specs: &'a Specs) -> History<'a> {
        let desired = specs.valid[0].clone();
        History { seed, specs, world: SimulatedWorld::new(seed), desired, exists: true, uids: 1, replays: 0 }
    }

    pub fn run(mut self, tally: &mut Tally) {
        for _ in 0..STEPS {
            self.something_happens();
            let plan = self.round();
            self.react(&plan);
        }
        self.becomes_steady();
        let promises = &self.world.state().promises;
        tally.cut_overs += promises.cut_overs;
        tally.fences += promises.fences;
        tally.drops += promises.drops;
        tally.abandoned += promises.abandoned;
        tally.adoptions += promises.adoptions;
        tally.left_behind += promises.left_behind;
        tally.losses += promises.losses;
        tally.problems += promises.problems;
        tally.pauses += promises.pauses;
        tally.refusals += promises.refusals;
        tally.midway += promises.midway;
        tally.aborts += promises.aborts;
        tally.retries += promises.retries;
        tally.rollbacks += promises.rollbacks;
        tally.approvals += promises.approvals;
        tally.losses_approved += promises.losses_approved;
    }

    /// One round of the operator, as the controller does it.
    fn round(&mut self) -> Plan {
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
        self.world.state().promises.check_plan(&observed, &plan);
        let mut outcome = Outcome::Done;
        for action in &plan.actions {
            match block_on(self.world.perform(&desired, action)) {
                Ok(Performed::Done) => continue,
                Ok(Performed::NotYet(what)) => outcome = Outcome::Waiting(what),
                Err(trouble) => outcome = Outcome::Failed(trouble),
            }
            break;
        }
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
        if self.desired.deletion.is_some() && !state.cluster.finalizer {
            // The API server lets go of the resource, and of what it owns.
            self.exists = false;
            state.cluster.deployments.clear();
            state.cluster.secret = None;
            state.status = Default::default();
        }
        drop(state);
        if !self.exists {
            self.make_again();
        }
        plan
    }

    fn make_again(&mut self) {
        self.uids += 1;
        self.exists = true;
        self.desired.deletion = None;
        self.desired.identity.uid = format!("{UID}-{}", self.uids);
    }

    fn something_happens(&mut self) {
        let mut state = self.world.state();
        let hours = state.faults.chance(1);
        let milliseconds = if hours { 3 * 3600 * 1000 } else { state.faults.offset(3_000) };
        state.now = state.now + Duration::from_millis(milliseconds.unsigned_abs());
        let world = &mut *state;
        if world.faults.chance(40) {
            let most = if world.faults.chance(10) { 20_000 } else { 50 };
            world.kafka.produce(&mut world.faults, most);
        }
        world.cluster.settle(&mut world.faults);
        if world.faults.chance(30) {
            world.open_reader();
        }
        if world.faults.chance(35) && !world.postgres.readers.is_empty() {
            let which = world.faults.below(world.postgres.readers.len());
            world.postgres.readers.remove(which);
        }
        if world.faults.chance(4) {
            world.cluster.vandalise(&mut world.faults);
        }
        if world.faults.chance(3) {
            world.kafka.grow(TOPIC);
        }
        if world.faults.chance(1) {
            world.kafka.recreate(TOPIC);
        }
        if world.faults.chance(2) {
            world.retain();
        }
        world.postgres_is_gone = world.faults.chance(if world.postgres_is_gone { 90 } else { 2 });
        if world.faults.below(400) == 0 {
            // Emptying ends every session.
            world.postgres.empty();
            world.promises.forget();
        }
        // After hours the operator is back before the workers are.
        if !hours {
            world.work(&self.desired);
        }
        // People who change their minds all the time, and people who let things come to an end.
        let pace = if self.seed.is_multiple_of(2) { 60 } else { 400 };
        let what = if self.desired.deletion.is_none() { world.faults.below(pace) } else { usize::MAX };
        // Nobody stops things for long.
        let desired = &mut self.desired;
        for stopped in [&mut desired.suspended, &mut desired.paused, &mut desired.rollout.paused] {
            *stopped &= !world.faults.chance(25);
        }
        let word = world.faults.word() as usize;
        let now = world.now;
        drop(state);
        match what {
            0..=3 => {
                self.replays += 1;
                self.desired.replays =
                    vec![Replay { id: format!("replay-{}", self.replays), ..some_replay(word, now) }];
            }
            4..=6 => self.ask(self.specs.valid[word % self.specs.valid.len()].clone()),
            7 => self.ask(self.specs.invalid.clone()),
            8 => self.ask(self.specs.breaking.clone()),
            9 => self.desired.suspended = !self.desired.suspended,
            10 => self.desired.paused = !self.desired.paused,
            11 => {
                self.desired.deletion_policy =
                    if word.is_multiple_of(3) { DeletionPolicy::Delete } else { DeletionPolicy::Retain };
                self.desired.deletion = Some(Deletion { blocked_since: None });
            }
            12 => self.desired.readers = vec![["dashboards", "reports", "nobody"][word % 3].into()],
            13 => self.desired.replays.clear(),
            14 | 15 => self.desired.rollout.promotion = [Promotion::Automatic, Promotion::Manual][word % 2],
            16 => {
                self.desired.rollout.on_breaking_change =
                    [OnBreakingChange::Refuse, OnBreakingChange::AwaitApproval][word % 2];
            }
            17 => self.desired.rollout.paused = !self.desired.rollout.paused,
            18..=20 => self.request(Verb::ALL[word % 3]),
            _ => {}
        }
    }

    /// A person reads the status, and does something about it now and then.
    fn react(&mut self, plan: &Plan) {
        let (acts, word, building) = {
            let mut state = self.world.state();
            let view = state.postgres.view.as_ref();
            let building = view.is_some_and(|view| {
                view.revisions
                    .iter()
                    .any(|(name, row)| row.state == RevisionState::Open && view.live.as_ref() != Some(name))
            });
            (state.faults.chance(15), state.faults.word() as usize, building)
        };
        if !acts || self.desired.deletion.is_some() {
            return;
        }
        let phase = plan.rollout.as_ref().map(|rollout| rollout.phase);
        let needs_a_replay = |trouble: &Trouble| {
            let mended_otherwise = matches!(trouble.reason, Reason::BreakingChange | Reason::RolledBack);
            !trouble.heals() && !mended_otherwise
        };
        let gives_up = |trouble: &Trouble| matches!(trouble.reason, Reason::RolloutAborted | Reason::RolloutTimedOut);
        if let (Some(RolloutPhase::AwaitingPromotion), Some(rollout)) = (phase, &plan.rollout) {
            let id = format!("{}.{}", rollout.revision, word % 3);
            self.desired.requests = vec![Request { verb: Verb::Promote, id }];
        } else if plan.troubles.iter().any(|trouble| trouble.reason == Reason::BreakingChange) {
            self.desired.rollout.on_breaking_change = OnBreakingChange::AwaitApproval;
        } else if plan.troubles.iter().any(gives_up) {
            self.request(Verb::Retry);
        } else if !building && plan.troubles.iter().any(needs_a_replay) {
            self.replays += 1;
            let (id, from) = (format!("replay-{}", self.replays), ReplayFrom::Earliest);
            self.desired.replays = vec![Replay { id, from, accept_truncation: true, discard_history: true }];
        } else if phase == Some(RolloutPhase::Steady) {
            self.request(Verb::Rollback);
        }
    }

    fn request(&mut self, verb: Verb) {
        self.replays += 1;
        self.desired.requests = vec![Request { verb, id: format!("request-{}", self.replays) }];
    }

    /// A person changes the query.
    fn ask(&mut self, spec: Desired) {
        let before = self.desired.clone();
        self.desired = Desired {
            identity: before.identity,
            generation: before.generation + 1,
            suspended: before.suspended,
            paused: before.paused,
            replays: before.replays,
            rollout: before.rollout,
            requests: before.requests,
            deletion: before.deletion,
            deletion_policy: before.deletion_policy,
            ..spec
        };
    }

    /// Faults end, but a deletion may have to do without Postgres; readers go, a person asks for what can be had: the view becomes steady, and then nothing is done.
    fn becomes_steady(&mut self) {
        {
            let mut state = self.world.state();
            state.faults.rate = 0;
            state.postgres.readers.clear();
        }
        let mut rounds = 0;
        while self.desired.deletion.is_some() {
            self.calm();
            self.round();
            rounds += 1;
            assert!(rounds < ENOUGH + PATIENCE.as_secs() as usize, "seed {}: the deletion sticks", self.seed);
        }
        self.world.state().postgres_is_gone = false;
        self.ask(self.specs.valid[2].clone());
        (self.desired.suspended, self.desired.paused) = (false, false);
        (self.desired.rollout, self.desired.requests) = (self.specs.valid[2].rollout, Vec::new());
        self.desired.readers = vec!["dashboards".into()];
        let (id, from) = ("the last".into(), ReplayFrom::Earliest);
        self.desired.replays = vec![Replay { id, from, accept_truncation: true, discard_history: false }];
        for pass in ["once", "after what is kept for a while is gone"] {
            let mut last = Plan::idle();
            let mut quiet = 0;
            for _ in 0..ENOUGH {
                self.calm();
                last = self.round();
                quiet = if last.actions.is_empty() { quiet + 1 } else { 0 };
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
            let mut state = self.world.state();
            state.now = state.now + Duration::from_secs(3600);
        }
    }

    fn calm(&mut self) {
        let mut state = self.world.state();
        state.now = Moment(state.now.0 + 1_000);
        let world = &mut *state;
        world.cluster.settle(&mut world.faults);
        world.work(&self.desired);
    }
}

/// A replay from anywhere, that may or may not leave records out.
fn some_replay(word: usize, now: Moment) -> Replay {
    let offset = (word / 64 % 200) as i64;
    let from = match word % 8 {
        0 => ReplayFrom::Latest,
        1 => ReplayFrom::Time(Moment(now.0 - offset * 1000)),
        2 => ReplayFrom::Ago(Duration::from_secs(offset.unsigned_abs())),
        3 => ReplayFrom::Offsets(BTreeMap::from([(TOPIC.to_owned(), (0..6).map(|number| (number, offset)).collect())])),
        4 => ReplayFrom::Offsets(BTreeMap::from([(TOPIC.to_owned(), BTreeMap::from([(0, offset), (1, 0)]))])),
        _ => ReplayFrom::Earliest,
    };
    let told = |bit: usize| word / 8 % (2 * bit) >= bit;
    Replay { id: String::new(), from, accept_truncation: told(1), discard_history: told(2) }
}
