//! A rollout that is let through only by a comparison with the live revision, and the holds that bring both to one place.

use crate::scene::{END, MINUTE, OTHER_QUERY, PAUSE, Scene, children, steady, view};
use expect_test::expect;
use millrace_crds::ComparisonStatus;
use millrace_operator::view::{
    comparison::{Comparison, State},
    moment::Moment,
    observed::{Hold, Observed},
};
use std::time::Duration;

const EQUAL: &str = "spec: {rollout: {gates: {comparison: RequireEqual}}}";
const REPORT: &str = "spec: {rollout: {gates: {comparison: Report}}}";
const NO_GATE: &str = "spec: {rollout: {gates: null}}";
const NOW: i64 = 1_700_000_000_000;

/// A revision beside the live one, this far behind it in each of two partitions.
fn behind(records: i64, gate: &str) -> Scene {
    steady().ask(OTHER_QUERY).ask(gate).begun(END - records)
}

/// Both are held at the end, until so many seconds from now.
fn held(seconds: i64) -> impl Fn(&mut Observed) {
    let hold = Some(Hold { offset: END, until: Moment(NOW + seconds * 1_000) });
    move |seen| {
        let rows = view(seen).revisions.values_mut();
        rows.flat_map(|row| &mut row.progress).for_each(|task| task.hold = hold);
    }
}

/// The revision beside the live one was compared with it half a minute ago.
fn compared(state: State) -> impl Fn(&mut Observed) {
    move |seen| {
        let view = view(seen);
        let live = view.live.clone().expect("one is live");
        let next = view.revisions.keys().find(|name| **name != live).cloned().expect("two revisions");
        view.comparisons.insert(next, Comparison { live, begun_at: Moment(NOW - 30_000), state: state.clone() });
    }
}

fn found(only_in_live: i64, different: i64) -> State {
    let (compared_rows, only_in_next) = (1_000, 0);
    State::Found(ComparisonStatus { compared_rows, only_in_live, only_in_next, different, sample: Vec::new() })
}

#[test]
fn revisions_that_stand_at_equal_positions_are_compared_at_once() {
    behind(0, EQUAL).check(&expect![[r#"
        B Gating
        - compare B with A
    "#]]);
    behind(0, EQUAL).with(held(10)).check(&expect![[r#"
        B Gating
        - compare B with A
    "#]]);
}

#[test]
fn revisions_that_are_a_little_apart_are_held_at_the_furthest_position_of_both() {
    behind(100, EQUAL).check(&expect![[r#"
        B Gating
        - hold A and B at equal positions
        waits for revisions A and B to stand at equal positions, where they are compared
    "#]]);
    behind(100, EQUAL).with(held(10)).check(&expect![[r#"
        B Gating
        waits for revisions A and B to stand at equal positions, where they are compared
    "#]]);
    // It does not matter which of them is behind.
    let ahead = |seen: &mut Observed| {
        let rows = view(seen).revisions.values_mut();
        for task in rows.flat_map(|row| &mut row.progress).filter(|task| task.next_offset < END) {
            task.next_offset = END + 100;
        }
    };
    behind(100, EQUAL).with(ahead).check(&expect![[r#"
        B Gating
        - hold A and B at equal positions
        waits for revisions A and B to stand at equal positions, where they are compared
    "#]]);
    // Without workers nobody would come there.
    let idle = |seen: &mut Observed| children(seen).deployments.values_mut().for_each(|state| state.ready = 0);
    behind(100, EQUAL).with(idle).check(&expect![[r#"
        B Gating
        waits for revisions A and B to stand at equal positions, where they are compared
    "#]]);
}

#[test]
fn after_a_hold_in_vain_readers_get_news_for_two_minutes() {
    behind(100, EQUAL).with(held(-60)).check(&expect![[r#"
        B Gating
        waits for revisions A and B to stand at equal positions, where they are compared
    "#]]);
    behind(100, EQUAL).with(held(-121)).check(&expect![[r#"
        B Gating
        - hold A and B at equal positions
        waits for revisions A and B to stand at equal positions, where they are compared
    "#]]);
}

#[test]
fn a_hold_that_nobody_waits_for_is_ended() {
    behind(100, EQUAL).with(held(10)).ask(NO_GATE).check(&expect![[r#"
        B CuttingOver
        - release holds
        - show switch:A:B instead of plain:A
        waits for readers that hold the view open for longer than a moment
    "#]]);
    behind(100, EQUAL).with(held(10)).ask(PAUSE).check(&expect![[r#"
        - release holds
    "#]]);
    let another = "spec: {query: 'SELECT id, name FROM users WHERE id > 20'}";
    behind(100, EQUAL).with(held(10)).ask(another).check(&expect![[r#"
        C Building
        - release holds
        - abandon B: Superseded
        - create revision C replays 0->0 user-events/0@0 user-events/1@0
    "#]]);
    // While the rows are compared both go on.
    behind(100, EQUAL).with(held(10)).with(compared(State::Running)).check(&expect![[r#"
        B Gating
        - release holds
        waits for the comparison of revision B with the live one
    "#]]);
}

#[test]
fn a_revision_with_the_same_rows_goes_on() {
    behind(0, EQUAL).with(compared(State::Running)).check(&expect![[r#"
        B Gating
        waits for the comparison of revision B with the live one
    "#]]);
    behind(0, EQUAL).with(compared(found(0, 0))).check(&expect![[r#"
        B CuttingOver
        - show switch:A:B instead of plain:A
        waits for readers that hold the view open for longer than a moment
    "#]]);
    // A person is asked once it is known.
    let manual = "spec: {rollout: {promotion: Manual}}";
    behind(0, EQUAL).ask(manual).with(compared(found(0, 0))).check(&expect![[r#"
        B AwaitingPromotion
        - note that B has caught up
        waits for a person: revision B has caught up; kubectl -n shop annotate --overwrite mv user-view millrace.dev/promote=B lets it go live, millrace.dev/abort with a name of your choice gives it up
    "#]]);
}

#[test]
fn a_revision_with_other_rows_is_given_up_where_equal_ones_are_required() {
    behind(0, EQUAL).with(compared(found(3, 2))).check(&expect![[r#"
        B Gating
        - abandon B: GateFailed
    "#]]);
    behind(0, EQUAL).with(compared(State::Failed("out of disk".into()))).check(&expect![[r#"
        B Gating
        - abandon B: GateFailed
    "#]]);
    // What was lost with a session says nothing.
    behind(0, EQUAL).with(compared(State::Lost)).check(&expect![[r#"
        B Gating
        - compare B with A
    "#]]);
    for state in [found(3, 2), State::Failed("out of disk".into())] {
        behind(0, REPORT).with(compared(state)).check(&expect![[r#"
            B CuttingOver
            - show switch:A:B instead of plain:A
            waits for readers that hold the view open for longer than a moment
        "#]]);
    }
}

#[test]
fn a_revision_that_is_tried_again_is_compared_again() {
    let again = |seen: &mut Observed| {
        let rows = view(seen).revisions.values_mut();
        rows.for_each(|row| row.resumed_at = Some(Moment(NOW - 10_000)));
    };
    behind(0, EQUAL).with(compared(found(3, 2))).with(again).check(&expect![[r#"
        B Gating
        - compare B with A
    "#]]);
}

#[test]
fn revisions_that_read_other_topics_cannot_be_compared() {
    let recreated = |seen: &mut Observed| {
        let view = view(seen);
        let live = view.live.clone().expect("one is live");
        let row = view.revisions.get_mut(&live).expect("it has its row");
        row.progress.iter_mut().for_each(|task| task.topic_id = "topic-0".into());
    };
    behind(0, EQUAL).with(recreated).check(&expect![[r#"
        B Gating
        - abandon B: GateFailed
    "#]]);
    behind(0, REPORT).with(recreated).check(&expect![[r#"
        B CuttingOver
        - show switch:A:B instead of plain:A
        waits for readers that hold the view open for longer than a moment
    "#]]);
}

#[test]
fn a_comparison_that_never_comes_about_makes_a_rollout_late() {
    behind(100, EQUAL).with(held(-60)).later(Duration::from_secs(1)).check(&expect![[r#"
        B Gating
        waits for revisions A and B to stand at equal positions, where they are compared
    "#]]);
    behind(100, EQUAL).later(121 * MINUTE).check(&expect![[r#"
        B Building
        - abandon B: RolloutTimedOut
    "#]]);
}
