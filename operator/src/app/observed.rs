//! What was seen of an app's world in one look: the cluster first, then the ends of its topics, then its group.

use super::name::AppName;
use crate::view::{
    known::Known,
    observed::{Kafka, KafkaAddress},
};
use millrace_crds::{AppReplayStatus, OffsetsByTopic};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone)]
pub struct Observed {
    /// What is configured, or in the app's own Secret; never `Absent`.
    pub kafka_address: Known<KafkaAddress>,
    /// Never `Absent`.
    pub kafka: Known<Kafka>,
    /// Never `Absent`: a group that Kafka does not know has no members and no offsets.
    pub group: Known<Group>,
    /// The internal topics that there are; `Absent`: the app has none by its resource.
    pub internal: Known<BTreeSet<String>>,
    /// Never `Absent`.
    pub children: Known<Children>,
}

/// The consumer group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// As Kafka calls it.
    pub state: String,
    pub members: Vec<Member>,
    /// What it has committed of the inputs.
    pub committed: OffsetsByTopic,
    /// A partition with offsets in a transaction that has not ended.
    pub unstable: Option<String>,
}

impl Group {
    pub fn committed(&self, topic: &str, partition: i32) -> Option<i64> {
        self.committed.get(topic)?.get(&partition).copied()
    }

    /// Members without a partition.
    pub fn idle(&self) -> usize {
        self.members.iter().filter(|member| member.partitions == 0).count()
    }

    /// Whether each of these offsets is what the group has.
    pub fn stands_at(&self, offsets: &OffsetsByTopic) -> bool {
        self.first_not_at(offsets).is_none()
    }

    /// The first partition in which the group is not where it is to be.
    pub fn first_not_at<'a>(&self, offsets: &'a OffsetsByTopic) -> Option<(&'a str, i32, i64)> {
        let all = offsets.iter().flat_map(|(topic, partitions)| {
            partitions.iter().map(move |(partition, offset)| (topic.as_str(), *partition, *offset))
        });
        all.into_iter().find(|(topic, partition, offset)| self.committed(topic, *partition) != Some(*offset))
    }
}

/// A member of the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub client_id: String,
    /// Its address, as the coordinator saw it.
    pub host: String,
    /// How many partitions it was given.
    pub partitions: usize,
}

impl Member {
    /// Whether it is an instance of the app: by its client id, or by the address of a pod.
    pub fn is_of(&self, app: &AppName, pods: &BTreeMap<String, Pod>) -> bool {
        self.client_id.starts_with(&app.client_ids())
            || pods.values().any(|pod| pod.address.as_deref().is_some_and(|address| address == self.host))
    }

    /// For people.
    pub fn described(&self) -> String {
        format!("{} at {}", self.client_id, self.host)
    }
}

/// What the API server has of an app.
#[derive(Debug, Clone, Default)]
pub struct Children {
    pub deployment: Option<DeploymentState>,
    /// What the API server says to the Deployment as it is to be; none: without an address of Kafka it was not asked.
    pub template: Option<Template>,
    /// By name; also those that are ending.
    pub pods: BTreeMap<String, Pod>,
    pub ledger: Option<Ledger>,
    /// A container that ends again and again: its pod and what it said.
    pub failing: Option<String>,
}

/// The Deployment of an app.
#[derive(Debug, Clone, PartialEq)]
pub struct DeploymentState {
    pub uid: String,
    pub resource_version: String,
    /// It was made for this resource.
    pub ours: bool,
    /// As many as it is told to have.
    pub wanted: i32,
    /// As many as there are.
    pub replicas: i32,
    pub ready: i32,
    /// Every instance that there is runs the newest template.
    pub rolled_out: bool,
    /// What it has was counted after it was told how many to have.
    pub counted: bool,
    pub deleting: bool,
}

impl DeploymentState {
    /// Whether it has no instance, and starts none.
    pub fn is_stopped(&self) -> bool {
        self.wanted == 0 && self.replicas == 0 && self.counted
    }
}

/// What the API server answered to a dry run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Template {
    /// Taken; and whether it would change anything but the number of instances.
    Accepted { changes: bool },
    /// Refused, with this sentence.
    Refused(String),
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pod {
    pub address: Option<String>,
    pub ending: bool,
}

/// The ConfigMap that the app's replays are written down in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    pub resource_version: String,
    /// It was made for an app of this name.
    pub ours: bool,
    /// The group that the replays are of.
    pub group: String,
    /// Newest last; or why they cannot be read.
    pub replays: Result<Vec<AppReplayStatus>, String>,
}
