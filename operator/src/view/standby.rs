//! Standby: the revision before the live one is kept current as long as it is kept, so that a rollback to it has nothing to
//! catch up. Readers see nothing of it.

use super::{
    action::Action,
    moment::Moment,
    name::Revision,
    observed::{Kafka, RevisionRow, ViewRow},
    pace,
    plan::{Plan, Sight},
    tombstones::paused_too_long,
    topics::check_identity,
    trouble::Trouble,
};
use millrace_contract::revision::RevisionState;
use millrace_crds::Strategy;

/// Lets workers go on with the revision that is to be kept current, and rest from every other. `goal` is built on anyway.
pub fn plan(plan: &mut Plan, sight: Sight<'_>, goal: Option<&Revision>) {
    let kept = kept(sight);
    let set = |revision: &Revision, standby| Action::SetStandby { revision: revision.clone(), standby };
    for (revision, row) in sight.view.revisions.iter().filter(|(_, row)| row.state == RevisionState::Standby) {
        let reopens = goal == Some(revision) && is_whole(sight, row);
        if kept == Some(revision) {
            pace::plan(plan, sight, revision, row);
        } else if !reopens {
            plan.actions.push(set(revision, false));
        }
    }
    let rests = |name: &&Revision| sight.view.revisions[*name].state == RevisionState::Retired && goal != Some(*name);
    // What cannot be asked may yet speak against it.
    plan.actions.extend(kept.filter(rests).filter(|_| sight.kafka().is_some()).map(|name| set(name, true)));
}

/// The revision that is kept current, or is to be.
pub fn kept<'a>(sight: Sight<'a>) -> Option<&'a Revision> {
    let Sight { desired, view, now, .. } = sight;
    let rollout = &desired.rollout;
    let (name, row) = view.previous()?;
    let asked = rollout.keep_previous_current && rollout.strategy == Strategy::Shadow;
    let retained = row.ended_at.is_none_or(|ended| now.since(ended) < rollout.retain_previous);
    // What a person went back from may be what did the harm.
    let gone_back = view.rolled_back.as_ref().is_some_and(|(_, to)| view.live.as_ref() == Some(to));
    (asked && retained && !gone_back && !is_building(view) && is_whole(sight, row)).then_some(name)
}

/// Whether a third revision reads and writes already: Kafka and Postgres carry two beside readers, and no more.
fn is_building(view: &ViewRow) -> bool {
    let beside = |name: &Revision| view.live.as_ref() != Some(name) && !view.verifies(name);
    view.revisions.iter().any(|(name, row)| row.state == RevisionState::Open && beside(name))
}

/// Nothing is known to keep `row` from being built on.
fn is_whole(sight: Sight<'_>, row: &RevisionRow) -> bool {
    sight.kafka().is_none_or(|kafka| lacking(row, kafka, sight.now).is_none())
}

/// Why a revision that was live before cannot be built on.
pub fn lacking(row: &RevisionRow, kafka: &Kafka, now: Moment) -> Option<Trouble> {
    let gone = check_identity(row, kafka).err().or_else(|| paused_too_long(row, kafka, now));
    gone.or_else(|| row.plan.as_ref().err().cloned())
}
