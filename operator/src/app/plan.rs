//! The plan: what to do next for an app, what it waits for, and what is wrong; a function of what was asked and seen.

use super::{
    action::{Action, Note},
    deletion,
    desired::Desired,
    ledger,
    observed::{Children, DeploymentState, Group, Observed, Template},
    resetting::{self, Standing},
    workload,
};
use crate::view::{desired::WorkerCount, moment::Moment, observed::Kafka, topics::ensure, trouble::Trouble};
use millrace_crds::{AppPhase, AppReplayStatus, Reason};
use std::time::Duration;

#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Where the replay stands; none: it could not be seen, or nobody looks.
    pub phase: Option<AppPhase>,
    /// In order; one that fails or must wait ends the round, and the next look decides again.
    pub actions: Vec<Action>,
    /// What is waited for, as a sentence.
    pub waiting_on: Option<String>,
    /// What is wrong, the gravest first.
    pub troubles: Vec<Trouble>,
    /// When to look again although nothing is known to have happened; none: at the next resync.
    pub look_again: Option<Duration>,
}

impl Plan {
    pub fn idle() -> Plan {
        Plan { phase: None, actions: Vec::new(), waiting_on: None, troubles: Vec::new(), look_again: None }
    }

    pub fn wait(&mut self, what: impl Into<String>, look_again: Duration) {
        self.waiting_on.get_or_insert(what.into());
        self.look_again = Some(self.look_again.map_or(look_again, |other| other.min(look_again)));
    }
}

/// What every step of planning looks at, once the cluster was seen.
#[derive(Clone, Copy)]
pub struct Sight<'a> {
    pub desired: &'a Desired,
    pub observed: &'a Observed,
    pub children: &'a Children,
    /// What is written down, newest last.
    pub replays: &'a [AppReplayStatus],
    pub now: Moment,
}

impl<'a> Sight<'a> {
    pub fn kafka(&self) -> Option<&'a Kafka> {
        self.observed.kafka.present()
    }

    pub fn group(&self) -> Option<&'a Group> {
        self.observed.group.present()
    }

    /// The version of the ledger that was seen.
    pub fn ledger(&self) -> Option<String> {
        self.children.ledger.as_ref().map(|ledger| ledger.resource_version.clone())
    }

    /// Writes the ledger down with its newest replay changed.
    pub fn note(&self, note: Note, change: impl FnOnce(&mut AppReplayStatus)) -> Option<Action> {
        let mut replays = self.replays.to_vec();
        change(replays.last_mut()?);
        Some(Action::WriteLedger { replays: ledger::to_ledger(replays), note, seen: self.ledger() })
    }
}

/// What to do next for an app.
pub fn plan(desired: &Desired, observed: &Observed, now: Moment) -> Plan {
    if let Some(deletion) = desired.deletion {
        return deletion::plan(desired, deletion, observed, now);
    }
    let mut plan = Plan::idle();
    if desired.paused {
        return plan;
    }
    if !desired.finalizer {
        plan.actions.push(Action::AddFinalizer);
        return plan;
    }
    plan.troubles.extend(desired.allowed.as_ref().err().cloned());
    for trouble in [
        observed.kafka_address.trouble(),
        observed.kafka.trouble(),
        observed.group.trouble(),
        observed.internal.trouble(),
        observed.children.trouble(),
    ]
    .into_iter()
    .flatten()
    {
        if !plan.troubles.contains(trouble) {
            plan.troubles.push(trouble.clone());
        }
    }
    plan_topics(&mut plan, desired, observed);
    let unreachable = needs_a_secret(desired, observed);
    let startable = unreachable.is_none();
    plan.troubles.extend(unreachable);
    let Some(children) = observed.children.present() else { return plan };
    if let Some(taken) = taken(desired, children) {
        plan.troubles.push(taken);
        return plan;
    }
    let replays = ledger::remembered(desired, children.ledger.as_ref());
    let sight = Sight { desired, observed, children, replays: &replays, now };
    let standing = match written(desired, children) {
        Err(trouble) => {
            plan.troubles.push(trouble);
            Standing::AsIs
        }
        Ok(written) if written != replays => {
            let replays = ledger::to_ledger(replays.clone());
            let written = children.ledger.as_ref().map(|ledger| &ledger.replays);
            if written != Some(&Ok(replays.clone())) {
                plan.actions.push(Action::WriteLedger { replays, note: Note::Restored, seen: sight.ledger() });
                return plan;
            }
            resetting::plan(&mut plan, sight)
        }
        Ok(_) => resetting::plan(&mut plan, sight),
    };
    // What is written down changes what may be started: that is for the next look.
    let writes = plan.actions.iter().any(|action| matches!(action, Action::WriteLedger { .. }));
    if startable && !writes {
        plan_workload(&mut plan, sight, standing);
    }
    plan
}

/// What the operator's Kafka asks for, and instances are not given.
fn needs_a_secret(desired: &Desired, observed: &Observed) -> Option<Trouble> {
    let kafka = observed.kafka_address.present().filter(|_| desired.identity.kafka_secret.is_none())?;
    let what = match (kafka.login, &kafka.ca) {
        (true, _) => "asks for a login",
        (false, Some(_)) => "has a certificate of an authority of its own",
        (false, None) => return None,
    };
    Some(Trouble::sources(
        Reason::SecretMissing,
        format!(
            "the operator's Kafka {what}, which instances are not given; put it for this namespace into a Secret and name it \
             in spec.kafka.secretRef"
        ),
    ))
}

fn plan_topics(plan: &mut Plan, desired: &Desired, observed: &Observed) {
    let Some(kafka) = observed.kafka.present().filter(|_| desired.allowed.is_ok()) else { return };
    for wish in desired.topics() {
        match ensure(&wish, kafka.by_topic.get(&wish.topic), None) {
            Ok(changes) => plan.actions.extend(changes.into_iter().map(Action::ChangeTopic)),
            Err(trouble) => plan.troubles.push(trouble),
        }
    }
}

/// What has the name of something of the app's and is not of this app.
fn taken(desired: &Desired, children: &Children) -> Option<Trouble> {
    let name = &desired.identity.name;
    let deployment = children.deployment.as_ref().filter(|deployment| !deployment.ours).map(|_| name.deployment());
    let ledger = children.ledger.as_ref().filter(|ledger| !ledger.ours).map(|_| name.ledger());
    let what = deployment.map(|name| format!("Deployment {name}")).or(ledger.map(|name| format!("ConfigMap {name}")))?;
    Some(Trouble::cluster(
        Reason::NameTaken,
        format!(
            "there is a {what} that was not made for {name}, and it is left alone; delete or rename it, or make the app again under another name"
        ),
    ))
}

/// The replays in the ledger, as far as they are of this group.
fn written(desired: &Desired, children: &Children) -> Result<Vec<AppReplayStatus>, Trouble> {
    let Some(ledger) = children.ledger.as_ref().filter(|ledger| ledger.group == desired.group) else {
        return Ok(Vec::new());
    };
    ledger.replays.clone().map_err(|error| {
        Trouble::group(
            Reason::InvalidSpec,
            format!(
                "what the ConfigMap {} holds of replays cannot be read: {error}; correct it, or delete it to have it \
                 restored from the status",
                desired.identity.name.ledger()
            ),
        )
    })
}

/// The Deployment, with as many instances as there may be.
fn plan_workload(plan: &mut Plan, sight: Sight<'_>, standing: Standing) {
    let Sight { desired, observed, children, .. } = sight;
    if let Some(failing) = &children.failing {
        plan.troubles.push(Trouble::cluster(Reason::WorkersFailing, failing.clone()));
    }
    if desired.allowed.is_err() {
        return;
    }
    if let Some(Template::Refused(sentence)) = &children.template {
        plan.troubles.push(Trouble::template(
            Reason::TemplateRefused,
            format!("the API server refuses podTemplate: {sentence}; correct it, what runs goes on as it was"),
        ));
    }
    let found = children.deployment.as_ref();
    if found.is_some_and(|found| found.deleting) {
        plan.wait("the Deployment to be gone", Duration::from_secs(1));
        return;
    }
    let Some(replicas) = replicas(sight, standing, found) else { return };
    let name = desired.identity.name.deployment();
    let scaled = found.is_some_and(|found| found.wanted == replicas);
    match (&children.template, observed.kafka_address.present(), found) {
        (Some(Template::Accepted { changes }), Some(address), _) if *changes || !scaled => {
            let seen = found.map(|found| found.resource_version.clone());
            let manifest = workload::deployment(desired, replicas, address).into();
            plan.actions.push(Action::ApplyDeployment { name, replicas, manifest, seen, ledger: sight.ledger() });
        }
        (Some(Template::Accepted { .. }), Some(_), _) => {}
        // To stop or to scale what runs takes no template.
        (_, _, Some(found)) if !scaled => {
            let seen = found.resource_version.clone();
            plan.actions.push(Action::Scale { name, replicas, seen, ledger: sight.ledger() });
        }
        (_, _, _) => {}
    }
}

/// How many instances there should be; none: as many as there are.
fn replicas(sight: Sight<'_>, standing: Standing, found: Option<&DeploymentState>) -> Option<i32> {
    match standing {
        Standing::Still => Some(0),
        Standing::AsIs => found.map(|found| found.wanted),
        Standing::Runs if sight.desired.suspended => Some(0),
        Standing::Runs => match sight.desired.workers {
            WorkerCount::Fixed(replicas) => Some(replicas),
            // More than there are partitions would have nothing to do, so there is no least number to keep.
            WorkerCount::Auto { min: _, max } => {
                let inputs = sight.desired.inputs.iter();
                let partitions = inputs.map(|wish| Some(sight.kafka()?.topic(&wish.topic)?.partitions.len()));
                // What could not be seen may be the largest.
                let largest = partitions.collect::<Option<Vec<_>>>().and_then(|counts| counts.into_iter().max());
                match largest {
                    Some(largest) => Some(i32::try_from(largest).unwrap_or(i32::MAX).min(max)),
                    None => found.map(|found| found.wanted),
                }
            }
        },
    }
}
