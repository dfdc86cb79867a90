//! Building: the revision that the resource asks for is made, or an old one of the same name is built on.

use super::{
    action::{Action, NewRevision},
    approval::{awaited, lost, refused},
    desired::Desired,
    gates,
    goal::Goal,
    known::Known,
    moment::Moment,
    name::Revision,
    observed::RevisionRow,
    pace,
    plan::{self, Rollout, Sight},
    position::behind_ends,
    standby::lacking,
    start::{NotYet, starts},
    tombstones::{build_paused_too_long, built_too_long},
    topics::{check_identity, worker_problem},
    trouble::Trouble,
};
use millrace_contract::{Plan, ident::quote, revision::RevisionState};
use millrace_crds::{Reason, RolloutPhase};
use std::time::Duration;

/// Makes the goal's revision, when it is not there and nothing speaks against it.
pub fn plan(plan: &mut plan::Plan, sight: Sight<'_>, goal: &Goal<'_>) {
    let Sight { desired, view, .. } = sight;
    let there = view.revisions.contains_key(&goal.revision);
    let made = (!there && !desired.suspended).then(|| new_revision(sight, goal));
    let is_live = view.live.as_ref() == Some(&goal.revision);
    let paused = desired.rollout.paused && !is_live;
    // What cannot be asked may yet speak against the new one: then the other goes on.
    if !paused && !matches!(made, Some(Err(NotYet::Waiting(_)))) {
        plan.actions.extend(superseded(sight, &goal.revision).map(|name| Action::Abandon {
            revision: name.clone(),
            trouble: Trouble::rollout(
                Reason::Superseded,
                format!("revision {} was asked for before {name} was live", goal.revision),
            ),
        }));
    }
    if is_live {
        plan.rollout = Some(Rollout { revision: goal.revision.clone(), phase: RolloutPhase::Steady });
        plan.troubles.extend(gone_back(sight, goal));
        return;
    }
    plan.rollout = Some(Rollout { revision: goal.revision.clone(), phase: RolloutPhase::Building });
    if desired.suspended {
        return stand_still(plan, sight, goal);
    }
    if paused {
        return pause(plan, sight, goal);
    }
    if let Some(row) = view.revisions.get(&goal.revision) {
        match row.state {
            RevisionState::Open => {
                if row.paused {
                    plan.actions.push(Action::SetPaused { revision: goal.revision.clone(), paused: false });
                }
                match hopeless(sight, goal, row) {
                    Some(trouble) => {
                        plan.actions.push(Action::Abandon { revision: goal.revision.clone(), trouble });
                    }
                    None => pace::plan(plan, sight, &goal.revision, row),
                }
            }
            RevisionState::Retired | RevisionState::Standby | RevisionState::Fenced => reopen(plan, sight, goal, row),
            RevisionState::Abandoned => plan.troubles.push(why_abandoned(goal, row)),
        }
        return;
    }
    let Some(made) = made else { return };
    match made {
        Ok(new) => plan.actions.push(Action::CreateRevision(Box::new(new))),
        Err(NotYet::Waiting(what)) => plan.wait(what, Duration::from_secs(2)),
        Err(NotYet::Held(trouble)) => {
            plan.wait(trouble.message.clone(), Duration::from_secs(30));
            if !plan.troubles.contains(&trouble) {
                plan.troubles.push(trouble);
            }
        }
    }
}

/// Revisions that are built although another is asked for now.
fn superseded<'a>(sight: Sight<'a>, goal: &'a Revision) -> impl Iterator<Item = &'a Revision> {
    let view = sight.view;
    let open = view.revisions.iter().filter(|(_, row)| row.state == RevisionState::Open).map(|(name, _)| name);
    open.filter(move |name| *name != goal && Some(*name) != view.live.as_ref() && !view.verifies(name))
}

/// A rollout that a person has stopped stands where it is; time that passes meanwhile makes it no later.
fn pause(plan: &mut plan::Plan, sight: Sight<'_>, goal: &Goal<'_>) {
    plan.wait("a person: rollout.paused is true; write false to let the rollout go on", Duration::from_secs(30));
    let row = sight.view.revisions.get(&goal.revision);
    if row.is_some_and(|row| row.state == RevisionState::Open && !row.paused) {
        plan.actions.push(Action::SetPaused { revision: goal.revision.clone(), paused: true });
    }
    stand_still(plan, sight, goal);
}

/// No worker works on the revision: it does not soak.
fn stand_still(plan: &mut plan::Plan, sight: Sight<'_>, goal: &Goal<'_>) {
    if let Some(row) = sight.view.revisions.get(&goal.revision).filter(|row| row.state == RevisionState::Open) {
        gates::restart_soak(plan, sight, goal, row);
    }
}

/// That what is live is not what the resource asks for, because a person went back from that.
fn gone_back(sight: Sight<'_>, goal: &Goal<'_>) -> Option<Trouble> {
    let (from, to) = sight.view.rolled_back.as_ref().filter(|_| goal.rolled_back)?;
    Some(Trouble::rollout(
        Reason::RolledBack,
        format!(
            "revision {to} is live because a person went back from {from}, which the resource asks for; write another query, \
             ask for a replay (spec.replay with a new id), or let {from} go live again with the annotation \
             millrace.dev/retry and a name of your choice"
        ),
    ))
}

/// Why a revision that is built is given up, if it is.
fn hopeless(sight: Sight<'_>, goal: &Goal<'_>, row: &RevisionRow) -> Option<Trouble> {
    // What keeps a first revision from going on is said and may be mended: there is no live one to protect from it.
    late(sight, goal, row)
        .or_else(|| gates::failed(sight, goal, row))
        .or_else(|| built_too_long(row, sight.kafka()?, sight.now))
        .or_else(|| build_paused_too_long(row, sight.kafka()?, sight.now))
        .or_else(|| sight.view.live.as_ref().and_then(|_| check_identity(row, sight.kafka()?).err()))
        .or_else(|| sight.view.live.as_ref().and_then(|_| worker_problem(row).filter(|problem| !problem.heals())))
}

/// That the revision is not live within `rollout.timeout`.
fn late(sight: Sight<'_>, goal: &Goal<'_>, row: &RevisionRow) -> Option<Trouble> {
    // A revision that waits for a person is not late; from the person's word on its time counts anew.
    if row.paused || (row.caught_up_at.is_some() && awaited(sight, goal, row).is_some()) {
        return None;
    }
    let begun = row.approved_at.max(row.resumed_at).map_or(row.created_at, |moment| moment.max(row.created_at));
    let first = sight.view.live.is_none();
    // A first revision that has read everything is shown now, however long nobody looked.
    let finished = first && sight.kafka().is_none_or(|kafka| behind_ends(row, kafka).within(0));
    (is_late(sight, begun) && !finished).then(|| {
        let stays = if first { "nothing is shown yet" } else { "the live one stays" };
        Trouble::rollout(
            Reason::RolloutTimedOut,
            format!(
                "revision {} was not live {} s after it was begun (rollout.timeout is {} s); {stays}; go on with it by the \
                 annotation millrace.dev/retry with a name of your choice, with a longer rollout.timeout or more workers if \
                 it was on its way, or ask for a replay (spec.replay with a new id)",
                goal.revision,
                sight.now.since(begun).as_secs(),
                sight.desired.rollout.timeout.as_secs()
            ),
        )
    })
}

/// Whether a build that was begun then takes longer than a rollout may.
pub fn is_late(sight: Sight<'_>, begun: Moment) -> bool {
    sight.now.since(begun) > sight.desired.rollout.timeout
}

/// Builds on a revision that was live before, unless what it has not read is gone: then it is made anew.
fn reopen(plan: &mut plan::Plan, sight: Sight<'_>, goal: &Goal<'_>, row: &RevisionRow) {
    let Some(kafka) = sight.kafka() else { return plan.wait("Kafka", Duration::from_secs(5)) };
    let Some(lacking) = lacking(row, kafka, sight.now) else {
        return plan.actions.push(Action::ReopenRevision { revision: goal.revision.clone() });
    };
    if goal.rolled_back {
        plan.troubles.push(Trouble::rollout(
            Reason::RolledBack,
            format!(
                "revision {} cannot be gone back to: {}; stay with the live one by the annotation millrace.dev/retry with a \
                 name of your choice",
                goal.revision, lacking.message
            ),
        ));
    } else if sight.view.shown.shows(&goal.revision) || sight.view.old_snapshots {
        plan.wait("readers that still see the revision", Duration::from_secs(1));
    } else if row.state == RevisionState::Standby {
        plan.wait("its workers to rest", Duration::from_secs(1));
    } else {
        plan.actions.push(Action::DropRevision { revision: goal.revision.clone() });
    }
}

fn why_abandoned(goal: &Goal<'_>, row: &RevisionRow) -> Trouble {
    let text = row.reason.as_deref().unwrap_or("RolloutTimedOut: it was abandoned");
    let (word, sentence) = text.split_once(": ").unwrap_or(("", text));
    let reason = Reason::ALL.iter().copied().find(|reason| reason.as_str() == word).unwrap_or(Reason::RolloutTimedOut);
    Trouble::rollout(reason, format!("revision {} was abandoned: {sentence}", goal.revision))
}

/// What speaks against a new revision, besides where it would start.
pub fn objections(sight: Sight<'_>, goal: &Goal<'_>) -> impl Iterator<Item = Trouble> {
    let columns = &goal.query.columns;
    let unknown = |index: &&Vec<String>| index.iter().any(|name| !columns.iter().any(|(column, _)| column == name));
    let index = sight.desired.indexes.iter().find(unknown).map(|index| {
        Trouble::sink(
            Reason::InvalidSpec,
            format!(
                "target.indexes has ({}), but the query's columns are {}; write columns of the query",
                index.join(", "),
                columns.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
            ),
        )
    });
    refused(sight, goal, &lost(sight, &goal.query.plan)).into_iter().chain(index)
}

fn new_revision(sight: Sight<'_>, goal: &Goal<'_>) -> Result<NewRevision, NotYet> {
    let Sight { desired, observed, view, .. } = sight;
    if let Some(objection) = objections(sight, goal).next() {
        return Err(NotYet::Held(objection));
    }
    if let Known::Unknown(trouble) = &observed.children {
        return Err(NotYet::Waiting(trouble.message.clone()));
    }
    if observed.kafka_address.present().is_some_and(|kafka| kafka.login) && desired.identity.kafka_secret.is_none() {
        return Err(NotYet::Waiting("a login to Kafka".into()));
    }
    let starts = starts(sight, goal.query, goal.replay)?;
    let plan = &goal.query.plan;
    let schema = desired.identity.name.schema(&goal.revision);
    Ok(NewRevision {
        revision: goal.revision.clone(),
        spec_hash: goal.query.spec_hash(),
        plan: plan.to_json(),
        plan_format: i32::try_from(plan.format).unwrap_or(i32::MAX),
        tables: plan
            .tables
            .iter()
            .flat_map(|table| table.create(&schema))
            .chain(indexes(desired, plan, &schema))
            .collect(),
        errors_policy: desired.errors.policy.to_owned(),
        errors_stop_above: desired.errors.stop_above,
        pace: pace::pace(sight, None),
        worker_image: desired.image.name.clone(),
        kafka_cluster_id: starts.first().map(|start| start.kafka_cluster_id.clone()).unwrap_or_default(),
        starts,
        replay_count: (view.replay_count, goal.replay_count),
        replay: goal.replay.map(|replay| replay.id.clone()),
        concurrent: concurrent(sight, goal),
    })
}

/// As many views as may be built anew at a time: one, when nobody but a newer program asks for it.
fn concurrent(sight: Sight<'_>, goal: &Goal<'_>) -> u32 {
    let count = sight.view.replay_count;
    let upgraded = sight.live().is_some_and(|(live, row)| goal.query.is_newer_semantics_of(live, row, count));
    if upgraded { 1 } else { sight.desired.concurrent_rollouts }
}

/// The indexes that the resource asks for, on the empty table.
fn indexes(desired: &Desired, plan: &Plan, schema: &str) -> Vec<String> {
    let table = plan.rows();
    let on = format!("{}.{}", quote(schema), quote(&table.name));
    stored_indexes(desired, plan)
        .map(|index| {
            let columns: Vec<String> = index.iter().map(|column| quote(column)).collect();
            format!("CREATE INDEX ON {on} ({})", columns.join(", "))
        })
        .collect()
}

/// The indexes that can be made: those on columns that the result table itself has.
pub fn stored_indexes<'a>(desired: &'a Desired, plan: &'a Plan) -> impl Iterator<Item = &'a Vec<String>> {
    let columns = &plan.rows().columns;
    desired.indexes.iter().filter(|index| index.iter().all(|name| columns.iter().any(|column| &column.name == name)))
}
