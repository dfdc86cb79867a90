//! Verification by itself: how often the live result is compared with one built anew from the same records.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::ValidationRule;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::{InvalidDuration, parse_duration};
use crate::validation::duration_of_at_least;

/// When the live result is verified without anybody asking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Verify {
    /// How long after a verification was begun the next one begins, such as 24h.
    #[schemars(length(max = 18), extend("x-kubernetes-validations" = every_rules()))]
    pub every: String,
}

impl Verify {
    /// The time from the beginning of one verification to that of the next.
    pub fn every(&self) -> Result<Duration, InvalidDuration> {
        parse_duration(&self.every)
    }
}

fn every_rules() -> Vec<ValidationRule> {
    duration_of_at_least("verify.every", "1h", "24h")
}
