//! StreamApp: a program of a user's own that reads topics and writes topics, run and replayed as its resource says.

#![allow(clippy::duplicated_attributes, reason = "several printer columns have the same type")]

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::ValidationRule;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::app_replay::AppReplay;
use crate::app_status::StreamAppStatus;
use crate::materialized_view::{Connection, DeletionPolicy};
use crate::schema;
use crate::source::{EnsureTopic, topic_rules};
use crate::validation::{must, must_at, not_empty_rules};
use crate::workers::Workers;

/// What the app is.
#[derive(Clone, Debug, PartialEq, CustomResource, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "millrace.dev",
    version = "v1alpha1",
    kind = "StreamApp",
    plural = "streamapps",
    shortname = "sapp",
    category = "millrace",
    namespaced,
    doc = "A program that reads Kafka topics and writes Kafka topics, in an image of its own.",
    status = "StreamAppStatus",
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
        description = "Whether this generation runs, and no replay is going on."
    ),
    printcolumn(
        name = "STATUS",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        description = "Why it is ready or not."
    ),
    printcolumn(
        name = "PHASE",
        type_ = "string",
        json_path = ".status.phase",
        description = "Where the replay stands."
    ),
    printcolumn(
        name = "LAG",
        type_ = "integer",
        json_path = ".status.lagRecords",
        description = "Records that are not read yet."
    ),
    printcolumn(
        name = "MEMBERS",
        type_ = "integer",
        json_path = ".status.group.members",
        description = "Members of the consumer group."
    ),
    printcolumn(
        name = "IDLE",
        type_ = "integer",
        json_path = ".status.group.idleMembers",
        description = "Members without a partition."
    ),
    printcolumn(
        name = "REPLICAS",
        type_ = "integer",
        json_path = ".status.replicas",
        description = "Instances that there are."
    ),
    printcolumn(
        name = "AGE",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Since the resource was created."
    )
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = spec_rules()))]
pub struct StreamAppSpec {
    /// The topics that the app reads.
    #[schemars(
        length(max = 16),
        extend(
            "x-kubernetes-list-type" = "map",
            "x-kubernetes-list-map-keys" = ["topic"],
            "x-kubernetes-validations" = not_empty_rules("inputs", "write for example inputs: [{topic: order-events}]")
        )
    )]
    pub inputs: Vec<TopicUse>,
    /// The topics that the app writes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["topic"])
    )]
    pub outputs: Vec<TopicUse>,
    /// The consumer group that the app's instances are members of. It cannot be changed.
    #[schemars(length(max = 249), extend("x-kubernetes-validations" = group_rules()))]
    pub consumer_group: String,
    /// The topics that Kafka Streams makes for the app. A replay deletes them, for they hold what was computed so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub internal_topics: Option<InternalTopics>,
    /// The pods that run the app, as a Deployment has them. Brokers, group, topics and credentials reach every container as environment variables. The API server checks it by a dry run, and says what is wrong in the condition TemplateValid.
    #[schemars(schema_with = "schema::pod_template")]
    pub pod_template: serde_json::Value,
    /// How many instances there are. In the mode Auto never more than the largest input has partitions.
    #[serde(default)]
    pub workers: Workers,
    /// Moves the group to other records, once: instances are stopped, offsets written down and altered, instances started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<AppReplay>,
    /// The Kafka that the topics are in, when it is not the operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kafka: Option<Connection>,
    /// Stops all instances.
    #[serde(default)]
    pub suspend: bool,
    /// What is left when the resource is deleted. Retain: topics, group and the offsets that were written down. Delete: only the topics of inputs and outputs.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
}

/// A topic that the app reads or writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TopicUse {
    /// The topic's name.
    #[schemars(length(max = 249), extend("x-kubernetes-validations" = topic_rules()))]
    pub topic: String,
    /// How the topic must be. It is made, or grown, when it is not so; it never shrinks. Without this field the topic must be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ensure_topic: Option<EnsureTopic>,
}

/// Topics that Kafka Streams makes: those with this prefix whose names end as its own do, in -changelog or -repartition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InternalTopics {
    /// What their names begin with: the application.id and a dash.
    #[schemars(length(max = 200), extend("x-kubernetes-validations" = prefix_rules()))]
    pub prefix: String,
}

fn spec_rules() -> Vec<ValidationRule> {
    let both = "self.outputs.filter(output, self.inputs.exists(input, input.topic == output.topic))";
    let unknown = "self.replay.from.offsets.filter(name, !self.inputs.exists(input, input.topic == name))";
    vec![
        must_at(
            ".outputs",
            &format!("!has(self.outputs) || {both}.size() == 0"),
            &format!(
                "the topic '${{{both}[0].topic}}' is an input and an output, but an app that reads what it writes never \
                 comes to an end; write another topic for one of them"
            ),
        ),
        must_at(
            ".replay.from.offsets",
            &format!("!has(self.replay) || !has(self.replay.from.offsets) || {unknown}.size() == 0"),
            &format!(
                "replay.from.offsets names the topic '${{{unknown}[0]}}', but spec.inputs has no such topic; write the name \
                 of an input"
            ),
        ),
        must_at(
            ".workers.resources",
            "!has(self.workers.resources)",
            "workers.resources is given, but what an instance may use must be said where its container is; write resources in \
             podTemplate.spec.containers",
        ),
    ]
}

fn group_rules() -> Vec<ValidationRule> {
    vec![
        must(
            "self.matches('^[A-Za-z0-9._:/-]+$') && !self.startsWith('millrace.')",
            "consumerGroup is '${self}', but it must have letters a to z, digits and . _ - : / only, and not begin with \
             millrace., as the groups of views do; write for example inventory",
        ),
        must(
            "self == oldSelf",
            "consumerGroup is '${self}', but it was '${oldSelf}' and cannot be changed, for what was read would be forgotten; \
             make another StreamApp with that group",
        ),
    ]
}

fn prefix_rules() -> Vec<ValidationRule> {
    vec![must(
        "self.matches('^[a-zA-Z0-9._][a-zA-Z0-9._-]*-$')",
        "internalTopics.prefix is '${self}', but it must be the application.id and a dash, for topics that begin with it are \
         deleted by a replay; write for example inventory-",
    )]
}
