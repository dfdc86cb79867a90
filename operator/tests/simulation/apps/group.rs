//! A consumer group of values: members that join, work and leave, or end without leaving; and its offsets.

use crate::kafka::SimulatedKafka;
use millrace_crds::OffsetsByTopic;
use millrace_operator::{
    app::observed::{Group, Member},
    view::moment::Moment,
};
use std::collections::BTreeSet;

#[derive(Debug, Default)]
pub struct SimulatedGroup {
    pub members: Vec<SimulatedMember>,
    pub committed: OffsetsByTopic,
    pub internal: BTreeSet<String>,
    /// Until when a transaction with offsets is open.
    pub open_until: Option<Moment>,
    /// When somebody who is no member committed last.
    pub foreign_commit: Option<Moment>,
}

#[derive(Debug, Clone)]
pub struct SimulatedMember {
    pub client_id: String,
    /// The pod that it lives in; none: it is somebody else, or its pod has ended.
    pub pod: Option<String>,
    /// Until when Kafka waits for a member that does not answer.
    pub until: Option<Moment>,
}

impl SimulatedGroup {
    /// As its coordinator shows it.
    pub fn observe(&self, now: Moment) -> Group {
        let state = if self.members.is_empty() { "Empty" } else { "Stable" };
        let unstable = self.open_until.filter(|until| *until > now);
        Group {
            state: state.into(),
            members: self
                .members
                .iter()
                .map(|member| Member { client_id: member.client_id.clone(), host: "10.0.0.1".into(), partitions: 1 })
                .collect(),
            committed: self.committed.clone(),
            unstable: unstable.map(|_| "topic order-events partition 0".into()),
        }
    }

    /// Commits as somebody who is no member, as Kafka lets one do it only while there is no member; whether it did.
    pub fn alter(&mut self, begin: &OffsetsByTopic) -> bool {
        if !self.members.is_empty() {
            return false;
        }
        for (topic, partitions) in begin {
            self.committed.entry(topic.clone()).or_default().extend(partitions);
        }
        true
    }

    /// A member reads on in one partition.
    pub fn commit(&mut self, topic: &str, partition: i32, offset: i64) {
        self.committed.entry(topic.to_owned()).or_default().insert(partition, offset);
    }

    /// Members that Kafka has waited for long enough go.
    pub fn expire(&mut self, now: Moment) {
        self.members.retain(|member| member.until.is_none_or(|until| until > now));
    }

    /// Every member that is somebody else leaves.
    pub fn strangers_go(&mut self) {
        self.members.retain(|member| !member.client_id.starts_with("kcat"));
    }

    /// All instances read everything that there is.
    pub fn offsets_at_the_end(kafka: &SimulatedKafka, topic: &str) -> Vec<(i32, i64, i64)> {
        let partitions = kafka.topics.get(topic).into_iter().flat_map(|topic| &topic.partitions);
        partitions.map(|(number, offsets)| (*number, offsets.earliest, offsets.end)).collect()
    }
}
