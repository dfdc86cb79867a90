//! A view that is being deleted.

use crate::scene::{children, postgres_is_gone, steady, view};
use expect_test::expect;
use millrace_operator::view::known::Known;

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

#[test]
fn a_deletion_without_postgres_waits_ten_minutes_and_no_longer() {
    let blocked = |since: &str| {
        let condition = format!(
            "status: {{conditions: [{{type: Stalled, status: 'True', reason: DeletionBlocked, message: '', lastTransitionTime: '{since}'}}]}}"
        );
        let scene = steady().ask(DELETED).ask(&condition);
        scene
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
