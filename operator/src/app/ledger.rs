//! The ledger: an app's replays and the offsets that each has changed, written down in a ConfigMap and in the status.
//!
//! Neither can be read from Kafka afterwards. Each is a copy of the other: what one of them has lost is written again from
//! the other, and a step that cannot be taken back is planned only once both hold what it is about to change.

use super::{desired::Desired, observed::Ledger};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use millrace_crds::AppReplayStatus;

/// As many replays keep the offsets from before them.
pub const SAVED_IN_LEDGER: usize = 20;
const SAVED_IN_STATUS: usize = 5;
/// As many replays a status shows.
const SHOWN: usize = 20;

/// What both remember, newest last.
pub fn remembered(desired: &Desired, ledger: Option<&Ledger>) -> Vec<AppReplayStatus> {
    // Replays of another group, before a resource was made again with this one, are of no use.
    let written = ledger.filter(|ledger| ledger.group == desired.group);
    let mut all: Vec<AppReplayStatus> = match written.map(|ledger| &ledger.replays) {
        Some(Ok(replays)) => replays.clone(),
        Some(Err(_)) | None => Vec::new(),
    };
    let mut after = None;
    for shown in &desired.remembered {
        match all.iter().position(|replay| replay.id == shown.id) {
            Some(at) => {
                complete(&mut all[at], shown);
                after = Some(at);
            }
            None => {
                let at = after.map_or(0, |at| at + 1);
                // Whether Kafka still had the offsets when this was written nobody knows: unless that was proved, it is
                // done once more.
                let taken = shown.taken && shown.reset_at.is_some();
                let altered_at = shown.altered_at.clone().filter(|_| taken);
                all.insert(at, AppReplayStatus { taken, altered_at, ..shown.clone() });
                after = Some(at);
            }
        }
    }
    all
}

/// Gives `replay` what the other copy has and it lacks.
fn complete(replay: &mut AppReplayStatus, other: &AppReplayStatus) {
    let AppReplayStatus {
        id: _,
        accepted_at: _,
        // Taken back when somebody commits: the ledger says it, and the status follows.
        taken: _,
        altered_at: _,
        foreign_commit: _,
        begun_at,
        reset_at,
        caught_up_at,
        saved,
        begin,
        until,
    } = other;
    let older = |mine: &mut Option<Time>, other: &Option<Time>| {
        if mine.is_none() {
            mine.clone_from(other);
        }
    };
    older(&mut replay.begun_at, begun_at);
    older(&mut replay.reset_at, reset_at);
    older(&mut replay.caught_up_at, caught_up_at);
    for (mine, other) in [(&mut replay.saved, saved), (&mut replay.begin, begin), (&mut replay.until, until)] {
        if mine.is_empty() {
            mine.clone_from(other);
        }
    }
}

/// As it is written into the ConfigMap: ids are never forgotten, offsets of long ago are.
pub fn to_ledger(replays: Vec<AppReplayStatus>) -> Vec<AppReplayStatus> {
    trimmed(replays, SAVED_IN_LEDGER)
}

/// As the status shows it.
pub fn to_status(mut replays: Vec<AppReplayStatus>) -> Vec<AppReplayStatus> {
    let oldest = replays.len().saturating_sub(SHOWN);
    trimmed(replays.split_off(oldest), SAVED_IN_STATUS)
}

fn trimmed(mut replays: Vec<AppReplayStatus>, saved: usize) -> Vec<AppReplayStatus> {
    let newest = replays.len().saturating_sub(1);
    let kept = replays.len().saturating_sub(saved);
    for (at, replay) in replays.iter_mut().enumerate() {
        if at < kept {
            replay.saved.clear();
        }
        // Where it begins and ends matters while it goes on, and only the newest one does.
        if at < newest || replay.caught_up_at.is_some() {
            replay.begin.clear();
            replay.until.clear();
        }
    }
    replays
}

/// Whether the status holds what the ledger does of this replay: both have it written down.
pub fn is_in_status(desired: &Desired, replay: &AppReplayStatus) -> bool {
    desired.remembered.iter().any(|shown| {
        shown.id == replay.id
            && shown.saved == replay.saved
            && shown.begin == replay.begin
            && shown.begun_at == replay.begun_at
            && shown.reset_at == replay.reset_at
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{moment::Moment, status::timestamp};
    use std::collections::BTreeMap;

    fn replay(id: usize) -> AppReplayStatus {
        let offsets = BTreeMap::from([("order-events".to_owned(), BTreeMap::from([(0, id as i64)]))]);
        AppReplayStatus {
            id: id.to_string(),
            accepted_at: timestamp(Moment(0)),
            begun_at: None,
            taken: false,
            altered_at: None,
            reset_at: None,
            caught_up_at: None,
            foreign_commit: None,
            saved: offsets.clone(),
            begin: offsets.clone(),
            until: offsets,
        }
    }

    #[test]
    fn ids_are_kept_and_offsets_of_long_ago_are_not() {
        let many: Vec<_> = (0..30).map(replay).collect();
        let ledger = to_ledger(many.clone());
        assert_eq!(ledger.len(), 30);
        assert_eq!(ledger.iter().filter(|replay| !replay.saved.is_empty()).count(), SAVED_IN_LEDGER);
        assert_eq!(ledger.iter().filter(|replay| !replay.begin.is_empty()).count(), 1);
        let status = to_status(many);
        assert_eq!((status.len(), status[0].id.as_str()), (SHOWN, "10"));
        assert_eq!(status.iter().filter(|replay| !replay.saved.is_empty()).count(), SAVED_IN_STATUS);
        assert_eq!(status.last(), ledger.last());
    }
}
