//! Gates: what a revision has to show before people and readers are asked to take it. One that was passed stays passed.

use super::{
    action::Action,
    goal::Goal,
    moment::Moment,
    name::Revision,
    observed::{Answer, RevisionRow},
    plan::{Plan, Sight},
    shown::{appended_columns, select},
    trouble::Trouble,
};
use millrace_contract::{Plan as Compiled, faults::sabotaged, ident::hex_digest};
use millrace_crds::Reason;
use millrace_sql::Assertion;
use std::time::Duration;

/// An assertion that did not pass is asked again after this long: it may have been a matter of a moment.
const AGAIN_AFTER: Duration = Duration::from_secs(10);
/// One that has not passed for this long does not pass.
const FAILS_AFTER: Duration = Duration::from_secs(60);
/// A revision that soaks is looked at this often.
const SOAK_IS_SEEN_EVERY: Duration = Duration::from_secs(2);
const ANSWERS: &str = "the answers to rollout.gates.assertions";

/// An assertion as Postgres is asked it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The assertion's place in the list, from 0.
    pub number: i32,
    /// One SELECT that gives one boolean.
    pub sql: String,
}

impl Question {
    /// Tells an answer to this question from one to another.
    pub fn hash(&self) -> String {
        hex_digest([self.sql.as_str()], 16)
    }

    /// The last answer, if it was given since the revision has caught up.
    fn answer<'a>(&self, row: &'a RevisionRow) -> Option<&'a Answer> {
        let answer = row.answers.get(&self.number)?;
        (answer.sql_hash == self.hash() && answer.at >= row.caught_up_at?).then_some(answer)
    }
}

/// Whether nothing keeps `next`, which has caught up, from going on. Otherwise what is waited for is in the plan.
pub fn open(plan: &mut Plan, sight: Sight<'_>, goal: &Goal<'_>, next: &RevisionRow) -> bool {
    let revision = &goal.revision;
    let soak = soak(sight, goal);
    let questions = questions(sight, goal, next);
    if soak.is_zero() && questions.is_empty() {
        return true;
    }
    let soaking = format!(
        "revision {revision} to have been caught up for {} s, its workers working (rollout.gates.soak)",
        soak.as_secs()
    );
    let Some(caught_up) = next.caught_up_at else {
        if soak.is_zero() || sight.has_workers(revision) == Some(true) {
            plan.actions.push(Action::NoteCaughtUp { revision: revision.clone() });
        }
        plan.wait(if soak.is_zero() { ANSWERS.to_owned() } else { soaking }, SOAK_IS_SEEN_EVERY);
        return false;
    };
    if let Some(left) = left(soak, caught_up, sight.now) {
        if sight.has_workers(revision) == Some(false) {
            restart_soak(plan, sight, goal, next);
        }
        plan.wait(soaking, left.min(SOAK_IS_SEEN_EVERY));
        return false;
    }
    let first = questions.iter().filter_map(|question| Some((question, failing(question, next)?)));
    let first = first.min_by_key(|(_, answer)| answer.at).map(|(question, answer)| {
        let left = AGAIN_AFTER.saturating_sub(sight.now.since(answer.at));
        (format!("{}, which {}; it is asked again", name(sight, question), answer.detail), left)
    });
    let due = due(questions, next, sight.now);
    if !due.is_empty() {
        plan.wait(ANSWERS, Duration::from_secs(1));
        let live = sight.view.live.clone();
        plan.actions.push(Action::RunGates { next: revision.clone(), live, questions: due });
        return false;
    }
    match first {
        Some((sentence, left)) => {
            plan.wait(sentence, left);
            false
        }
        None => true,
    }
}

/// What is to be asked now: those that have no answer, then those that did not pass, the oldest answer first. What has
/// passed is not asked again.
fn due(questions: Vec<Question>, row: &RevisionRow, now: Moment) -> Vec<Question> {
    let is_due = |question: &Question| {
        question.answer(row).is_none_or(|answer| !answer.passed && now.since(answer.at) >= AGAIN_AFTER)
    };
    let mut due: Vec<Question> = questions.into_iter().filter(is_due).collect();
    due.sort_by_key(|question| question.answer(row).map(|answer| answer.at));
    due
}

/// Why `row` is not for readers: an assertion that was asked again and again and did not pass.
pub fn failed(sight: Sight<'_>, goal: &Goal<'_>, row: &RevisionRow) -> Option<Trouble> {
    let caught_up = row.caught_up_at?;
    questions(sight, goal, row).iter().find_map(|question| {
        let answer = failing(question, row)?;
        let failed_for = answer.at.since(answer.failing_since?.max(caught_up));
        (failed_for >= FAILS_AFTER).then(|| {
            let stays = if sight.view.live.is_none() { "nothing is shown yet" } else { "the live one stays" };
            Trouble::rollout(
                Reason::GateFailed,
                format!(
                    "{}, has not passed for {} s: it {}; {stays}; write another query, or correct the assertion and go on with \
                     revision {} by the annotation millrace.dev/retry with a name of your choice",
                    name(sight, question),
                    failed_for.as_secs(),
                    answer.detail,
                    goal.revision
                ),
            )
        })
    })
}

/// Begins the soak of `row` anew, if it soaks.
pub fn restart_soak(plan: &mut Plan, sight: Sight<'_>, goal: &Goal<'_>, row: &RevisionRow) {
    if row.caught_up_at.and_then(|caught_up| left(soak(sight, goal), caught_up, sight.now)).is_some() {
        plan.actions.push(Action::RestartSoak { revision: goal.revision.clone() });
    }
}

/// Whoever goes back has seen what there is to go back to.
fn soak(sight: Sight<'_>, goal: &Goal<'_>) -> Duration {
    if goal.rolled_back { Duration::ZERO } else { sight.desired.rollout.gates.soak }
}

/// What is left of `soak`, if anything is.
fn left(soak: Duration, caught_up: Moment, now: Moment) -> Option<Duration> {
    soak.checked_sub(now.since(caught_up)).filter(|left| !left.is_zero())
}

/// What is asked about `row`: each revision is shown as its readers would see it.
fn questions(sight: Sight<'_>, goal: &Goal<'_>, row: &RevisionRow) -> Vec<Question> {
    let assertions: &[Assertion] = if goal.rolled_back { &[] } else { &sight.desired.rollout.gates.assertions };
    let rows = |revision: &Revision, plan: &Compiled| {
        let columns = appended_columns(&sight.catalog.target_columns, plan);
        select(&sight.desired.identity.name, revision, plan, &columns, None)
    };
    let (false, Ok(plan)) = (assertions.is_empty(), &row.plan) else { return Vec::new() };
    let next = rows(&goal.revision, plan);
    let live = sight.live().and_then(|(name, live)| Some(rows(name, live.plan.as_ref().ok()?)));
    let numbered = (0..).zip(assertions);
    numbered
        .filter_map(|(number, assertion)| Some(Question { number, sql: assertion.sql(&next, live.as_deref())? }))
        .collect()
}

fn failing<'a>(question: &Question, row: &'a RevisionRow) -> Option<&'a Answer> {
    question.answer(row).filter(|answer| !answer.passed && !sabotaged("gate_ignored"))
}

/// The assertion as the person who wrote it finds it.
fn name(sight: Sight<'_>, question: &Question) -> String {
    let place = usize::try_from(question.number).ok();
    let text = place.and_then(|place| sight.desired.rollout.gates.assertions.get(place)).map_or("", Assertion::text);
    format!("rollout.gates.assertions[{}], {text}", question.number)
}
