//! The conditions of an app, in words for people and for `kubectl wait`.

use super::{
    desired::Desired,
    observed::{Observed, Template},
    plan::Plan,
};
use crate::view::{
    conditions::{Found, area, deletion_waits_for, known_status, stamped},
    moment::Moment,
    spec::PAUSE,
    status::Outcome,
    trouble::{Area, Trouble},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use millrace_crds::{AppPhase, ConditionType, Reason, StreamAppStatus};

/// What conditions are judged by.
pub struct Judge<'a> {
    pub desired: &'a Desired,
    pub observed: &'a Observed,
    pub plan: &'a Plan,
    pub troubles: &'a [Trouble],
    /// The status so far.
    pub status: &'a StreamAppStatus,
}

impl Judge<'_> {
    pub fn conditions(&self, previous: &StreamAppStatus, outcome: &Outcome, now: Moment) -> Vec<Condition> {
        let mut found = vec![self.available(), self.ready(previous)];
        let waits = || deletion_waits_for(outcome, self.plan.waiting_on.as_deref(), self.troubles);
        let blocked = self.desired.deletion.map(|_| (Reason::DeletionBlocked, waits()));
        let stalled = self.troubles.iter().find(|trouble| !trouble.heals());
        if let Some((reason, message)) = blocked.or(stalled.map(|trouble| (trouble.reason, trouble.message.clone()))) {
            found.push((ConditionType::Stalled, "True", reason, message));
        } else if self.replaying().is_some() {
            let what = self.status.waiting_on.clone().unwrap_or_else(|| "the group is moved to other records".into());
            found.push((ConditionType::Reconciling, "True", Reason::Replaying, what));
        }
        found.push(area(
            self.troubles,
            ConditionType::TopicsReady,
            Area::Sources,
            self.observed.kafka.present().is_some(),
            Reason::TopicsReadable,
            "every input and output is there",
        ));
        let children = self.observed.children.present();
        let accepted = children.is_some_and(|children| matches!(children.template, Some(Template::Accepted { .. })));
        found.push(area(
            self.troubles,
            ConditionType::TemplateValid,
            Area::Template,
            accepted,
            Reason::TemplateAccepted,
            "the API server takes podTemplate",
        ));
        found.push(self.group());
        stamped(found, &previous.conditions, self.status.observed_generation, now)
    }

    fn replaying(&self) -> Option<AppPhase> {
        self.status.phase.filter(|phase| *phase != AppPhase::Steady)
    }

    fn group(&self) -> Found {
        let kind = ConditionType::GroupReady;
        let known = self.observed.group.present().is_some();
        let own = format!("every member of the group {} is of this app", self.desired.group);
        let found = area(self.troubles, kind, Area::Group, known, Reason::GroupOwn, &own);
        let foreign = self.status.group.iter().flat_map(|group| &group.foreign_members).cloned().collect::<Vec<_>>();
        if found.1 == "True" && !foreign.is_empty() {
            let sentence = format!("members that are not of this app take partitions from it: {}", foreign.join(", "));
            return (kind, "False", Reason::ForeignMember, sentence);
        }
        found
    }

    fn available(&self) -> Found {
        let kind = ConditionType::Available;
        let Some(children) = self.observed.children.present() else {
            return (kind, "Unknown", Reason::Unknown, "the API server could not be asked".into());
        };
        let ready = children.deployment.as_ref().map_or(0, |deployment| deployment.ready);
        if ready > 0 {
            return (kind, "True", Reason::Running, format!("{ready} instances are ready"));
        }
        match self.replaying() {
            _ if self.desired.suspended => (kind, "False", Reason::Suspended, "spec.suspend is true".into()),
            Some(phase) => (kind, "False", Reason::Replaying, format!("the replay is {phase:?}")),
            None => (kind, "False", Reason::WorkersStarting, "no instance is ready".into()),
        }
    }

    fn ready(&self, previous: &StreamAppStatus) -> Found {
        let kind = ConditionType::Ready;
        if self.desired.deletion.is_some() {
            return (kind, "False", Reason::Deleting, "the resource is being deleted".into());
        }
        if self.desired.paused {
            let seen = previous.observed_generation == Some(self.desired.generation);
            let before = previous.condition(kind).filter(|_| seen);
            let before = before.map_or("Unknown", |condition| known_status(&condition.status));
            return (kind, before, Reason::Paused, format!("the annotation {PAUSE} is set"));
        }
        if let Some(trouble) = self.troubles.first() {
            return (kind, "False", trouble.reason, trouble.message.clone());
        }
        if let Some(phase) = self.replaying() {
            let waits = self.status.waiting_on.as_ref().map(|what| format!("; waits for {what}")).unwrap_or_default();
            return (kind, "False", Reason::Replaying, format!("the replay is {phase:?}{waits}"));
        }
        if self.desired.suspended {
            return (kind, "True", Reason::Suspended, "spec.suspend is true: nothing is read".into());
        }
        let asked = self.plan.actions.is_empty() && self.plan.phase.is_some();
        let deployment = self.observed.children.present().and_then(|children| children.deployment.as_ref());
        let runs = deployment.filter(|deployment| deployment.rolled_out && deployment.ready >= deployment.wanted);
        match (runs, self.observed.group.present()) {
            (Some(runs), Some(group)) if asked && !group.members.is_empty() => {
                let sentence = format!("{} instances run this generation", runs.ready);
                (kind, "True", Reason::Running, sentence)
            }
            (Some(_), Some(group)) if asked && group.members.is_empty() => {
                let sentence = format!("no instance has joined the group {} yet", self.desired.group);
                (kind, "False", Reason::WorkersStarting, sentence)
            }
            (_, _) => (kind, "False", Reason::WorkersStarting, "instances of this generation are started".into()),
        }
    }
}
