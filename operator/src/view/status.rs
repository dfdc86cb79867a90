//! The status of a view: what was seen and planned, and how the round ended, in words for people and for `kubectl wait`.

use super::{
    comparison,
    conditions::Judge,
    desired::Desired,
    figures::two_digits,
    freshness::freshness,
    known::Known,
    moment::Moment,
    observed::{Observed, ViewRow},
    plan::Plan,
    position::{Behind, behind_ends, behind_live, comparable, done_and_total},
    request::{acted, open_promotion},
    rhythm,
    trouble::Trouble,
    verification,
    workers::selector,
};
use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use millrace_contract::revision::RevisionState;
use millrace_crds::{
    MaterializedViewStatus, ParallelismStatus, PreviousRevisionStatus, ReplayStatus, RolloutPhase, RolloutStatus,
};

/// How performing a plan ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Done,
    /// An action could not be done yet.
    Waiting(String),
    Failed(Trouble),
}

pub fn status(
    desired: &Desired,
    observed: &Observed,
    plan: &Plan,
    outcome: &Outcome,
    previous: &MaterializedViewStatus,
    now: Moment,
) -> MaterializedViewStatus {
    let mut status = previous.clone();
    // While it is paused nobody looks at what is asked.
    let paused = desired.paused && desired.deletion.is_none();
    status.observed_generation = if paused { previous.observed_generation } else { Some(desired.generation) };
    let mut troubles = plan.troubles.clone();
    if let Outcome::Failed(trouble) = outcome
        && !troubles.iter().any(|other| other.reason == trouble.reason)
    {
        troubles.push(trouble.clone());
    }
    let view = observed.view_of(&desired.identity);
    if let Some(view) = view {
        status.live_revision = view.live.as_ref().map(ToString::to_string);
        status.previous_revision = kept(desired, view);
        status.replays = replays(view);
        status.requests = acted(desired, view);
        status.verification = verification::status(view);
        figures(&mut status, observed, view, now);
        rollout(&mut status, observed, plan, outcome, view, now);
        parallelism(&mut status, view);
    } else if matches!(observed.catalog, Known::Absent) || observed.catalog.present().is_some() {
        // Asked, and there is nothing: not even what the status said.
        status.live_revision = None;
        status.previous_revision = None;
        status.requests = Vec::new();
        status.rollout = None;
        status.verification = None;
        status.lag_records = None;
        status.freshness_milliseconds = None;
    }
    let judge = Judge { desired, observed, plan, troubles: &troubles, view, status: &status };
    status.conditions = judge.conditions(previous, outcome, now);
    workers(&mut status, desired, observed, view);
    status
}

pub fn timestamp(moment: Moment) -> Time {
    Time(Timestamp::from_millisecond(moment.0 - moment.0.rem_euclid(1000)).unwrap_or_default())
}

fn replays(view: &ViewRow) -> Vec<ReplayStatus> {
    let mut replays: Vec<_> = view.replays.iter().collect();
    replays.sort_by_key(|replay| replay.accepted_at);
    let newest = replays.len().saturating_sub(20);
    replays[newest..]
        .iter()
        .map(|replay| ReplayStatus {
            id: replay.id.clone(),
            revision: replay.revision.to_string(),
            accepted_at: timestamp(replay.accepted_at),
        })
        .collect()
}

/// What a rollback would go back to, and what it would have to read before.
fn kept(desired: &Desired, view: &ViewRow) -> Option<PreviousRevisionStatus> {
    let (_, live) = view.live_row()?;
    let (name, row) = view.previous()?;
    let behind = match behind_live(row, live) {
        Behind::Records(records) if comparable(row, live) => Some(two_digits(records)),
        Behind::Records(_) | Behind::Unmeasured => None,
    };
    Some(PreviousRevisionStatus {
        revision: name.to_string(),
        kept_current: row.state == RevisionState::Standby,
        records_behind: behind,
        kept_until: row.ended_at.map(|ended| timestamp(ended + desired.rollout.retain_previous)),
    })
}

/// Lag and freshness of the live revision.
fn figures(status: &mut MaterializedViewStatus, observed: &Observed, view: &ViewRow, now: Moment) {
    let Some((_, live)) = view.live_row() else {
        status.lag_records = None;
        status.freshness_milliseconds = None;
        return;
    };
    if let Some(Behind::Records(lag)) = observed.kafka.present().map(|kafka| behind_ends(live, kafka)) {
        status.lag_records = Some(lag);
        status.freshness_milliseconds = freshness(live, lag, now).or(status.freshness_milliseconds);
    }
}

fn rollout(
    status: &mut MaterializedViewStatus,
    observed: &Observed,
    plan: &Plan,
    outcome: &Outcome,
    view: &ViewRow,
    now: Moment,
) {
    let Some(rollout) = &plan.rollout else { return };
    let mut shown = RolloutStatus {
        revision: rollout.revision.to_string(),
        phase: rollout.phase,
        promote: open_promotion(view, &rollout.revision),
        records_done: None,
        records_total: None,
        percent: None,
        eta_seconds: None,
        waiting_on: None,
        forecast: plan.forecast.as_ref().map(|forecast| forecast.shown(two_digits)),
        comparison: comparison::of_rollout(view, &rollout.revision),
    };
    if rollout.phase == RolloutPhase::Steady {
        // Nothing is being done: figures of the past would only age.
        shown.percent = Some(100);
        status.rollout = Some(shown);
        return;
    }
    if let (Some(row), Some(kafka)) = (view.revisions.get(&rollout.revision), observed.kafka.present()) {
        let (done, total) = done_and_total(row, kafka);
        shown.records_done = Some(done);
        shown.records_total = Some(total);
        let percent = if total == 0 { 100 } else { i32::try_from(done.saturating_mul(100) / total).unwrap_or(100) };
        shown.percent = Some(percent.clamp(0, 100));
        let seconds = i64::try_from(now.since(row.created_at).as_secs()).unwrap_or(i64::MAX).max(1);
        shown.eta_seconds = (done > 0).then(|| (total - done).saturating_mul(seconds) / done);
    }
    shown.waiting_on = match outcome {
        Outcome::Waiting(what) => Some(what.clone()),
        Outcome::Done => plan.waiting_on.clone(),
        Outcome::Failed(trouble) => Some(trouble.message.clone()),
    };
    if let Some(text) = &mut shown.waiting_on {
        *text = text.chars().take(1000).collect();
    }
    status.rollout = Some(shown);
}

fn parallelism(status: &mut MaterializedViewStatus, view: &ViewRow) {
    let newest = view.revisions.values().max_by_key(|row| row.created_at);
    let Some(row) = view.live_row().map(|(_, row)| row).or(newest) else { return };
    let topics = row.topics().into_iter().collect::<Vec<_>>().join(", ");
    status.parallelism = Some(ParallelismStatus {
        max: i32::try_from(row.tasks()).unwrap_or(i32::MAX),
        reason: format!("one worker for each partition of {topics}"),
    });
}

fn workers(status: &mut MaterializedViewStatus, desired: &Desired, observed: &Observed, view: Option<&ViewRow>) {
    let Some(children) = observed.children.present() else { return };
    let built = view.and_then(|view| view.revisions.iter().max_by_key(|(_, row)| row.created_at).map(|(name, _)| name));
    let Some(revision) = view.and_then(|view| view.live.as_ref()).or(built) else {
        status.replicas = Some(0);
        return;
    };
    let name = &desired.identity.name;
    status.selector = Some(selector(name, revision));
    status.replicas = Some(children.deployments.get(&name.deployment(revision)).map_or(0, |state| state.replicas));
}

impl rhythm::Shown for MaterializedViewStatus {
    fn is_moving(&self) -> bool {
        self.rollout.as_ref().is_some_and(|rollout| rollout.phase != RolloutPhase::Steady)
    }

    fn differs_in_figures_only(&self, next: &MaterializedViewStatus) -> bool {
        without_figures(self) == without_figures(next)
    }
}

fn without_figures(status: &MaterializedViewStatus) -> MaterializedViewStatus {
    let mut status = status.clone();
    status.lag_records = None;
    status.freshness_milliseconds = None;
    if let Some(previous) = &mut status.previous_revision {
        previous.records_behind = None;
    }
    if let Some(rollout) = &mut status.rollout {
        rollout.records_done = None;
        rollout.records_total = None;
        rollout.percent = None;
        rollout.eta_seconds = None;
        rollout.waiting_on = None;
        rollout.forecast = None;
    }
    status
}
