//! What a resource asks for, parsed into types that cannot be wrong.

use super::{
    moment::Moment,
    name::{Revision, Target, ViewName},
    observed::RevisionRow,
    replay::Replay,
    request::Request,
    trouble::Trouble,
};
use millrace_contract::{Plan, Source, revision::revision_name};
use millrace_crds::{ComparisonGate, OnBreakingChange, Promotion, Strategy};
use millrace_sql::Assertion;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// One MaterializedView, understood.
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
    /// What the query compiled to, or why it did not.
    pub query: Result<Query, Trouble>,
    /// What the operator's configuration forbids, if anything.
    pub allowed: Result<(), Trouble>,
    pub topics: Vec<TopicWish>,
    pub target: Target,
    pub indexes: Vec<Vec<String>>,
    pub readers: Vec<String>,
    pub errors: Errors,
    pub workers: Workers,
    /// The replays that are asked for; each acts once.
    pub replays: Vec<Replay>,
    /// Replay ids that the status remembers: they act no more, even when the catalog is gone.
    pub remembered_replays: Vec<String>,
    pub rollout: Rollout,
    /// How long after a verification was begun the next one begins by itself.
    pub verify_every: Option<Duration>,
    /// What a person asks for by annotations; each acts once.
    pub requests: Vec<Request>,
    pub deletion_policy: DeletionPolicy,
    pub image: Image,
    /// As many views as are built anew at a time, beside what readers see.
    pub concurrent_rollouts: u32,
}

/// How a new revision takes the place of the live one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    pub timeout: Duration,
    pub retain_previous: Duration,
    /// What is kept goes on, so that going back to it has nothing to catch up.
    pub keep_previous_current: bool,
    pub promotion: Promotion,
    pub on_breaking_change: OnBreakingChange,
    pub strategy: Strategy,
    pub paused: bool,
    /// What all workers of a revision that is built may read together.
    pub max_records_per_second: Option<i64>,
    /// How late readers may see records before a revision that is built stands still.
    pub max_live_freshness: Option<Duration>,
    pub gates: Gates,
}

/// What a revision has to show before it goes live.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gates {
    /// It is at most this many records behind the live one.
    pub max_behind_live: Option<i64>,
    /// It has been caught up for this long, its workers working; zero asks for nothing.
    pub soak: Duration,
    /// Each is true of it.
    pub assertions: Vec<Assertion>,
    /// What follows from a comparison with the live revision; none: they are not compared.
    pub comparison: Option<ComparisonGate>,
}

/// What the world needs to find a view's things.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    pub name: ViewName,
    pub uid: String,
    /// The Secret with the view's own Kafka, instead of the operator's.
    pub kafka_secret: Option<String>,
    /// The Secret with the view's own Postgres, instead of the operator's.
    pub postgres_secret: Option<String>,
}

/// A resource that is being deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deletion {
    /// When its first round was, by the status.
    pub blocked_since: Option<Moment>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletionPolicy {
    Retain,
    Delete,
}

/// A query that compiled.
#[derive(Debug, Clone)]
pub struct Query {
    /// Printed from the syntax tree: white space and case of keywords do not matter.
    pub canonical: String,
    pub sources: Vec<Source>,
    /// Name and type name of each result column.
    pub columns: Vec<(String, String)>,
    pub plan: Arc<Plan>,
}

impl Query {
    /// The name of the revision that this query builds after `replay_count` replays.
    pub fn revision(&self, replay_count: u32) -> Revision {
        Revision(self.named(self.plan.semantics_version, replay_count))
    }

    /// Whether it builds another revision than `live` only because its meaning is computed in a newer way.
    pub fn is_newer_semantics_of(&self, live: &Revision, row: &RevisionRow, replay_count: u32) -> bool {
        row.plan.as_ref().is_ok_and(|plan| {
            plan.semantics_version < self.plan.semantics_version
                && live.0 == self.named(plan.semantics_version, replay_count)
        })
    }

    /// A digest of all that the revision's name depends on but the replays.
    pub fn spec_hash(&self) -> String {
        self.named(self.plan.semantics_version, 0)
    }

    fn named(&self, semantics_version: u32, replay_count: u32) -> String {
        let time_zone = &self.plan.time_zone;
        revision_name(&self.canonical, &self.sources, &self.columns, time_zone, semantics_version, replay_count)
    }
}

/// A topic that the view reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicWish {
    pub topic: String,
    pub ensure: Option<EnsureTopic>,
}

/// How a topic must be at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnsureTopic {
    pub partitions: i32,
    pub replicas: i32,
    pub config: BTreeMap<String, String>,
}

/// What becomes of records that cannot be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errors {
    /// `DeadLetter`, `Skip` or `Stop`.
    pub policy: &'static str,
    /// Dead letters per 10,000 records above which the view stops.
    pub stop_above: Option<i32>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Workers {
    pub count: WorkerCount,
    /// The `resources` of the container, as the API server takes them.
    pub resources: serde_json::Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerCount {
    /// One a partition.
    Auto {
        min: i32,
        max: i32,
    },
    Fixed(i32),
}

/// The image that workers run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    pub name: String,
    pub pull_policy: String,
}
