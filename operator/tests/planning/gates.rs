//! Gates of a rollout: what a revision shows before it goes live, and what becomes of one that does not pass.

use crate::scene::{END, MINUTE, OTHER_QUERY, Scene, building, children, next, steady};
use crate::seen::view;
use expect_test::expect;
use millrace_contract::revision::RevisionState;
use millrace_operator::view::{
    action::Action,
    moment::Moment,
    observed::{Answer, Observed},
};
use std::time::Duration;

/// When the scenes are seen.
const NOW: Moment = Moment(1_700_000_000_000);
const SECOND: Duration = Duration::from_secs(1);

const SOAK: &str = "spec: {rollout: {gates: {soak: 10m}}}";
const ROWS: &str = "spec: {rollout: {gates: {assertions: ['select count(*) > 0 from {next}']}}}";
const TWO: &str = "spec: {rollout: {gates: {assertions: ['select count(*) > 0 from {next}', \
                   'select (select count(*) from {next}) >= (select count(*) from {live})']}}}";

fn gates(yaml: &str) -> String {
    format!("spec: {{rollout: {{gates: {{{yaml}}}}}}}")
}

fn ago(duration: Duration) -> Moment {
    Moment(NOW.0 - duration.as_millis() as i64)
}

/// The revision that is asked for has read what the live one has, for as long as this.
fn caught_up(gates: &str, since: Duration) -> Scene {
    steady().ask(OTHER_QUERY).ask(gates).begun(END).with(|seen| next(seen).caught_up_at = Some(ago(since)))
}

/// What is asked was answered just now, and has not passed since then where it did not.
fn answered(scene: Scene, passed: bool, detail: &str, since: Duration) -> Scene {
    let actions = scene.plan().actions;
    let asked = actions.into_iter().find_map(|action| match action {
        Action::RunGates { questions, .. } => Some(questions),
        _ => None,
    });
    scene.with(|seen| {
        for question in asked.expect("something is asked") {
            let answer = Answer {
                sql_hash: question.hash(),
                passed,
                detail: detail.to_owned(),
                at: NOW,
                failing_since: (!passed).then(|| ago(since)),
            };
            next(seen).answers.insert(question.number, answer);
        }
    })
}

#[test]
fn a_revision_goes_on_when_it_is_no_further_behind_than_its_gate_says() {
    let behind = |records: i64, gate: i64| {
        steady().ask(OTHER_QUERY).ask(&gates(&format!("maxBehindLive: {gate}"))).begun(END - records / 2)
    };
    behind(80, 50).check(&expect![[r#"
        B CatchingUp
        waits for workers: revision B is 80 records behind the live one
    "#]]);
    behind(80, 80).check(&expect![[r#"
        B CuttingOver
        - show switch:A:B instead of plain:A
        waits for readers that hold the view open for longer than a moment
    "#]]);
    // A fence is for a moment, whatever the gate says.
    behind(3_000, 5_000).check(&expect![[r#"
        B CatchingUp
        waits for workers: revision B is 3000 records behind the live one
    "#]]);
    behind(3_000, 5_000).ask(ROWS).check(&expect![[r#"
        B Gating
        - note that B has caught up
        waits for the answers to rollout.gates.assertions
    "#]]);
}

#[test]
fn a_revision_soaks_before_it_goes_live() {
    steady().ask(OTHER_QUERY).ask(SOAK).begun(END).check(&expect![[r#"
        B Gating
        - note that B has caught up
        waits for revision B to have been caught up for 600 s, its workers working (rollout.gates.soak)
    "#]]);
    caught_up(SOAK, 9 * MINUTE).check(&expect![[r#"
        B Gating
        waits for revision B to have been caught up for 600 s, its workers working (rollout.gates.soak)
    "#]]);
    caught_up(SOAK, 10 * MINUTE).check(&expect![[r#"
        B CuttingOver
        - show switch:A:B instead of plain:A
        waits for readers that hold the view open for longer than a moment
    "#]]);
    caught_up(SOAK, 9 * MINUTE).later(121 * MINUTE).check(&expect![[r#"
        B Building
        - abandon B: RolloutTimedOut
    "#]]);
}

#[test]
fn a_soak_that_is_interrupted_begins_anew() {
    let behind = |seen: &mut Observed| next(seen).progress[0].next_offset = END - 4_000;
    caught_up(SOAK, 9 * MINUTE).with(behind).check(&expect![[r#"
        B CatchingUp
        - restart the soak of B
        waits for workers: revision B is 4000 records behind the live one
    "#]]);
    let idle = |seen: &mut Observed| children(seen).deployments.values_mut().for_each(|workers| workers.ready = 0);
    caught_up(SOAK, 9 * MINUTE).with(idle).check(&expect![[r#"
        B Gating
        - restart the soak of B
        waits for revision B to have been caught up for 600 s, its workers working (rollout.gates.soak)
    "#]]);
    steady().ask(OTHER_QUERY).ask(SOAK).begun(END).with(idle).check(&expect![[r#"
        B Gating
        waits for revision B to have been caught up for 600 s, its workers working (rollout.gates.soak)
    "#]]);
    caught_up(SOAK, 9 * MINUTE).ask("spec: {rollout: {paused: true}}").check(&expect![[r#"
        B Building
        - pause B
        - restart the soak of B
        - apply deployment user-view-B replicas=0
        waits for a person: rollout.paused is true; write false to let the rollout go on
    "#]]);
    caught_up(SOAK, 9 * MINUTE).ask("spec: {suspend: true}").check(&expect![[r#"
        B Building
        - restart the soak of B
        - apply deployment user-view-B replicas=0
        - apply deployment user-view-A replicas=0
    "#]]);
    // One that is over stays so.
    caught_up(SOAK, 10 * MINUTE).with(behind).check(&expect![[r#"
        B CatchingUp
        waits for workers: revision B is 4000 records behind the live one
    "#]]);
}

#[test]
fn an_assertion_is_asked_once_the_revision_has_caught_up_and_again_when_it_is_another() {
    steady().ask(OTHER_QUERY).ask(ROWS).begun(0).check(&expect![[r#"
        B Building
        waits for workers: revision B is 100000 records behind the live one
    "#]]);
    caught_up(TWO, SECOND).check(&expect![[r#"
        B Gating
        - run gates of B beside A 0 1
        waits for the answers to rollout.gates.assertions
    "#]]);
    let passed = || answered(caught_up(TWO, SECOND), true, "gave true", SECOND);
    passed().check(&expect![[r#"
        B CuttingOver
        - show switch:A:B instead of plain:A
        waits for readers that hold the view open for longer than a moment
    "#]]);
    // What has passed is not asked again.
    passed().ask("spec: {rollout: {gates: {assertions: ['select count(*) > 9 from {next}']}}}").check(&expect![[r#"
        B Gating
        - run gates of B beside A 0
        waits for the answers to rollout.gates.assertions
    "#]]);
    // What was said before it caught up says nothing.
    passed().with(|seen| next(seen).caught_up_at = Some(NOW + SECOND)).check(&expect![[r#"
        B Gating
        - run gates of B beside A 0 1
        waits for the answers to rollout.gates.assertions
    "#]]);
    // After the soak, before a person is asked.
    caught_up(ROWS, SECOND).ask(SOAK).check(&expect![[r#"
        B Gating
        waits for revision B to have been caught up for 600 s, its workers working (rollout.gates.soak)
    "#]]);
    caught_up(ROWS, SECOND).ask("spec: {rollout: {promotion: Manual}}").check(&expect![[r#"
        B Gating
        - run gates of B beside A 0
        waits for the answers to rollout.gates.assertions
    "#]]);
    passed().ask("spec: {rollout: {promotion: Manual}}").check(&expect![[r#"
        B AwaitingPromotion
        waits for a person: revision B has caught up; kubectl -n shop annotate --overwrite mv user-view millrace.dev/promote=B lets it go live, millrace.dev/abort with a name of your choice gives it up
    "#]]);
}

#[test]
fn an_assertion_that_does_not_pass_is_asked_again_for_a_minute() {
    let failed = |since| answered(caught_up(ROWS, 30 * MINUTE), false, "gave false", since);
    failed(Duration::ZERO).check(&expect![[r#"
        B Gating
        waits for rollout.gates.assertions[0], select count(*) > 0 from {next}, which gave false; it is asked again
    "#]]);
    failed(50 * SECOND).later(10 * SECOND).check(&expect![[r#"
        B Gating
        - run gates of B beside A 0
        waits for the answers to rollout.gates.assertions
    "#]]);
    failed(60 * SECOND).check(&expect![[r#"
        B Building
        - abandon B: GateFailed
    "#]]);
    // Nobody asked it for a while: it is asked before it fails.
    failed(Duration::ZERO).later(50 * MINUTE).check(&expect![[r#"
        B Gating
        - run gates of B beside A 0
        waits for the answers to rollout.gates.assertions
    "#]]);
    // It failed before the revision caught up again.
    failed(60 * SECOND).with(|seen| next(seen).caught_up_at = Some(NOW)).check(&expect![[r#"
        B Gating
        waits for rollout.gates.assertions[0], select count(*) > 0 from {next}, which gave false; it is asked again
    "#]]);
}

#[test]
fn what_has_no_answer_is_asked_before_what_did_not_pass() {
    let without = |number: i32| {
        let failed = answered(caught_up(TWO, 30 * MINUTE), false, "gave false", 10 * SECOND);
        failed.with(|seen| drop(next(seen).answers.remove(&number)))
    };
    without(0).check(&expect![[r#"
        B Gating
        - run gates of B beside A 0
        waits for the answers to rollout.gates.assertions
    "#]]);
    without(1).later(10 * SECOND).check(&expect![[r#"
        B Gating
        - run gates of B beside A 1 0
        waits for the answers to rollout.gates.assertions
    "#]]);
}

#[test]
fn a_revision_that_failed_a_gate_says_which_and_what_to_do() {
    let refused = "was refused by Postgres: division by zero (SQLSTATE 22012)";
    let failed = || answered(caught_up(ROWS, 30 * MINUTE), false, refused, 70 * SECOND);
    let given_up = || {
        let actions = failed().plan().actions;
        let trouble = actions.into_iter().find_map(|action| match action {
            Action::Abandon { trouble, .. } => Some(trouble),
            _ => None,
        });
        failed().with(|seen| {
            let row = next(seen);
            (row.state, row.reason) = (RevisionState::Abandoned, trouble.map(|trouble| trouble.to_string()));
        })
    };
    given_up().check(&expect![[r#"
        B Building
        - delete deployment user-view-B
        ! GateFailed: revision B was abandoned: rollout.gates.assertions[0], select count(*) > 0 from {next}, has not passed for 70 s: it was refused by Postgres: division by zero (SQLSTATE 22012); the live one stays; write another query, or correct the assertion and go on with revision B by the annotation millrace.dev/retry with a name of your choice
    "#]]);
    given_up().ask("metadata: {annotations: {millrace.dev/retry: mine}}").check(&expect![[r#"
        B Building
        - obey retry mine: go on with B
        ! GateFailed: revision B was abandoned: rollout.gates.assertions[0], select count(*) > 0 from {next}, has not passed for 70 s: it was refused by Postgres: division by zero (SQLSTATE 22012); the live one stays; write another query, or correct the assertion and go on with revision B by the annotation millrace.dev/retry with a name of your choice
    "#]]);
}

#[test]
fn a_first_revision_is_asked_what_can_be_said_without_a_live_one() {
    let everything = |seen: &mut Observed| {
        let rows = view(seen).revisions.values_mut();
        rows.flat_map(|row| &mut row.progress).for_each(|task| task.next_offset = END);
    };
    building().ask(TWO).with(everything).check(&expect![[r#"
        A Gating
        - note that A has caught up
        waits for the answers to rollout.gates.assertions
    "#]]);
    let noted = || building().ask(TWO).with(everything).with(|seen| next(seen).caught_up_at = Some(ago(SECOND)));
    noted().check(&expect![[r#"
        A Gating
        - run gates of A 0
        waits for the answers to rollout.gates.assertions
    "#]]);
    answered(noted(), true, "gave true", SECOND).check(&expect![[r#"
        A CuttingOver
        - show first A in shop.user_view
    "#]]);
    answered(noted(), false, "gave null", SECOND).check(&expect![[r#"
        A Gating
        waits for rollout.gates.assertions[0], select count(*) > 0 from {next}, which gave null; it is asked again
    "#]]);
    // Records that come in meanwhile send it back only when they are many.
    let behind = |records: i64| move |seen: &mut Observed| next(seen).progress[0].next_offset = END - records;
    noted().with(behind(900)).check(&expect![[r#"
        A Gating
        - run gates of A 0
        waits for the answers to rollout.gates.assertions
    "#]]);
    noted().with(behind(1_100)).check(&expect![[r#"
        A CatchingUp
        waits for workers: revision A is 1100 records behind the ends of the topics
    "#]]);
    let live =
        gates("maxBehindLive: 0, assertions: ['select count(*) > 0 from {live} where 1 = (select 1 from {next})']");
    building().ask(&live).with(everything).check(&expect![[r#"
        A CuttingOver
        - show first A in shop.user_view
    "#]]);
}

#[test]
fn a_rollback_passes_no_gate() {
    let back = steady().ask(OTHER_QUERY).begun(END).cut_over(MINUTE).ask(ROWS).ask(SOAK).with(|seen| {
        next(seen).state = RevisionState::Open;
        let view = view(seen);
        let before = view.revisions.keys().find(|name| Some(*name) != view.live.as_ref()).cloned();
        view.rolled_back = view.live.clone().zip(before);
    });
    back.check(&expect![[r#"
        A CuttingOver
        - apply deployment user-view-A replicas=2
        - show switch:B:A instead of plain:B
        waits for readers that hold the view open for longer than a moment
    "#]]);
}

#[test]
fn an_assertion_that_is_not_understood_stops_nothing() {
    let wrong = gates("assertions: ['select count(*) > (select count(*) from {next}) from pg_class']");
    steady().ask(OTHER_QUERY).ask(&wrong).check(&expect![[r#"
        ! InvalidSpec: spec.rollout.gates.assertions[0] line 1, column 54: found the relation "pg_class"; an assertion reads {next} and {live}: write FROM {next}, FROM {live}, or FROM a subquery over them
    "#]]);
}
