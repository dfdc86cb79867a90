//! The conditions of a view, in words for people and for `kubectl wait`.

use super::{
    desired::Desired,
    moment::Moment,
    observed::{Observed, ViewRow},
    plan::Plan,
    shown::{Shown, columns},
    spec::PAUSE,
    status::{Outcome, timestamp},
    trouble::{Area, Trouble},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use millrace_crds::{ConditionType, MaterializedViewStatus, Reason, RolloutPhase};

/// Behind by more than this and older than `OLD`, a live view is catching up.
const LATE_RECORDS: i64 = 10_000;
const LATE_MILLISECONDS: i64 = 60_000;

/// What conditions are judged by.
pub struct Judge<'a> {
    pub desired: &'a Desired,
    pub observed: &'a Observed,
    pub plan: &'a Plan,
    pub troubles: &'a [Trouble],
    pub view: Option<&'a ViewRow>,
    /// The status so far.
    pub status: &'a MaterializedViewStatus,
}

/// A condition before its times are known: type, status, reason, sentence.
pub type Found = (ConditionType, &'static str, Reason, String);

impl Judge<'_> {
    pub fn conditions(&self, previous: &MaterializedViewStatus, outcome: &Outcome, now: Moment) -> Vec<Condition> {
        stamped(self.found(previous, outcome), &previous.conditions, self.status.observed_generation, now)
    }

    fn found(&self, previous: &MaterializedViewStatus, outcome: &Outcome) -> Vec<Found> {
        let mut found = vec![self.available(previous), self.ready(previous)];
        let blocked = self.desired.deletion.map(|_| {
            (Reason::DeletionBlocked, deletion_waits_for(outcome, self.plan.waiting_on.as_deref(), self.troubles))
        });
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
        found.push(area(
            self.troubles,
            ConditionType::SourcesReady,
            Area::Sources,
            self.observed.kafka.present().is_some(),
            Reason::TopicsReadable,
            "every topic is there and is the one that was read before",
        ));
        found.push(area(
            self.troubles,
            ConditionType::SinkReady,
            Area::Sink,
            self.view.is_some(),
            Reason::TargetWritable,
            &format!("{} can be written", self.desired.target),
        ));
        found.push(self.rollout_succeeded());
        found
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
            return (kind, before, Reason::Paused, format!("the annotation {} is set", PAUSE));
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

/// What keeps the finalizer: every round says something, for a deletion's patience is counted from the first.
pub fn deletion_waits_for(outcome: &Outcome, waiting_on: Option<&str>, troubles: &[Trouble]) -> String {
    match (outcome, waiting_on) {
        (Outcome::Failed(trouble), _) => trouble.message.clone(),
        (Outcome::Waiting(what), _) => format!("waits for {what}"),
        (Outcome::Done, Some(what)) => format!("waits for {what}"),
        (Outcome::Done, None) => match troubles.first() {
            Some(trouble) => trouble.message.clone(),
            None => "what it has outside is cleaned up".to_owned(),
        },
    }
}

/// The condition of an area: false with the area's gravest trouble, true when it was looked at and is well.
pub fn area(
    troubles: &[Trouble],
    kind: ConditionType,
    area: Area,
    well: bool,
    reason: Reason,
    sentence: &str,
) -> Found {
    match troubles.iter().find(|trouble| trouble.area == area) {
        Some(trouble) => (kind, "False", trouble.reason, trouble.message.clone()),
        None if well => (kind, "True", reason, sentence.to_owned()),
        None => (kind, "Unknown", Reason::Unknown, "not looked at yet".to_owned()),
    }
}

pub fn known_status(status: &str) -> &'static str {
    match status {
        "True" => "True",
        "False" => "False",
        _ => "Unknown",
    }
}

/// Conditions with their times: the time of the last transition stays while the status does.
pub fn stamped(found: Vec<Found>, previous: &[Condition], generation: Option<i64>, now: Moment) -> Vec<Condition> {
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
