//! RolloutPlan: a question, what would become of a view if a manifest were applied. It is answered and goes by itself.

#![allow(clippy::duplicated_attributes, reason = "several printer columns have the same type")]

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::ValidationRule;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::forecast::Forecast;
use crate::materialized_view::MaterializedViewSpec;
use crate::named::named;
use crate::schema;
use crate::validation::must;

/// What is asked.
#[derive(Clone, Debug, PartialEq, CustomResource, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "millrace.dev",
    version = "v1alpha1",
    kind = "RolloutPlan",
    plural = "rolloutplans",
    shortname = "mvplan",
    namespaced,
    doc = "A question: what would become of a MaterializedView if this were its spec. Nothing is done; the answer is in the status, and ten minutes after it was asked the question is deleted.",
    status = "RolloutPlanStatus",
    derive = "PartialEq",
    printcolumn(
        name = "VIEW",
        type_ = "string",
        json_path = ".spec.view",
        description = "The view that is asked about."
    ),
    printcolumn(
        name = "ANSWER",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Answered")].reason"#,
        description = "NoRollout, Rollout or Refused; or why there is no answer yet."
    ),
    printcolumn(
        name = "RECORDS",
        type_ = "integer",
        json_path = ".status.forecast.records",
        description = "How many records would be read."
    ),
    printcolumn(
        name = "SECONDS",
        type_ = "integer",
        json_path = ".status.forecast.seconds",
        description = "About how long that would take."
    ),
    printcolumn(
        name = "AGE",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Since the question was asked."
    )
)]
#[serde(rename_all = "camelCase")]
pub struct RolloutPlanSpec {
    /// The name of the MaterializedView, in this namespace; there need be none yet.
    #[schemars(length(max = 253), extend("x-kubernetes-validations" = view_rules()))]
    pub view: String,
    /// The spec that it would have.
    pub spec: MaterializedViewSpec,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutPlanStatus {
    /// The generation of the question that this answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Answered: True with the reason NoRollout, Rollout or Refused, or False with what could not be looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::conditions")]
    pub conditions: Vec<Condition>,
    /// What the rollout would do, if there would be one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
    /// All of it, as a page for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32768))]
    pub text: Option<String>,
}

/// The condition of a question.
pub const ANSWERED: &str = "Answered";

named! {
    /// What would become of a manifest: the reason of the condition Answered, once that is true.
    Verdict {
        /// It would be taken, and the live revision is what it asks for.
        NoRollout,
        /// Another revision would be built and take the live one's place.
        Rollout,
        /// Nothing would be built before a person acts; the page says why.
        Refused,
    }
}

impl RolloutPlan {
    /// The answer to the question as it stands; none while there is none.
    pub fn verdict(&self) -> Option<Verdict> {
        let reason = answered_reason(self.status.as_ref(), self.metadata.generation)?;
        Verdict::ALL.iter().copied().find(|verdict| verdict.as_str() == reason)
    }
}

/// What a question of this generation is answered with; none while it is not.
pub(crate) fn answered_reason(status: Option<&RolloutPlanStatus>, generation: Option<i64>) -> Option<&str> {
    let status = status.filter(|status| status.observed_generation == generation)?;
    let answered = |condition: &&Condition| condition.type_ == ANSWERED && condition.status == "True";
    Some(&status.conditions.iter().find(answered)?.reason)
}

fn view_rules() -> Vec<ValidationRule> {
    vec![must(
        "self.matches('^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$')",
        "view is '${self}', but the name of a MaterializedView must have lower-case letters, digits and - only, begin and \
         end with a letter or a digit, and have at most 40 characters; write for example user-view",
    )]
}
