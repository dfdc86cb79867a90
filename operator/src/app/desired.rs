//! What a StreamApp asks for, parsed into types that cannot be wrong.

use super::{name::AppName, replay::Replay};
use crate::view::{
    desired::{Deletion, DeletionPolicy, TopicWish, WorkerCount},
    trouble::Trouble,
};
use millrace_crds::AppReplayStatus;
use serde_json::Value;
use std::sync::Arc;

/// One StreamApp, understood.
#[derive(Debug, Clone)]
pub struct Desired {
    pub identity: Identity,
    pub generation: i64,
    /// The resource has the finalizer of this operator.
    pub finalizer: bool,
    pub deletion: Option<Deletion>,
    /// The annotation that pauses reconciling is set.
    pub paused: bool,
    pub suspended: bool,
    /// What the operator's configuration forbids, or what is malformed or taken, if anything.
    pub allowed: Result<(), Trouble>,
    pub inputs: Vec<TopicWish>,
    pub outputs: Vec<TopicWish>,
    pub group: String,
    pub internal: Option<Internal>,
    /// The pod template as it was written.
    pub template: Arc<Value>,
    pub workers: WorkerCount,
    pub replay: Option<Replay>,
    /// The replays that the status remembers.
    pub remembered: Vec<AppReplayStatus>,
    pub deletion_policy: DeletionPolicy,
}

impl Desired {
    /// Inputs first, then outputs.
    pub fn topics(&self) -> Vec<TopicWish> {
        self.inputs.iter().chain(&self.outputs).cloned().collect()
    }

    pub fn reads(&self, topic: &str) -> bool {
        self.inputs.iter().any(|wish| wish.topic == topic)
    }
}

/// What the world needs to find an app's things.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    pub name: AppName,
    pub uid: String,
    /// The Secret with the app's own Kafka, instead of the operator's.
    pub kafka_secret: Option<String>,
}

/// The topics that Kafka Streams makes for the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Internal {
    pub prefix: String,
    /// Longer prefixes that begin like this one and are of other apps.
    pub of_others: Vec<String>,
}

impl Internal {
    /// Whether Kafka Streams made the topic for this app. What only begins alike, as an output may, is not of these.
    pub fn has(&self, topic: &str) -> bool {
        let Some(rest) = topic.strip_prefix(&self.prefix) else { return false };
        let endings =
            ["-changelog", "-repartition", "-subscription-registration-topic", "-subscription-response-topic"];
        let numbered = ["KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-", "KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-"];
        let made = endings.iter().any(|ending| rest.ends_with(ending))
            || (rest.ends_with("-topic") && numbered.iter().any(|beginning| rest.starts_with(beginning)));
        made && !self.of_others.iter().any(|other| topic.starts_with(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_kafka_streams_made_for_this_app_is_internal() {
        let internal = Internal { prefix: "inventory-".into(), of_others: vec!["inventory-audit-".into()] };
        for topic in [
            "inventory-stock-changelog",
            "inventory-KSTREAM-AGGREGATE-STATE-STORE-0000000003-repartition",
            "inventory-KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-0000000006-topic",
            "inventory-join-subscription-response-topic",
        ] {
            assert!(internal.has(topic), "{topic}");
        }
        for topic in [
            "inventory-events",
            "inventory-changelogs",
            "orders-changelog",
            "inventory-audit-stock-changelog",
            "inventory-",
        ] {
            assert!(!internal.has(topic), "{topic}");
        }
    }
}
