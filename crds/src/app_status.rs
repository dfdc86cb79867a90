//! The status of a StreamApp: what the operator saw last, in whole numbers.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::ConditionType;
use crate::schema;

/// Offsets by topic and partition.
pub type OffsetsByTopic = BTreeMap<String, BTreeMap<i32, i64>>;

/// What the operator saw last. Exact and current figures are metrics.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StreamAppStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Available, Ready, TopicsReady, TemplateValid, GroupReady; Reconciling and Stalled only when they are true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// Where the replay stands; Steady when none is going on.
    // Without `with`, null would be listed as a choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "AppPhase")]
    pub phase: Option<AppPhase>,
    /// What is waited for, as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub waiting_on: Option<String>,
    /// How many records the group has not read yet, over all inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_records: Option<i64>,
    /// The same by partition; of many, the first ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), extend("x-kubernetes-list-type" = "atomic"))]
    pub lag: Vec<PartitionLag>,
    /// The consumer group, as Kafka describes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<GroupStatus>,
    /// The replays that were accepted, newest last; the oldest are forgotten here, never in their ConfigMap.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 20),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["id"])
    )]
    pub replays: Vec<AppReplayStatus>,
    /// How many instances there are; `kubectl scale` and autoscalers read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// The label selector of the pods, as text; autoscalers read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub selector: Option<String>,
}

impl StreamAppStatus {
    /// The condition of this type, if it is there.
    pub fn condition(&self, condition: ConditionType) -> Option<&Condition> {
        self.conditions.iter().find(|there| there.type_ == condition.as_str())
    }
}

/// The phases of a replay, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum AppPhase {
    Stopping,
    Draining,
    Resetting,
    Starting,
    CatchingUp,
    Steady,
}

/// How far the group has read one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PartitionLag {
    /// The topic.
    #[schemars(length(max = 249))]
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// The offset that the group has committed; none: it has committed nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed: Option<i64>,
    /// Where the partition ends.
    pub end: i64,
    /// How many records are between the two.
    pub lag: i64,
}

/// A consumer group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GroupStatus {
    /// Its state, as Kafka calls it: Stable, Empty, Dead and others.
    #[schemars(length(max = 64))]
    pub state: String,
    /// How many members it has.
    pub members: i32,
    /// How many of them have no partition.
    pub idle_members: i32,
    /// Members that are not of this app: client id and host; of many, the first ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::sentences")]
    pub foreign_members: Vec<String>,
}

/// A replay that was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AppReplayStatus {
    /// The replay's id.
    #[schemars(length(max = 63))]
    pub id: String,
    /// When its offsets were written down.
    #[schemars(schema_with = "schema::moment")]
    pub accepted_at: Time,
    /// When what Kafka has began to be changed; until then what was written down is compared with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::moment")]
    pub begun_at: Option<Time>,
    /// Kafka has taken the new offsets, which it does only while nobody is in the group.
    #[serde(default)]
    pub taken: bool,
    /// When Kafka was first seen to have the new offsets; none: it does not have them yet, or somebody has changed them since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::moment")]
    pub altered_at: Option<Time>,
    /// When that was proved: for ten seconds nobody had changed them. From then on the app is started, and never reset for this replay again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::moment")]
    pub reset_at: Option<Time>,
    /// When the group had read again what there was when it was reset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::moment")]
    pub caught_up_at: Option<Time>,
    /// What somebody who is no member has committed after the offsets were altered, as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub foreign_commit: Option<String>,
    /// Where the group was before; of the oldest replays this is forgotten.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::found_offsets")]
    pub saved: OffsetsByTopic,
    /// Where the group begins again; until it has caught up.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::found_offsets")]
    pub begin: OffsetsByTopic,
    /// Where the partitions ended then; until it has caught up.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::found_offsets")]
    pub until: OffsetsByTopic,
}
