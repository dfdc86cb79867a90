//! What people do: they ask for replays and other queries, stop things, delete the resource, and answer to its status.

use crate::{
    faults::Fault,
    history::History,
    specs::{TOPIC, UID},
};
use millrace_contract::revision::RevisionState;
use millrace_crds::{ComparisonGate, OnBreakingChange, Promotion, Reason, RolloutPhase, Strategy};
use millrace_operator::view::{
    desired::{Deletion, DeletionPolicy, Desired, Gates},
    moment::Moment,
    plan::Plan,
    replay::{Replay, ReplayFrom},
    request::{Request, Verb},
    trouble::Trouble,
};
use std::{collections::BTreeMap, time::Duration};

impl History<'_> {
    pub fn people(&mut self) {
        let mut state = self.world.state();
        let world = &mut *state;
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
        if what <= 30 {
            world.story.struck(if what == 11 { Fault::ResourceDeleted } else { Fault::SpecChanged });
        }
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
            21 => self.desired.rollout.strategy = [Strategy::Shadow, Strategy::InPlaceWithDowntime][word % 2],
            22 => self.desired.rollout.max_records_per_second = [None, Some(1_000), Some(50_000)][word % 3],
            23 => {
                let seconds = [None, Some(2), Some(30)][word % 3];
                self.desired.rollout.max_live_freshness = seconds.map(Duration::from_secs);
            }
            24..=27 => {
                let comparison = self.desired.rollout.gates.comparison;
                self.desired.rollout.gates = Gates { comparison, ..self.specs.gates[word % 3].clone() };
            }
            28 => {
                self.desired.rollout.gates.comparison =
                    [None, Some(ComparisonGate::Report), Some(ComparisonGate::RequireEqual)][word % 3];
            }
            29 => self.desired.verify_every = [None, Some(Duration::from_secs(3600))][word % 2],
            30 => self.desired.rollout.keep_previous_current = !self.desired.rollout.keep_previous_current,
            _ => {}
        }
    }

    /// A person reads the status, and does something about it now and then.
    pub fn react(&mut self, plan: &Plan) {
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
        let gives_up = |trouble: &Trouble| {
            matches!(trouble.reason, Reason::RolloutAborted | Reason::RolloutTimedOut | Reason::GateFailed)
        };
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
            self.request([Verb::Rollback, Verb::Verify][word % 2]);
        }
    }

    fn request(&mut self, verb: Verb) {
        self.replays += 1;
        self.desired.requests = vec![Request { verb, id: format!("request-{}", self.replays) }];
    }

    /// A person changes the query.
    pub fn ask(&mut self, spec: Desired) {
        let before = self.desired.clone();
        self.desired = Desired {
            identity: before.identity,
            generation: before.generation + 1,
            suspended: before.suspended,
            paused: before.paused,
            replays: before.replays,
            rollout: before.rollout,
            verify_every: before.verify_every,
            requests: before.requests,
            deletion: before.deletion,
            deletion_policy: before.deletion_policy,
            ..spec
        };
    }

    /// The resource that was deleted is made once more.
    pub fn make_again(&mut self) {
        self.uids += 1;
        self.desired.deletion = None;
        self.desired.identity.uid = format!("{UID}-{}", self.uids);
        let mut state = self.world.state();
        state.uid.clone_from(&self.desired.identity.uid);
        state.story.tell(|| format!("  the resource is made again as {}", self.desired.identity.uid));
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
