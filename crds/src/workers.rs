//! Workers: the pods that keep a view true, how many and how large.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::ValidationRule;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;
use crate::validation::{must_at, positive_rules};

/// How many workers there are, and what each may use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = workers_rules()))]
pub struct Workers {
    /// Auto: one worker for each partition, from `min` to `max`. Fixed: as many as `replicas` says.
    pub mode: WorkerMode,
    /// The number of workers in the mode Fixed. `kubectl scale` sets it.
    #[schemars(extend("maximum" = 1000, "x-kubernetes-validations" = positive_rules("workers.replicas", "to stop all workers write suspend: true")))]
    pub replicas: i32,
    /// The smallest number of workers in the mode Auto.
    #[schemars(extend("maximum" = 1000, "x-kubernetes-validations" = positive_rules("workers.min", "write for example min: 1")))]
    pub min: i32,
    /// The largest number of workers in the mode Auto.
    #[schemars(extend("maximum" = 1000, "x-kubernetes-validations" = positive_rules("workers.max", "write for example max: 1")))]
    pub max: i32,
    /// What each worker is given, and what it may use at most; without this field the operator's own amounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<WorkerResources>,
}

impl Default for Workers {
    fn default() -> Self {
        Workers { mode: WorkerMode::Auto, replicas: 1, min: 1, max: 6, resources: None }
    }
}

/// Who decides how many workers there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WorkerMode {
    #[default]
    Auto,
    Fixed,
}

/// What one worker is given, and what it may use at most.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = resources_rules()))]
pub struct WorkerResources {
    /// What one worker is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<ResourceAmounts>,
    /// What one worker may use at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<ResourceAmounts>,
}

/// Amounts of what a pod uses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceAmounts {
    /// Cores, such as 1 or 500m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::amount")]
    pub cpu: Option<Quantity>,
    /// Memory, such as 100Mi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::amount")]
    pub memory: Option<Quantity>,
}

fn workers_rules() -> Vec<ValidationRule> {
    vec![must_at(
        ".min",
        "self.min <= self.max",
        "workers.min is ${self.min} and workers.max is ${self.max}, but min must not be above max; write \
         a smaller min or a larger max",
    )]
}

fn resources_rules() -> Vec<ValidationRule> {
    ["cpu", "memory"]
        .map(|resource| {
            let request = format!("string(self.requests.{resource})");
            let limit = format!("string(self.limits.{resource})");
            must_at(
                ".requests",
                &format!(
                    "!has(self.requests) || !has(self.limits) || !has(self.requests.{resource}) \
                     || !has(self.limits.{resource}) || !isQuantity({request}) || !isQuantity({limit}) \
                     || !quantity({request}).isGreaterThan(quantity({limit}))"
                ),
                &format!(
                    "the request of {resource} is ${{{request}}} and its limit is ${{{limit}}}, but a worker cannot be \
                     given more than it may use; write a smaller request or a larger limit"
                ),
            )
        })
        .to_vec()
}
