//! The goal: the revision that the resource asks for, with the replays that have acted, and the one that is to act next.

use super::{
    desired::Query,
    name::Revision,
    observed::ViewRow,
    plan::Sight,
    replay::{Replay, new_replay},
    start::{NotYet, starts},
    tombstones::paused_too_long,
    trouble::Trouble,
};
use millrace_contract::revision::RevisionState;

/// What the rollout heads for.
#[derive(Debug, Clone)]
pub struct Goal<'a> {
    pub query: &'a Query,
    pub revision: Revision,
    /// A replay that has not acted yet.
    pub replay: Option<&'a Replay>,
    /// The view's count of replays once the goal is made.
    pub replay_count: u32,
    /// A person went back to it from what the resource asks for.
    pub rolled_back: bool,
}

/// The revision that the resource asks for, and why a replay of it is refused, if it is. What is there goes on as if the
/// refused replay had not been asked for; nothing is made without it.
pub fn goal<'a>(sight: Sight<'a>, query: &'a Query) -> (Goal<'a>, Option<Trouble>) {
    let view = sight.view;
    let asked = asked(sight, query);
    let Some(replay) = asked.replay else { return (asked, None) };
    let without = of(sight, query, None);
    let refused = match starts(sight, query, Some(replay)) {
        Err(NotYet::Held(trouble)) => Some(trouble),
        Err(NotYet::Waiting(_)) | Ok(_) => None,
    };
    let goes_on = view.live.as_ref() == Some(&without.revision)
        || view.revisions.get(&without.revision).is_some_and(|row| row.state == RevisionState::Open);
    if refused.is_some() && goes_on { (without, refused) } else { (asked, None) }
}

/// The revision that the resource asks for, be its replay refused or not.
pub fn asked<'a>(sight: Sight<'a>, query: &'a Query) -> Goal<'a> {
    let replays: Vec<&str> = sight.view.replays.iter().map(|replay| replay.id.as_str()).collect();
    of(sight, query, new_replay(sight.desired, &replays))
}

fn of<'a>(sight: Sight<'_>, query: &'a Query, replay: Option<&'a Replay>) -> Goal<'a> {
    // The first revision is a new one anyway: a replay asked for with it counts nothing.
    let replayed = replay.is_some() && !sight.view.revisions.is_empty();
    if let (None, Some(to)) = (replay, gone_back_to(sight.view, query)) {
        let replay_count = sight.view.replay_count;
        return Goal { query, revision: to.clone(), replay, replay_count, rolled_back: true };
    }
    let anew = replayed || built_anew(sight, query).is_some();
    let count = sight.view.replay_count + u32::from(anew);
    Goal { query, revision: query.revision(count), replay, replay_count: count, rolled_back: false }
}

/// The revision that is to be live instead of the one that the resource asks for, because a person went back to it.
pub fn gone_back_to<'a>(view: &'a ViewRow, query: &Query) -> Option<&'a Revision> {
    let (from, to) = view.rolled_back.as_ref()?;
    (*from == query.revision(view.replay_count) && view.revisions.contains_key(to)).then_some(to)
}

/// Why the live revision is built anew although it is the one that is asked for.
pub fn built_anew(sight: Sight<'_>, query: &Query) -> Option<Trouble> {
    let (live, row) = sight.live()?;
    let asked_for = *live == query.revision(sight.view.replay_count);
    // Suspended, it stays so: it is looked at again before its workers start.
    let resumed = !sight.desired.suspended;
    (asked_for && resumed).then(|| paused_too_long(row, sight.kafka()?, sight.now)).flatten()
}
