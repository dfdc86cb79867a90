//! A replay of a StreamApp: its consumer group is moved to other records, once.

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::ValidationRule;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::replay::{Earliest, Latest, choice_rules, id_rules, timestamp_rules};
use crate::schema;
use crate::validation::{duration_rules, must, must_at};

/// Asks for a replay. An id acts once: the same id again, or no replay, does nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = saved_rules()))]
pub struct AppReplay {
    /// The name of this replay, chosen by whoever asks for it; another one asks again.
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = id_rules()))]
    pub id: String,
    /// Where the replay begins: exactly one choice. Earliest unless given.
    #[serde(default)]
    pub from: AppReplayFrom,
}

/// Where a replay begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = from_rules()))]
pub struct AppReplayFrom {
    /// At the oldest record that each partition still has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earliest: Option<Earliest>,
    /// After the newest record that each partition has when the replay begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest: Option<Latest>,
    /// At the first record of each partition from this time on, as RFC 3339 writes it, such as 2026-01-31T00:00:00Z.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40), extend("x-kubernetes-validations" = timestamp_rules()))]
    pub timestamp: Option<String>,
    /// At the first record of each partition that is at most this old when the replay begins, such as 24h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 18), extend("x-kubernetes-validations" = duration_rules("replay.from.duration", true, "24h")))]
    pub duration: Option<String>,
    /// At these offsets: for each topic that is named, the first offset to read of each partition that is named. The other partitions stay where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::replay_offsets")]
    pub offsets: Option<BTreeMap<String, BTreeMap<String, i64>>>,
    /// So many records after where each partition is, or before it when below 0; within what the topic has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = shift_rules()))]
    pub shift_by: Option<i64>,
    /// Where the group was before the replay of this id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = id_rules()))]
    pub saved: Option<String>,
}

impl Default for AppReplayFrom {
    fn default() -> Self {
        AppReplayFrom {
            earliest: Some(Earliest {}),
            latest: None,
            timestamp: None,
            duration: None,
            offsets: None,
            shift_by: None,
            saved: None,
        }
    }
}

fn from_rules() -> Vec<ValidationRule> {
    choice_rules(&["earliest", "latest", "timestamp", "duration", "offsets", "shiftBy", "saved"])
}

fn shift_rules() -> Vec<ValidationRule> {
    vec![must(
        "self != 0",
        "replay.from.shiftBy is ${self}, but it must move the group; write for example -100 to read the last 100 records of \
         each partition again",
    )]
}

fn saved_rules() -> Vec<ValidationRule> {
    vec![must_at(
        ".from.saved",
        "!has(self.from.saved) || self.from.saved != self.id",
        "replay.from.saved is '${self.from.saved}', which is the id of this replay itself, but it must be that of an older \
         one; write the id of the replay to go back from, and another id for this one",
    )]
}
