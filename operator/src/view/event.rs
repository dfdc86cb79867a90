//! What people are told of what was done.

use super::{
    action::{Action, Owner},
    verification::Beginning,
};
use millrace_crds::{Reason, VerificationResult};

/// Something that a person reads in `kubectl describe`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub warning: bool,
    pub reason: &'static str,
    pub message: String,
}

impl Action {
    /// What an event says of it once it is done; none for what nobody needs to hear.
    pub fn event(&self) -> Option<Event> {
        let (reason, message) = match self {
            Action::ChangeTopic(change) => return Some(change.event()),
            Action::ClaimView { target, from: Owner::Nobody | Owner::Gone(_) } => {
                ("Adopted", format!("{target} was retained and is kept up to date again"))
            }
            Action::CreateRevision(new) => (
                "RevisionCreated",
                match &new.replay {
                    Some(id) => format!("revision {} is built for the replay {id}", new.revision),
                    None => format!("revision {} is built", new.revision),
                },
            ),
            Action::ReopenRevision { revision } => {
                ("RevisionReopened", format!("revision {revision} was live before and catches up again"))
            }
            Action::SetStandby { revision, standby: true } => {
                ("KeptCurrent", format!("revision {revision} is kept current beside the live one, for a rollback"))
            }
            Action::SetStandby { revision, standby: false } => (
                "KeptCurrentNoLonger",
                format!("workers of revision {revision} rest; a rollback to it would catch up first"),
            ),
            Action::AddPartitions { revision, starts } => (
                "PartitionsAdded",
                format!(
                    "revision {revision} reads {} more: {}; a key's newer records may be in another partition than its \
                     older ones, the higher timestamp wins between them",
                    if starts.len() == 1 { "partition" } else { "partitions" },
                    starts
                        .iter()
                        .map(|start| format!("{}/{}", start.topic, start.partition))
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
            ),
            Action::ApplyDeployment { name, replicas, .. } => {
                ("WorkersApplied", format!("deployment {name} has {replicas} workers"))
            }
            Action::ShowFirst { revision, target, .. } => ("Live", format!("{target} shows revision {revision}")),
            Action::CutOver { live, next, unfinished: false } => {
                ("CutOver", format!("revision {next} is live; readers saw {live} until now"))
            }
            Action::CutOver { live, next, unfinished: true } => {
                ("CutOver", format!("revision {next} is live and fills; readers saw {live} until now"))
            }
            Action::NoteFilled { live } => ("Filled", format!("revision {live} has read everything")),
            Action::FenceLive { live, next } => {
                ("LiveFenced", format!("revision {live} stands still until {next} passes it"))
            }
            Action::UnfenceLive { live } => ("LiveUnfenced", format!("revision {live} is kept up to date again")),
            Action::Compare { live, next, .. } => {
                ("Comparing", format!("the rows of revision {next} are compared with those of {live}"))
            }
            Action::Verify(Beginning::Build { live, copy, tables: _ }) => {
                ("Verifying", format!("revision {copy} is built to verify {live}"))
            }
            Action::Verify(Beginning::Refuse(why)) => {
                return Some(Event { warning: true, reason: "VerificationRefused", message: why.clone() });
            }
            Action::EndVerification { copy: _, result, message } => {
                let (warning, reason) = match result {
                    VerificationResult::Equal => (false, "Verified"),
                    VerificationResult::Different => (true, "VerificationDiffers"),
                    VerificationResult::Refused => (true, "VerificationRefused"),
                };
                return Some(Event { warning, reason, message: message.clone() });
            }
            Action::Obey { request, deed } => match deed.nothing() {
                Some(why) => {
                    let message = format!("{request} came to nothing: {why}");
                    return Some(Event { warning: true, reason: "NothingToDo", message });
                }
                None => ("Obeyed", format!("{request} came to: {deed}")),
            },
            Action::SetPaused { revision, paused: true } => {
                ("RolloutPaused", format!("the rollout of revision {revision} stands still"))
            }
            Action::SetPaused { revision, paused: false } => {
                ("RolloutResumed", format!("the rollout of revision {revision} goes on"))
            }
            Action::Abandon { revision, trouble } => {
                return Some(Event {
                    warning: trouble.reason != Reason::Superseded,
                    reason: "RevisionAbandoned",
                    message: format!("revision {revision} was abandoned: {}", trouble.message),
                });
            }
            Action::DropRevision { revision } => ("RevisionDropped", format!("revision {revision} was dropped")),
            Action::RemoveFinalizer { left_behind: Some(left) } => {
                return Some(Event { warning: true, reason: "LeftBehind", message: left.clone() });
            }
            Action::AddFinalizer
            | Action::MigrateCatalog
            | Action::ClaimView { from: Owner::NoRow, .. }
            | Action::ApplyLogin(_)
            | Action::SetErrors { .. }
            | Action::SetPace { .. }
            | Action::CreateIndex { .. }
            | Action::NoteCaughtUp { .. }
            | Action::RestartSoak { .. }
            | Action::RunGates { .. }
            | Action::DeleteDeployment { .. }
            | Action::Show { .. }
            | Action::Hold { .. }
            | Action::ReleaseHolds
            | Action::GrantReaders { .. }
            | Action::RevokeReaders { .. }
            | Action::ReleaseView
            | Action::DeleteView
            | Action::RemoveFinalizer { left_behind: None } => return None,
        };
        Some(Event { warning: false, reason, message })
    }
}
