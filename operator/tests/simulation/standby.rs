//! What the Postgres of values does with revisions that were live before, as the real one does.

use millrace_contract::revision::RevisionState;
use millrace_operator::view::{action::Action, moment::Moment, observed::ViewRow};

/// Whether it was done, and not refused.
pub fn perform(view: &mut ViewRow, action: &Action, now: Moment) -> bool {
    let taken = view.revisions.values().any(|row| row.state == RevisionState::Standby);
    let (Action::SetStandby { revision, .. } | Action::ReopenRevision { revision }) = action else {
        panic!("{action} is not about a revision that was live before");
    };
    let live = view.live.as_ref() == Some(revision);
    let Some(row) = view.revisions.get_mut(revision).filter(|_| !live) else { return false };
    match (action, row.state) {
        (Action::SetStandby { standby: true, .. }, RevisionState::Retired) if !taken => {
            row.state = RevisionState::Standby;
        }
        (Action::SetStandby { standby: false, .. }, RevisionState::Standby) => row.state = RevisionState::Retired,
        (Action::ReopenRevision { .. }, RevisionState::Retired | RevisionState::Standby) => {
            (row.state, row.ended_at, row.created_at) = (RevisionState::Open, None, now);
            (row.paused, row.approved_at, row.resumed_at, row.caught_up_at) = (false, None, None, None);
        }
        _ => return false,
    }
    true
}
