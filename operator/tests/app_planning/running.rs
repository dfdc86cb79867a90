//! An app that runs: its topics, its instances, how many, and what changes them.

use crate::scene::{
    INPUT, Scene, children, deployment, group, input, kafka, kafka_is_gone, nothing, prepared, running,
};
use expect_test::expect;
use millrace_operator::{
    app::observed::Template,
    view::{known::Known, observed::Offsets},
};

#[test]
fn topics_are_made_before_instances_are_started() {
    nothing().ask("metadata: {finalizers: []}").check(&expect![[r#"
        - add finalizer
    "#]]);
    nothing().check(&expect![[r#"
        Steady
        - create topic order-events partitions=2 replicas=3 {min.insync.replicas=2}
        - create topic inventory-events partitions=2 replicas=3 {}
    "#]]);
    prepared().check(&expect![[r#"
        Steady
        - apply deployment inventory-app replicas=2
    "#]]);
    running().check(&expect![[r#"
        Steady
    "#]]);
}

#[test]
fn a_topic_is_grown_and_never_made_without_being_asked() {
    running().ask("spec: {inputs: [{topic: order-events, ensureTopic: {partitions: 6, replicas: 3}}]}").check(
        &expect![[r#"
            Steady
            - grow topic order-events from 2 to 6
        "#]],
    );
    nothing().ask("spec: {inputs: [{topic: order-events}]}").check(&expect![[r#"
        Steady
        - create topic inventory-events partitions=2 replicas=3 {}
        ! TopicMissing: topic order-events is not there; make it, or let the operator make it: write ensureTopic beside its name
    "#]]);
}

fn with_partitions(count: i32) -> Scene {
    running().with(|seen| {
        let all = (0..count).map(|number| (number, Offsets { earliest: 0, end: 0 }));
        input(seen).partitions = all.collect();
    })
}

#[test]
fn there_is_an_instance_for_each_partition_and_never_an_idle_one() {
    with_partitions(4).check(&expect![[r#"
        Steady
        - apply deployment inventory-app replicas=4
    "#]]);
    with_partitions(9).check(&expect![[r#"
        Steady
        - apply deployment inventory-app replicas=6
    "#]]);
    with_partitions(9).ask("spec: {workers: {max: 3}}").check(&expect![[r#"
        Steady
        - apply deployment inventory-app replicas=3
    "#]]);
    with_partitions(1).check(&expect![[r#"
        Steady
        - grow topic order-events from 1 to 2
        - apply deployment inventory-app replicas=1
    "#]]);
    with_partitions(1).ask("spec: {workers: {min: 2}}").check(&expect![[r#"
        Steady
        - grow topic order-events from 1 to 2
        - apply deployment inventory-app replicas=1
    "#]]);
    with_partitions(9).ask("spec: {workers: {mode: Fixed, replicas: 5}}").check(&expect![[r#"
        Steady
        - apply deployment inventory-app replicas=5
    "#]]);
}

#[test]
fn a_changed_template_is_rolled_out_and_resets_nothing() {
    running().with(|seen| children(seen).template = Some(Template::Accepted { changes: true })).check(&expect![[r#"
        Steady
        - apply deployment inventory-app replicas=2
    "#]]);
}

#[test]
fn a_suspended_app_has_no_instance_and_its_group_stays() {
    running().ask("spec: {suspend: true}").check(&expect![[r#"
        Steady
        - apply deployment inventory-app replicas=0
    "#]]);
    let refused = |seen: &mut _| children(seen).template = Some(Template::Refused("no such field".into()));
    running().ask("spec: {suspend: true}").with(refused).check(&expect![[r#"
        Steady
        - scale deployment inventory-app to 0
        ! TemplateRefused: the API server refuses podTemplate: no such field; correct it, what runs goes on as it was
    "#]]);
}

#[test]
fn nothing_is_stopped_or_started_on_what_is_not_known() {
    running().with(|seen| seen.kafka = Known::Unknown(kafka_is_gone())).check(&expect![[r#"
        Steady
        ! KafkaUnreachable: no broker answers
    "#]]);
    running().with(|seen| _ = kafka(seen).by_topic.insert(INPUT.into(), Known::Unknown(kafka_is_gone()))).check(
        &expect![[r#"
            Steady
            ! KafkaUnreachable: no broker answers
        "#]],
    );
    running().with(|seen| seen.children = Known::Unknown(kafka_is_gone())).check(&expect![[r#"
        ! KafkaUnreachable: no broker answers
    "#]]);
    running().with(|seen| seen.kafka_address = Known::Unknown(kafka_is_gone())).check(&expect![[r#"
        Steady
        ! KafkaUnreachable: no broker answers
    "#]]);
}

#[test]
fn a_paused_app_is_left_alone() {
    running()
        .ask(r#"metadata: {annotations: {millrace.dev/pause-reconcile: "true"}}"#)
        .with(|seen| children(seen).deployment = None)
        .check(&expect![[""]]);
}

#[test]
fn instances_that_were_deleted_are_made_again() {
    running()
        .with(|seen| {
            children(seen).deployment = None;
            children(seen).template = Some(Template::Accepted { changes: true });
            group(seen).members.clear();
        })
        .check(&expect![[r#"
            Steady
            - apply deployment inventory-app replicas=2
        "#]]);
    running().with(|seen| children(seen).deployment.as_mut().expect("it runs").deleting = true).check(&expect![[r#"
        Steady
        waits for the Deployment to be gone
    "#]]);
    running().with(|seen| children(seen).deployment = Some(deployment(1))).check(&expect![[r#"
        Steady
        - apply deployment inventory-app replicas=2
    "#]]);
}
