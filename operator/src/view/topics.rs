//! Topics: made, grown and configured as asked; never shrunk, never deleted; and whether they are still the ones read.

use super::{
    action::Action,
    desired::{Desired, TopicWish},
    event::Event,
    known::Known,
    observed::{Kafka, RevisionRow, Topic},
    trouble::Trouble,
};
use millrace_crds::Reason;
use std::{collections::BTreeMap, fmt};

/// What makes a topic as it is asked to be: it is made, or more is given to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TopicChange {
    Create { topic: String, partitions: i32, replicas: i32, config: BTreeMap<String, String> },
    Grow { topic: String, from: i32, to: i32 },
    Configure { topic: String, config: BTreeMap<String, String> },
}

/// One line, for logs and for tests of plans.
impl fmt::Display for TopicChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TopicChange::Create { topic, partitions, replicas, config } => {
                write!(f, "create topic {topic} partitions={partitions} replicas={replicas} {{{}}}", pairs(config))
            }
            TopicChange::Grow { topic, from, to } => write!(f, "grow topic {topic} from {from} to {to}"),
            TopicChange::Configure { topic, config } => write!(f, "configure topic {topic} {{{}}}", pairs(config)),
        }
    }
}

impl TopicChange {
    /// What people are told of it once it is done.
    pub fn event(&self) -> Event {
        let (reason, message) = match self {
            TopicChange::Create { topic, partitions, replicas, config: _ } => {
                ("TopicCreated", format!("topic {topic} was made with {partitions} partitions and {replicas} replicas"))
            }
            TopicChange::Grow { topic, from, to } => (
                "TopicGrown",
                format!(
                    "topic {topic} was grown from {from} to {to} partitions: new records of a key may go to another \
                     partition than its old ones, so their order is by timestamp where it was by offset"
                ),
            ),
            TopicChange::Configure { topic, config } => {
                ("TopicConfigured", format!("topic {topic} was given {}", pairs(config)))
            }
        };
        Event { warning: false, reason, message }
    }
}

fn pairs(config: &BTreeMap<String, String>) -> String {
    config.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", ")
}

/// What makes one topic as asked, or what keeps it from being so; `gone`: what is said when it is not there and must not
/// be made.
pub fn ensure(
    wish: &TopicWish,
    found: Option<&Known<Topic>>,
    gone: Option<Trouble>,
) -> Result<Vec<TopicChange>, Trouble> {
    let name = &wish.topic;
    match (found, &wish.ensure) {
        (Some(Known::Unknown(trouble)), _) => Err(trouble.clone()),
        (None | Some(Known::Absent), None) => Err(Trouble::sources(
            Reason::TopicMissing,
            format!(
                "topic {name} is not there; make it, or let the operator make it: write ensureTopic beside its name"
            ),
        )),
        (None | Some(Known::Absent), Some(ensure)) => match gone {
            Some(gone) => Err(gone),
            None => Ok(vec![TopicChange::Create {
                topic: name.clone(),
                partitions: ensure.partitions,
                replicas: ensure.replicas,
                config: ensure.config.clone(),
            }]),
        },
        (Some(Known::Present(_)), None) => Ok(Vec::new()),
        (Some(Known::Present(topic)), Some(ensure)) => {
            let from = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
            let grow = TopicChange::Grow { topic: name.clone(), from, to: ensure.partitions };
            let config = differing(topic, &ensure.config);
            let configure = (!config.is_empty()).then(|| TopicChange::Configure { topic: name.clone(), config });
            Ok((from < ensure.partitions).then_some(grow).into_iter().chain(configure).collect())
        }
    }
}

/// What makes the topics as asked, and what keeps them from being so. A topic that `reading` reads and that is gone is
/// not made again: it may come back, and an empty one in its place is another topic.
pub fn plan_topics(desired: &Desired, kafka: &Kafka, reading: Option<&RevisionRow>) -> (Vec<Action>, Vec<Trouble>) {
    let mut actions = Vec::new();
    let mut troubles = Vec::new();
    for wish in &desired.topics {
        let name = &wish.topic;
        let gone = reading.is_some_and(|row| row.reads(name)).then(|| {
            Trouble::sources(
                Reason::TopicMissing,
                format!(
                    "topic {name} was read and is gone; bring it back, or ask for a replay (spec.replay with a new id) to \
                     make it anew and build the view from it"
                ),
            )
        });
        match ensure(wish, kafka.by_topic.get(name), gone) {
            Ok(changes) => actions.extend(changes.into_iter().map(Action::ChangeTopic)),
            Err(trouble) => troubles.push(trouble),
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
