//! Why a task stands still: a word for machines and a sentence for people, in `progress.problem`.

use std::fmt;

/// A task that is held but not worked on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// Records between the position and the log are gone.
    DataLost { topic: String, partition: i32, position: i64, first: i64, end: i64 },
    /// The topic has another id than the one the positions belong to, or is gone.
    TopicRecreated { topic: String, expected: String, found: Option<String> },
    /// The brokers are of another cluster.
    KafkaClusterChanged { expected: String, found: String },
    /// The database's catalog is another one.
    CatalogChanged { expected: String, found: String },
    /// The errors policy says stop.
    ErrorsStopped(String),
}

impl Problem {
    /// Whether a problem read from the catalog may go away without a new revision: another errors policy, other
    /// brokers, a catalog that is back.
    pub fn heals(text: &str) -> bool {
        ["ErrorsStopped:", "KafkaClusterChanged:", "CatalogChanged:", "TopicRecreated:"]
            .iter()
            .any(|word| text.starts_with(word))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::DataLost { topic, partition, position, first, end } if position < first => write!(
                f,
                "DataLost: {topic}/{partition} is read up to offset {position}, but the log starts at {first} (ends at {end}); {} offsets are gone. Ask for a new replay",
                first - position
            ),
            Problem::DataLost { topic, partition, position, first, end } if position <= end => write!(
                f,
                "DataLost: {topic}/{partition} is read up to offset {position}, but a new leader's log ended before that and has grown since (starts at {first}, ends at {end}): other records have these offsets now. Ask for a new replay"
            ),
            Problem::DataLost { topic, partition, position, first, end } => write!(
                f,
                "DataLost: {topic}/{partition} is read up to offset {position}, but the log ends at {end} (starts at {first}). Ask for a new replay"
            ),
            Problem::TopicRecreated { topic, expected, found: Some(found) } => write!(
                f,
                "TopicRecreated: topic {topic} has the id {found}, expected {expected}: it was deleted and made again. Ask for a new replay"
            ),
            Problem::TopicRecreated { topic, expected, found: None } => write!(
                f,
                "TopicRecreated: there is no topic {topic} any more, expected the one with the id {expected}. Ask for a new replay once it is there"
            ),
            Problem::KafkaClusterChanged { expected, found } => write!(
                f,
                "KafkaClusterChanged: the brokers are of cluster {found}, expected {expected}. Put the former brokers back, or ask for a new replay"
            ),
            Problem::CatalogChanged { expected, found } => write!(
                f,
                "CatalogChanged: the database's catalog is {found}, expected {expected}. Put the former database back, or ask for a new replay"
            ),
            Problem::ErrorsStopped(sentence) => write!(f, "ErrorsStopped: {sentence}"),
        }
    }
}
