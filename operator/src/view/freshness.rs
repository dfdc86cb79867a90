//! Freshness: how old what readers see is.

use super::{moment::Moment, observed::RevisionRow};
use millrace_contract::catalog::LEASE_SECONDS;

/// In milliseconds: how old the newest record was when readers could see it. While `lag` records wait: how long ago
/// readers saw everything for certain, be it that the newest record they see was made then, or that none waited.
pub fn freshness(row: &RevisionRow, lag: i64, now: Moment) -> Option<i64> {
    let newest = row.progress.iter().filter(|task| task.event_time.is_some()).max_by_key(|task| task.event_time)?;
    let made_at = newest.event_time?;
    let (from, to) = if lag > 0 {
        (none_waited_at(row).map_or(made_at, |at| at.max(made_at)), now)
    } else {
        // What a revision read before it was live says nothing of how fast readers see a record.
        (made_at, newest.committed_at.filter(|at| row.live_at.is_some_and(|live| *at > live))?)
    };
    Some((to.0 - from.0).max(0))
}

/// When workers renewed their leases last and found nothing to read, in every partition.
fn none_waited_at(row: &RevisionRow) -> Option<Moment> {
    let at_end = row.progress.iter().map(|task| {
        let renewed = task.lease_until?.0 - i64::from(LEASE_SECONDS) * 1_000;
        (task.lag_records == Some(0)).then_some(Moment(renewed))
    });
    // None is less than any moment.
    at_end.min().flatten()
}
