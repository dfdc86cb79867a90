//! A view that is being deleted.

use crate::scene::{MINUTE, Scene, children, postgres_is_gone, steady, view};
use expect_test::expect;
use millrace_crds::ConditionType;
use millrace_operator::view::{known::Known, status::Outcome};

const DELETED: &str = r#"metadata: {deletionTimestamp: "2023-11-14T22:00:00Z"}"#;

#[test]
fn a_deletion_ends_the_workers_first() {
    steady().ask(DELETED).check(&expect![[r#"
        - delete deployment user-view-A
        waits for workers to end
    "#]]);
}

#[test]
fn a_deletion_keeps_the_data_unless_asked() {
    let idle = || steady().ask(DELETED).with(|seen| children(seen).deployments.clear());
    idle().check(&expect![[r#"
        - release view
    "#]]);
    idle().ask("spec: {deletionPolicy: Delete}").check(&expect![[r#"
        - delete view
    "#]]);
    idle().with(|seen| view(seen).uid = None).check(&expect![[r#"
        - remove finalizer
    "#]]);
}

/// A deletion that was blocked first `since` then; now it is 22:13:20.
fn blocked(since: &str) -> Scene {
    let condition = format!(
        "status: {{conditions: [{{type: Stalled, status: 'True', reason: DeletionBlocked, message: '', lastTransitionTime: '{since}'}}]}}"
    );
    steady().ask(DELETED).ask(&condition)
}

#[test]
fn a_deletion_does_not_wait_for_workers_for_ever() {
    let workers = |since| {
        blocked(since).with(|seen| children(seen).deployments.values_mut().for_each(|state| state.deleting = true))
    };
    workers("2023-11-14T22:08:21Z").check(&expect![[r#"
        waits for workers to end
    "#]]);
    workers("2023-11-14T22:08:20Z").check(&expect![[r#"
        - release view
    "#]]);
    workers("2023-11-14T22:03:20Z").check(&expect![[r#"
        - remove finalizer, leaving things behind
    "#]]);
    workers("2023-11-14T22:03:20Z").with(|seen| seen.catalog = Known::Absent).check(&expect![[r#"
        - remove finalizer
    "#]]);
}

#[test]
fn every_round_of_a_deletion_counts_from_the_first() {
    let scene = steady().ask(DELETED);
    let waiting = scene.report(&Outcome::Waiting("readers that hold shop.user_view open".into()), &Default::default());
    let first = waiting.condition(ConditionType::Stalled).expect("it is blocked").clone();
    assert_eq!(
        (first.reason.as_str(), first.message.as_str()),
        ("DeletionBlocked", "waits for readers that hold shop.user_view open")
    );
    let scene = scene.later(MINUTE);
    let done = scene.report(&Outcome::Done, &waiting);
    let failed = scene.report(&Outcome::Failed(postgres_is_gone()), &done);
    for (status, message) in [(done, "waits for workers to end"), (failed, "Postgres does not answer")] {
        let stalled = status.condition(ConditionType::Stalled).expect("it is blocked");
        assert_eq!((stalled.message.as_str(), &stalled.last_transition_time), (message, &first.last_transition_time));
    }
}

#[test]
fn a_deletion_without_postgres_waits_ten_minutes_and_no_longer() {
    let blocked = |since| {
        blocked(since)
            .with(|seen| seen.catalog = Known::Unknown(postgres_is_gone()))
            .with(|seen| children(seen).deployments.clear())
    };
    blocked("2023-11-14T22:03:21Z").check(&expect![[r#"
        ! DeletionBlocked: shop/user-view is being deleted, and what it has in Postgres cannot be cleaned up: Postgres does not answer; after 10 minutes the resource goes without it
    "#]]);
    blocked("2023-11-14T22:03:20Z").check(&expect![[r#"
        - remove finalizer, leaving things behind
    "#]]);
}
