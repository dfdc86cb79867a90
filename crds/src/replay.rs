//! A replay: the view is computed once more from older records, beside the live result.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::ValidationRule;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::validation::must;

/// Asks for a replay. An id acts once: the same id again, or no replay, does nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Replay {
    /// The name of this replay, chosen by whoever asks for it; another one asks again.
    #[schemars(length(max = 63), extend("x-kubernetes-validations" = id_rules()))]
    pub id: String,
    /// Where the replay begins: exactly one choice. Earliest unless given.
    #[serde(default)]
    pub from: ReplayFrom,
}

/// Where a replay begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = from_rules()))]
pub struct ReplayFrom {
    /// At the oldest record that each partition still has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earliest: Option<Earliest>,
}

impl Default for ReplayFrom {
    fn default() -> Self {
        ReplayFrom { earliest: Some(Earliest {}) }
    }
}

/// The oldest record that each partition still has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Earliest {}

fn id_rules() -> Vec<ValidationRule> {
    vec![must(
        "self.matches('^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$')",
        "replay.id is '${self}', but it must have letters a to z, digits, dots, _ and - only, begin and end with a letter \
         or a digit, and have at most 63 characters; write for example after-bugfix-42",
    )]
}

fn from_rules() -> Vec<ValidationRule> {
    vec![must(
        "has(self.earliest)",
        "replay.from has no choice, but exactly one place to begin must be said; write from: {earliest: {}}, or take from \
         out",
    )]
}
