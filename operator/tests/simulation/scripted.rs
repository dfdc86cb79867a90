//! The scripts that are also played on a cluster, with the faults of this world.

use crate::{faults::Fault, history::History, specs::Specs};
use millrace_crds::{ConditionType, Promotion, RolloutPhase};
use millrace_operator::view::{
    replay::{Replay, ReplayFrom},
    request::{Request, Verb},
};
use millrace_test_support::script::{Script, Step};
use std::{collections::BTreeSet, time::Duration};

/// Histories of each script.
const SEEDS: u64 = 200;
/// Rounds within which a faulty world comes to what is waited for.
const ENOUGH: usize = 2_000;

/// From which phase to which the status has gone in any of the script's histories.
pub fn transitions(script: &Script, specs: &Specs) -> BTreeSet<(RolloutPhase, RolloutPhase)> {
    (0..SEEDS)
        .flat_map(|seed| {
            let mut scripted = Scripted { history: History::new(seed, specs, None), rounds: 0, asked: 0 };
            scripted.history.world.state().bad_records = false;
            scripted.until("Live");
            scripted.history.world.state().story.transitions.clear();
            script.steps.iter().for_each(|step| scripted.take(*step));
            // What is kept for a moment goes.
            (0..20).for_each(|_| scripted.round());
            std::mem::take(&mut scripted.history.world.state().story.transitions)
        })
        .collect()
}

struct Scripted<'a> {
    history: History<'a>,
    rounds: usize,
    asked: usize,
}

impl Scripted<'_> {
    /// A second passes, with a few records and workers that work.
    fn round(&mut self) {
        self.rounds += 1;
        {
            let mut state = self.history.world.state();
            state.faults.begin(self.rounds);
            state.now = state.now + Duration::from_secs(1);
            let world = &mut *state;
            let most = if world.faults.chance(5) { 20_000 } else { 20 };
            world.kafka.produce(&mut world.faults, most);
            world.cluster.settle(&mut world.faults);
            if world.faults.chance(10) {
                world.open_reader();
            }
            if world.faults.chance(50) {
                world.postgres.readers.pop();
            }
            world.work(&self.history.desired);
        }
        self.history.round();
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Query(number) => self.history.ask(self.history.specs.valid[number].clone()),
            Step::Replay => {
                let (id, from) = (self.id(), ReplayFrom::Earliest);
                let replay = Replay { id, from, accept_truncation: false, discard_history: false };
                self.history.desired.replays = vec![replay];
            }
            Step::Manual(manual) => {
                let promotion = if manual { Promotion::Manual } else { Promotion::Automatic };
                self.history.desired.rollout.promotion = promotion;
            }
            Step::Paused(paused) => self.history.desired.rollout.paused = paused,
            Step::Promote => {
                let revision = self.history.world.state().status.rollout.as_ref().map(|shown| shown.revision.clone());
                self.request(Verb::Promote, revision.expect("a rollout is seen"));
            }
            Step::Abort => self.ask_for(Verb::Abort),
            Step::Retry => self.ask_for(Verb::Retry),
            Step::Rollback => self.ask_for(Verb::Rollback),
            Step::KillOperator => self.history.world.state().story.struck(Fault::OperatorEnds),
            Step::KillWorkers => self.history.world.state().cluster.kill(),
            Step::Until(reason) => return self.until(reason),
        }
        self.history.desired.generation += 1;
        // Whoever acts next may be slow or quick.
        let rounds = self.history.world.state().faults.below(6);
        (0..rounds).for_each(|_| self.round());
    }

    fn id(&mut self) -> String {
        self.asked += 1;
        format!("asked-{}", self.asked)
    }

    fn ask_for(&mut self, verb: Verb) {
        let id = self.id();
        self.request(verb, id);
    }

    fn request(&mut self, verb: Verb, id: String) {
        self.history.desired.requests = vec![Request { verb, id }];
    }

    fn until(&mut self, reason: &str) {
        for _ in 0..ENOUGH {
            self.round();
            let state = self.history.world.state();
            let ready = state.status.condition(ConditionType::Ready);
            if ready.is_some_and(|ready| {
                ready.reason == reason && ready.observed_generation == Some(self.history.desired.generation)
            }) {
                return;
            }
        }
        let status = self.history.world.state().status.clone();
        panic!("seed {}: Ready never has the reason {reason}: {status:#?}", self.history.seed);
    }
}
