//! Comparison: whether a revision gives the rows that the live one gives, once both have read the same records.

use super::{
    action::Action,
    goal::Goal,
    hold::{self, Side},
    moment::Moment,
    name::{Revision, ViewName},
    observed::{RevisionRow, ViewRow},
    plan::{Plan, Sight},
    promotion::{goes_live_unfinished, phase},
    shown::{Column, columns, select},
    trouble::Trouble,
};
use millrace_contract::{Plan as Compiled, faults::sabotaged, ident::quote};
use millrace_crds::{ComparisonGate, ComparisonStatus, Reason, RolloutPhase};
use std::{collections::BTreeSet, time::Duration};

/// The last comparison of a revision with a live one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The revision that was live.
    pub live: Revision,
    pub begun_at: Moment,
    pub state: State,
}

/// What has become of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Running,
    /// The session that compared is gone, and what it found with it.
    Lost,
    /// Postgres has not done it: its sentence.
    Failed(String),
    Found(ComparisonStatus),
}

/// Rows that are shown of those that are not equal, and characters of each.
const SHOWN_ROWS: usize = 10;
const SHOWN_CHARACTERS: usize = 200;

/// Whether the goal's revision may go on by `rollout.gates.comparison`; where it may not, what is done about it.
pub fn passes(plan: &mut Plan, sight: Sight<'_>, goal: &Goal<'_>, live: Side<'_>, next: &RevisionRow) -> bool {
    let Some(gate) = gate(sight, goal) else { return true };
    let next = (&goal.revision, next);
    let compared = comparison_sql(&sight.desired.identity.name, live, next);
    let failure = match (compared, last(sight.view, live.0, next)) {
        (Err(why), _) => format!("its rows cannot be compared with those of the live revision {}: {why}", live.0),
        (Ok(_), Some(State::Failed(why))) => {
            format!("its rows could not be compared with those of the live revision {}: {why}", live.0)
        }
        (Ok(_), Some(State::Found(found))) if found.is_equal() || sabotaged("unequal_goes_live") => return true,
        (Ok(_), Some(State::Found(found))) => {
            format!("{}; status.rollout.comparison shows some", sentence(found, live.0, next.0))
        }
        (Ok(_), Some(State::Running)) => {
            phase(plan, next.0, RolloutPhase::Gating);
            plan.wait(format!("the comparison of revision {} with the live one", next.0), Duration::from_secs(1));
            return false;
        }
        (Ok(sql), Some(State::Lost) | None) => {
            phase(plan, next.0, RolloutPhase::Gating);
            hold::compare(plan, sight, live, next, sql);
            return false;
        }
    };
    match gate {
        ComparisonGate::Report => true,
        ComparisonGate::RequireEqual => {
            let trouble = Trouble::rollout(
                Reason::GateFailed,
                format!(
                    "{failure}; rollout.gates.comparison is RequireEqual, so the live one stays; write another query or \
                     comparison: Report, or let it be compared once more by the annotation millrace.dev/retry with a name \
                     of your choice"
                ),
            );
            phase(plan, next.0, RolloutPhase::Gating);
            plan.actions.push(Action::Abandon { revision: next.0.clone(), trouble });
            false
        }
    }
}

/// The gate of this rollout, if it has one. A person who goes back is not kept from it, and what goes live empty has
/// nothing to compare.
fn gate(sight: Sight<'_>, goal: &Goal<'_>) -> Option<ComparisonGate> {
    sight.desired.rollout.gates.comparison.filter(|_| !goal.rolled_back && !goes_live_unfinished(sight, goal))
}

/// Whether the goal's revision is still to be compared with the live one.
pub fn is_awaited(sight: Sight<'_>, goal: &Goal<'_>) -> bool {
    let (Some((live, _)), Some(next)) = (sight.live(), sight.view.revisions.get(&goal.revision)) else { return false };
    let open = matches!(last(sight.view, live, (&goal.revision, next)), Some(State::Lost) | None);
    gate(sight, goal).is_some() && *live != goal.revision && open
}

/// What has become of the comparison of `next`, as it was begun last, with `live`.
pub fn last<'a>(view: &'a ViewRow, live: &Revision, next: Side<'_>) -> Option<&'a State> {
    let begun = next.1.created_at.max(next.1.resumed_at.unwrap_or(next.1.created_at));
    let comparison = view.comparisons.get(next.0)?;
    (comparison.live == *live && comparison.begun_at >= begun).then_some(&comparison.state)
}

/// What was found of a revision since then.
pub fn found(view: &ViewRow, revision: &Revision, since: Moment) -> Option<ComparisonStatus> {
    let Comparison { live: _, begun_at, state } = view.comparisons.get(revision)?;
    match state {
        State::Found(found) if *begun_at >= since => Some(found.clone()),
        State::Found(_) | State::Running | State::Lost | State::Failed(_) => None,
    }
}

/// What was found of the revision that is rolled out, since it was begun.
pub fn of_rollout(view: &ViewRow, revision: &Revision) -> Option<ComparisonStatus> {
    found(view, revision, view.revisions.get(revision)?.created_at)
}

/// What was found, in words.
pub fn sentence(found: &ComparisonStatus, live: &Revision, next: &Revision) -> String {
    let ComparisonStatus { compared_rows, only_in_live, only_in_next, different, sample: _ } = found;
    if found.is_equal() {
        return format!("revision {next} gives the same {compared_rows} rows as {live} after the same records");
    }
    format!(
        "revision {next} gives other rows than {live} after the same records: of {compared_rows} rows {only_in_live} are \
         only in {live}, {different} have other values, and {only_in_next} are only in {next}"
    )
}

/// The query that compares what readers see of two revisions over the columns that both have; or why there is none. A
/// row that the revisions have equally often is equal; of the others, those of one key are one row with two values. Rows
/// are equal by GROUP BY: nulls are, and numbers are by their value.
pub fn comparison_sql(view: &ViewName, live: Side<'_>, next: Side<'_>) -> Result<String, String> {
    let plan = |(_, row): Side<'_>| row.plan.clone().map_err(|trouble| trouble.message);
    let (live_plan, next_plan) = (plan(live)?, plan(next)?);
    let topics = |(_, row): Side<'_>| -> BTreeSet<(String, String)> {
        row.progress.iter().map(|task| (task.topic.clone(), task.topic_id.clone())).collect()
    };
    if topics(live) != topics(next) {
        return Err("they read other topics".to_owned());
    }
    let next_columns = columns(&next_plan);
    let shared: Vec<Column> = columns(&live_plan).into_iter().filter(|column| next_columns.contains(column)).collect();
    if shared.is_empty() {
        return Err("they have no column of one name and type".to_owned());
    }
    let places: Vec<String> = (0..shared.len()).map(|index| format!("c{index}")).collect();
    let key = key(&live_plan, &shared).filter(|names| self::key(&next_plan, &shared).as_ref() == Some(names));
    let by: Vec<&str> = places
        .iter()
        .zip(&shared)
        .filter(|(_, (name, _))| key.as_ref().is_none_or(|key| key.contains(name)))
        .map(|(place, _)| place.as_str())
        .collect();
    let named: Vec<String> =
        places.iter().zip(&shared).map(|(place, (name, _))| format!("u.{place} AS {}", quote(name))).collect();
    let (places, by, named) = (places.join(", "), by.join(", "), named.join(", "));
    let rows = |(revision, _): Side<'_>, plan: &Compiled| {
        format!("({}) AS r ({places})", select(view, revision, plan, &shared, None))
    };
    let (live_rows, next_rows) = (rows(live, &live_plan), rows(next, &next_plan));
    let (in_live, in_next) = ("count(*) FILTER (WHERE in_live)", "count(*) FILTER (WHERE NOT in_live)");
    Ok(format!(
        "WITH compared AS (
             SELECT true AS in_live, r.* FROM {live_rows} UNION ALL SELECT false, r.* FROM {next_rows}
         ), unequal AS (
             SELECT {places}, {in_live} - {in_next} AS surplus FROM compared
             GROUP BY {places} HAVING {in_live} <> {in_next}
         ), printed AS (
             SELECT u.*, (SELECT left(row_to_json(t.*)::text, {SHOWN_CHARACTERS}) FROM (SELECT {named}) AS t) AS text
             FROM unequal AS u
         ), by_key AS (
             SELECT sum(greatest(surplus, 0)) AS live_rows, sum(greatest(-surplus, 0)) AS next_rows,
                    min(text) FILTER (WHERE surplus > 0) AS live_text, min(text) FILTER (WHERE surplus < 0) AS next_text
             FROM printed GROUP BY {by}
         )
         SELECT (SELECT count(*) FROM {live_rows}) AS compared_rows,
                coalesce(sum(live_rows - least(live_rows, next_rows)), 0)::bigint AS only_in_live,
                coalesce(sum(next_rows - least(live_rows, next_rows)), 0)::bigint AS only_in_next,
                coalesce(sum(least(live_rows, next_rows)), 0)::bigint AS different,
                (SELECT coalesce(jsonb_agg(jsonb_strip_nulls(to_jsonb(s.*))), '[]')
                 FROM (SELECT live_text AS live, next_text AS next FROM by_key ORDER BY 1, 2 LIMIT {SHOWN_ROWS}) AS s
                )::text AS sample
         FROM by_key"
    ))
}

/// The columns of the table's key, where readers see all of them.
fn key(plan: &Compiled, shared: &[Column]) -> Option<BTreeSet<String>> {
    let table = plan.rows();
    let shown = |index: &usize| {
        let column = &table.columns[*index];
        let stored = format!("r.{}", quote(&column.name));
        let typed = format!("CAST({stored} AS {})", column.ty);
        let shown = plan.result.columns.iter().find(|shown| shown.sql == stored || shown.sql == typed)?;
        shared.iter().any(|(name, _)| *name == shown.name).then(|| shown.name.clone())
    };
    table.key.iter().map(shown).collect()
}
