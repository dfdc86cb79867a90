//! A forecast: what a rollout will do, said before it does it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;

/// What a rollout will do: what changes, what is read, how long it takes and what it needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Forecast {
    /// What changes and what it takes, as sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::sentences")]
    pub sentences: Vec<String>,
    /// How many records are read, by what the topics hold now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<i64>,
    /// About how many bytes these are, as large as the live revision's are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<i64>,
    /// About how many seconds that takes, as fast as the view was built last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<i64>,
    /// How many bytes the live revision has in Postgres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_in_postgres: Option<i64>,
    /// About how many both revisions will have there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_in_postgres_with_both: Option<i64>,
    /// How many workers read.
    pub workers: i32,
    /// What is read of each partition; of many, the first ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub partitions: Vec<PartitionForecast>,
    /// How many partitions more there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more_partitions: Option<i32>,
}

/// What is read of one partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PartitionForecast {
    /// The topic.
    #[schemars(length(max = 249))]
    pub topic: String,
    /// The partition's number.
    pub partition: i32,
    /// The first offset that is read.
    pub from: i64,
    /// How many records are read from there to the present end.
    pub records: i64,
    /// Retention has removed records of what is asked for, or will have before they are read.
    pub cut_off: bool,
}
