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
    running().ask(DELETED).check(&expect![[""]]);
    gone().check(&expect![[""]]);
}

#[test]
fn what_is_asked_for_is_deleted_once_nobody_is_in_the_group() {
    let ask = || gone().ask(DELETE).ask("spec: {internalTopics: {prefix: inventory-}}");
    let ask = || ask().with(|seen| internal(seen, &["inventory-stock-changelog"]));
    ask().check(&expect![[""]]);
    ask().with(|seen| group(seen).members = vec![member("kcat")]).check(&expect![[""]]);
    let older = r#"metadata: {name: audit, uid: uid-0, creationTimestamp: "2023-11-13T00:00:00Z"}"#;
    ask().beside(older).check(&expect![[""]]);
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
    blocked("2023-11-14T22:03:21Z").check(&expect![[""]]);
    blocked("2023-11-14T22:03:20Z").check(&expect![[""]]);
}
