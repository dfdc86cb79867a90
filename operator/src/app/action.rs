//! What the planner asks the world to do for an app: each is idempotent or a compare-and-swap, and safe to repeat.

use crate::view::{event::Event, topics::TopicChange};
use millrace_crds::{AppReplayStatus, OffsetsByTopic};
use serde_json::Value;
use std::{fmt, sync::Arc};

#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    AddFinalizer,
    ChangeTopic(TopicChange),
    /// Only on the Deployment of this version, none: only while there is none; and only while the ledger has this version,
    /// for what is written down says whether instances may be started.
    ApplyDeployment {
        name: String,
        replicas: i32,
        manifest: Arc<Value>,
        seen: Option<String>,
        ledger: Option<String>,
    },
    /// Changes nothing but the number of instances: the API server refuses the rest.
    Scale {
        name: String,
        replicas: i32,
        seen: String,
        ledger: Option<String>,
    },
    DeleteDeployment {
        name: String,
        uid: String,
        resource_version: String,
    },
    /// Writes all replays down in place of the ledger of this version; none: only while there is none.
    WriteLedger {
        replays: Vec<AppReplayStatus>,
        note: Note,
        seen: Option<String>,
    },
    /// Deletes what Kafka Streams made for the app. Only while the ledger has this version.
    DeleteInternalTopics {
        topics: Vec<String>,
        ledger: Option<String>,
    },
    /// Moves the group, which Kafka refuses while it has a member. Only while the ledger has this version.
    AlterOffsets {
        id: String,
        begin: OffsetsByTopic,
        ledger: Option<String>,
    },
    /// Forgets the group's offsets, which Kafka refuses while it has a member.
    DeleteGroup,
    DeleteLedger {
        resource_version: String,
    },
    RemoveFinalizer {
        left_behind: Option<String>,
    },
}

/// What a ledger is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Note {
    /// A replay is accepted: where the group is, and where it is to be, are written down.
    Accepted,
    /// What is written down is what the group has; from now on that is changed.
    Begun,
    /// Kafka has taken the offsets.
    Taken,
    /// Kafka was seen to have them: from now on others are watched for.
    Altered,
    /// Somebody has committed after that.
    ForeignCommit,
    /// Nobody has, for long enough.
    Reset,
    /// The group has read again what there was.
    CaughtUp,
    /// The ledger was lost, or is behind the status.
    Restored,
}

/// One line, for logs and for tests of plans.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::AddFinalizer => write!(f, "add finalizer"),
            Action::ChangeTopic(change) => write!(f, "{change}"),
            Action::ApplyDeployment { name, replicas, .. } => write!(f, "apply deployment {name} replicas={replicas}"),
            Action::Scale { name, replicas, .. } => write!(f, "scale deployment {name} to {replicas}"),
            Action::DeleteDeployment { name, .. } => write!(f, "delete deployment {name}"),
            Action::WriteLedger { replays, note: Note::Restored, seen: _ } => {
                write!(f, "restore the ledger of")?;
                replays.iter().try_for_each(|replay| write!(f, " {}", replay.id))
            }
            Action::WriteLedger { replays, note, seen: _ } => {
                let Some(replay) = replays.last() else { return write!(f, "write an empty ledger") };
                let id = &replay.id;
                match note {
                    Note::Accepted => {
                        write!(f, "write down replay {id}: saved{}, begins", listed(&replay.saved))?;
                        write!(f, "{}", listed(&replay.begin))
                    }
                    Note::Begun => write!(f, "note that the reset of replay {id} begins"),
                    Note::Taken => write!(f, "note that Kafka has taken the offsets of replay {id}"),
                    Note::Altered => write!(f, "note that the offsets of replay {id} are altered"),
                    Note::ForeignCommit => write!(f, "note a foreign commit after replay {id}"),
                    Note::Reset => write!(f, "note that replay {id} is proved"),
                    Note::CaughtUp => write!(f, "note that replay {id} has caught up"),
                    Note::Restored => Ok(()),
                }
            }
            Action::DeleteInternalTopics { topics, ledger: _ } => {
                write!(f, "delete internal topics {}", topics.join(", "))
            }
            Action::AlterOffsets { id, begin, ledger: _ } => {
                write!(f, "alter offsets for replay {id} to{}", listed(begin))
            }
            Action::DeleteGroup => write!(f, "delete group"),
            Action::DeleteLedger { .. } => write!(f, "delete ledger"),
            Action::RemoveFinalizer { left_behind } => {
                write!(f, "remove finalizer{}", if left_behind.is_some() { ", leaving things behind" } else { "" })
            }
        }
    }
}

fn listed(offsets: &OffsetsByTopic) -> String {
    if offsets.is_empty() {
        return " nothing".into();
    }
    let all = offsets.iter().flat_map(|(topic, partitions)| {
        partitions.iter().map(move |(partition, offset)| format!(" {topic}/{partition}@{offset}"))
    });
    all.collect()
}

impl Action {
    /// What an event says of it once it is done; none for what nobody needs to hear.
    pub fn event(&self) -> Option<Event> {
        let (warning, reason, message) = match self {
            Action::ChangeTopic(change) => return Some(change.event()),
            Action::ApplyDeployment { name, replicas, .. } | Action::Scale { name, replicas, .. } => {
                (false, "WorkersApplied", format!("deployment {name} has {replicas} instances"))
            }
            Action::WriteLedger { replays, note, seen: _ } => {
                let replay = replays.last()?;
                let id = &replay.id;
                match note {
                    Note::Accepted => (
                        false,
                        "ReplayAccepted",
                        format!("the offsets from before the replay {id} are written down:{}", listed(&replay.saved)),
                    ),
                    Note::Begun | Note::Taken | Note::Altered => return None,
                    Note::ForeignCommit => {
                        (true, "ForeignCommitter", replay.foreign_commit.clone().unwrap_or_default())
                    }
                    Note::Reset => (
                        false,
                        "OffsetsReset",
                        format!("for the replay {id} the group begins at{}", listed(&replay.begin)),
                    ),
                    Note::CaughtUp => {
                        (false, "CaughtUp", format!("the group has read again what there was at the replay {id}"))
                    }
                    Note::Restored => (
                        true,
                        "LedgerRestored",
                        "what was written down of replays was lost, and is restored from the status".into(),
                    ),
                }
            }
            Action::DeleteInternalTopics { topics, ledger: _ } => {
                (false, "InternalTopicsDeleted", format!("deleted {}", topics.join(", ")))
            }
            Action::DeleteGroup => (false, "GroupDeleted", "the group's offsets are forgotten".into()),
            Action::RemoveFinalizer { left_behind: Some(left) } => (true, "LeftBehind", left.clone()),
            Action::AddFinalizer
            | Action::AlterOffsets { .. }
            | Action::DeleteDeployment { .. }
            | Action::DeleteLedger { .. }
            | Action::RemoveFinalizer { left_behind: None } => return None,
        };
        Some(Event { warning, reason, message })
    }
}
