//! A replay: the view is computed once more from older records, beside the live result.

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::ValidationRule;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::schema;
use crate::validation::{duration_rules, must, must_at};

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
    /// Replays what is left when the topics no longer have a part of what is asked for.
    #[serde(default)]
    pub accept_truncation: bool,
    /// Lets the new result lack what the live one has from before the place where the replay begins.
    #[serde(default)]
    pub discard_history: bool,
}

/// Where a replay begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = from_rules()))]
pub struct ReplayFrom {
    /// At the oldest record that each partition still has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earliest: Option<Earliest>,
    /// After the newest record that each partition has when the replay begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest: Option<Latest>,
    /// At the first record of each partition from this time on, as RFC 3339 writes it, such as 2026-01-31T00:00:00Z.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 40), extend("x-kubernetes-validations" = timestamp_rules()))]
    pub timestamp: Option<String>,
    /// At the first record of each partition that is at most this old when the replay begins, such as 24h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 18), extend("x-kubernetes-validations" = duration_rules("replay.from.duration", true, "24h")))]
    pub duration: Option<String>,
    /// At these offsets: for each source that is named, the first offset to read of each of its partitions. Other sources begin at their oldest record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::replay_offsets")]
    pub offsets: Option<BTreeMap<String, BTreeMap<String, i64>>>,
}

impl Default for ReplayFrom {
    fn default() -> Self {
        ReplayFrom { earliest: Some(Earliest {}), latest: None, timestamp: None, duration: None, offsets: None }
    }
}

/// The oldest record that each partition still has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Earliest {}

/// After the newest record of each partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Latest {}

pub(crate) fn id_rules() -> Vec<ValidationRule> {
    vec![must(
        "self.matches('^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$')",
        "replay.id is '${self}', but it must have letters a to z, digits, dots, _ and - only, begin and end with a letter \
         or a digit, and have at most 63 characters; write for example after-bugfix-42",
    )]
}

fn from_rules() -> Vec<ValidationRule> {
    choice_rules(&["earliest", "latest", "timestamp", "duration", "offsets"])
}

/// The rules of a place to begin that may be said in any of these ways.
pub(crate) fn choice_rules(choices: &[&str]) -> Vec<ValidationRule> {
    let given: Vec<String> = choices.iter().map(|choice| format!("has(self.{choice})")).collect();
    let given = format!("[{}].filter(given, given).size()", given.join(", "));
    let (last, others) = choices.split_last().unwrap_or((&"", &[]));
    vec![
        must(
            &format!("{given} >= 1"),
            "replay.from has no choice, but exactly one place to begin must be said; write from: {earliest: {}}, or take \
             from out",
        ),
        must(
            &format!("{given} <= 1"),
            &format!(
                "replay.from has ${{{given}}} choices, but a replay can begin at one place only; write one of {} and \
                 {last}, and take the others out",
                others.join(", ")
            ),
        ),
    ]
}

pub(crate) fn timestamp_rules() -> Vec<ValidationRule> {
    vec![must(
        "self.matches('^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\
         ([.][0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$')",
        "replay.from.timestamp is '${self}', but it must be a date, a time and a time zone as RFC 3339 writes them; write \
         for example 2026-01-31T00:00:00Z or 2026-01-31T09:00:00+09:00",
    )]
}

/// The rule on the spec that holds both the sources and the replay.
pub(crate) fn replay_rules() -> Vec<ValidationRule> {
    let unknown = "self.replay.from.offsets.filter(name, !self.sources.exists(source, source.name == name))";
    vec![must_at(
        ".replay.from.offsets",
        &format!("!has(self.replay) || !has(self.replay.from.offsets) || {unknown}.size() == 0"),
        &format!(
            "replay.from.offsets names the source '${{{unknown}[0]}}', but spec.sources has no such source; write the name \
             of a source, as the query does"
        ),
    )]
}
