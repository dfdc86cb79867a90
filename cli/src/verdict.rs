//! What a decision comes to: read from the status, which the operator writes of a piece.

use crate::page::line;
use kube::ResourceExt;
use millrace_crds::{
    ConditionType, MaterializedView, MaterializedViewStatus, Reason, Request, Verb, VerificationResult,
    VerificationStatus,
};

/// Something that was decided and is waited for.
pub enum Awaited {
    /// A request, made while the revision `live` was what readers saw.
    Request { request: Request, live: Option<String> },
    /// A replay, which the spec has asked for since this generation.
    Replay { id: String, generation: Option<i64> },
}

#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    Done(String),
    /// It will not come about without another decision.
    Refused(String),
    /// Not yet, and what is being done.
    StillGoing(String),
}

/// With these the operator begins no replay until the resource says something else.
const HOLD_A_REPLAY: [Reason; 6] = [
    Reason::ReplayDiscardsHistory,
    Reason::RetentionCutsReplay,
    Reason::InvalidSpec,
    Reason::InvalidQuery,
    Reason::BreakingChange,
    Reason::NotAllowed,
];

pub fn judge(awaited: &Awaited, view: &MaterializedView) -> Verdict {
    if view.metadata.deletion_timestamp.is_some() {
        return Verdict::Refused("the view is being deleted".to_owned());
    }
    let unseen = MaterializedViewStatus::default();
    let status = view.status.as_ref().unwrap_or(&unseen);
    match awaited {
        Awaited::Request { request, live } => judge_request(request, live.as_deref(), view, status),
        Awaited::Replay { id, generation } => judge_replay(id, *generation, view, status),
    }
}

fn judge_request(
    request: &Request,
    live_before: Option<&str>,
    view: &MaterializedView,
    status: &MaterializedViewStatus,
) -> Verdict {
    let verb = request.verb;
    let Some(acted) = status.request(request) else {
        if view.annotations().get(&verb.annotation()) != Some(&request.id) {
            return Verdict::Refused(format!("somebody has asked for another {} since", verb.name()));
        }
        return Verdict::StillGoing(format!("the operator has not taken it up yet ({})", line(status)));
    };
    if let Some(why) = &acted.nothing_to_do {
        return Verdict::Refused(format!("there was nothing to do: {why}"));
    }
    let rollout = status.rollout.as_ref().map(|rollout| rollout.revision.as_str());
    match verb {
        Verb::Abort => Verdict::Done(match &status.live_revision {
            Some(live) => format!("what was built is given up, revision {live} stays live"),
            None => "what was built is given up, nothing is live".to_owned(),
        }),
        Verb::Promote => goes_live(status, request.id.split('.').next()),
        Verb::Retry => goes_live(status, rollout),
        // While the operator turns round, what it rolls out is what is live.
        Verb::Rollback if rollout == live_before => Verdict::StillGoing(line(status)),
        Verb::Rollback => goes_live(status, rollout),
        Verb::Verify => judge_verification(&request.id, status),
    }
}

fn judge_verification(id: &str, status: &MaterializedViewStatus) -> Verdict {
    let asked = status.verification.as_ref().filter(|verification| verification.id.as_deref() == Some(id));
    let Some(VerificationStatus { result, message, .. }) = asked else {
        return Verdict::Refused("another verification was begun since".to_owned());
    };
    let message = message.clone().unwrap_or_default();
    match result {
        Some(VerificationResult::Equal) => Verdict::Done(message),
        Some(VerificationResult::Different | VerificationResult::Refused) => Verdict::Refused(message),
        None => Verdict::StillGoing("a copy of the live revision is built and compared".to_owned()),
    }
}

fn judge_replay(
    id: &str,
    generation: Option<i64>,
    view: &MaterializedView,
    status: &MaterializedViewStatus,
) -> Verdict {
    if let Some(accepted) = status.replays.iter().find(|replay| replay.id == id) {
        return goes_live(status, Some(&accepted.revision));
    }
    if view.spec.replay.as_ref().is_none_or(|replay| replay.id != id) {
        return Verdict::Refused("somebody has asked for another replay since, or taken this one out".to_owned());
    }
    let seen = status.observed_generation >= generation;
    let held = status.condition(ConditionType::Stalled).filter(|stalled| {
        seen && stalled.status == "True" && HOLD_A_REPLAY.iter().any(|reason| reason.as_str() == stalled.reason)
    });
    match held {
        Some(stalled) => Verdict::Refused(format!("{}: {}", stalled.reason, stalled.message)),
        None => Verdict::StillGoing(line(status)),
    }
}

/// Whether readers are served `revision`, or will be: one that goes live unfinished fills before their eyes.
fn goes_live(status: &MaterializedViewStatus, revision: Option<&str>) -> Verdict {
    let Some(revision) = revision else { return Verdict::StillGoing(line(status)) };
    if status.live_revision.as_deref() == Some(revision) {
        let served = status.condition(ConditionType::Available).is_none_or(|available| available.status != "False");
        if served {
            return Verdict::Done(format!("revision {revision} is live"));
        }
        return Verdict::StillGoing(line(status));
    }
    let other = status.rollout.as_ref().map(|rollout| rollout.revision.as_str()).filter(|other| *other != revision);
    if let Some(other) = other {
        return Verdict::Refused(format!("revision {revision} is built no more, the rollout is of revision {other}"));
    }
    match status.condition(ConditionType::RolloutSucceeded).filter(|ended| ended.status == "False") {
        Some(ended) => Verdict::Refused(format!("{}: {}", ended.reason, ended.message)),
        None => Verdict::StillGoing(line(status)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::view;
    use expect_test::{Expect, expect};
    use serde_json::{Value, json};

    const LIVE: &str = "1a2b3c4d";
    const NEXT: &str = "5e6f7a8b";

    fn asked(verb: Verb, id: &str) -> Awaited {
        Awaited::Request { request: Request { verb, id: id.into() }, live: Some(LIVE.into()) }
    }

    fn replay() -> Awaited {
        Awaited::Replay { id: "again".into(), generation: Some(2) }
    }

    /// A status of generation 2 in which `live` is live and `revision` in this phase, and these requests have acted.
    fn status(live: &str, revision: &str, phase: &str, acted: Value) -> Value {
        json!({
            "observedGeneration": 2,
            "liveRevision": live,
            "rollout": {"revision": revision, "phase": phase},
            "requests": acted,
        })
    }

    fn with(mut status: Value, kind: &str, state: &str, reason: &str, message: &str) -> Value {
        status["conditions"] = json!([{
            "type": kind, "status": state, "reason": reason, "message": message,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }]);
        status
    }

    /// The verdict on a view whose annotations and replay are the ones that are asked for.
    fn check(awaited: &Awaited, status: Value, expected: &Expect) {
        let mut view = view(status);
        match awaited {
            Awaited::Request { request, .. } => {
                view.annotations_mut().insert(request.verb.annotation(), request.id.clone());
            }
            Awaited::Replay { id, .. } => {
                view.spec.replay = serde_json::from_value(json!({"id": id})).expect("a replay");
            }
        }
        expected.assert_eq(&format!("{:?}", judge(awaited, &view)));
    }

    #[test]
    fn a_request_is_open_until_it_has_acted() {
        let abort = asked(Verb::Abort, "mine");
        let going = |acted| status(LIVE, NEXT, "Building", acted);
        let open = expect![[r#"StillGoing("the operator has not taken it up yet (revision 5e6f7a8b, Building)")"#]];
        check(&abort, going(json!([])), &open);
        // Another id, and another verb with this one, are other requests.
        check(&abort, going(json!([{"verb": "abort", "id": "other"}])), &open);
        check(&abort, going(json!([{"verb": "retry", "id": "mine"}])), &open);
        check(
            &abort,
            Value::Null,
            &expect![[
                r#"StillGoing("the operator has not taken it up yet (Unknown, the operator has not looked at it yet)")"#
            ]],
        );
        let other = judge(&abort, &view(going(json!([]))));
        assert_eq!(other, Verdict::Refused("somebody has asked for another abort since".into()));
    }

    #[test]
    fn an_abort_is_done_once_it_has_acted_unless_there_was_nothing_to_do() {
        let abort = asked(Verb::Abort, "mine");
        let acted = || json!([{"verb": "abort", "id": "mine"}]);
        let given_up = with(status(LIVE, NEXT, "Building", acted()), "RolloutSucceeded", "False", "RolloutAborted", "");
        check(&abort, given_up, &expect![[r#"Done("what was built is given up, revision 1a2b3c4d stays live")"#]]);
        let in_vain = json!([{"verb": "abort", "id": "mine", "nothingToDo": "no revision is being built"}]);
        check(
            &abort,
            status(LIVE, LIVE, "Steady", in_vain),
            &expect![[r#"Refused("there was nothing to do: no revision is being built")"#]],
        );
    }

    #[test]
    fn a_verification_is_done_when_the_result_is_equal() {
        let verify = asked(Verb::Verify, "mine");
        let found = |id: &str, result: Value| {
            let mut status = status(LIVE, LIVE, "Steady", json!([{"verb": "verify", "id": "mine"}]));
            let begun_at = "2026-01-01T00:00:00Z";
            status["verification"] =
                json!({"id": id, "begunAt": begun_at, "result": result, "message": "what was found"});
            status
        };
        let going = expect![[r#"StillGoing("a copy of the live revision is built and compared")"#]];
        check(&verify, found("mine", Value::Null), &going);
        check(&verify, found("mine", json!("Equal")), &expect![[r#"Done("what was found")"#]]);
        check(&verify, found("mine", json!("Different")), &expect![[r#"Refused("what was found")"#]]);
        let other = expect![[r#"Refused("another verification was begun since")"#]];
        check(&verify, found("other", json!("Equal")), &other);
    }

    #[test]
    fn a_promotion_is_done_when_its_revision_is_live() {
        let promote = asked(Verb::Promote, "5e6f7a8b.2");
        let acted = || json!([{"verb": "promote", "id": "5e6f7a8b.2"}]);
        check(
            &promote,
            status(LIVE, NEXT, "CuttingOver", acted()),
            &expect![[r#"StillGoing("revision 5e6f7a8b, CuttingOver")"#]],
        );
        check(&promote, status(NEXT, NEXT, "Retiring", acted()), &expect![[r#"Done("revision 5e6f7a8b is live")"#]]);
        check(
            &promote,
            status(LIVE, "99999999", "Building", acted()),
            &expect![[r#"Refused("revision 5e6f7a8b is built no more, the rollout is of revision 99999999")"#]],
        );
        let late = status(LIVE, NEXT, "Building", acted());
        let late = with(late, "RolloutSucceeded", "False", "RolloutTimedOut", "revision 5e6f7a8b was abandoned: 늦음");
        check(&promote, late, &expect![[r#"Refused("RolloutTimedOut: revision 5e6f7a8b was abandoned: 늦음")"#]]);
    }

    #[test]
    fn a_rollback_and_a_retry_are_done_when_what_they_lead_to_is_live() {
        let back = asked(Verb::Rollback, "slow");
        let acted = || json!([{"verb": "rollback", "id": "slow"}, {"verb": "retry", "id": "again"}]);
        check(
            &back,
            status(LIVE, LIVE, "Steady", acted()),
            &expect![[r#"StillGoing("Unknown, the operator has not looked at it yet")"#]],
        );
        check(
            &back,
            status(LIVE, NEXT, "Building", acted()),
            &expect![[r#"StillGoing("revision 5e6f7a8b, Building")"#]],
        );
        // What is live then is not what the resource asks for.
        let rolled_back = with(status(NEXT, NEXT, "Steady", acted()), "RolloutSucceeded", "False", "RolledBack", "");
        check(&back, rolled_back, &expect![[r#"Done("revision 5e6f7a8b is live")"#]]);
        let lost = status(LIVE, NEXT, "Building", acted());
        let lost = with(lost, "RolloutSucceeded", "False", "RolledBack", "it is gone");
        check(&back, lost, &expect![[r#"Refused("RolledBack: it is gone")"#]]);
        let retry = asked(Verb::Retry, "again");
        check(
            &retry,
            status(LIVE, NEXT, "AwaitingPromotion", acted()),
            &expect![[r#"StillGoing("revision 5e6f7a8b, AwaitingPromotion")"#]],
        );
        check(&retry, status(NEXT, NEXT, "Steady", acted()), &expect![[r#"Done("revision 5e6f7a8b is live")"#]]);
    }

    #[test]
    fn a_replay_is_done_when_the_revision_that_it_made_is_live() {
        let building = || status(LIVE, NEXT, "Building", json!([]));
        check(&replay(), building(), &expect![[r#"StillGoing("revision 5e6f7a8b, Building")"#]]);
        let accepted = |mut status: Value| {
            status["replays"] = json!([{"id": "again", "revision": NEXT, "acceptedAt": "2026-01-02T00:00:00Z"}]);
            status
        };
        check(&replay(), accepted(building()), &expect![[r#"StillGoing("revision 5e6f7a8b, Building")"#]]);
        let live = status(NEXT, NEXT, "Retiring", json!([]));
        check(&replay(), accepted(live), &expect![[r#"Done("revision 5e6f7a8b is live")"#]]);
        let filling = with(status(NEXT, NEXT, "Building", json!([])), "Available", "False", "Refilling", "");
        check(&replay(), accepted(filling), &expect![[r#"StillGoing("revision 5e6f7a8b, Building")"#]]);
        let aborted = with(building(), "RolloutSucceeded", "False", "RolloutAborted", "a person gave it up");
        check(&replay(), accepted(aborted), &expect![[r#"Refused("RolloutAborted: a person gave it up")"#]]);
        let other = judge(&replay(), &view(building()));
        let sentence = "somebody has asked for another replay since, or taken this one out";
        assert_eq!(other, Verdict::Refused(sentence.into()));
    }

    #[test]
    fn a_replay_that_the_operator_does_not_begin_is_refused() {
        let steady = || status(LIVE, LIVE, "Steady", json!([]));
        let stalled = |reason| with(steady(), "Stalled", "True", reason, "records are gone");
        check(
            &replay(),
            stalled("RetentionCutsReplay"),
            &expect![[r#"Refused("RetentionCutsReplay: records are gone")"#]],
        );
        // What the replay itself is the way out of, and what was said of the spec before.
        let open = expect![[r#"StillGoing("Unknown, the operator has not looked at it yet")"#]];
        check(&replay(), stalled("DataLost"), &open);
        let mut before = stalled("RetentionCutsReplay");
        before["observedGeneration"] = json!(1);
        check(&replay(), before, &open);
    }
}
