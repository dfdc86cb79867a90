//! The first revision of a view: what it needs, how it is built and shown.

use crate::scene::{
    END, MINUTE, OTHER_QUERY, REPLAY, TOPIC, building, catalog, children, kafka, kafka_is_gone, nothing, only,
    prepared, steady, topic, view,
};
use expect_test::expect;
use millrace_contract::revision::RevisionState;
use millrace_operator::view::{
    known::Known,
    observed::{Offsets, TargetState},
};

#[test]
fn the_first_thing_is_the_finalizer() {
    nothing().ask("metadata: {finalizers: null}").check(&expect![[r#"
        - add finalizer
    "#]]);
}

#[test]
fn a_first_apply_makes_catalog_and_topic() {
    nothing().check(&expect![[r#"
        - migrate catalog
        - create topic user-events partitions=2 replicas=3 {min.insync.replicas=2}
    "#]]);
}

#[test]
fn a_new_view_is_claimed() {
    prepared().with(|seen| catalog(seen).view = None).check(&expect![[r#"
        - claim view shop.user_view from NoRow
    "#]]);
}

#[test]
fn a_missing_topic_without_ensure_topic_is_waited_for() {
    prepared()
        .ask("spec: {sources: [{ensureTopic: null}]}")
        .with(|seen| {
            kafka(seen).by_topic.insert(TOPIC.into(), Known::Absent);
        })
        .check(&expect![[r#"
            A Building
            waits for topic user-events
            ! TopicMissing: topic user-events is not there; make it, or let the operator make it: write ensureTopic beside its name
        "#]]);
}

#[test]
fn with_everything_prepared_the_first_revision_is_made() {
    prepared().check(&expect![[r#"
        A Building
        - create revision A replays 0->0 user-events/0@0 user-events/1@0
    "#]]);
}

#[test]
fn workers_start_once_their_login_is_there() {
    building().with(|seen| children(seen).deployments.clear()).check(&expect![[r#"
        A Building
        - apply deployment user-view-A replicas=2
        waits for workers: revision A is 100000 records behind the ends of the topics
    "#]]);
    building().with(|seen| children(seen).secret = None).check(&expect![[r#"
        A Building
        - apply login for postgres:5432
        waits for workers: revision A is 100000 records behind the ends of the topics
    "#]]);
}

#[test]
fn a_build_says_how_far_it_is() {
    building().check(&expect![[r#"
        A Building
        waits for workers: revision A is 100000 records behind the ends of the topics
    "#]]);
}

#[test]
fn a_late_first_build_is_abandoned_until_a_replay_or_another_spec_is_asked_for() {
    building().later(121 * MINUTE).check(&expect![[r#"
        A Building
        - abandon A: RolloutTimedOut
    "#]]);
    let abandoned = || {
        building().later(121 * MINUTE).with(|seen| {
            (only(seen).state, only(seen).reason) =
                (RevisionState::Abandoned, Some("RolloutTimedOut: it was late; ask for a replay".into()));
        })
    };
    abandoned().check(&expect![[r#"
        A Building
        - delete deployment user-view-A
        ! RolloutTimedOut: revision A was abandoned: it was late; ask for a replay
    "#]]);
    abandoned().ask(REPLAY).check(&expect![[r#"
        B Building
        - create revision B replays 0->1 for replay again user-events/0@0 user-events/1@0
        - delete deployment user-view-A
        - drop revision A
    "#]]);
    abandoned().ask(OTHER_QUERY).check(&expect![[r#"
        B Building
        - create revision B replays 0->0 user-events/0@0 user-events/1@0
        - delete deployment user-view-A
        - drop revision A
    "#]]);
}

#[test]
fn a_first_build_that_is_done_or_that_nobody_can_judge_is_not_late() {
    prepared().begun(END).later(121 * MINUTE).check(&expect![[r#"
        A CuttingOver
        - show first A in shop.user_view
    "#]]);
    let unknown = building().later(121 * MINUTE).with(|seen| seen.kafka = Known::Unknown(kafka_is_gone()));
    unknown.check(&expect![[r#"
        A Building
        waits for Kafka, to know where the topics end
        ! KafkaUnreachable: no broker answers
    "#]]);
}

#[test]
fn a_first_revision_that_has_read_everything_is_shown() {
    prepared().begun(END).check(&expect![[r#"
        A CuttingOver
        - show first A in shop.user_view
    "#]]);
}

#[test]
fn a_topic_that_is_to_grow_is_grown_and_then_read() {
    steady().ask("spec: {sources: [{ensureTopic: {partitions: 3}}]}").check(&expect![[r#"
        A Steady
        - grow topic user-events from 2 to 3
    "#]]);
    steady()
        .with(|seen| {
            topic(seen).partitions.insert(2, Offsets { earliest: 0, end: 0 });
        })
        .check(&expect![[r#"
            A Steady
            - add partitions to A user-events/2@0
        "#]]);
}

#[test]
fn a_target_of_somebody_else_is_left_alone() {
    let unclaimed = |target: TargetState| {
        prepared().with(|seen| {
            catalog(seen).view = None;
            catalog(seen).target = target;
        })
    };
    unclaimed(TargetState::Foreign("table".into())).check(&expect![[r#"
        ! TargetExists: shop.user_view is a table that Millrace did not make, and is left alone; rename or drop it, or make the resource again with another target
    "#]]);
    unclaimed(TargetState::OfView("shop/other".into())).check(&expect![[r#"
        ! TargetTaken: shop.user_view is the target of the view shop/other; make the resource again with another target
    "#]]);
}

#[test]
fn a_view_that_another_resource_keeps_is_not_taken_from_it() {
    let other = |alive: bool| {
        steady().with(|seen| {
            let view = view(seen);
            (view.uid, view.workers_alive) = (Some("uid-0".into()), alive);
        })
    };
    other(true).check(&expect![[r#"
        ! TargetTaken: shop.user_view is kept up to date by workers of another resource of this name, perhaps in another cluster; stop that one first
    "#]]);
    other(false).check(&expect![[r#"
        - claim view shop.user_view from Gone("uid-0")
    "#]]);
}

#[test]
fn a_retained_view_is_adopted() {
    steady().with(|seen| view(seen).uid = None).check(&expect![[r#"
        - claim view shop.user_view from Nobody
    "#]]);
}
