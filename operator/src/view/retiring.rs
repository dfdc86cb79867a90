//! Retiring: back from the switch to the live revision alone, and what is kept no longer is dropped.

use super::{
    action::Action,
    name::Revision,
    observed::{RevisionRow, TargetState},
    plan::{Plan, Rollout, Sight, target_exists},
    promotion::plain_of,
    shown::Shown,
    standby,
};
use millrace_contract::revision::RevisionState;
use millrace_crds::{RolloutPhase, Strategy};
use std::time::Duration;

/// `goal` is the revision that is asked for: it is never dropped.
pub fn plan(plan: &mut Plan, sight: Sight<'_>, goal: Option<&Revision>) {
    show_plain(plan, sight, goal);
    standby::plan(plan, sight, goal);
    let in_place = sight.desired.rollout.strategy == Strategy::InPlaceWithDowntime;
    for (revision, row) in &sight.view.revisions {
        if Some(revision) == goal || Some(revision) == sight.view.live.as_ref() {
            continue;
        }
        let kept_for = match row.state {
            RevisionState::Open | RevisionState::Fenced => continue,
            // There was no room for two.
            RevisionState::Retired | RevisionState::Standby if in_place => Duration::ZERO,
            RevisionState::Retired | RevisionState::Standby => sight.desired.rollout.retain_previous,
            RevisionState::Abandoned => Duration::ZERO,
        };
        let kept = row.ended_at.map_or(Duration::ZERO, |ended| sight.now.since(ended));
        let seen = sight.view.shown.shows(revision) || sight.view.old_snapshots;
        let free = !seen && !row.state.is_worked_on();
        if kept >= kept_for && free {
            plan.actions.push(Action::DropRevision { revision: revision.clone() });
        } else if kept < kept_for {
            plan.look_again(kept_for - kept);
        }
    }
}

/// From the switch back to the live revision alone, when nobody can see the time before the cut-over any more.
fn show_plain(plan: &mut Plan, sight: Sight<'_>, goal: Option<&Revision>) {
    let Some((live, row)) = sight.live() else { return };
    if let TargetState::Foreign(kind) = &sight.catalog.target {
        plan.troubles.push(target_exists(&sight.desired.target, kind));
        return plan.look_again(Duration::from_secs(10));
    }
    if sight.catalog.target == TargetState::Free && sight.view.shown != Shown::Nothing {
        // Somebody dropped it: readers get it back.
        plan.actions.extend(show_live(sight, live, row));
        return;
    }
    let Shown::Switch { live: from, next } = &sight.view.shown else { return };
    let other = if live == next { from } else { next };
    // While the other branch is the one being built, the switch is what the cut-over needs.
    let building = sight
        .view
        .revisions
        .get(other)
        .is_some_and(|row| matches!(row.state, RevisionState::Open) && Some(other) == goal);
    if building {
        return;
    }
    if goal == Some(live) {
        plan.rollout = Some(Rollout { revision: live.clone(), phase: RolloutPhase::Retiring });
    }
    if sight.view.old_snapshots {
        return plan.wait("readers whose snapshots are older than the cut-over", Duration::from_secs(1));
    }
    plan.actions.extend(show_live(sight, live, row));
    plan.wait("readers that hold the view open for longer than a moment", Duration::from_millis(200));
}

fn show_live(sight: Sight<'_>, live: &Revision, row: &RevisionRow) -> Option<Action> {
    Some(Action::Show {
        live: live.clone(),
        expected: sight.view.shown.to_string(),
        shown: Shown::Plain(live.clone()).to_string(),
        sql: plain_of(sight, live, row)?,
    })
}
