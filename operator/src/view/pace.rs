//! Pace: how fast a revision is built beside readers, who share Kafka and Postgres with it.

use super::{
    action::Action,
    freshness::freshness,
    hold::is_held,
    name::Revision,
    observed::{RevisionRow, ViewRow},
    plan::{Plan, Sight},
    position::{Behind, behind_ends},
    topics::{check_identity, worker_problem},
};
use millrace_contract::revision::RevisionState;
use std::time::Duration;

/// Lets `row`, which is being built, read as fast as it may now.
pub fn plan(plan: &mut Plan, sight: Sight<'_>, revision: &Revision, row: &RevisionRow) {
    let pace = pace(sight, row.pace);
    if pace != row.pace {
        plan.actions.push(Action::SetPace { revision: revision.clone(), pace });
    }
}

/// What `row` waits for while it stands still, as a sentence.
pub fn waiting(sight: Sight<'_>, revision: &Revision, row: &RevisionRow) -> Option<String> {
    let most = sight.desired.rollout.max_live_freshness?;
    (pace(sight, row.pace) == Some(0)).then(|| {
        format!(
            "the live revision: {revision} stands still since readers saw records later than rollout.maxLiveFreshness \
             ({} s) allows, and goes on once they see them within half of that",
            most.as_secs()
        )
    })
}

/// Records a second that the workers of a revision may read together while it is built, after the pace `before`. None
/// is no limit, at 0 it stands still.
pub fn pace(sight: Sight<'_>, before: Option<i64>) -> Option<i64> {
    let limit = sight.desired.rollout.max_records_per_second;
    let Some(most) = sight.desired.rollout.max_live_freshness else { return limit };
    let stands_still = before == Some(0);
    // It goes on at half of what made it stand still: at the same mark it would stop and go with every look. That needs
    // no memory besides the pace itself.
    let mark = if stands_still { most / 2 } else { most };
    // What is not known changes nothing.
    let late = freshness_of_live(sight).map_or(stands_still, |freshness| freshness > mark);
    if late { Some(0) } else { limit }
}

/// Whether a person goes back, and what is gone back to is being built on.
fn goes_back(view: &ViewRow) -> bool {
    let to = view.rolled_back.as_ref().map(|(_, to)| to).filter(|to| view.live.as_ref() != Some(*to));
    to.and_then(|to| view.revisions.get(to)).is_some_and(|row| row.state == RevisionState::Open)
}

/// How late readers see what comes now, as far as what is built beside the live revision can be the reason. What else
/// keeps a live revision from reading holds nothing back: what is built may be the way out. None: it is not known.
fn freshness_of_live(sight: Sight<'_>) -> Option<Duration> {
    let Some((name, live)) = sight.live() else { return Some(Duration::ZERO) };
    // Whoever goes back leaves what is late.
    if goes_back(sight.view) {
        return Some(Duration::ZERO);
    }
    // A fenced one waits for what is built to pass it, a held one for what is built to come to where it stands.
    if live.state != RevisionState::Open || is_held(live, sight.now) || worker_problem(live).is_some() {
        return Some(Duration::ZERO);
    }
    let kafka = sight.kafka()?;
    if check_identity(live, kafka).is_err() || !sight.has_workers(name)? {
        return Some(Duration::ZERO);
    }
    match behind_ends(live, kafka) {
        Behind::Unmeasured => None,
        // Nothing waits: it does not matter how late the last record was, or how long ago.
        Behind::Records(0) => Some(Duration::ZERO),
        Behind::Records(lag) => {
            freshness(live, lag, sight.now).map(|milliseconds| Duration::from_millis(milliseconds.unsigned_abs()))
        }
    }
}
