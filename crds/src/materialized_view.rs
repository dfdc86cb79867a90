//! MaterializedView: one SELECT over Kafka topics, kept true in a table of Postgres.

#![allow(clippy::duplicated_attributes, reason = "several printer columns have the same type")]

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::ValidationRule;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::percentage::{InvalidPercentage, Percentage};
use crate::replay::{Replay, replay_rules};
use crate::rollout::Rollout;
use crate::source::{Source, sources_rules};
use crate::status::MaterializedViewStatus;
use crate::target::Target;
use crate::validation::{must, must_at, not_blank_rules};
use crate::verify::Verify;
use crate::workers::Workers;

/// What the view is.
#[derive(Clone, Debug, PartialEq, CustomResource, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "millrace.dev",
    version = "v1alpha1",
    kind = "MaterializedView",
    plural = "materializedviews",
    shortname = "mv",
    category = "millrace",
    namespaced,
    doc = "One SQL SELECT over Kafka topics, kept true in a table of Postgres, exactly once.",
    status = "MaterializedViewStatus",
    derive = "PartialEq",
    scale(
        spec_replicas_path = ".spec.workers.replicas",
        status_replicas_path = ".status.replicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(
        name = "READY",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether the revision of this generation is live and caught up."
    ),
    printcolumn(
        name = "STATUS",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        description = "Why it is ready or not."
    ),
    printcolumn(
        name = "ROLLOUT",
        type_ = "string",
        json_path = ".status.rollout.phase",
        description = "What the rollout is doing."
    ),
    printcolumn(
        name = "PROGRESS",
        type_ = "integer",
        json_path = ".status.rollout.percent",
        description = "How far the rollout is, in percent."
    ),
    printcolumn(
        name = "ETA",
        type_ = "integer",
        json_path = ".status.rollout.etaSeconds",
        description = "Seconds until the rollout has read what there is."
    ),
    printcolumn(
        name = "LAG",
        type_ = "integer",
        json_path = ".status.lagRecords",
        description = "Records that are not read yet."
    ),
    printcolumn(
        name = "FRESHNESS",
        type_ = "integer",
        json_path = ".status.freshnessMilliseconds",
        description = "Milliseconds from a record's time until readers could see it."
    ),
    printcolumn(
        name = "REPLICAS",
        type_ = "integer",
        json_path = ".status.replicas",
        description = "Workers that there are."
    ),
    printcolumn(
        name = "PREVIOUS",
        type_ = "string",
        json_path = ".status.previousRevision.revision",
        description = "The revision that a rollback would go back to.",
        priority = 1
    ),
    printcolumn(
        name = "BEHIND",
        type_ = "integer",
        json_path = ".status.previousRevision.recordsBehind",
        description = "Records that it would have to read before.",
        priority = 1
    ),
    printcolumn(
        name = "AGE",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Since the resource was created."
    )
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = replay_rules()))]
pub struct MaterializedViewSpec {
    /// The topics that the query reads.
    #[schemars(
        length(max = 16),
        extend(
            "x-kubernetes-list-type" = "map",
            "x-kubernetes-list-map-keys" = ["name"],
            "x-kubernetes-validations" = sources_rules()
        )
    )]
    pub sources: Vec<Source>,
    /// One SELECT over the sources, in the SQL of Postgres.
    #[schemars(
        length(max = 32768),
        extend("x-kubernetes-validations" = not_blank_rules("query", "write one SELECT over the sources, for example SELECT id, name FROM users"))
    )]
    pub query: String,
    /// The table that readers see.
    pub target: Target,
    /// What happens to records that cannot be applied.
    #[serde(default)]
    pub errors: Errors,
    /// How many workers there are, and what each may use.
    #[serde(default)]
    pub workers: Workers,
    /// Computes the view once more from older records, beside the live result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Replay>,
    /// How a new revision takes the place of the live one.
    #[serde(default)]
    pub rollout: Rollout,
    /// Builds the view anew beside the live result now and then, compares the two at equal positions, and drops what was built. The annotation millrace.dev/verify asks for it once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Verify>,
    /// The time zone that gives timestamptz its calendar, by its name in the time zone database.
    #[serde(default = "utc")]
    #[schemars(length(max = 64), extend("x-kubernetes-validations" = time_zone_rules()))]
    pub time_zone: String,
    /// The Kafka that the topics are in, when it is not the operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kafka: Option<Connection>,
    /// The Postgres that the target is in, when it is not the operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres: Option<Connection>,
    /// Stops all workers. Readers are served what there is.
    #[serde(default)]
    pub suspend: bool,
    /// What is left when the resource is deleted. Retain: everything; the same resource made again goes on from there. Delete: nothing but the topics.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
}

/// What happens to records that cannot be applied.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = errors_rules()))]
pub struct Errors {
    /// DeadLetter: they are kept in millrace.dead_letter. Skip: they are only counted. Stop: the first one stops the view.
    #[serde(default)]
    pub policy: ErrorPolicy,
    /// Stops the view when a larger share of the records than this cannot be applied, such as 1%.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), extend("x-kubernetes-validations" = stop_above_rules()))]
    pub stop_above: Option<String>,
}

impl Errors {
    /// The share above which the view stops, if one is given.
    pub fn stop_above(&self) -> Result<Option<Percentage>, InvalidPercentage> {
        self.stop_above.as_deref().map(Percentage::parse).transpose()
    }
}

/// What happens to a record that cannot be applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ErrorPolicy {
    #[default]
    DeadLetter,
    Skip,
    Stop,
}

/// Where and as whom to connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// The Secret with the address and the credentials, in the resource's own namespace.
    pub secret_ref: SecretReference,
}

/// A Secret in the resource's own namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretReference {
    /// The Secret's name.
    #[schemars(length(max = 253), extend("x-kubernetes-validations" = secret_name_rules()))]
    pub name: String,
}

/// What is left when the resource is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    #[default]
    Retain,
    Delete,
}

fn utc() -> String {
    "UTC".to_string()
}

/// The rule on the resource's own name, from which pods, labels and consumer groups take theirs.
pub(crate) fn resource_rules() -> Vec<ValidationRule> {
    vec![must(
        "self.metadata.name.size() <= 40 && !self.metadata.name.contains('.')",
        "metadata.name is '${self.metadata.name}', but pods and labels are named after it, so it must have at most 40 \
         characters and no dot; write for example user-view",
    )]
}

fn time_zone_rules() -> Vec<ValidationRule> {
    vec![must(
        "self.matches('^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9][A-Za-z0-9_+-]*){0,2}$')",
        "timeZone is '${self}', but it must be a name of the time zone database; write for example UTC or Asia/Seoul",
    )]
}

fn stop_above_rules() -> Vec<ValidationRule> {
    vec![must(
        "self.matches('^([0-9]{1,2}([.][0-9]{1,3})?|100)%$')",
        "errors.stopAbove is '${self}', but it must be a percentage from 0% to 100% with at most three decimals; write for \
         example \"1%\"",
    )]
}

fn errors_rules() -> Vec<ValidationRule> {
    vec![must_at(
        ".stopAbove",
        "self.policy != 'Stop' || !has(self.stopAbove)",
        "errors.policy is Stop and errors.stopAbove is '${self.stopAbove}', but Stop stops at the first record already; \
         take stopAbove out, or write policy: DeadLetter",
    )]
}

fn secret_name_rules() -> Vec<ValidationRule> {
    vec![must(
        "self.matches('^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$')",
        "secretRef.name is '${self}', but the name of a Secret must have lower-case letters, digits, dots and - only, and \
         begin and end with a letter or a digit; write the name of a Secret in this namespace",
    )]
}
