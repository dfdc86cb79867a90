//! What the Postgres of values does to hold revisions, to compare them and to verify one, as the real one does.

use crate::{faults::Faults, rows::copy_of};
use millrace_contract::revision::RevisionState;
use millrace_crds::{ComparisonStatus, VerificationResult};
use millrace_operator::view::{
    action::Action,
    comparison::{Comparison, State, last},
    hold::{HOLD_AGAIN_AFTER, HOLD_AT_MOST},
    moment::Moment,
    name::Revision,
    observed::{Hold, RevisionRow, ViewRow},
    verification::{Beginning, Verification},
};
use std::collections::BTreeMap;

/// Whether it was done, and not refused.
pub fn perform(view: &mut ViewRow, action: &Action, now: Moment) -> bool {
    match action {
        Action::Hold { live, next } => {
            if view.live.as_ref() != Some(live) || !is_open(view, live) || !is_open(view, next) {
                return false;
            }
            let held = [live, next].into_iter().flat_map(|name| &view.revisions[name].progress);
            if held.filter_map(|task| task.hold).any(|hold| hold.until + HOLD_AGAIN_AFTER > now) {
                return false;
            }
            let mut furthest: BTreeMap<(String, i32), i64> = BTreeMap::new();
            for task in [live, next].into_iter().flat_map(|name| &view.revisions[name].progress) {
                let place = furthest.entry((task.topic.clone(), task.partition)).or_default();
                *place = task.next_offset.max(*place);
            }
            let until = now + HOLD_AT_MOST;
            for (_, row) in view.revisions.iter_mut().filter(|(name, _)| [live, next].contains(name)) {
                for task in &mut row.progress {
                    let offset = furthest[&(task.topic.clone(), task.partition)];
                    task.hold = Some(Hold { offset, until });
                }
            }
            true
        }
        Action::ReleaseHolds => {
            release(view, now);
            true
        }
        Action::Compare { live, next, sql: _ } => {
            if view.live.as_ref() != Some(live) || !is_open(view, next) {
                return false;
            }
            if places(&view.revisions[live]) != places(&view.revisions[next]) {
                return false;
            }
            // What was found stays found.
            if let Some(State::Found(_) | State::Failed(_)) = last(view, live, (next, &view.revisions[next])) {
                return false;
            }
            release(view, now);
            let comparison = Comparison { live: live.clone(), begun_at: now, state: State::Running };
            view.comparisons.insert(next.clone(), comparison);
            true
        }
        Action::Verify(beginning) => begin(view, None, beginning, now),
        Action::EndVerification { copy, result, message } => {
            let goes_on = |verification: &&mut Verification| {
                verification.result.is_none() && verification.copy.as_ref() == Some(copy)
            };
            let Some(verification) = view.verification.as_mut().filter(goes_on) else { return false };
            verification.result = Some((*result, message.clone()));
            if let Some(row) = view.revisions.get_mut(copy).filter(|row| row.state == RevisionState::Open) {
                (row.state, row.ended_at) = (RevisionState::Abandoned, Some(now));
            }
            true
        }
        _ => panic!("{action} holds and compares nothing"),
    }
}

/// Begins a verification, unless one goes on.
pub fn begin(view: &mut ViewRow, id: Option<&str>, beginning: &Beginning, now: Moment) -> bool {
    if view.verification.as_ref().is_some_and(|verification| verification.result.is_none()) {
        return false;
    }
    let (copy, result) = match beginning {
        Beginning::Build { live, copy, tables: _ } => {
            if view.live.as_ref() != Some(live) || view.revisions.contains_key(copy) {
                return false;
            }
            let row = copy_of(&view.revisions[live], now);
            view.revisions.insert(copy.clone(), row);
            (Some(copy.clone()), None)
        }
        Beginning::Refuse(why) => (None, Some((VerificationResult::Refused, why.clone()))),
    };
    view.verification = Some(Verification { id: id.map(str::to_owned), copy, begun_at: now, result });
    true
}

/// Comparisons end, or are lost with the session that does them.
pub fn settle(view: &mut ViewRow, faults: &mut Faults) {
    for comparison in view.comparisons.values_mut().filter(|comparison| comparison.state == State::Running) {
        let found = |different| {
            let (compared_rows, only_in_live, only_in_next) = (100, 0, 0);
            State::Found(ComparisonStatus { compared_rows, only_in_live, only_in_next, different, sample: Vec::new() })
        };
        comparison.state = match faults.below(12) {
            0..=3 => State::Running,
            4 => State::Lost,
            5 => State::Failed("canceling statement due to statement timeout".into()),
            6 | 7 => found(2),
            _ => found(0),
        };
    }
}

fn release(view: &mut ViewRow, now: Moment) {
    for hold in view.revisions.values_mut().flat_map(|row| &mut row.progress).filter_map(|task| task.hold.as_mut()) {
        hold.until = hold.until.min(now);
    }
}

fn is_open(view: &ViewRow, name: &Revision) -> bool {
    view.revisions.get(name).is_some_and(|row| row.state == RevisionState::Open)
}

fn places(row: &RevisionRow) -> BTreeMap<(&str, i32), i64> {
    row.progress.iter().map(|task| ((task.topic_id.as_str(), task.partition), task.next_offset)).collect()
}
