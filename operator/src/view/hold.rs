//! Holds: for a moment two revisions go no further than the furthest position of either, partition by partition. So they
//! come to stand at equal positions, and a snapshot of that moment can be compared.

use super::{
    action::Action,
    moment::Moment,
    name::Revision,
    observed::{RevisionRow, ViewRow},
    plan::{Plan, Sight},
    position::behind_live,
    promotion::is_built,
};
use millrace_contract::revision::RevisionState;
use std::time::Duration;

/// A hold ends by itself after this long; then readers get news again, whatever became of the operator.
pub const HOLD_AT_MOST: Duration = Duration::from_secs(20);
/// After the end of a hold the next one waits this long.
pub const HOLD_AGAIN_AFTER: Duration = Duration::from_secs(120);
/// Revisions that are no further apart come to stand at one position within a moment.
const HOLD_WITHIN: i64 = 20_000;

/// A revision and its row.
pub type Side<'a> = (&'a Revision, &'a RevisionRow);

/// Compares the two by `sql` once they stand at equal positions, and lets them come there until then.
pub fn compare(plan: &mut Plan, sight: Sight<'_>, live: Side<'_>, next: Side<'_>, sql: String) {
    let (live_name, next_name) = (live.0.clone(), next.0.clone());
    // Without new records they stand there by themselves.
    if apart_at_most(0, live, next) {
        plan.actions.push(Action::Compare { live: live_name, next: next_name, sql });
        return plan.look_again(Duration::from_millis(100));
    }
    let what = format!("revisions {live_name} and {next_name} to stand at equal positions, where they are compared");
    if is_held(live.1, sight.now) || is_held(next.1, sight.now) {
        return plan.wait(what, Duration::from_millis(100));
    }
    let last = live.1.progress.iter().chain(&next.1.progress).filter_map(|task| task.hold).map(|hold| hold.until).max();
    let rested = last.is_none_or(|until| sight.now.since(until) > HOLD_AGAIN_AFTER);
    if rested && apart_at_most(HOLD_WITHIN, live, next) && works(sight, live) && works(sight, next) {
        plan.actions.push(Action::Hold { live: live_name, next: next_name });
    }
    plan.wait(what, Duration::from_secs(1));
}

/// Holds that nobody waits for end at once. Before everything else, for what comes later may fail.
pub fn release(plan: &mut Plan, view: &ViewRow, compared: Option<&Revision>, now: Moment) {
    let held = view.revisions.values().any(|row| is_held(row, now));
    let waits = compared.is_some_and(|next| view.revisions.get(next).is_some_and(|row| is_built(plan, next, row)));
    if held && !waits {
        plan.actions.insert(0, Action::ReleaseHolds);
    }
}

pub fn is_held(row: &RevisionRow, now: Moment) -> bool {
    row.progress.iter().any(|task| task.hold.is_some_and(|hold| hold.until > now))
}

/// Whether both read the same partitions, and neither is behind the other by more than `records`.
fn apart_at_most(records: i64, live: Side<'_>, next: Side<'_>) -> bool {
    behind_live(next.1, live.1).within(records) && behind_live(live.1, next.1).within(records)
}

fn works(sight: Sight<'_>, (revision, row): Side<'_>) -> bool {
    row.state == RevisionState::Open && sight.has_workers(revision) == Some(true)
}
