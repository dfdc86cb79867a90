//! What must hold for an app after every action, whatever went wrong before.

use super::{cluster::SimulatedCluster, world::State};
use millrace_crds::{AppReplayStatus, OffsetsByTopic, Reason};
use millrace_operator::{
    app::{
        action::{Action, Note},
        desired::Desired,
        observed::Observed,
        plan::Plan,
        replay::ReplayFrom,
    },
    view::{known::Known, moment::Moment},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

#[derive(Default)]
pub struct Promises {
    seed: u64,
    /// Where the group was before the first change for each replay.
    before: BTreeMap<String, OffsetsByTopic>,
    /// When Kafka took the offsets of the newest replay last.
    altered: Option<Moment>,
    /// Replays that were proved.
    proved: BTreeSet<String>,
    accepted: BTreeSet<String>,
    /// Replays that instances were started after.
    started: BTreeSet<String>,
    alterations: u64,
    refusals: u64,
    restored: u64,
    rewritten: u64,
    strangers: u64,
    foreign_commits: u64,
    held: u64,
    deleted: u64,
    caught_up: u64,
    starts: u64,
    back: u64,
    /// Members whose instance has ended without leaving.
    pub left_behind: u64,
}

impl Promises {
    pub fn new(seed: u64) -> Promises {
        Promises { seed, ..Promises::default() }
    }

    /// What has happened.
    pub fn counts(&self) -> [(&'static str, u64); 13] {
        [
            ("a group that was moved", self.alterations),
            ("a move that Kafka refused", self.refusals),
            ("a ledger that was restored", self.restored),
            ("offsets that were written down once more", self.rewritten),
            ("a look at a member of somebody else", self.strangers),
            ("a commit of somebody else after a reset", self.foreign_commits),
            ("a replay that is refused", self.held),
            ("internal topics that were deleted", self.deleted),
            ("a replay that has caught up", self.caught_up),
            ("a replay that was proved", self.proved.len() as u64),
            ("a start after a reset", self.starts),
            ("a replay back to where a group was", self.back),
            ("a member that was left behind", self.left_behind),
        ]
    }

    pub fn has_acted(&self, id: &str) -> bool {
        self.proved.contains(id)
    }

    /// An instance joins the group: never between the first change of its offsets and the proof.
    pub fn joins(&mut self, cluster: &SimulatedCluster) {
        let Some(replay) = newest(cluster) else { return };
        assert!(
            replay.begun_at.is_none() || replay.reset_at.is_some(),
            "seed {}: an instance joins while the group is moved for {}",
            self.seed,
            replay.id
        );
        if replay.reset_at.is_some() && self.started.insert(replay.id.clone()) {
            self.starts += 1;
        }
    }
}

fn newest(cluster: &SimulatedCluster) -> Option<&AppReplayStatus> {
    cluster.ledger.as_ref()?.replays.as_ref().ok()?.last()
}

impl State {
    /// After an action.
    pub fn check(&mut self, action: &Action, done: bool) {
        match action {
            Action::AlterOffsets { id, .. } => self.check_alteration(id, done),
            Action::DeleteInternalTopics { .. } => self.promises.deleted += u64::from(done),
            Action::WriteLedger { replays, note, seen: _ } if done => {
                let replay = replays.last().expect("a ledger is written for a replay").clone();
                self.check_note(&replay, *note);
            }
            Action::ApplyDeployment { replicas, .. } | Action::Scale { replicas, .. } if done && *replicas > 0 => {
                let open = newest(&self.cluster).filter(|replay| replay.reset_at.is_none());
                let seed = self.promises.seed;
                assert!(open.is_none(), "seed {seed}: instances are started while {open:?} is not proved");
            }
            _ => {}
        }
    }

    /// Kafka has taken offsets, or refused them: nobody lives, and what was there is written down twice.
    fn check_alteration(&mut self, id: &str, done: bool) {
        let State { promises, group, cluster, status, now, .. } = self;
        let seed = promises.seed;
        if !done {
            promises.refusals += u64::from(!group.members.is_empty());
            return;
        }
        promises.alterations += 1;
        promises.altered = Some(*now);
        assert!(group.members.is_empty(), "seed {seed}: a group with {:?} is moved for {id}", group.members);
        assert!(cluster.pods.is_empty(), "seed {seed}: the group is moved for {id} while {:?} live", cluster.pods);
        assert!(!promises.started.contains(id), "seed {seed}: the replay {id} acts twice");
        let written = newest(cluster).filter(|replay| replay.id == id).expect("the replay is written down");
        assert_eq!(written.reset_at, None, "seed {seed}: {id} is proved already");
        let shown = status.replays.iter().find(|replay| replay.id == id).expect("the status shows the replay");
        for copy in [written, shown] {
            let before = promises.before.get(id);
            assert_eq!(Some(&copy.saved), before, "seed {seed}: where the group was before {id} is not written down");
        }
    }

    fn check_note(&mut self, replay: &AppReplayStatus, note: Note) {
        let State { promises, group, now, stale, .. } = self;
        let (seed, id) = (promises.seed, &replay.id);
        match note {
            Note::Accepted => {
                assert!(!promises.started.contains(id), "seed {seed}: the replay {id} is accepted twice");
                promises.rewritten += u64::from(promises.accepted.contains(id));
                promises.accepted.insert(id.clone());
            }
            Note::Begun => {
                let stranger = group.foreign_commit.is_some() && *stale;
                let same = stranger || replay.saved == group.committed;
                assert!(same, "seed {seed}: {id} saves {:?}, the group is at {:?}", replay.saved, group.committed);
                promises.before.insert(id.clone(), replay.saved.clone());
            }
            Note::Taken | Note::Altered => {}
            Note::ForeignCommit => promises.foreign_commits += 1,
            Note::Reset => {
                let since = promises.altered.map(|altered| now.since(altered));
                let watched = since.is_some_and(|since| since >= Duration::from_secs(10));
                assert!(watched, "seed {seed}: {id} is proved {since:?} after the offsets were altered");
                let stands = *stale || group.observe(*now).stands_at(&replay.begin);
                assert!(stands, "seed {seed}: {id} is proved, and the group is at {:?}", group.committed);
                promises.proved.insert(id.clone());
            }
            Note::CaughtUp => promises.caught_up += 1,
            Note::Restored => promises.restored += 1,
        }
    }

    /// Before a plan is performed: what could not be asked is a reason for nothing.
    pub fn check_plan(&mut self, desired: &Desired, observed: &Observed, plan: &Plan) {
        let promises = &mut self.promises;
        let found = |reason| u64::from(plan.troubles.iter().any(|trouble| trouble.reason == reason));
        promises.strangers += found(Reason::ForeignMember);
        promises.held += found(Reason::InvalidSpec);
        let back = desired.replay.as_ref().is_some_and(|replay| matches!(replay.from, ReplayFrom::Saved(_)));
        let known = |known: bool, what: &str, action: &Action| {
            assert!(known, "seed {}: {action} is planned while {what} could not be asked", promises.seed);
        };
        for action in &plan.actions {
            let (kafka, cluster) = match action {
                Action::AddFinalizer | Action::RemoveFinalizer { .. } => (false, false),
                Action::ChangeTopic(_) => (true, false),
                Action::AlterOffsets { .. } | Action::DeleteInternalTopics { .. } | Action::DeleteGroup => (true, true),
                Action::WriteLedger { note: Note::Restored, .. } => (false, true),
                Action::WriteLedger { .. } => (true, true),
                Action::ApplyDeployment { .. }
                | Action::Scale { .. }
                | Action::DeleteDeployment { .. }
                | Action::DeleteLedger { .. } => (false, true),
            };
            known(!kafka || observed.group.trouble().is_none(), "Kafka", action);
            known(!cluster || matches!(observed.children, Known::Present(_)), "the API server", action);
            if matches!(action, Action::WriteLedger { note: Note::Accepted, .. }) {
                promises.back += u64::from(back);
            }
        }
    }
}
