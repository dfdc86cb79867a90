//! The status of a view: what was seen and planned, and how the round ended, in words for people and for `kubectl wait`.

use super::{
    desired::Desired,
    freshness::freshness,
    known::Known,
    moment::Moment,
    observed::{Observed, ViewRow},
    plan::Plan,
    position::{Behind, behind_ends, done_and_total},
    request::{acted, open_promotion},
    shown::{Shown, columns},
    trouble::{Area, Trouble},
    workers::selector,
};
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};
use millrace_crds::{
    ConditionType, MaterializedViewStatus, ParallelismStatus, Reason, ReplayStatus, RolloutPhase, RolloutStatus,
};

/// How performing a plan ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Done,
    /// An action could not be done yet.
    Waiting(String),
    Failed(Trouble),
}

/// Behind by more than this and older than `OLD`, a live view is catching up.
const LATE_RECORDS: i64 = 10_000;
const LATE_MILLISECONDS: i64 = 60_000;

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
        status.replays = replays(view);
        status.requests = acted(desired, view);
        figures(&mut status, observed, view, now);
        rollout(&mut status, observed, plan, outcome, view, now);
        parallelism(&mut status, view);
    } else if matches!(observed.catalog, Known::Absent) || observed.catalog.present().is_some() {
        // Asked, and there is nothing: not even what the status said.
        status.live_revision = None;
        status.requests = Vec::new();
        status.rollout = None;
        status.lag_records = None;
        status.freshness_milliseconds = None;
    }
    let judge = Judge { desired, observed, plan, troubles: &troubles, view, status: &status };
    let found = judge.conditions(previous, outcome);
    status.conditions = stamped(found, &previous.conditions, status.observed_generation, now);
    workers(&mut status, desired, observed, view);
    status
}

fn timestamp(moment: Moment) -> Time {
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

struct Judge<'a> {
    desired: &'a Desired,
    observed: &'a Observed,
    plan: &'a Plan,
    troubles: &'a [Trouble],
    view: Option<&'a ViewRow>,
    status: &'a MaterializedViewStatus,
}

/// A condition before its times are known: type, status, reason, sentence.
type Found = (ConditionType, &'static str, Reason, String);

impl Judge<'_> {
    fn conditions(&self, previous: &MaterializedViewStatus, outcome: &Outcome) -> Vec<Found> {
        let mut found = vec![self.available(previous), self.ready(previous)];
        let blocked = self.desired.deletion.map(|_| (Reason::DeletionBlocked, self.deletion_waits_for(outcome)));
        let stalled = self.troubles.iter().find(|trouble| !trouble.heals());
        if let Some((reason, message)) = blocked.or(stalled.map(|trouble| (trouble.reason, trouble.message.clone()))) {
            found.push((ConditionType::Stalled, "True", reason, message));
        } else if self.going_on() {
            let what = format!(
                "revision {} is rolled out",
                self.status.rollout.as_ref().map_or("", |rollout| &rollout.revision)
            );
            found.push((ConditionType::Reconciling, "True", Reason::RollingOut, what));
        }
        found.push(match &self.desired.query {
            Ok(query) => {
                let names: Vec<&str> = query.columns.iter().map(|(name, _)| name.as_str()).collect();
                (ConditionType::QueryValid, "True", Reason::Compiled, format!("columns: {}", names.join(", ")))
            }
            Err(trouble) => (ConditionType::QueryValid, "False", trouble.reason, trouble.message.clone()),
        });
        found.push(self.area(
            ConditionType::SourcesReady,
            Area::Sources,
            self.observed.kafka.present().is_some(),
            Reason::TopicsReadable,
            "every topic is there and is the one that was read before",
        ));
        found.push(self.area(
            ConditionType::SinkReady,
            Area::Sink,
            self.view.is_some(),
            Reason::TargetWritable,
            &format!("{} can be written", self.desired.target),
        ));
        found.push(self.rollout_succeeded());
        found
    }

    /// What keeps the finalizer: every round says something, for a deletion's patience is counted from the first.
    fn deletion_waits_for(&self, outcome: &Outcome) -> String {
        match (outcome, &self.plan.waiting_on) {
            (Outcome::Failed(trouble), _) => trouble.message.clone(),
            (Outcome::Waiting(what), _) | (Outcome::Done, Some(what)) => format!("waits for {what}"),
            (Outcome::Done, None) => match self.troubles.first() {
                Some(trouble) => trouble.message.clone(),
                None => "what it has in Postgres is cleaned up".to_owned(),
            },
        }
    }

    fn area(&self, kind: ConditionType, area: Area, well: bool, reason: Reason, sentence: &str) -> Found {
        match self.troubles.iter().find(|trouble| trouble.area == area) {
            Some(trouble) => (kind, "False", trouble.reason, trouble.message.clone()),
            None if well => (kind, "True", reason, sentence.to_owned()),
            None => (kind, "Unknown", Reason::Unknown, "not looked at yet".to_owned()),
        }
    }

    fn rollout_succeeded(&self) -> Found {
        let kind = ConditionType::RolloutSucceeded;
        if let Some(trouble) = self.troubles.iter().find(|trouble| trouble.area == Area::Rollout) {
            return (kind, "False", trouble.reason, trouble.message.clone());
        }
        match &self.plan.rollout {
            Some(rollout) if self.is_live(&rollout.revision.0) => {
                (kind, "True", Reason::Promoted, format!("revision {} is live", rollout.revision))
            }
            Some(rollout) => {
                (kind, "Unknown", Reason::RollingOut, format!("revision {} is not live yet", rollout.revision))
            }
            None => (kind, "Unknown", Reason::Unknown, "nothing is rolled out".to_owned()),
        }
    }

    fn is_live(&self, revision: &str) -> bool {
        self.view.and_then(|view| view.live.as_ref()).is_some_and(|live| live.0 == revision)
    }

    fn available(&self, previous: &MaterializedViewStatus) -> Found {
        let kind = ConditionType::Available;
        match (self.view, self.observed.catalog.trouble()) {
            (Some(view), _) if view.live_row().is_some_and(|(_, live)| live.refilling) => {
                let sentence = format!("{} fills: its rollout.strategy is InPlaceWithDowntime", self.desired.target);
                (kind, "False", Reason::Refilling, sentence)
            }
            (Some(view), _) if view.live.is_some() && view.shown != Shown::Nothing => {
                (kind, "True", Reason::Live, format!("readers of {} are served", self.desired.target))
            }
            (None, Some(trouble)) if previous.live_revision.is_some() => {
                (kind, "Unknown", trouble.reason, trouble.message.clone())
            }
            (Some(_) | None, _) => {
                (kind, "False", Reason::NoLiveRevision, format!("{} shows nothing yet", self.desired.target))
            }
        }
    }

    fn ready(&self, previous: &MaterializedViewStatus) -> Found {
        let kind = ConditionType::Ready;
        if self.desired.deletion.is_some() {
            return (kind, "False", Reason::Deleting, "the resource is being deleted".to_owned());
        }
        if self.desired.paused {
            let seen = previous.observed_generation == Some(self.desired.generation);
            let before = previous.condition(kind).filter(|_| seen);
            let before = before.map_or("Unknown", |condition| known_status(&condition.status));
            return (kind, before, Reason::Paused, format!("the annotation {} is set", super::spec::PAUSE));
        }
        if let Some(trouble) = self.troubles.first() {
            return (kind, "False", trouble.reason, trouble.message.clone());
        }
        let live = self.plan.rollout.as_ref().is_some_and(|rollout| self.is_live(&rollout.revision.0));
        if self.desired.suspended {
            let sentence = "spec.suspend is true: nothing is read, readers are served what there is".to_owned();
            return (kind, if live { "True" } else { "False" }, Reason::Suspended, sentence);
        }
        if let Some((reason, sentence)) = self.waits_for_a_person().filter(|_| !live) {
            return (kind, "False", reason, sentence);
        }
        let refilling = self.view.and_then(ViewRow::live_row).is_some_and(|(_, row)| row.refilling);
        if !live || refilling || self.columns_to_come() {
            return (kind, "False", Reason::RollingOut, "status.rollout says how far it is".to_owned());
        }
        let lag = self.status.lag_records.unwrap_or(0);
        if lag > 0 && self.no_worker_is_ready() {
            return (kind, "False", Reason::WorkersStarting, "no worker is ready, and records wait".to_owned());
        }
        if lag > LATE_RECORDS && self.status.freshness_milliseconds.is_some_and(|age| age > LATE_MILLISECONDS) {
            let sentence = "records wait, and readers saw everything more than a minute ago".to_owned();
            return (kind, "False", Reason::CatchingUp, sentence);
        }
        (kind, "True", Reason::Live, format!("readers of {} see this generation's revision", self.desired.target))
    }

    /// The rollout goes on when a person says so, and what the person may say.
    fn waits_for_a_person(&self) -> Option<(Reason, String)> {
        let rollout = self.plan.rollout.as_ref()?;
        let reason = match rollout.phase {
            _ if self.desired.rollout.paused => Reason::RolloutPaused,
            RolloutPhase::AwaitingPromotion => Reason::AwaitingPromotion,
            _ => return None,
        };
        Some((reason, self.plan.waiting_on.clone().unwrap_or_default()))
    }

    fn going_on(&self) -> bool {
        self.desired.deletion.is_none()
            && !self.desired.suspended
            && self.plan.rollout.as_ref().is_some_and(|rollout| rollout.phase != RolloutPhase::Steady)
    }

    /// The live revision has columns that readers cannot name before the switch is gone.
    fn columns_to_come(&self) -> bool {
        let Some(catalog) = self.observed.catalog.present() else { return false };
        let live = self.view.and_then(ViewRow::live_row).and_then(|(_, row)| row.plan.as_ref().ok());
        live.is_some_and(|plan| columns(plan).iter().any(|column| !catalog.target_columns.contains(column)))
    }

    fn no_worker_is_ready(&self) -> bool {
        let Some(children) = self.observed.children.present() else { return false };
        let Some((live, _)) = self.view.and_then(ViewRow::live_row) else { return false };
        children.deployments.get(&self.desired.identity.name.deployment(live)).is_none_or(|state| state.ready == 0)
    }
}

fn known_status(status: &str) -> &'static str {
    match status {
        "True" => "True",
        "False" => "False",
        _ => "Unknown",
    }
}

/// Conditions with their times: the time of the last transition stays while the status does.
fn stamped(found: Vec<Found>, previous: &[Condition], generation: Option<i64>, now: Moment) -> Vec<Condition> {
    found
        .into_iter()
        .map(|(kind, status, reason, message)| {
            let before =
                previous.iter().find(|condition| condition.type_ == kind.as_str() && condition.status == status);
            // How long a deletion has taken is counted from here: a Stalled of another reason is another matter.
            let before =
                before.filter(|condition| kind != ConditionType::Stalled || condition.reason == reason.as_str());
            Condition {
                type_: kind.as_str().to_owned(),
                status: status.to_owned(),
                reason: reason.as_str().to_owned(),
                message: message.chars().take(4000).collect(),
                observed_generation: generation,
                last_transition_time: before
                    .map_or_else(|| timestamp(now), |condition| condition.last_transition_time.clone()),
            }
        })
        .collect()
}

/// Whether the two differ in nothing but figures, which are written less often.
pub fn differ_in_figures_only(before: &MaterializedViewStatus, after: &MaterializedViewStatus) -> bool {
    let strip = |status: &MaterializedViewStatus| {
        let mut status = status.clone();
        status.lag_records = None;
        status.freshness_milliseconds = None;
        if let Some(rollout) = &mut status.rollout {
            rollout.records_done = None;
            rollout.records_total = None;
            rollout.percent = None;
            rollout.eta_seconds = None;
            rollout.waiting_on = None;
        }
        status
    };
    strip(before) == strip(after)
}
