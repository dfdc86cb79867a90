//! StreamAppPlan: the question what would become of a StreamApp if a manifest were applied.

#![allow(clippy::duplicated_attributes, reason = "several printer columns have the same type")]

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::ValidationRule;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::named::named;
use crate::rollout_plan::{RolloutPlanStatus, answered_reason};
use crate::stream_app::StreamAppSpec;
use crate::validation::must;

/// What is asked.
#[derive(Clone, Debug, PartialEq, CustomResource, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "millrace.dev",
    version = "v1alpha1",
    kind = "StreamAppPlan",
    plural = "streamappplans",
    shortname = "sappplan",
    namespaced,
    doc = "A question: what would become of a StreamApp if this were its spec. Nothing is done; the answer is in the status, and ten minutes after it was asked the question is deleted.",
    status = "RolloutPlanStatus",
    derive = "PartialEq",
    printcolumn(name = "APP", type_ = "string", json_path = ".spec.app", description = "The app that is asked about."),
    printcolumn(
        name = "ANSWER",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Answered")].reason"#,
        description = "Stays, Replay or Refused; or why there is no answer yet."
    ),
    printcolumn(
        name = "RECORDS",
        type_ = "integer",
        json_path = ".status.forecast.records",
        description = "How many records would be read."
    ),
    printcolumn(
        name = "AGE",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Since the question was asked."
    )
)]
#[serde(rename_all = "camelCase")]
pub struct StreamAppPlanSpec {
    /// The name of the StreamApp, in this namespace; there need be none yet.
    #[schemars(length(max = 253), extend("x-kubernetes-validations" = app_rules()))]
    pub app: String,
    /// The spec that it would have.
    pub spec: StreamAppSpec,
}

named! {
    /// What would become of a manifest: the reason of the condition Answered, once that is true.
    AppVerdict {
        /// It would be taken, and the group stays where it is.
        Stays,
        /// The group would be moved.
        Replay,
        /// Nothing would be moved before a person acts; the page says why.
        Refused,
    }
}

impl StreamAppPlan {
    /// The answer to the question as it stands; none while there is none.
    pub fn verdict(&self) -> Option<AppVerdict> {
        let reason = answered_reason(self.status.as_ref(), self.metadata.generation)?;
        AppVerdict::ALL.iter().copied().find(|verdict| verdict.as_str() == reason)
    }
}

fn app_rules() -> Vec<ValidationRule> {
    vec![must(
        "self.matches('^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$')",
        "app is '${self}', but the name of a StreamApp must have lower-case letters, digits and - only, begin and end with \
         a letter or a digit, and have at most 40 characters; write for example inventory",
    )]
}
