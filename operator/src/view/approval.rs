//! Approval: what a revision needs from a person before it may go live, and what no person can let through.

use super::{
    goal::Goal,
    observed::{Catalog, RevisionRow},
    plan::Sight,
    request::promotion_id,
    shown::{Lost, lost_columns},
    trouble::Trouble,
};
use millrace_contract::{faults::sabotaged, plan::Plan as Compiled};
use millrace_crds::{OnBreakingChange, Promotion, Reason, Strategy};

/// What readers would lose with `next`.
pub fn lost(sight: Sight<'_>, next: &Compiled) -> Lost {
    let Some((_, live)) = sight.live() else { return Lost::default() };
    let Catalog { target_columns, dependants, .. } = sight.catalog;
    lost_columns(target_columns, dependants, live.plan.as_deref().ok(), next)
}

/// Why a revision that takes `lost` from readers is not for them, whatever a person says. Going back takes what came with
/// the newer revision; whoever asked for it has said so.
pub fn refused(sight: Sight<'_>, goal: &Goal<'_>, lost: &Lost) -> Option<Trouble> {
    let decided = goal.rolled_back || sight.desired.rollout.on_breaking_change == OnBreakingChange::AwaitApproval;
    let mend = match (lost.gone.is_empty(), lost.retyped.is_empty()) {
        (true, true) => return None,
        (false, true) if decided => return None,
        (false, true) => {
            "keep them in the query with their types, or write rollout.onBreakingChange: AwaitApproval and let a person \
             decide, or make another MaterializedView"
        }
        (_, false) => "give columns of another type another name, or make another MaterializedView",
    };
    Some(Trouble::rollout(
        Reason::BreakingChange,
        format!("readers of {} would lose columns: {lost}; {mend}", sight.desired.target),
    ))
}

/// Whether a person has a say in a revision that takes `lost` from readers. A view's first one waits for nobody.
pub fn needs_a_person(sight: Sight<'_>, goal: &Goal<'_>, lost: &Lost) -> bool {
    let manual = sight.desired.rollout.promotion == Promotion::Manual;
    sight.view.live.is_some() && !goal.rolled_back && (manual || !lost.is_nothing())
}

/// What a person has to say before `row` goes live, as a sentence.
pub fn awaited(sight: Sight<'_>, goal: &Goal<'_>, row: &RevisionRow) -> Option<String> {
    let lost = row.plan.as_ref().map(|plan| lost(sight, plan)).unwrap_or_default();
    if row.approved_at.is_some() || !needs_a_person(sight, goal, &lost) || sabotaged("person_not_awaited") {
        return None;
    }
    let view = &sight.desired.identity.name;
    let nulls = if lost.is_nothing() {
        String::new()
    } else {
        format!(", and readers of {} would see nulls: {lost}", sight.desired.target)
    };
    let ready = match sight.desired.rollout.strategy {
        Strategy::Shadow => "has caught up",
        Strategy::InPlaceWithDowntime => "is to fill before the eyes of readers",
    };
    Some(format!(
        "a person: revision {} {ready}{nulls}; kubectl -n {} annotate --overwrite mv {} millrace.dev/promote={} lets it \
         go live, millrace.dev/abort with a name of your choice gives it up",
        goal.revision,
        view.namespace,
        view.name,
        promotion_id(sight.view, &goal.revision)
    ))
}
