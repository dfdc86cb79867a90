//! Rollout: how a new revision takes the place of the live one.

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::ValidationRule;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::{InvalidDuration, parse_duration};
use crate::gates::{Gates, rollout_rules};
use crate::validation::{duration_rules, must};

/// How a new revision takes the place of the live one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = rollout_rules()))]
pub struct Rollout {
    /// A revision that is not live after this time is abandoned, and the live one stays.
    #[schemars(length(max = 18), extend("x-kubernetes-validations" = duration_rules("rollout.timeout", true, "24h")))]
    pub timeout: String,
    /// How long the revision before the live one is kept.
    #[schemars(length(max = 18), extend("x-kubernetes-validations" = duration_rules("rollout.retainPrevious", false, "1h, or 0s to keep nothing")))]
    pub retain_previous: String,
    /// While the revision before the live one is kept, its workers go on, so that a rollback has nothing to catch up. They rest while another revision is built, and after a rollback.
    pub keep_previous_current: bool,
    /// Automatic: a revision goes live once it has caught up. Manual: it waits for the annotation millrace.dev/promote with its name. A view's first revision waits for nobody.
    pub promotion: Promotion,
    /// What happens when a new query lacks columns that readers see. Refuse: nothing is built. AwaitApproval: it is built and waits for the annotation millrace.dev/promote with its name; the columns stay and are null from then on.
    pub on_breaking_change: OnBreakingChange,
    /// Shadow: a revision is built beside the live one, and readers notice nothing. InPlaceWithDowntime: it goes live at once and empty, the one before is dropped, and readers see it fill: for a result that Postgres has no room for twice.
    pub strategy: Strategy,
    /// Stops whatever rollout there is, and lets none begin. The live revision is kept up to date.
    pub paused: bool,
    /// All workers of a revision that is built read at most this many records a second together. A live revision is never slowed. No limit unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-kubernetes-validations" = records_per_second_rules()))]
    pub max_records_per_second: Option<i32>,
    /// While readers see records later than this, a revision that is built beside the live one stands still. It never does unless this is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 18), extend("x-kubernetes-validations" = duration_rules("rollout.maxLiveFreshness", true, "30s")))]
    pub max_live_freshness: Option<String>,
    /// What a new revision has to show before it goes live, or before a person is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gates: Option<Gates>,
}

/// What readers see while a new revision is built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Strategy {
    #[default]
    Shadow,
    InPlaceWithDowntime,
}

/// When a revision that has caught up goes live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Promotion {
    #[default]
    Automatic,
    Manual,
}

/// What happens when a new query lacks columns that readers see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnBreakingChange {
    #[default]
    Refuse,
    AwaitApproval,
}

impl Default for Rollout {
    fn default() -> Self {
        Rollout {
            timeout: "24h".to_string(),
            retain_previous: "1h".to_string(),
            keep_previous_current: false,
            promotion: Promotion::Automatic,
            on_breaking_change: OnBreakingChange::Refuse,
            strategy: Strategy::Shadow,
            paused: false,
            max_records_per_second: None,
            max_live_freshness: None,
            gates: None,
        }
    }
}

impl Rollout {
    /// The time after which a revision that is not live is abandoned.
    pub fn timeout(&self) -> Result<Duration, InvalidDuration> {
        parse_duration(&self.timeout)
    }

    /// The time for which the revision before the live one is kept.
    pub fn retain_previous(&self) -> Result<Duration, InvalidDuration> {
        parse_duration(&self.retain_previous)
    }

    /// How late readers may see records before a revision that is built stands still, if that is given.
    pub fn max_live_freshness(&self) -> Result<Option<Duration>, InvalidDuration> {
        self.max_live_freshness.as_deref().map(parse_duration).transpose()
    }
}

fn records_per_second_rules() -> Vec<ValidationRule> {
    vec![must(
        "self >= 1 && self <= 100000000",
        "rollout.maxRecordsPerSecond is ${self}, but it must be from 1 to 100000000; to let a rollout stand still write \
         paused: true",
    )]
}
