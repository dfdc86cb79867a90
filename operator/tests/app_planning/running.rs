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
    nothing().ask("metadata: {finalizers: []}").check(&expect![[""]]);
    nothing().check(&expect![[""]]);
    prepared().check(&expect![[""]]);
    running().check(&expect![[""]]);
}

#[test]
fn a_topic_is_grown_and_never_made_without_being_asked() {
    running()
        .ask("spec: {inputs: [{topic: order-events, ensureTopic: {partitions: 6, replicas: 3}}]}")
        .check(&expect![[""]]);
    nothing().ask("spec: {inputs: [{topic: order-events}]}").check(&expect![[""]]);
}

fn with_partitions(count: i32) -> Scene {
    running().with(|seen| {
        let all = (0..count).map(|number| (number, Offsets { earliest: 0, end: 0 }));
        input(seen).partitions = all.collect();
    })
}

#[test]
fn there_is_an_instance_for_each_partition_and_never_an_idle_one() {
    with_partitions(4).check(&expect![[""]]);
    with_partitions(9).check(&expect![[""]]);
    with_partitions(9).ask("spec: {workers: {max: 3}}").check(&expect![[""]]);
    with_partitions(1).check(&expect![[""]]);
    with_partitions(1).ask("spec: {workers: {min: 2}}").check(&expect![[""]]);
    with_partitions(9).ask("spec: {workers: {mode: Fixed, replicas: 5}}").check(&expect![[""]]);
}

#[test]
fn a_changed_template_is_rolled_out_and_resets_nothing() {
    running().with(|seen| children(seen).template = Some(Template::Accepted { changes: true })).check(&expect![[""]]);
}

#[test]
fn a_suspended_app_has_no_instance_and_its_group_stays() {
    running().ask("spec: {suspend: true}").check(&expect![[""]]);
    let refused = |seen: &mut _| children(seen).template = Some(Template::Refused("no such field".into()));
    running().ask("spec: {suspend: true}").with(refused).check(&expect![[""]]);
}

#[test]
fn nothing_is_stopped_or_started_on_what_is_not_known() {
    running().with(|seen| seen.kafka = Known::Unknown(kafka_is_gone())).check(&expect![[""]]);
    running()
        .with(|seen| _ = kafka(seen).by_topic.insert(INPUT.into(), Known::Unknown(kafka_is_gone())))
        .check(&expect![[""]]);
    running().with(|seen| seen.children = Known::Unknown(kafka_is_gone())).check(&expect![[""]]);
    running().with(|seen| seen.kafka_address = Known::Unknown(kafka_is_gone())).check(&expect![[""]]);
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
        .check(&expect![[""]]);
    running().with(|seen| children(seen).deployment.as_mut().expect("it runs").deleting = true).check(&expect![[""]]);
    running().with(|seen| children(seen).deployment = Some(deployment(1))).check(&expect![[""]]);
}
