//! A Kafka of values: topics with ids, ends and settings.

use crate::faults::Faults;
use millrace_crds::Reason;
use millrace_operator::view::{
    known::Known,
    moment::Moment,
    observed::{Kafka, Offsets, Topic},
    topics::TopicChange,
    trouble::Trouble,
};
use std::{collections::BTreeMap, time::Duration};

/// How long every topic keeps tombstones.
const TOMBSTONES: Duration = Duration::from_secs(2 * 3600);

#[derive(Debug, Clone)]
pub struct SimulatedKafka {
    pub cluster_id: String,
    pub topics: BTreeMap<String, Topic>,
    /// What an old look shows.
    before: Option<Box<SimulatedKafka>>,
    ids: u32,
}

impl SimulatedKafka {
    pub fn new() -> SimulatedKafka {
        SimulatedKafka { cluster_id: "cluster-1".into(), topics: BTreeMap::new(), before: None, ids: 0 }
    }

    /// What a look shows: what there is, or what there was before.
    pub fn seen(&self, old: bool) -> &SimulatedKafka {
        self.before.as_deref().filter(|_| old).unwrap_or(self)
    }

    /// From now on an old look shows this.
    pub fn remember(&mut self, now: bool) {
        if now {
            self.before = Some(Box::new(SimulatedKafka { before: None, ..self.clone() }));
        }
    }

    /// `time` is that of a new replay: here each record is as many seconds younger than `now` as it is from the end.
    pub fn observe(
        &self,
        topic: &str,
        hidden: bool,
        topic_hidden: bool,
        time: Option<Moment>,
        now: Moment,
    ) -> Known<Kafka> {
        let unreachable = || Trouble::sources(Reason::KafkaUnreachable, "no broker answers");
        if hidden {
            return Known::Unknown(unreachable());
        }
        let known = match self.topics.get(topic) {
            _ if topic_hidden => Known::Unknown(unreachable()),
            Some(found) => {
                let mut found = found.clone();
                let since = |offsets: &Offsets| {
                    let ago = now.since(time?).as_secs() as i64;
                    Some((offsets.end - ago).max(offsets.earliest))
                };
                let partitions = found.partitions.iter();
                found.since = partitions.filter_map(|(number, offsets)| Some((*number, since(offsets)?))).collect();
                Known::Present(found)
            }
            None => Known::Absent,
        };
        Known::Present(Kafka {
            cluster_id: self.cluster_id.clone(),
            by_topic: BTreeMap::from([(topic.to_owned(), known)]),
        })
    }

    /// Makes the change; false when Kafka refuses it.
    pub fn perform(&mut self, change: &TopicChange) -> bool {
        match change {
            TopicChange::Create { topic, partitions, config, .. } => {
                if !self.topics.contains_key(topic) {
                    self.make(topic, *partitions, config.clone());
                }
                true
            }
            TopicChange::Grow { topic, to, .. } => {
                let Some(topic) = self.topics.get_mut(topic) else { return false };
                if *to <= topic.partitions.len() as i32 {
                    return false;
                }
                for number in topic.partitions.len() as i32..*to {
                    topic.partitions.insert(number, Offsets { earliest: 0, end: 0 });
                }
                true
            }
            TopicChange::Configure { topic, config } => {
                let Some(topic) = self.topics.get_mut(topic) else { return false };
                topic.config.extend(config.clone());
                true
            }
        }
    }

    fn make(&mut self, topic: &str, partitions: i32, config: BTreeMap<String, String>) {
        self.ids += 1;
        let partitions = (0..partitions).map(|number| (number, Offsets { earliest: 0, end: 0 })).collect();
        self.topics.insert(
            topic.to_owned(),
            Topic {
                id: format!("topic-{}", self.ids),
                partitions,
                since: BTreeMap::new(),
                config,
                keeps_tombstones: Some(TOMBSTONES),
            },
        );
    }

    pub fn recreate(&mut self, topic: &str) {
        if let Some(old) = self.topics.remove(topic) {
            self.make(topic, old.partitions.len() as i32, old.config);
        }
    }

    pub fn produce(&mut self, faults: &mut Faults, most: i64) {
        for topic in self.topics.values_mut() {
            for offsets in topic.partitions.values_mut() {
                offsets.end += faults.offset(most);
            }
        }
    }

    /// Retention removes the records of a partition before `earliest`, if it has as many.
    pub fn retain(&mut self, topic: &str, partition: i32, earliest: i64) {
        let partition = self.topics.get_mut(topic).and_then(|topic| topic.partitions.get_mut(&partition));
        if let Some(offsets) = partition.filter(|offsets| offsets.earliest <= earliest && earliest <= offsets.end) {
            offsets.earliest = earliest;
        }
    }

    pub fn grow(&mut self, topic: &str) {
        if let Some(topic) = self.topics.get_mut(topic)
            && topic.partitions.len() < 6
        {
            topic.partitions.insert(topic.partitions.len() as i32, Offsets { earliest: 0, end: 0 });
        }
    }
}
