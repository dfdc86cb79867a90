//! What must hold after every action, whatever went wrong before.

mod gates;
mod standby;

use crate::{kafka::SimulatedKafka, postgres::SimulatedPostgres};
use millrace_contract::revision::RevisionState;
use millrace_crds::{Promotion, Reason, Strategy};
use millrace_operator::view::{
    action::{Action, NewRevision},
    desired::{Desired, Identity},
    known::Known,
    moment::Moment,
    name::Revision,
    observed::Observed,
    plan::Plan,
    request::Deed,
    shown::columns,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Readers get news again after this long.
const FENCE_AT_MOST: Duration = Duration::from_secs(30);
/// From the end of one hold to that of the next.
const HOLDS_APART: Duration = Duration::from_secs(100);

#[derive(Default)]
pub struct Promises {
    seed: u64,
    /// The highest position that readers have seen, by topic id and partition.
    seen: BTreeMap<(String, i32), i64>,
    partitions: BTreeMap<String, usize>,
    live: Option<Revision>,
    /// What was live and held last, and when that was to end.
    held: Option<(Revision, Moment)>,
    cut_overs: u64,
    fences: u64,
    /// Cut-overs to what is not finished.
    downtimes: u64,
    drops: u64,
    abandoned: u64,
    adoptions: u64,
    left_behind: u64,
    /// Looks that found records gone, and looks at workers that could not go on.
    losses: u64,
    problems: u64,
    /// Looks at a Table that may have missed tombstones.
    pauses: u64,
    /// Looks at replays that would leave records out unasked, and partitions in which one does so as it was told.
    refusals: u64,
    midway: u64,
    aborts: u64,
    retries: u64,
    rollbacks: u64,
    /// Cut-overs that a person let happen, and those among them that take columns from readers.
    approvals: u64,
    losses_approved: u64,
    /// Revisions that were slowed down, and that stood still for the live one.
    slowed: u64,
    stopped: u64,
    /// Revisions that went live through gates, and answers that kept one from it.
    gated: u64,
    failing: u64,
    holds: u64,
    comparisons: u64,
    /// Revisions that were given up because a gate did not let them through.
    given_up: u64,
    /// Verifications that found something out.
    verified: u64,
    standby: standby::Standby,
}

impl Promises {
    pub fn new(seed: u64) -> Promises {
        Promises { seed, ..Promises::default() }
    }

    /// What has happened.
    pub fn counts(&self) -> [(&'static str, u64); 28] {
        [
            ("a cut-over", self.cut_overs),
            ("a fence", self.fences),
            ("a cut-over to what is not finished", self.downtimes),
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
            ("a revision that is slowed down", self.slowed),
            ("a revision that stands still for readers", self.stopped),
            ("a revision that went live through gates", self.gated),
            ("an assertion that does not pass", self.failing),
            ("a hold", self.holds),
            ("a comparison", self.comparisons),
            ("a revision that a gate does not let through", self.given_up),
            ("a verification that found something out", self.verified),
            ("a revision that is kept current", self.standby.begun),
            ("a rollback to what was kept current", self.standby.rollbacks),
            ("a history that ends with the revision before kept current", self.standby.current),
        ]
    }

    /// The database was emptied: readers have lost everything already, and by nobody's plan.
    pub fn forget(&mut self) {
        self.seen.clear();
        self.live = None;
        self.held = None;
    }

    /// After an action.
    pub fn check(
        &mut self,
        desired: &Desired,
        action: &Action,
        done: bool,
        postgres: &SimulatedPostgres,
        kafka: &SimulatedKafka,
    ) {
        let seed = self.seed;
        if let (Action::CreateRevision(new), true) = (action, done) {
            self.check_history(desired, new, postgres, kafka);
        }
        self.check_decisions(desired, action, done, postgres);
        self.check_comparisons(desired, action, done, postgres);
        self.check_standby(desired, action, done, postgres);
        match action {
            Action::CutOver { unfinished, .. } => {
                self.cut_overs += 1;
                if done && *unfinished {
                    self.downtimes += 1;
                    assert_eq!(desired.rollout.strategy, Strategy::InPlaceWithDowntime, "seed {seed}: {action}");
                    // Readers were told that they would see it fill.
                    self.seen.clear();
                }
            }
            Action::FenceLive { .. } => self.fences += 1,
            Action::DropRevision { .. } => self.drops += 1,
            Action::Abandon { .. } => self.abandoned += 1,
            Action::SetPace { pace: Some(0), .. } => self.stopped += u64::from(done),
            Action::SetPace { pace: Some(_), .. } => self.slowed += u64::from(done),
            Action::RemoveFinalizer { left_behind: Some(_) } => self.left_behind += 1,
            Action::ClaimView { from, .. } if format!("{from:?}") != "NoRow" => self.adoptions += 1,
            Action::DeleteView => {
                self.forget();
                return;
            }
            _ => {}
        }
        for (name, topic) in &kafka.topics {
            let before = self.partitions.entry(topic.id.clone()).or_default();
            assert!(topic.partitions.len() >= *before, "seed {seed}: topic {name} has shrunk by {action}");
            *before = topic.partitions.len();
        }
        let Some(view) = &postgres.view else { return };
        let ids: BTreeSet<&str> = view.replays.iter().map(|replay| replay.id.as_str()).collect();
        assert_eq!(ids.len(), view.replays.len(), "seed {seed}: a replay acts twice by {action}");
        if self.live.is_some() {
            assert!(view.live.is_some(), "seed {seed}: nothing is live after {action}");
        }
        if let Some(live) = &view.live {
            assert!(
                view.shown.shows(live),
                "seed {seed}: readers are shown {:?} and {live} is live, after {action}",
                view.shown
            );
            assert!(postgres.relation.is_some(), "seed {seed}: the name that readers query is gone after {action}");
        }
        let slowed = view.live_row().and_then(|(_, row)| row.pace);
        assert_eq!(slowed, None, "seed {seed}: what is live is slowed down after {action}");
        // Whoever is shown something has its tables; and the other branch of a switch has them too.
        for revision in view.shown.revisions() {
            assert!(
                postgres.schemas.contains(revision),
                "seed {seed}: the tables of {revision} are gone after {action}"
            );
        }
        let copy = view.verification.as_ref().and_then(|verification| verification.copy.as_ref());
        let seen = copy.is_some_and(|copy| view.shown.shows(copy) || view.live.as_ref() == Some(copy));
        assert!(!seen, "seed {seed}: readers are shown what was built to verify, after {action}");
        for reader in &postgres.readers {
            if let Some(live) = &reader.live {
                assert!(
                    view.shown.shows(live) && postgres.schemas.contains(live),
                    "seed {seed}: a reader whose snapshot sees {live} as live is shown {:?} after {action}",
                    view.shown
                );
            }
        }
        let served = view
            .revisions
            .iter()
            .filter(|(name, row)| row.state == RevisionState::Fenced && view.live.as_ref() != Some(*name));
        assert_eq!(served.count(), 0, "seed {seed}: a revision that is not live is fenced after {action}");
        self.live.clone_from(&view.live);
        self.see(postgres);
    }

    /// Nothing goes live that a person has a say in and has not let through.
    fn check_decisions(&mut self, desired: &Desired, action: &Action, done: bool, postgres: &SimulatedPostgres) {
        let moves = matches!(
            action,
            Action::CreateRevision(_)
                | Action::ReopenRevision { .. }
                | Action::ShowFirst { .. }
                | Action::CutOver { .. }
        );
        let seed = self.seed;
        assert!(!(moves && desired.rollout.paused), "seed {seed}: {action} while the rollout is paused");
        let Some(view) = postgres.view.as_ref().filter(|_| done) else { return };
        match action {
            Action::Obey { request: _, deed } => match deed {
                Deed::Abandon(_) => self.aborts += 1,
                Deed::Reopen(_) => self.retries += 1,
                Deed::RollBack { .. } | Deed::EndRollback | Deed::Approve(_) | Deed::Verify(_) | Deed::Nothing(_) => {}
            },
            Action::CutOver { live, next, .. } => {
                let (before, after) = (&view.revisions[live], &view.revisions[next]);
                let back = view.rolled_back.as_ref().is_some_and(|(_, to)| to == next);
                let (old, new) = (before.plan.as_ref().expect("a plan"), after.plan.as_ref().expect("a plan"));
                // A column that readers could not name yet is no loss to them.
                let mut seen = postgres.relation.iter().flatten().filter(|column| columns(old).contains(column));
                let loses = seen.any(|column| !columns(new).contains(column));
                let asks = loses || desired.rollout.promotion == Promotion::Manual;
                let allowed = back || after.approved_at.is_some();
                assert!(!asks || allowed, "seed {seed}: {next} is live, and nobody has let it go live");
                self.rollbacks += u64::from(back);
                self.approvals += u64::from(asks && !back);
                self.losses_approved += u64::from(loses && !back);
            }
            _ => {}
        }
    }

    /// A new revision leaves nothing out that the live one has, unless a person has said so.
    fn check_history(
        &mut self,
        desired: &Desired,
        new: &NewRevision,
        postgres: &SimulatedPostgres,
        kafka: &SimulatedKafka,
    ) {
        let Some((live, row)) = postgres.view.as_ref().and_then(|view| view.live_row()) else { return };
        let lost = row.progress.iter().any(|task| {
            let topic = kafka.topics.get(&task.topic).filter(|topic| topic.id == task.topic_id);
            topic.is_none_or(|topic| topic.partitions[&task.partition].earliest > task.next_offset)
        });
        let told = desired.replays.iter().find(|replay| Some(&replay.id) == new.replay.as_ref());
        for start in new.starts.iter().filter(|_| !lost) {
            let Some(task) = row.task(&start.topic, start.partition) else { continue };
            if start.offset > task.start_offset {
                assert!(
                    told.is_some_and(|replay| replay.accept_truncation || replay.discard_history),
                    "seed {}: {} begins partition {} at {}, {live} began at {}, and nobody was asked",
                    self.seed,
                    new.revision,
                    start.partition,
                    start.offset,
                    task.start_offset
                );
                self.midway += 1;
            }
        }
    }

    /// Readers look: no partition of what is live is behind what they have seen before.
    pub fn see(&mut self, postgres: &SimulatedPostgres) {
        let Some((live, row)) = postgres.view.as_ref().and_then(|view| view.live_row()) else { return };
        for task in &row.progress {
            let seen = self.seen.entry((task.topic_id.clone(), task.partition)).or_default();
            assert!(
                task.next_offset >= *seen,
                "seed {}: readers saw partition {} up to {seen}, and {live} is at {}",
                self.seed,
                task.partition,
                task.next_offset
            );
            *seen = task.next_offset;
        }
        // A partition that readers saw and that the live revision does not have would be a gap.
        for (topic, partition) in self.seen.keys() {
            let same = row.progress.iter().any(|task| task.topic_id == *topic);
            let there = row.progress.iter().any(|task| task.topic_id == *topic && task.partition == *partition);
            assert!(!same || there, "seed {}: {live} lacks partition {partition}, which readers saw", self.seed);
        }
    }

    /// After a round in which Postgres was asked and everything was done: the live revision does not stand still.
    pub fn check_fence(&self, observed: &Observed, postgres: &SimulatedPostgres, resource: &Identity, now: Moment) {
        if observed.view_of(resource).is_none() {
            return;
        }
        let Some((live, row)) = postgres.view.as_ref().and_then(|view| view.live_row()) else { return };
        let fenced = row.ended_at.filter(|_| row.state == RevisionState::Fenced).map(|at| now.since(at));
        assert!(
            fenced.is_none_or(|fenced| fenced <= FENCE_AT_MOST),
            "seed {}: {live} is live and has been fenced for {fenced:?}",
            self.seed
        );
    }

    /// Before a plan is performed: what could not be asked is a reason for nothing.
    pub fn check_plan(&mut self, observed: &Observed, plan: &Plan) {
        let found = |reason| u64::from(plan.troubles.iter().any(|trouble| trouble.reason == reason));
        self.losses += found(Reason::DataLost);
        self.problems += found(Reason::TooManyErrors);
        self.pauses += found(Reason::TombstonesMayBeLost);
        self.refusals += found(Reason::ReplayDiscardsHistory) + found(Reason::RetentionCutsReplay);
        for action in &plan.actions {
            let (kafka, postgres, cluster) = needs(action);
            for (needed, known, what) in [
                (kafka, is_known(&observed.kafka), "Kafka"),
                (postgres, is_known(&observed.catalog), "Postgres"),
                (cluster, is_known(&observed.children), "the API server"),
            ] {
                assert!(!needed || known, "seed {}: {action} is planned while {what} could not be asked", self.seed);
            }
        }
    }
}

fn is_known<T>(known: &Known<T>) -> bool {
    matches!(known, Known::Present(_) | Known::Absent)
}

/// What must have been seen before an action may be planned: Kafka, Postgres, the API server.
fn needs(action: &Action) -> (bool, bool, bool) {
    match action {
        Action::AddFinalizer | Action::RemoveFinalizer { .. } => (false, false, false),
        Action::ChangeTopic(_) => (true, true, false),
        Action::CreateRevision(_) => (true, true, true),
        Action::Verify(_) => (true, true, false),
        Action::AddPartitions { .. }
        | Action::ReopenRevision { .. }
        | Action::SetStandby { standby: true, .. }
        | Action::ShowFirst { .. } => (true, true, false),
        Action::ApplyLogin(_) | Action::ApplyDeployment { .. } | Action::Hold { .. } => (false, true, true),
        Action::DeleteDeployment { .. } => (false, false, true),
        // Only a live revision that was seen to be late holds another back.
        Action::SetPace { pace: Some(0), .. } => (true, true, true),
        Action::SetPace { .. } => (false, true, false),
        Action::MigrateCatalog
        | Action::ClaimView { .. }
        | Action::SetStandby { standby: false, .. }
        | Action::SetErrors { .. }
        | Action::CreateIndex { .. }
        | Action::Show { .. }
        | Action::CutOver { .. }
        | Action::NoteFilled { .. }
        | Action::FenceLive { .. }
        | Action::UnfenceLive { .. }
        | Action::ReleaseHolds
        | Action::Compare { .. }
        | Action::EndVerification { .. }
        | Action::GrantReaders { .. }
        | Action::RevokeReaders { .. }
        | Action::Obey { .. }
        | Action::NoteCaughtUp { .. }
        | Action::RestartSoak { .. }
        | Action::RunGates { .. }
        | Action::SetPaused { .. }
        | Action::Abandon { .. }
        | Action::DropRevision { .. }
        | Action::ReleaseView
        | Action::DeleteView => (false, true, false),
    }
}
