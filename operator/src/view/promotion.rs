//! Promotion: the revision that was built becomes the one that readers see, once it is at or past the live one.

use super::{
    action::Action,
    approval::{awaited, lost, refused},
    comparison, gates,
    goal::Goal,
    moment::Moment,
    name::Revision,
    observed::{RevisionRow, TargetState, ViewRow},
    pace,
    plan::{Plan, Rollout, Sight, target_exists},
    position::{Behind, behind_ends, behind_live, comparable},
    shown::{Shown, appended_columns, first_sql, plain_sql, switch_sql},
    trouble::Trouble,
};
use millrace_contract::{faults::sabotaged, revision::RevisionState};
use millrace_crds::{Reason, RolloutPhase, Strategy};
use std::time::Duration;

/// Behind by more than this, a revision is still building.
pub const BUILT_WITHIN: i64 = 10_000;
/// A live revision is fenced when the next one is no further behind than this: it passes within a moment.
const FENCE_WITHIN: i64 = 2_000;
/// Nor further than the next one, where its pace is limited, reads in so many seconds.
const FENCE_SECONDS: i64 = 5;
/// A fence lasts no longer than this; then readers get news again.
const FENCE_AT_MOST: Duration = Duration::from_secs(20);
/// After a fence in vain the next one waits this long.
const FENCE_AGAIN_AFTER: Duration = Duration::from_secs(120);
/// A first revision that producers outrun by a little goes live after this long.
const OUTRUN_AFTER: Duration = Duration::from_secs(60);
const OUTRUN_WITHIN: i64 = 1_000;

pub fn plan(plan: &mut Plan, sight: Sight<'_>, goal: &Goal<'_>) {
    let Some(next) = sight.view.revisions.get(&goal.revision) else { return };
    if sight.view.live.as_ref() == Some(&goal.revision) {
        return refill(plan, sight, goal, next);
    }
    if !is_built(plan, &goal.revision, next) {
        return;
    }
    match sight.view.live.as_ref() {
        None => first(plan, sight, goal, next),
        Some(name) => match sight.view.revisions.get(name) {
            Some(live) => replace(plan, sight, goal, next, name, live),
            None => plan.troubles.push(Trouble::sink(
                Reason::CatalogChanged,
                format!("the catalog says revision {name} is live, and has no such revision; restore it from a backup"),
            )),
        },
    }
}

/// Whether a revision is open, and is not about to be abandoned.
pub fn is_built(plan: &Plan, revision: &Revision, row: &RevisionRow) -> bool {
    let abandons = |action: &Action| matches!(action, Action::Abandon { revision: other, .. } if other == revision);
    row.state == RevisionState::Open && !plan.actions.iter().any(abandons)
}

/// The live revision stands still for `next` alone and for a moment: otherwise readers would get no news. Before
/// everything else, for what comes later may fail.
pub fn end_fence(plan: &mut Plan, view: &ViewRow, next: Option<&Revision>, now: Moment) {
    let Some((live, row)) = view.live_row().filter(|(_, row)| row.state == RevisionState::Fenced) else { return };
    let passes = |next: &Revision| view.revisions.get(next).is_some_and(|row| is_built(plan, next, row));
    let moment = row.ended_at.is_some_and(|fenced| now.since(fenced) <= FENCE_AT_MOST);
    let needed = moment && next.is_some_and(passes);
    if !needed && !sabotaged("fence_without_end") {
        plan.actions.insert(0, Action::UnfenceLive { live: live.clone() });
    }
}

pub fn phase(plan: &mut Plan, revision: &Revision, phase: RolloutPhase) {
    plan.rollout = Some(Rollout { revision: revision.clone(), phase });
}

/// The first revision goes live when it has read what there was.
fn first(plan: &mut Plan, sight: Sight<'_>, goal: &Goal<'_>, next: &RevisionRow) {
    let Some(kafka) = sight.kafka() else {
        return plan.wait("Kafka, to know where the topics end", Duration::from_secs(5));
    };
    let behind = behind_ends(next, kafka);
    // Once it has caught up, what comes in while it passes its gates does not send it back.
    let passing = next.caught_up_at.is_some() && behind.within(OUTRUN_WITHIN);
    if !passing && !is_whole(sight, next, behind) {
        return falls_behind(plan, sight, goal, next, behind, "the ends of the topics");
    }
    let Ok(compiled) = &next.plan else { return };
    if !gates::open(plan, sight, goal, next) {
        return phase(plan, &goal.revision, RolloutPhase::Gating);
    }
    phase(plan, &goal.revision, RolloutPhase::CuttingOver);
    let target = &sight.desired.target;
    if let TargetState::Foreign(kind) = &sight.catalog.target {
        plan.troubles.push(target_exists(target, kind));
        return plan.look_again(Duration::from_secs(10));
    }
    let sql = first_sql(&sight.desired.identity.name, target, &goal.revision, compiled);
    plan.actions.push(Action::ShowFirst { revision: goal.revision.clone(), target: target.clone(), sql });
}

/// Whether a revision has read what there was, or is only just outrun by producers.
fn is_whole(sight: Sight<'_>, row: &RevisionRow, behind: Behind) -> bool {
    let outrun = sight.now.since(row.created_at) > OUTRUN_AFTER && behind.within(OUTRUN_WITHIN);
    behind.within(0) || outrun
}

/// A live revision that went live unfinished is built before the eyes of readers.
fn refill(plan: &mut Plan, sight: Sight<'_>, goal: &Goal<'_>, live: &RevisionRow) {
    if !live.refilling {
        return;
    }
    let behind = sight.kafka().map_or(Behind::Unmeasured, |kafka| behind_ends(live, kafka));
    if is_whole(sight, live, behind) {
        plan.actions.push(Action::NoteFilled { live: goal.revision.clone() });
    }
    not_there_yet(plan, goal, behind, "the ends of the topics");
}

/// What has been seen to be behind does not soak.
fn falls_behind(plan: &mut Plan, sight: Sight<'_>, goal: &Goal<'_>, next: &RevisionRow, behind: Behind, what: &str) {
    if matches!(behind, Behind::Records(_)) {
        gates::restart_soak(plan, sight, goal, next);
    }
    not_there_yet(plan, goal, behind, what);
}

fn not_there_yet(plan: &mut Plan, goal: &Goal<'_>, behind: Behind, what: &str) {
    let near = behind.within(BUILT_WITHIN);
    phase(plan, &goal.revision, if near { RolloutPhase::CatchingUp } else { RolloutPhase::Building });
    let sentence = match behind {
        Behind::Records(records) => format!("workers: revision {} is {records} records behind {what}", goal.revision),
        Behind::Unmeasured => format!("workers: revision {} does not read every partition yet", goal.revision),
    };
    plan.wait(sentence, Duration::from_millis(if near { 300 } else { 1_000 }));
}

/// Whether what takes the live one's place does so at once, before it is filled. Going back is to what is there.
pub fn goes_live_unfinished(sight: Sight<'_>, goal: &Goal<'_>) -> bool {
    sight.desired.rollout.strategy == Strategy::InPlaceWithDowntime && !goal.rolled_back
}

fn replace(
    plan: &mut Plan,
    sight: Sight<'_>,
    goal: &Goal<'_>,
    next: &RevisionRow,
    live_name: &Revision,
    live: &RevisionRow,
) {
    let unfinished = goes_live_unfinished(sight, goal);
    let behind = if comparable(next, live) && !live.refilling {
        behind_live(next, live)
    } else {
        // Nothing in common to compare: the new revision has to have read its own topics.
        sight.kafka().map_or(Behind::Unmeasured, |kafka| behind_ends(next, kafka))
    };
    let passes = next.pace.map_or(FENCE_WITHIN, |pace| FENCE_WITHIN.min(pace.saturating_mul(FENCE_SECONDS)));
    let allowed = sight.desired.rollout.gates.max_behind_live.filter(|_| !goal.rolled_back).unwrap_or(passes);
    if !unfinished && !behind.within(allowed) {
        if let Some(sentence) = pace::waiting(sight, &goal.revision, next) {
            plan.wait(sentence, Duration::from_secs(1));
        }
        return falls_behind(plan, sight, goal, next, behind, "the live one");
    }
    phase(plan, &goal.revision, RolloutPhase::CuttingOver);
    let (Ok(live_plan), Ok(next_plan)) = (&live.plan, &next.plan) else {
        plan.troubles.extend(live.plan.as_ref().err().or(next.plan.as_ref().err()).cloned());
        return;
    };
    let shown = &sight.catalog.target_columns;
    if let Some(refusal) = refused(sight, goal, &lost(sight, next_plan)) {
        plan.troubles.push(refusal);
        return;
    }
    if !unfinished && !gates::open(plan, sight, goal, next) {
        return phase(plan, &goal.revision, RolloutPhase::Gating);
    }
    if !comparison::passes(plan, sight, goal, (live_name, live), next) {
        return;
    }
    if let Some(sentence) = awaited(sight, goal, next) {
        phase(plan, &goal.revision, RolloutPhase::AwaitingPromotion);
        if next.caught_up_at.is_none() {
            plan.actions.push(Action::NoteCaughtUp { revision: goal.revision.clone() });
        }
        return plan.wait(sentence, Duration::from_secs(10));
    }
    if !unfinished && !behind.within(passes) {
        return not_there_yet(plan, goal, behind, "the live one");
    }
    if !sight.view.shown.switches(live_name, &goal.revision) {
        let switch = Shown::Switch { live: live_name.clone(), next: goal.revision.clone() };
        let replaceable = match &sight.view.shown {
            Shown::Plain(_) => true,
            Shown::Switch { .. } => !sight.view.old_snapshots,
            Shown::Nothing => false,
        };
        if !replaceable {
            return plan.wait("readers whose snapshots are older than the last cut-over", Duration::from_secs(1));
        }
        let view = &sight.desired.identity.name;
        let sql = switch_sql(view, &sight.desired.target, (live_name, live_plan), (&goal.revision, next_plan), shown);
        plan.actions.push(Action::Show {
            live: live_name.clone(),
            expected: sight.view.shown.to_string(),
            shown: switch.to_string(),
            sql,
        });
        plan.wait("readers that hold the view open for longer than a moment", Duration::from_millis(200));
        return;
    }
    if unfinished || behind.within(0) {
        plan.actions.push(Action::CutOver { live: live_name.clone(), next: goal.revision.clone(), unfinished });
        plan.look_again(Duration::from_millis(100));
        return;
    }
    let rested = live.ended_at.is_none_or(|unfenced| sight.now.since(unfenced) > FENCE_AGAIN_AFTER);
    if live.state == RevisionState::Open && rested && sight.has_workers(&goal.revision) == Some(true) {
        plan.actions.push(Action::FenceLive { live: live_name.clone(), next: goal.revision.clone() });
    }
    plan.wait(format!("revision {} to pass the live one", goal.revision), Duration::from_millis(100));
}

/// What the target shows once the revision alone is shown: the columns of before, then the new ones.
pub fn plain_of(sight: Sight<'_>, revision: &Revision, row: &RevisionRow) -> Option<String> {
    let compiled = row.plan.as_ref().ok()?;
    let columns = appended_columns(&sight.catalog.target_columns, compiled);
    Some(plain_sql(&sight.desired.identity.name, &sight.desired.target, revision, compiled, &columns))
}
