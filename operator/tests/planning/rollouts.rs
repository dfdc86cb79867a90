//! A view that is live, and what follows from a change of what is asked.

use crate::scene::{END, MINUTE, OTHER_QUERY, PAUSE, REPLAY, catalog, steady, view};
use expect_test::expect;
use millrace_contract::{Plan, revision::RevisionState};
use millrace_operator::view::{
    desired::Query,
    observed::{Observed, RevisionRow},
};
use std::{sync::Arc, time::Duration};

#[test]
fn a_steady_view_is_left_alone() {
    steady().check(&expect![[r#"
        A Steady
    "#]]);
}

#[test]
fn another_query_is_built_beside_the_live_one() {
    steady().ask(OTHER_QUERY).check(&expect![[r#"
        B Building
        - create revision B replays 0->0 user-events/0@0 user-events/1@0
    "#]]);
    steady().ask(OTHER_QUERY).begun(0).check(&expect![[r#"
        B Building
        waits for workers: revision B is 100000 records behind the live one
    "#]]);
}

#[test]
fn white_space_in_the_query_changes_nothing() {
    steady().ask("spec: {query: 'select id,   name from users'}").check(&expect![[r#"
        A Steady
    "#]]);
}

#[test]
fn a_revision_that_has_caught_up_is_promoted_through_the_switch() {
    let caught_up = || steady().ask(OTHER_QUERY).begun(END);
    caught_up().check(&expect![[r#"
        B CuttingOver
        - show switch:A:B instead of plain:A
        waits for readers that hold the view open for longer than a moment
    "#]]);
    caught_up().switched().check(&expect![[r#"
        B CuttingOver
        - cut over from A to B
    "#]]);
}

#[test]
fn a_live_revision_that_keeps_a_little_ahead_stands_still_until_it_is_passed() {
    steady().ask(OTHER_QUERY).begun(END - 100).switched().check(&expect![[r#"
        B CuttingOver
        - fence A for B
        waits for revision B to pass the live one
    "#]]);
}

#[test]
fn a_live_revision_stands_still_for_nothing_but_the_next_one_and_for_a_moment() {
    let fenced = || steady().ask(OTHER_QUERY).begun(END - 100).switched().fenced(Duration::from_secs(10));
    fenced().check(&expect![[r#"
        B CuttingOver
        waits for revision B to pass the live one
    "#]]);
    fenced().later(Duration::from_secs(11)).check(&expect![[r#"
        B CuttingOver
        - unfence A
        waits for revision B to pass the live one
    "#]]);
    let abandoned = |seen: &mut Observed| {
        let rows = view(seen).revisions.values_mut();
        for row in rows.filter(|row| row.state == RevisionState::Open) {
            (row.state, row.reason) = (RevisionState::Abandoned, Some("RolloutTimedOut: it was late".into()));
        }
    };
    fenced().with(abandoned).check(&expect![[r#"
        B Building
        - unfence A
        - delete deployment user-view-B
        - show plain:A instead of switch:A:B
        waits for readers that hold the view open for longer than a moment
        ! RolloutTimedOut: revision B was abandoned: it was late
    "#]]);
    fenced().ask("spec: {query: 'SELECT nothing FROM users'}").check(&expect![[r#"
        A Retiring
        - unfence A
        - show plain:A instead of switch:A:B
        waits for readers that hold the view open for longer than a moment
        ! InvalidQuery: spec.query line 1, column 8: found unknown column "nothing"; the source users has id, name: write one of them
    "#]]);
    fenced().ask("spec: {query: 'SELECT id FROM users'}").check(&expect![[r#"
        C Building
        - unfence A
        - abandon B: Superseded
        - show plain:A instead of switch:A:B
        waits for readers of shop.user_view would lose columns: name text is gone; keep them in the query with their types, or write rollout.onBreakingChange: AwaitApproval and let a person decide, or make another MaterializedView
        ! BreakingChange: readers of shop.user_view would lose columns: name text is gone; keep them in the query with their types, or write rollout.onBreakingChange: AwaitApproval and let a person decide, or make another MaterializedView
    "#]]);
    fenced().ask("spec: {suspend: true}").check(&expect![[r#"
        B Building
        - unfence A
        - apply deployment user-view-B replicas=0
        - apply deployment user-view-A replicas=0
    "#]]);
    fenced().ask(PAUSE).check(&expect![[r#"
        - unfence A
    "#]]);
}

#[test]
fn a_switch_waits_for_readers_that_might_not_see_the_last_cut_over() {
    let scene = steady().ask(OTHER_QUERY).begun(END).switched().ask("spec: {query: 'SELECT id, name FROM users'}");
    scene.with(|seen| view(seen).old_snapshots = true).check(&expect![[r#"
        A Retiring
        - abandon B: Superseded
        waits for readers whose snapshots are older than the cut-over
    "#]]);
}

#[test]
fn a_replay_acts_once() {
    steady().ask(REPLAY).check(&expect![[r#"
        B Building
        - create revision B replays 0->1 for replay again user-events/0@0 user-events/1@0
    "#]]);
    let done = || steady().ask(REPLAY).begun(END).cut_over(MINUTE);
    done().check(&expect![[r#"
        B Steady
    "#]]);
    done().ask("spec: {replay: null}").check(&expect![[r#"
        B Steady
    "#]]);
}

#[test]
fn a_query_that_does_not_compile_stops_nothing() {
    steady().ask("spec: {query: 'SELECT nothing FROM users'}").check(&expect![[r#"
        ! InvalidQuery: spec.query line 1, column 8: found unknown column "nothing"; the source users has id, name: write one of them
    "#]]);
}

#[test]
fn views_that_only_a_newer_program_rebuilds_take_turns() {
    let mut scene = steady();
    let query = scene.desired().query.expect("the query compiles");
    let plan = Arc::new(Plan { semantics_version: query.plan.semantics_version - 1, ..(*query.plan).clone() });
    let live = Query { plan: plan.clone(), ..query.clone() }.revision(0);
    let row = view(&mut scene.observed).revisions.values().next().expect("one is live").clone();
    let before = RevisionRow { plan: Ok(plan), ..row.clone() };
    assert!(query.is_newer_semantics_of(&live, &before, 0));
    // A replay, and another query, are what a person asked for.
    assert!(!query.is_newer_semantics_of(&live, &before, 1));
    let other = steady().ask(OTHER_QUERY).desired().query.expect("the query compiles");
    assert!(!other.is_newer_semantics_of(&live, &before, 0));
    assert!(!query.is_newer_semantics_of(&query.revision(0), &row, 0));
}

#[test]
fn what_depends_on_a_lost_column_is_named() {
    let read = |seen: &mut Observed| {
        let reports = vec!["reports.daily".to_owned(), "reports.\"주간\"".to_owned()];
        catalog(seen).dependants.insert("name".into(), reports);
    };
    steady().ask("spec: {query: 'SELECT id, length(name) AS name FROM users'}").with(read).check(&expect![[r#"
        B Building
        waits for readers of shop.user_view would lose columns: name was text and is integer (read by reports.daily, reports."주간"); give columns of another type another name, or make another MaterializedView
        ! BreakingChange: readers of shop.user_view would lose columns: name was text and is integer (read by reports.daily, reports."주간"); give columns of another type another name, or make another MaterializedView
    "#]]);
}

#[test]
fn a_query_that_takes_columns_from_readers_is_held() {
    steady().ask("spec: {query: 'SELECT id FROM users'}").check(&expect![[r#"
        B Building
        waits for readers of shop.user_view would lose columns: name text is gone; keep them in the query with their types, or write rollout.onBreakingChange: AwaitApproval and let a person decide, or make another MaterializedView
        ! BreakingChange: readers of shop.user_view would lose columns: name text is gone; keep them in the query with their types, or write rollout.onBreakingChange: AwaitApproval and let a person decide, or make another MaterializedView
    "#]]);
}

#[test]
fn a_newer_spec_supersedes_a_build() {
    let scene = steady().ask(OTHER_QUERY).begun(0);
    scene.ask("spec: {query: 'SELECT id, name FROM users WHERE id > 20'}").check(&expect![[r#"
        C Building
        - abandon B: Superseded
        - create revision C replays 0->0 user-events/0@0 user-events/1@0
    "#]]);
}

#[test]
fn a_rollout_that_is_late_is_abandoned_and_the_live_revision_stays() {
    let late = || steady().ask(OTHER_QUERY).begun(0).later(121 * MINUTE);
    late().check(&expect![[r#"
        B Building
        - abandon B: RolloutTimedOut
    "#]]);
    late()
        .with(|seen| {
            let rows = view(seen).revisions.values_mut();
            for row in rows.filter(|row| row.progress[0].next_offset == 0) {
                (row.state, row.reason) = (RevisionState::Abandoned, Some("RolloutTimedOut: it was late".into()));
            }
        })
        .check(&expect![[r#"
            B Building
            - delete deployment user-view-B
            ! RolloutTimedOut: revision B was abandoned: it was late
        "#]]);
}

#[test]
fn readers_are_let_in_and_put_out_as_the_resource_says() {
    steady().ask("spec: {target: {readers: [reports]}}").check(&expect![[r#"
        A Steady
        - grant shop.user_view to reports
        - revoke shop.user_view from dashboards
    "#]]);
    steady().ask("spec: {target: {readers: null}}").check(&expect![[r#"
        A Steady
        - revoke shop.user_view from dashboards
    "#]]);
    // Let in by somebody else: it is made ours, so that it can be taken back.
    steady().with(|seen| view(seen).readers.clear()).check(&expect![[r#"
        A Steady
        - grant shop.user_view to dashboards
    "#]]);
}

#[test]
fn suspending_stops_the_workers_and_nothing_else() {
    steady().ask("spec: {suspend: true}").check(&expect![[r#"
        A Steady
        - apply deployment user-view-A replicas=0
    "#]]);
    steady().ask(OTHER_QUERY).ask("spec: {suspend: true}").check(&expect![[r#"
        B Building
        - apply deployment user-view-A replicas=0
    "#]]);
}

#[test]
fn a_paused_view_is_not_touched() {
    steady().ask(OTHER_QUERY).ask(PAUSE).check(&expect![[r#""#]]);
}

#[test]
fn an_old_revision_is_dropped_when_it_is_kept_no_longer() {
    let replaced = |ago| steady().ask(OTHER_QUERY).begun(END).cut_over(ago);
    replaced(9 * MINUTE).check(&expect![[r#"
        B Steady
    "#]]);
    replaced(11 * MINUTE).check(&expect![[r#"
        B Steady
        - drop revision A
    "#]]);
    replaced(11 * MINUTE).with(|seen| view(seen).old_snapshots = true).check(&expect![[r#"
        B Steady
    "#]]);
}

#[test]
fn going_back_to_the_query_of_before_builds_on_its_revision() {
    let back = "spec: {query: 'SELECT id, name FROM users'}";
    steady().ask(OTHER_QUERY).begun(END).cut_over(MINUTE).ask(back).check(&expect![[r#"
        A Building
        - reopen revision A
    "#]]);
}
