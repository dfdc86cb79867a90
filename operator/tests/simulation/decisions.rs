//! What the Postgres of values does with what people decide and with what gates ask, as the real one does.

use crate::comparisons::begin;
use millrace_contract::revision::RevisionState;
use millrace_operator::view::{
    action::Action,
    gates::Question,
    moment::Moment,
    name::Revision,
    observed::{Answer, Built, RevisionRow, ViewRow},
    request::Deed,
};

/// Whether it was done, and not refused.
pub fn decide(view: &mut ViewRow, action: &Action, now: Moment) -> bool {
    match action {
        Action::Obey { request, deed } => {
            if view.requests.contains_key(request) {
                return false;
            }
            let done = match deed {
                Deed::Abandon(revision) => {
                    let live = view.live.as_ref() == Some(revision);
                    let open = row(view, revision, RevisionState::Open);
                    open.filter(|_| !live).map(|row| {
                        row.state = RevisionState::Abandoned;
                        (row.reason, row.ended_at) = (Some(format!("RolloutAborted: {request}")), Some(now));
                    })
                }
                Deed::RollBack { from, to } => {
                    let kept = view.revisions.get(to).is_some_and(|row| row.state.is_kept());
                    kept.then(|| view.rolled_back = Some((from.clone(), to.clone())))
                }
                Deed::EndRollback => {
                    view.rolled_back = None;
                    Some(())
                }
                Deed::Reopen(revision) => row(view, revision, RevisionState::Abandoned).map(|row| {
                    row.state = RevisionState::Open;
                    (row.reason, row.ended_at, row.resumed_at) = (None, None, Some(now));
                    (row.paused, row.approved_at, row.caught_up_at) = (false, None, None);
                }),
                Deed::Approve(revision) => {
                    row(view, revision, RevisionState::Open).map(|row| row.approved_at = Some(now))
                }
                Deed::Verify(beginning) => begin(view, Some(&request.id), beginning, now).then_some(()),
                Deed::Nothing(_) => Some(()),
            };
            if done.is_some() {
                view.requests.insert(request.clone(), deed.nothing().map(str::to_owned));
            }
            done.is_some()
        }
        Action::NoteCaughtUp { revision } => {
            let open = row(view, revision, RevisionState::Open).filter(|row| row.caught_up_at.is_none());
            open.map(|row| {
                row.caught_up_at = Some(now);
                note_built(row, now);
            })
            .is_some()
        }
        Action::RestartSoak { revision } => {
            let open = row(view, revision, RevisionState::Open).filter(|row| row.caught_up_at.is_some());
            open.map(|row| row.caught_up_at = None).is_some()
        }
        Action::SetPaused { revision, paused } => {
            let open = row(view, revision, RevisionState::Open).filter(|row| row.paused != *paused);
            open.map(|row| {
                row.paused = *paused;
                row.resumed_at = if *paused { row.resumed_at } else { Some(now) };
            })
            .is_some()
        }
        _ => panic!("{action} is no decision of a person"),
    }
}

/// Whether the questions were answered, and not refused.
pub fn answer(view: &mut ViewRow, next: &Revision, questions: &[Question], passed: bool, now: Moment) -> bool {
    let Some(row) = row(view, next, RevisionState::Open) else { return false };
    for question in questions {
        let sql_hash = question.hash();
        let before = row.answers.get(&question.number).filter(|before| before.sql_hash == sql_hash);
        if before.is_some_and(|before| before.passed && row.caught_up_at.is_some_and(|at| before.at >= at)) {
            continue;
        }
        let failing_since = before.and_then(|before| before.failing_since).unwrap_or(now);
        let answer = Answer {
            sql_hash,
            passed,
            detail: format!("gave {passed}"),
            at: now,
            failing_since: (!passed).then_some(failing_since),
        };
        row.answers.insert(question.number, answer);
    }
    true
}

/// What a revision has read when it has caught up for the first time, unless it was stopped or slowed before.
pub fn note_built(row: &mut RevisionRow, now: Moment) {
    if row.built.is_none() && row.resumed_at.is_none() && row.paced_at.is_none() {
        let records = row.progress.iter().map(|task| task.next_offset - task.start_offset).sum();
        row.built = Some(Built { records, time: now.since(row.created_at) });
    }
}

fn row<'a>(view: &'a mut ViewRow, revision: &Revision, state: RevisionState) -> Option<&'a mut RevisionRow> {
    view.revisions.get_mut(revision).filter(|row| row.state == state)
}
