//! What was seen of a view's world in one look: Kafka first, then Postgres, then the cluster.
//!
//! Kafka's end offsets are read before Postgres's positions, so a revision that keeps up is seen at or past them.

use super::{
    comparison::Comparison,
    desired::Identity,
    known::Known,
    moment::Moment,
    name::{Revision, Target},
    request::Request,
    shown::Shown,
    trouble::Trouble,
    verification::Verification,
};
use millrace_contract::{Plan, revision::RevisionState};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

#[derive(Debug, Clone)]
pub struct Observed {
    /// What is configured, or in the view's own Secret; never `Absent`.
    pub kafka_address: Known<KafkaAddress>,
    /// Never `Absent`.
    pub kafka: Known<Kafka>,
    /// `Absent`: the database has no catalog.
    pub catalog: Known<Catalog>,
    /// Never `Absent`.
    pub children: Known<Children>,
}

impl Observed {
    /// The view's row, when it is the resource's own.
    pub fn view_of(&self, resource: &Identity) -> Option<&ViewRow> {
        let view = self.catalog.present()?.view.as_ref()?;
        (view.uid.as_ref() == Some(&resource.uid)).then_some(view)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kafka {
    pub cluster_id: String,
    pub by_topic: BTreeMap<String, Known<Topic>>,
}

impl Kafka {
    pub fn topic(&self, name: &str) -> Option<&Topic> {
        self.by_topic.get(name)?.present()
    }

    /// The topics that are there.
    pub fn topics(&self) -> impl Iterator<Item = (&str, &Topic)> {
        self.by_topic.iter().filter_map(|(name, topic)| Some((name.as_str(), topic.present()?)))
    }
}

/// How workers reach Kafka.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KafkaAddress {
    pub bootstrap_servers: String,
    pub security_protocol: String,
    /// A user and a password are needed: only a Secret of the view's own namespace can hold them.
    pub login: bool,
    pub ca: Option<String>,
    /// Changes whenever anything of the connection changes.
    pub digest: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    pub id: String,
    pub partitions: BTreeMap<i32, Offsets>,
    /// The first offset from the time on that a new replay asks for, by partition; empty while none asks for a time.
    pub since: BTreeMap<i32, i64>,
    /// The settings that the resource names, as they are.
    pub config: BTreeMap<String, String>,
    /// How long it keeps tombstones; none: it is not compacted, or its settings may not be read.
    pub keeps_tombstones: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offsets {
    pub earliest: i64,
    /// The last stable offset.
    pub end: i64,
}

/// The catalog, as far as it is about one view.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    pub version: i32,
    pub id: String,
    pub address: PostgresAddress,
    pub target: TargetState,
    /// Columns (name and type name) of the relation that readers query; empty while there is none.
    pub target_columns: Vec<(String, String)>,
    /// What depends on a column of it: other views, by column.
    pub dependants: BTreeMap<String, Vec<String>>,
    /// The readers asked for that may select from the target.
    pub granted_readers: BTreeSet<String>,
    /// The readers asked for that are no roles.
    pub missing_readers: BTreeSet<String>,
    pub view: Option<ViewRow>,
}

/// How workers reach Postgres; the user and the password are in the view's own Secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PostgresAddress {
    pub host: String,
    pub port: u16,
    pub database: String,
    pub ssl_mode: String,
    pub ca: Option<String>,
}

/// What has the name that readers query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum TargetState {
    #[default]
    Free,
    /// The view that this operator made for this resource.
    Ours,
    /// A relation that Millrace did not make: its kind, as in "table".
    Foreign(String),
    /// The result of another resource.
    OfView(String),
}

#[derive(Debug, Clone, Default)]
pub struct ViewRow {
    /// None: a retained view that waits to be adopted.
    pub uid: Option<String>,
    pub target: Target,
    pub live: Option<Revision>,
    pub replay_count: u32,
    pub shown: Shown,
    /// A snapshot is open that is older than the last cut-over.
    pub old_snapshots: bool,
    /// The role that its workers log in as.
    pub role: String,
    /// Digest of the password that the view's role has.
    pub password_digest: Option<String>,
    /// The roles that were let read the target because the resource asked for it.
    pub readers: BTreeSet<String>,
    /// Workers hold leases or renew their rows now.
    pub workers_alive: bool,
    pub replays: Vec<AcceptedReplay>,
    /// The requests that have acted; with a sentence those that found nothing to do.
    pub requests: BTreeMap<Request, Option<String>>,
    /// The revision that a person went back from, and the one that is to be live while the resource asks for that.
    pub rolled_back: Option<(Revision, Revision)>,
    /// Bytes of the live revision's tables; asked only while another one is to take its place.
    pub live_bytes: Option<i64>,
    pub revisions: BTreeMap<Revision, RevisionRow>,
    /// The last comparison of each revision with the one that was live.
    pub comparisons: BTreeMap<Revision, Comparison>,
    pub verification: Option<Verification>,
}

impl ViewRow {
    pub fn live_row(&self) -> Option<(&Revision, &RevisionRow)> {
        let live = self.live.as_ref()?;
        Some((live, self.revisions.get(live)?))
    }

    /// What a rollback goes back to: of the revisions that were live before and are kept, the one that was so last.
    pub fn previous(&self) -> Option<(&Revision, &RevisionRow)> {
        let kept = self.revisions.iter().filter(|(name, row)| row.state.is_kept() && self.live.as_ref() != Some(*name));
        kept.max_by_key(|(_, row)| row.ended_at)
    }

    /// Whether the revision was built to verify a live one: it never goes live itself.
    pub fn verifies(&self, revision: &Revision) -> bool {
        self.verification.as_ref().is_some_and(|verification| verification.copy.as_ref() == Some(revision))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedReplay {
    pub id: String,
    pub revision: Revision,
    pub accepted_at: Moment,
}

#[derive(Debug, Clone)]
pub struct RevisionRow {
    pub state: RevisionState,
    /// Why it was abandoned.
    pub reason: Option<String>,
    /// What it was compiled to; or why the stored text cannot be read.
    pub plan: Result<Arc<Plan>, Trouble>,
    pub errors_policy: String,
    pub errors_stop_above: Option<i32>,
    pub created_at: Moment,
    pub live_at: Option<Moment>,
    /// When it was fenced, retired or abandoned; of an open one: when it was unfenced last.
    pub ended_at: Option<Moment>,
    /// When a person let it go live.
    pub approved_at: Option<Moment>,
    /// Its rollout stood still when it was looked at last.
    pub paused: bool,
    /// When a person let it go on, after a pause or after it was given up.
    pub resumed_at: Option<Moment>,
    /// When it was first seen to have caught up while something else was waited for.
    pub caught_up_at: Option<Moment>,
    /// None: it has not caught up yet, or stood still before it had.
    pub built: Option<Built>,
    /// It went live unfinished, and has not read everything yet.
    pub refilling: bool,
    /// Records a second that its workers may read together, none without a limit, and since when.
    pub pace: Option<i64>,
    pub paced_at: Option<Moment>,
    /// What Postgres said to the assertions that were asked about it, by their place in the list.
    pub answers: BTreeMap<i32, Answer>,
    /// Column lists of the indexes of `rows` besides the key.
    pub indexes: BTreeSet<Vec<String>>,
    pub progress: Vec<Progress>,
}

impl RevisionRow {
    /// The topics it reads.
    pub fn topics(&self) -> BTreeSet<&str> {
        self.progress.iter().map(|task| task.topic.as_str()).collect()
    }

    pub fn reads(&self, topic: &str) -> bool {
        self.progress.iter().any(|task| task.topic == topic)
    }

    pub fn task(&self, topic: &str, partition: i32) -> Option<&Progress> {
        self.progress.iter().find(|task| task.topic == topic && task.partition == partition)
    }

    /// The number of tasks: partitions with the same number belong to one.
    pub fn tasks(&self) -> usize {
        self.progress.iter().map(|task| task.partition).collect::<BTreeSet<_>>().len()
    }
}

/// What Postgres said to an assertion when it was asked last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Of the statement that was asked.
    pub sql_hash: String,
    pub passed: bool,
    /// What came back, as in "gave false".
    pub detail: String,
    pub at: Moment,
    /// Since when it has not passed whenever it was asked.
    pub failing_since: Option<Moment>,
}

/// What a revision had read when it had caught up first, and how long that had taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Built {
    pub records: i64,
    pub time: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    pub topic: String,
    pub partition: i32,
    pub topic_id: String,
    pub kafka_cluster_id: String,
    pub start_offset: i64,
    /// When that was looked up, if it is known.
    pub started_at: Option<Moment>,
    pub next_offset: i64,
    /// Bytes of keys and values between the two, if they were counted.
    pub bytes: Option<i64>,
    pub event_time: Option<Moment>,
    pub committed_at: Option<Moment>,
    /// Until when a worker holds it, or held it last; none: nobody has yet.
    pub lease_until: Option<Moment>,
    pub lag_records: Option<i64>,
    /// `Reason: sentence`, as the worker wrote it.
    pub problem: Option<String>,
    /// Its last hold.
    pub hold: Option<Hold>,
}

/// No epoch passes `offset` until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    pub offset: i64,
    pub until: Moment,
}

/// What the API server has of a view.
#[derive(Debug, Clone)]
pub struct Children {
    pub secret: Option<WorkerSecret>,
    pub deployments: BTreeMap<String, DeploymentState>,
    /// A container of a worker that ends again and again: its pod and what it said.
    pub failing: Option<String>,
}

/// The Secret with the login of a view's workers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerSecret {
    /// Everything but the password.
    pub address: PostgresAddress,
    pub username: String,
    pub password_digest: String,
    /// The certificate authority of the operator's Kafka.
    pub kafka_ca: Option<String>,
    /// The catalog that the view's positions are in.
    pub catalog_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct DeploymentState {
    pub uid: String,
    pub resource_version: String,
    /// As the API server gives it.
    pub manifest: Arc<serde_json::Value>,
    pub replicas: i32,
    pub ready: i32,
    pub deleting: bool,
}
