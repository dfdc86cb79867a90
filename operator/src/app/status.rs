//! The status of an app: what was seen and planned, and how the round ended.

use super::{
    conditions::Judge,
    desired::Desired,
    ledger,
    observed::{Group, Observed},
    plan::Plan,
    workload::selector,
};
use crate::view::{moment::Moment, observed::Kafka, rhythm, status::Outcome};
use millrace_crds::{AppPhase, GroupStatus, PartitionLag, StreamAppStatus};

/// As many partitions as a status lists, and foreign members.
const LISTED: usize = 128;
const NAMED: usize = 8;

pub fn status(
    desired: &Desired,
    observed: &Observed,
    plan: &Plan,
    outcome: &Outcome,
    previous: &StreamAppStatus,
    now: Moment,
) -> StreamAppStatus {
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
    status.phase = plan.phase.or(previous.phase);
    let waiting_on = match outcome {
        Outcome::Waiting(what) => Some(what.clone()),
        Outcome::Done => plan.waiting_on.clone(),
        Outcome::Failed(trouble) => Some(trouble.message.clone()),
    };
    status.waiting_on = waiting_on.map(|text| text.chars().take(1000).collect());
    if let (Some(kafka), Some(group)) = (observed.kafka.present(), observed.group.present()) {
        let lag = lag(desired, kafka, group);
        status.lag_records = Some(lag.iter().map(|part| part.lag).sum());
        status.lag = lag.into_iter().take(LISTED).collect();
    }
    if let Some(children) = observed.children.present() {
        if let Some(group) = observed.group.present() {
            status.group = Some(group_status(desired, group, children));
        }
        status.replays = ledger::to_status(ledger::remembered(desired, children.ledger.as_ref()));
        status.replicas = Some(children.deployment.as_ref().map_or(0, |deployment| deployment.replicas));
    }
    status.selector = Some(selector(&desired.identity.name));
    status.conditions =
        Judge { desired, observed, plan, troubles: &troubles, status: &status }.conditions(previous, outcome, now);
    status
}

/// How far the group has read, by partition.
pub fn lag(desired: &Desired, kafka: &Kafka, group: &Group) -> Vec<PartitionLag> {
    let mut lag = Vec::new();
    for wish in &desired.inputs {
        for (&partition, offsets) in kafka.topic(&wish.topic).into_iter().flat_map(|topic| &topic.partitions) {
            let committed = group.committed(&wish.topic, partition);
            let read = committed.unwrap_or(offsets.earliest).max(offsets.earliest);
            lag.push(PartitionLag {
                topic: wish.topic.clone(),
                partition,
                committed,
                end: offsets.end,
                lag: (offsets.end - read).max(0),
            });
        }
    }
    lag
}

fn group_status(desired: &Desired, group: &Group, children: &super::observed::Children) -> GroupStatus {
    let foreign = group.members.iter().filter(|member| !member.is_of(&desired.identity.name, &children.pods));
    let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
    GroupStatus {
        state: group.state.chars().take(64).collect(),
        members: count(group.members.len()),
        idle_members: count(group.idle()),
        foreign_members: foreign.take(NAMED).map(|member| member.described().chars().take(1000).collect()).collect(),
    }
}

impl rhythm::Shown for StreamAppStatus {
    fn is_moving(&self) -> bool {
        self.phase.is_some_and(|phase| phase != AppPhase::Steady)
    }

    fn differs_in_figures_only(&self, next: &StreamAppStatus) -> bool {
        without_figures(self) == without_figures(next)
    }
}

fn without_figures(status: &StreamAppStatus) -> StreamAppStatus {
    StreamAppStatus { lag_records: None, lag: Vec::new(), waiting_on: None, ..status.clone() }
}
