//! Is the topic still the one that a position belongs to, and does its log still hold that position?

use super::{Assignment, reading::Waiting};
use millrace_connectors::{
    kafka::{KafkaSource, same_topic_id},
    postgres::Problem,
};
use millrace_contract::faults::sabotaged;
use std::time::Duration;

/// What the brokers say. Unknown is not absent: only an answer makes a problem.
#[derive(Debug)]
pub enum Checked {
    Right {
        partitions: usize,
    },
    Wrong(Problem),
    /// The answer may be of a broker that does not know better yet.
    NotYet,
    Unreachable(String),
}

/// How many times, a second apart, an answer that a fresh broker may give by mistake must be given.
const TRIES: u32 = 5;

/// Looks at the cluster and the topic.
pub fn identify(source: &KafkaSource, assignment: &Assignment, timeout: Duration) -> Checked {
    let topic = source.topics().name(assignment.partition);
    let found = match source.identity(topic, timeout) {
        Ok(found) => found,
        Err(error) => return Checked::Unreachable(error),
    };
    if found.cluster_id != assignment.cluster_id {
        return Checked::Wrong(Problem::KafkaClusterChanged {
            expected: assignment.cluster_id.clone(),
            found: found.cluster_id,
        });
    }
    match found.topic_id {
        None => Checked::NotYet,
        Some(id) if same_topic_id(&id, &assignment.topic_id) || sabotaged("ignore_topic_id") => {
            Checked::Right { partitions: found.partitions }
        }
        Some(id) => Checked::Wrong(Problem::TopicRecreated {
            topic: topic.to_owned(),
            expected: assignment.topic_id.clone(),
            found: Some(id),
        }),
    }
}

/// Looks at the topic, then at the log of the partition.
pub fn check(source: &KafkaSource, waiting: &Waiting, timeout: Duration) -> Checked {
    let &Waiting { ref assignment, tries, truncated } = waiting;
    let topics = source.topics();
    let topic = topics.name(assignment.partition);
    let partitions = match identify(source, assignment, timeout) {
        Checked::Right { partitions } => partitions,
        Checked::NotYet if tries >= TRIES => {
            return Checked::Wrong(Problem::TopicRecreated {
                topic: topic.to_owned(),
                expected: assignment.topic_id.clone(),
                found: None,
            });
        }
        other => return other,
    };
    let (first, end) = match source.bounds(assignment.partition, timeout) {
        Ok(bounds) => bounds,
        Err(error) => return Checked::Unreachable(error.to_string()),
    };
    let position = assignment.position;
    if (first..=end).contains(&position) && !truncated {
        return Checked::Right { partitions };
    }
    // A leader that was elected just now learns only little by little how far its log is stable.
    if position > end && tries < TRIES {
        return Checked::NotYet;
    }
    let (topic, partition) = (topic.to_owned(), topics.partition(assignment.partition));
    Checked::Wrong(Problem::DataLost { topic, partition, position, first, end })
}
