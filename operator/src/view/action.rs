//! What the planner asks the world to do: each is idempotent or a compare-and-swap, and safe to repeat.

use super::{
    gates::Question,
    name::{Revision, Target},
    request::{Deed, Request},
    topics::TopicChange,
    trouble::Trouble,
    verification::Beginning,
};
use millrace_crds::VerificationResult;
use std::{fmt, sync::Arc};

#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    AddFinalizer,
    ChangeTopic(TopicChange),
    /// Brings the catalog to this program's version; changes nothing in a newer one.
    MigrateCatalog,
    /// Makes the view's row, or takes over one that belongs to `from`.
    ClaimView {
        target: Target,
        from: Owner,
    },
    /// Makes the Secret of the workers, and gives their role the Secret's password.
    ApplyLogin(Login),
    CreateRevision(Box<NewRevision>),
    /// Workers go on with a revision that was live before, as long as it is kept; or rest from now.
    SetStandby {
        revision: Revision,
        standby: bool,
    },
    /// A revision that was live before is built on.
    ReopenRevision {
        revision: Revision,
    },
    SetErrors {
        revision: Revision,
        policy: String,
        stop_above: Option<i32>,
    },
    /// Workers of a revision that is built read at most so many records a second together; none: as many as they can.
    SetPace {
        revision: Revision,
        pace: Option<i64>,
    },
    AddPartitions {
        revision: Revision,
        starts: Vec<Start>,
    },
    CreateIndex {
        revision: Revision,
        columns: Vec<String>,
    },
    ApplyDeployment {
        name: String,
        revision: Revision,
        replicas: i32,
        manifest: Arc<serde_json::Value>,
    },
    DeleteDeployment {
        name: String,
        uid: String,
        resource_version: String,
    },
    /// Makes the target and shows the first revision in it.
    ShowFirst {
        revision: Revision,
        target: Target,
        sql: String,
    },
    /// Replaces what the target shows. Only while `live` is live and what is shown is `expected`.
    Show {
        live: Revision,
        expected: String,
        shown: String,
        sql: String,
    },
    /// `UPDATE live_revision`, when `next` is at or past `live` in every partition that both read.
    /// `unfinished`: wherever it is; readers see it fill.
    CutOver {
        live: Revision,
        next: Revision,
        unfinished: bool,
    },
    /// The live revision, which went live unfinished, has read everything.
    NoteFilled {
        live: Revision,
    },
    /// Nobody commits to the live revision any more, so that the next one passes it.
    FenceLive {
        live: Revision,
        next: Revision,
    },
    /// The live revision's workers go on.
    UnfenceLive {
        live: Revision,
    },
    /// For a moment neither passes the furthest position that one of them has, in every partition.
    Hold {
        live: Revision,
        next: Revision,
    },
    /// Nothing is held any more.
    ReleaseHolds,
    /// Begins to compare the rows of the two, if they stand at equal positions, and ends their holds.
    Compare {
        live: Revision,
        next: Revision,
        sql: String,
    },
    /// Begins a verification that is due.
    Verify(Beginning),
    /// Remembers what the verification came to, and gives its copy up.
    EndVerification {
        copy: Revision,
        result: VerificationResult,
        message: String,
    },
    GrantReaders {
        target: Target,
        readers: Vec<String>,
    },
    /// Takes back what `GrantReaders` gave.
    RevokeReaders {
        target: Target,
        readers: Vec<String>,
    },
    /// Does once what a person asked for, and remembers that it was done.
    Obey {
        request: Request,
        deed: Deed,
    },
    /// Remembers that the revision has caught up.
    NoteCaughtUp {
        revision: Revision,
    },
    /// Forgets it: the time for which it was caught up begins anew.
    RestartSoak {
        revision: Revision,
    },
    /// Asks Postgres what the gates want to know of `next`, and remembers the answers. Reads both revisions, and no more.
    RunGates {
        next: Revision,
        live: Option<Revision>,
        questions: Vec<Question>,
    },
    /// Remembers that the rollout of the revision stands still, or goes on from now.
    SetPaused {
        revision: Revision,
        paused: bool,
    },
    Abandon {
        revision: Revision,
        trouble: Trouble,
    },
    /// Drops a revision that is neither live nor shown.
    DropRevision {
        revision: Revision,
    },
    /// Leaves a view without owner: its data stays.
    ReleaseView,
    /// Drops the view, its revisions and its role.
    DeleteView,
    RemoveFinalizer {
        left_behind: Option<String>,
    },
}

/// Whom a view's row belongs to before it is claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// There is no row.
    NoRow,
    /// A retained view that nobody owns.
    Nobody,
    /// The resource with this uid, which is gone and runs no workers.
    Gone(String),
}

/// What the Secret of the workers holds besides the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    pub address: super::observed::PostgresAddress,
    pub username: String,
    pub kafka_ca: Option<String>,
    pub catalog_id: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct NewRevision {
    pub revision: Revision,
    pub spec_hash: String,
    /// The plan as it is stored.
    pub plan: String,
    pub plan_format: i32,
    /// The statements that make the revision's tables in its schema.
    pub tables: Vec<String>,
    pub errors_policy: String,
    pub errors_stop_above: Option<i32>,
    pub pace: Option<i64>,
    pub worker_image: String,
    pub kafka_cluster_id: String,
    pub starts: Vec<Start>,
    /// The view's count of replays before and after.
    pub replay_count: (u32, u32),
    /// The replay that asked for it.
    pub replay: Option<String>,
    /// With a live revision it is made while fewer views than this are built anew.
    pub concurrent: u32,
}

/// Where a revision starts in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    pub topic: String,
    pub partition: i32,
    pub topic_id: String,
    pub kafka_cluster_id: String,
    pub offset: i64,
}

/// One line, for logs and for tests of plans.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::AddFinalizer => write!(f, "add finalizer"),
            Action::ChangeTopic(change) => write!(f, "{change}"),
            Action::MigrateCatalog => write!(f, "migrate catalog"),
            Action::ClaimView { target, from } => write!(f, "claim view {target} from {from:?}"),
            Action::ApplyLogin(login) => write!(f, "apply login for {}:{}", login.address.host, login.address.port),
            Action::CreateRevision(new) => {
                let (from, to) = new.replay_count;
                write!(f, "create revision {} replays {from}->{to}", new.revision)?;
                if let Some(id) = &new.replay {
                    write!(f, " for replay {id}")?;
                }
                if let Some(pace) = new.pace {
                    write!(f, " at {pace}/s")?;
                }
                new.starts
                    .iter()
                    .try_for_each(|start| write!(f, " {}/{}@{}", start.topic, start.partition, start.offset))
            }
            Action::ReopenRevision { revision } => write!(f, "reopen revision {revision}"),
            Action::SetStandby { revision, standby: true } => write!(f, "keep {revision} current"),
            Action::SetStandby { revision, standby: false } => write!(f, "keep {revision} current no longer"),
            Action::SetErrors { revision, policy, stop_above } => {
                write!(f, "set errors of {revision} to {policy} {stop_above:?}")
            }
            Action::SetPace { revision, pace: None } => write!(f, "let {revision} read as fast as it can"),
            Action::SetPace { revision, pace: Some(0) } => write!(f, "let {revision} stand still"),
            Action::SetPace { revision, pace: Some(pace) } => write!(f, "let {revision} read {pace}/s"),
            Action::AddPartitions { revision, starts } => {
                write!(f, "add partitions to {revision}")?;
                starts.iter().try_for_each(|start| write!(f, " {}/{}@{}", start.topic, start.partition, start.offset))
            }
            Action::CreateIndex { revision, columns } => {
                write!(f, "create index on {revision} ({})", columns.join(", "))
            }
            Action::ApplyDeployment { name, replicas, .. } => write!(f, "apply deployment {name} replicas={replicas}"),
            Action::DeleteDeployment { name, .. } => write!(f, "delete deployment {name}"),
            Action::ShowFirst { revision, target, .. } => write!(f, "show first {revision} in {target}"),
            Action::Show { expected, shown, .. } => write!(f, "show {shown} instead of {expected}"),
            Action::CutOver { live, next, unfinished } => {
                write!(f, "cut over from {live} to {next}{}", if *unfinished { ", unfinished" } else { "" })
            }
            Action::NoteFilled { live } => write!(f, "note that {live} has read everything"),
            Action::FenceLive { live, next } => write!(f, "fence {live} for {next}"),
            Action::UnfenceLive { live } => write!(f, "unfence {live}"),
            Action::Hold { live, next } => write!(f, "hold {live} and {next} at equal positions"),
            Action::ReleaseHolds => write!(f, "release holds"),
            Action::Compare { live, next, .. } => write!(f, "compare {next} with {live}"),
            Action::Verify(beginning) => write!(f, "{beginning}"),
            Action::EndVerification { copy, result, .. } => write!(f, "end verification by {copy}: {result:?}"),
            Action::GrantReaders { target, readers } => write!(f, "grant {target} to {}", readers.join(", ")),
            Action::RevokeReaders { target, readers } => write!(f, "revoke {target} from {}", readers.join(", ")),
            Action::Obey { request, deed } => write!(f, "obey {request}: {deed}"),
            Action::NoteCaughtUp { revision } => write!(f, "note that {revision} has caught up"),
            Action::RestartSoak { revision } => write!(f, "restart the soak of {revision}"),
            Action::RunGates { next, live, questions } => {
                write!(f, "run gates of {next}")?;
                live.iter().try_for_each(|live| write!(f, " beside {live}"))?;
                questions.iter().try_for_each(|question| write!(f, " {}", question.number))
            }
            Action::SetPaused { revision, paused: true } => write!(f, "pause {revision}"),
            Action::SetPaused { revision, paused: false } => write!(f, "resume {revision}"),
            Action::Abandon { revision, trouble } => write!(f, "abandon {revision}: {}", trouble.reason),
            Action::DropRevision { revision } => write!(f, "drop revision {revision}"),
            Action::ReleaseView => write!(f, "release view"),
            Action::DeleteView => write!(f, "delete view"),
            Action::RemoveFinalizer { left_behind } => {
                write!(f, "remove finalizer{}", if left_behind.is_some() { ", leaving things behind" } else { "" })
            }
        }
    }
}
