//! Gates: what a new revision has to show before it goes live.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::ValidationRule;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::{InvalidDuration, parse_duration};
use crate::schema;
use crate::validation::{duration_rules, is_duration, must, must_at};

/// What a new revision has to show before it goes live. A rollback passes no gate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gates {
    /// The revision is at most this many records behind the live one, 2000 at most unless given. A view's first revision has nothing to be behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = behind_rules()))]
    pub max_behind_live: Option<i64>,
    /// The revision has been caught up for this long, its workers working.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 18), extend("x-kubernetes-validations" = duration_rules("rollout.gates.soak", true, "10m")))]
    pub soak: Option<String>,
    /// Each is one SELECT over {next} and {live} that gives true, such as select count(*) > 0 from {next}. One that reads {live} is not asked of a view's first revision.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::assertions")]
    pub assertions: Vec<String>,
    /// Compares the revision row by row with the live one, at equal positions, over the columns that both have. Report: what is found is said in the status. RequireEqual: a revision that gives other rows is abandoned, and the live one stays. Not compared unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<ComparisonGate>,
}

/// What follows from a comparison with the live revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ComparisonGate {
    Report,
    RequireEqual,
}

impl Gates {
    /// The time for which a revision has been caught up before it goes live.
    pub fn soak(&self) -> Result<Option<Duration>, InvalidDuration> {
        self.soak.as_deref().map(parse_duration).transpose()
    }
}

fn behind_rules() -> Vec<ValidationRule> {
    vec![must("self >= 0", "rollout.gates.maxBehindLive is ${self}, but it must be 0 or more; write for example 1000")]
}

/// The rules on the rollout that holds the gates.
pub(crate) fn rollout_rules() -> Vec<ValidationRule> {
    let readable = format!("{} && {}", is_duration("self.gates.soak"), is_duration("self.timeout"));
    vec![
        must_at(
            ".gates.soak",
            &format!(
                "!has(self.gates) || !has(self.gates.soak) || !({readable}) || \
                 duration(self.gates.soak) < duration(self.timeout)"
            ),
            "rollout.gates.soak is ${self.gates.soak} and rollout.timeout is ${self.timeout}, but then a revision would be \
             given up before it has soaked; write a shorter soak or a longer timeout",
        ),
        must_at(
            ".gates",
            "!has(self.gates) || self.strategy != 'InPlaceWithDowntime'",
            "rollout.gates are asked for and rollout.strategy is InPlaceWithDowntime, but a revision that goes live at once \
             and empty has nothing to show; take one of them out",
        ),
        must_at(
            ".keepPreviousCurrent",
            "!self.keepPreviousCurrent || self.strategy != 'InPlaceWithDowntime'",
            "rollout.keepPreviousCurrent is true and rollout.strategy is InPlaceWithDowntime, but then no revision from \
             before is kept; take one of them out",
        ),
    ]
}
