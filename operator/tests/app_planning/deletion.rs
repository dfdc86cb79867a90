//! An app that is being deleted.

use crate::scene::{Scene, children, group, internal, kafka_is_gone, member, running, stopped};
use expect_test::expect;
use millrace_operator::view::known::Known;

const DELETED: &str = r#"metadata: {deletionTimestamp: "2023-11-14T22:00:00Z"}"#;
const DELETE: &str = "spec: {deletionPolicy: Delete}";

fn gone() -> Scene {
    stopped().ask(DELETED).with(|seen| children(seen).deployment = None)
}

#[test]
fn instances_end_first() {
    running().ask(DELETED).check(&expect![[r#"
        - delete deployment inventory-app
        waits for instances to end
    "#]]);
    gone().check(&expect![[r#"
        - remove finalizer
    "#]]);
}

#[test]
fn what_is_asked_for_is_deleted_once_nobody_is_in_the_group() {
    let ask = || gone().ask(DELETE).ask("spec: {internalTopics: {prefix: inventory-}}");
    let ask = || ask().with(|seen| internal(seen, &["inventory-stock-changelog"]));
    ask().check(&expect![[r#"
        - delete internal topics inventory-stock-changelog
        - delete group
        - remove finalizer
    "#]]);
    ask().with(|seen| group(seen).members = vec![member("kcat")]).check(&expect![[r#"
        waits for kcat at 10.9.9.9 to leave the group
    "#]]);
    let older = r#"metadata: {name: audit, uid: uid-0, creationTimestamp: "2023-11-13T00:00:00Z"}"#;
    ask().beside(older).check(&expect![[r#"
        - remove finalizer
    "#]]);
}

/// A deletion that was blocked first `since` then; now it is 22:13:20.
fn blocked(since: &str) -> Scene {
    let condition = format!(
        "status: {{conditions: [{{type: Stalled, status: 'True', reason: DeletionBlocked, message: '', lastTransitionTime: '{since}'}}]}}"
    );
    gone().ask(DELETE).ask(&condition).with(|seen| seen.group = Known::Unknown(kafka_is_gone()))
}

#[test]
fn a_deletion_without_kafka_waits_ten_minutes_and_no_longer() {
    blocked("2023-11-14T22:03:21Z").check(&expect![[r#"
        waits for what could not be asked
        ! DeletionBlocked: shop/inventory is being deleted, and what it has cannot be cleaned up: no broker answers; after 10 minutes the resource goes without it
    "#]]);
    blocked("2023-11-14T22:03:20Z").check(&expect![[r#"
        - remove finalizer, leaving things behind
    "#]]);
}
