//! The status: what the operator saw last, in whole numbers.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::condition::ConditionType;
use crate::forecast::Forecast;
use crate::request::{Request, Verb};
use crate::schema;

/// What the operator saw last. Exact and current figures are metrics.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MaterializedViewStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Available, Ready, QueryValid, SourcesReady, SinkReady, RolloutSucceeded; Reconciling and Stalled only when they are true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// The revision that readers see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub live_revision: Option<String>,
    /// The revision that a rollback would go back to, while one is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_revision: Option<PreviousRevisionStatus>,
    /// The rollout that is going on, or the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutStatus>,
    /// The replays that were accepted, newest last; the oldest are forgotten here, never in the catalog.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 20),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["id"])
    )]
    pub replays: Vec<ReplayStatus>,
    /// The requests that have acted, of those that the resource's annotations hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 5),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["verb"])
    )]
    pub requests: Vec<RequestStatus>,
    /// The verification that goes on, or the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<VerificationStatus>,
    /// How many records the live revision has not read yet, over all partitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_records: Option<i64>,
    /// How old the newest record was, in milliseconds, when readers could see it; while records wait, how long the oldest of them has waited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub freshness_milliseconds: Option<i64>,
    /// How many workers can work at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<ParallelismStatus>,
    /// How many workers there are; `kubectl scale` and autoscalers read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<i32>,
    /// The label selector of the workers' pods, as text; autoscalers read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub selector: Option<String>,
}

impl MaterializedViewStatus {
    /// The condition of this type, if it is present.
    pub fn condition(&self, condition_type: ConditionType) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.type_ == condition_type.as_str())
    }

    /// What became of a request, once it has acted.
    pub fn request(&self, request: &Request) -> Option<&RequestStatus> {
        self.requests.iter().find(|acted| (acted.verb, &acted.id) == (request.verb, &request.id))
    }
}

/// The revision that was live before the live one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviousRevisionStatus {
    /// Its name.
    #[schemars(length(max = 63))]
    pub revision: String,
    /// Whether its workers go on (rollout.keepPreviousCurrent).
    pub kept_current: bool,
    /// How many records it lacks that the live revision has read, in a round number; absent while that cannot be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records_behind: Option<i64>,
    /// Until when it is kept (rollout.retainPrevious).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::moment")]
    pub kept_until: Option<Time>,
}

/// How far a rollout is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutStatus {
    /// The revision that is built.
    #[schemars(length(max = 63))]
    pub revision: String,
    /// What is being done. Steady: nothing, the revision is live.
    pub phase: RolloutPhase,
    /// The value of the annotation millrace.dev/promote that lets the revision go live; absent once a person has said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub promote: Option<String>,
    /// How many records the revision has read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records_done: Option<i64>,
    /// How many records there are to read in all, by what the topics hold now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records_total: Option<i64>,
    /// Done in percent of all, rounded down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub percent: Option<i32>,
    /// In how many seconds the revision will have caught up, at the present speed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eta_seconds: Option<i64>,
    /// What the rollout waits for, as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub waiting_on: Option<String>,
    /// What the rollout will do, until its revision is live; in round numbers, which change seldom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
    /// What was found when its rows were compared with those of the live revision, at equal positions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<ComparisonStatus>,
}

/// The phases of a rollout, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum RolloutPhase {
    Building,
    CatchingUp,
    Gating,
    AwaitingPromotion,
    CuttingOver,
    Retiring,
    Steady,
}

/// A replay that was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReplayStatus {
    /// The replay's id.
    #[schemars(length(max = 63))]
    pub id: String,
    /// The revision that the replay made.
    #[schemars(length(max = 63))]
    pub revision: String,
    /// When the replay was accepted.
    #[schemars(schema_with = "schema::moment")]
    pub accepted_at: Time,
}

/// A request that has acted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequestStatus {
    /// What was asked for: the annotation is millrace.dev/ and this.
    pub verb: Verb,
    /// The annotation's value.
    #[schemars(length(max = 63))]
    pub id: String,
    /// Why there was nothing to do; none: something was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub nothing_to_do: Option<String>,
}

/// What was found when the rows of another revision were compared with those of the live one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComparisonStatus {
    /// Rows of the live revision.
    pub compared_rows: i64,
    /// Rows that only the live revision has.
    pub only_in_live: i64,
    /// Rows that only the other revision has.
    pub only_in_next: i64,
    /// Keys that both have, with other values.
    pub different: i64,
    /// Some of the rows that are not equal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), extend("x-kubernetes-list-type" = "atomic"))]
    pub sample: Vec<UnequalRow>,
}

impl ComparisonStatus {
    /// Whether the two have the same rows.
    pub fn is_equal(&self) -> bool {
        (self.only_in_live, self.only_in_next, self.different) == (0, 0, 0)
    }
}

/// A row that only one of two revisions has, or that they have with other values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnequalRow {
    /// As the live revision has it, cut to 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    pub live: Option<String>,
    /// As the other revision has it, cut to 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    pub next: Option<String>,
}

/// A comparison of the live revision with one that was built for it and never goes live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerificationStatus {
    /// The name that it was asked for with; none: it began by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub id: Option<String>,
    /// When it began.
    #[schemars(schema_with = "schema::moment")]
    pub begun_at: Time,
    /// The revision that was built for it; none: nothing was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub revision: Option<String>,
    /// What it came to; none: it goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<VerificationResult>,
    /// The same as a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
    /// What was found; `next` is the revision that was built for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<ComparisonStatus>,
}

/// What a verification came to. Refused: it could not be begun, or did not come to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum VerificationResult {
    Equal,
    Different,
    Refused,
}

/// How many workers can work at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParallelismStatus {
    /// The number.
    pub max: i32,
    /// Why it is no larger, as a sentence.
    #[schemars(length(max = 1024))]
    pub reason: String,
}
