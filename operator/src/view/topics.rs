//! Topics: made, grown and configured as asked; never shrunk, never deleted; and whether they are still the ones read.

use super::{
    action::Action,
    desired::Desired,
    known::Known,
    observed::{Kafka, RevisionRow, Topic},
    trouble::Trouble,
};
use millrace_crds::Reason;
use std::collections::BTreeMap;

/// What makes the topics as asked, and what keeps them from being so. A topic that `reading` reads and that is gone is
/// not made again: it may come back, and an empty one in its place is another topic.
pub fn plan_topics(desired: &Desired, kafka: &Kafka, reading: Option<&RevisionRow>) -> (Vec<Action>, Vec<Trouble>) {
    let mut actions = Vec::new();
    let mut troubles = Vec::new();
    for wish in &desired.topics {
        let name = &wish.topic;
        match (kafka.by_topic.get(name), &wish.ensure) {
            (Some(Known::Unknown(trouble)), _) => troubles.push(trouble.clone()),
            (None | Some(Known::Absent), None) => troubles.push(Trouble::sources(
                Reason::TopicMissing,
                format!("topic {name} is not there; make it, or let the operator make it: write ensureTopic below the source"),
            )),
            (None | Some(Known::Absent), Some(_)) if reading.is_some_and(|row| row.reads(name)) => {
                troubles.push(Trouble::sources(
                    Reason::TopicMissing,
                    format!(
                        "topic {name} was read and is gone; bring it back, or ask for a replay (spec.replay with a new \
                         id) to make it anew and build the view from it"
                    ),
                ));
            }
            (None | Some(Known::Absent), Some(ensure)) => actions.push(Action::CreateTopic {
                topic: name.clone(),
                partitions: ensure.partitions,
                replicas: ensure.replicas,
                config: ensure.config.clone(),
            }),
            (Some(Known::Present(_)), None) => {}
            (Some(Known::Present(topic)), Some(ensure)) => {
                let from = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
                if from < ensure.partitions {
                    actions.push(Action::GrowTopic { topic: name.clone(), from, to: ensure.partitions });
                }
                let config = differing(topic, &ensure.config);
                if !config.is_empty() {
                    actions.push(Action::ConfigureTopic { topic: name.clone(), config });
                }
            }
        }
    }
    actions.dedup();
    (actions, troubles)
}

fn differing(topic: &Topic, wanted: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    wanted
        .iter()
        .filter(|(key, value)| topic.config.get(*key) != Some(*value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Whether what `row` reads is what it read before, and whether its workers can go on.
pub fn check_identity(row: &RevisionRow, kafka: &Kafka) -> Result<(), Trouble> {
    for task in &row.progress {
        if task.kafka_cluster_id != kafka.cluster_id {
            return Err(Trouble::sources(
                Reason::KafkaClusterChanged,
                format!(
                    "the brokers belong to the cluster {}, the view has read the cluster {}; connect the old one again, \
                     or ask for a replay (spec.replay with a new id) to build the view from this one",
                    kafka.cluster_id, task.kafka_cluster_id
                ),
            ));
        }
        let Some(topic) = kafka.topic(&task.topic) else { continue };
        if topic.id != task.topic_id {
            return Err(Trouble::sources(
                Reason::TopicRecreated,
                format!(
                    "topic {} was deleted and made again (its id was {} and is {}); ask for a replay (spec.replay with a \
                     new id) to build the view from the new one",
                    task.topic, task.topic_id, topic.id
                ),
            ));
        }
        if let Some(offsets) = topic.partitions.get(&task.partition)
            && task.next_offset < offsets.earliest
        {
            return Err(Trouble::sources(
                Reason::DataLost,
                format!(
                    "topic {} partition {} begins at offset {}, the view has read up to {}: the records between are \
                     gone; ask for a replay (spec.replay with a new id) to build the view from what is left",
                    task.topic, task.partition, offsets.earliest, task.next_offset
                ),
            ));
        }
    }
    Ok(())
}

/// What a revision's workers say keeps them from going on.
pub fn worker_problem(row: &RevisionRow) -> Option<Trouble> {
    let problem = row.progress.iter().find_map(|task| task.problem.as_deref())?;
    let (word, sentence) = problem.split_once(": ").unwrap_or(("", problem));
    let reason = match word {
        "ErrorsStopped" => Reason::TooManyErrors,
        word => Reason::ALL.iter().copied().find(|reason| reason.as_str() == word).unwrap_or(Reason::WorkersFailing),
    };
    Some(Trouble::sources(reason, sentence))
}
