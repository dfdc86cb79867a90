//! What is said of an app.

use crate::scene::{REPLAY, SECOND, Scene, children, group, kafka_is_gone, member, running, stopped};
use expect_test::{Expect, expect};
use millrace_crds::StreamAppStatus;
use millrace_operator::{
    app::observed::Template,
    view::{known::Known, rhythm::Shown, status::Outcome},
};
use std::fmt::Write;

fn check(scene: &Scene, expected: &Expect) {
    let status = scene.report(&Outcome::Done, &StreamAppStatus::default());
    let mut text = String::new();
    for condition in &status.conditions {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{} {} {}: {}", condition.type_, condition.status, condition.reason, condition.message);
    }
    let group = status.group.as_ref().map(|group| format!("{} {}/{}", group.state, group.members, group.idle_members));
    let _ = writeln!(
        text,
        "{:?} lag {:?} group {group:?} replicas {:?}",
        status.phase, status.lag_records, status.replicas
    );
    expected.assert_eq(&text);
}

#[test]
fn an_app_that_runs_says_so() {
    check(
        &running(),
        &expect![[r#"
        Available True Running: 2 instances are ready
        Ready True Running: 2 instances run this generation
        TopicsReady True TopicsReadable: every input and output is there
        TemplateValid True TemplateAccepted: the API server takes podTemplate
        GroupReady True GroupOwn: every member of the group inventory is of this app
        Some(Steady) lag Some(200) group Some("Stable 2/0") replicas Some(2)
    "#]],
    );
}

#[test]
fn members_without_a_partition_and_of_somebody_else_are_told() {
    let scene = running().with(|seen| {
        group(seen).members[0].partitions = 0;
        group(seen).members.push(member("kcat"));
    });
    check(
        &scene,
        &expect![[r#"
        Available True Running: 2 instances are ready
        Ready True Running: 2 instances run this generation
        TopicsReady True TopicsReadable: every input and output is there
        TemplateValid True TemplateAccepted: the API server takes podTemplate
        GroupReady False ForeignMember: members that are not of this app take partitions from it: kcat at 10.9.9.9
        Some(Steady) lag Some(200) group Some("Stable 3/1") replicas Some(2)
    "#]],
    );
    let status = scene.report(&Outcome::Done, &StreamAppStatus::default());
    assert_eq!(status.group.expect("it was seen").foreign_members, ["kcat at 10.9.9.9"]);
}

#[test]
fn a_member_at_the_address_of_a_pod_is_the_apps_own() {
    let scene = running().with(|seen| {
        group(seen).members = vec![member("rdkafka")];
        group(seen).members[0].host = "10.0.0.1".into();
    });
    let status = scene.report(&Outcome::Done, &StreamAppStatus::default());
    assert_eq!(status.group.expect("it was seen").foreign_members, Vec::<String>::new());
}

#[test]
fn a_replay_that_waits_says_what_for() {
    check(
        &running().ask(REPLAY),
        &expect![[r#"
        Available True Running: 2 instances are ready
        Ready False Replaying: the replay is Stopping; waits for inventory-app-1-0, inventory-app-1-1 to end
        Reconciling True Replaying: inventory-app-1-0, inventory-app-1-1 to end
        TopicsReady True TopicsReadable: every input and output is there
        TemplateValid True TemplateAccepted: the API server takes podTemplate
        GroupReady True GroupOwn: every member of the group inventory is of this app
        Some(Stopping) lag Some(200) group Some("Stable 2/0") replicas Some(2)
    "#]],
    );
    check(
        &stopped().ask(REPLAY).with(|seen| group(seen).members = vec![member("kcat")]),
        &expect![[r#"
        Available False Replaying: the replay is Draining
        Ready False ForeignMember: the group inventory has members that are not of this app: kcat at 10.9.9.9; stop them, and the replay goes on
        Reconciling True Replaying: kcat at 10.9.9.9 to leave the group
        TopicsReady True TopicsReadable: every input and output is there
        TemplateValid True TemplateAccepted: the API server takes podTemplate
        GroupReady False ForeignMember: the group inventory has members that are not of this app: kcat at 10.9.9.9; stop them, and the replay goes on
        Some(Draining) lag Some(200) group Some("Empty 1/0") replicas Some(0)
    "#]],
    );
    check(
        &stopped().ask(REPLAY).done().done().done().done().later(5 * SECOND),
        &expect![[r#"
        Available False Replaying: the replay is Resetting
        Ready False Replaying: the replay is Resetting; waits for ten seconds without a commit of somebody else
        Reconciling True Replaying: ten seconds without a commit of somebody else
        TopicsReady True TopicsReadable: every input and output is there
        TemplateValid True TemplateAccepted: the API server takes podTemplate
        GroupReady True GroupOwn: every member of the group inventory is of this app
        Some(Resetting) lag Some(1800) group Some("Empty 0/0") replicas Some(0)
    "#]],
    );
}

#[test]
fn what_cannot_be_asked_is_unknown_and_what_was_said_stays() {
    let before = running().report(&Outcome::Done, &StreamAppStatus::default());
    let scene = running().with(|seen| seen.group = Known::Unknown(kafka_is_gone()));
    let after = scene.report(&Outcome::Done, &before);
    assert_eq!((after.lag_records, after.group.clone()), (before.lag_records, before.group.clone()));
    let scene = running().with(|seen| seen.children = Known::Unknown(kafka_is_gone()));
    let after = scene.report(&Outcome::Done, &before);
    assert_eq!((after.phase, after.replays.clone()), (before.phase, before.replays.clone()));
}

#[test]
fn instances_that_are_not_there_yet_are_waited_for() {
    check(
        &running().with(|seen| group(seen).members.clear()),
        &expect![[r#"
        Available True Running: 2 instances are ready
        Ready False WorkersStarting: no instance has joined the group inventory yet
        TopicsReady True TopicsReadable: every input and output is there
        TemplateValid True TemplateAccepted: the API server takes podTemplate
        GroupReady True GroupOwn: every member of the group inventory is of this app
        Some(Steady) lag Some(200) group Some("Stable 0/0") replicas Some(2)
    "#]],
    );
    check(
        &running().with(|seen| children(seen).deployment.as_mut().expect("it runs").ready = 1),
        &expect![[r#"
        Available True Running: 1 instances are ready
        Ready False WorkersStarting: instances of this generation are started
        TopicsReady True TopicsReadable: every input and output is there
        TemplateValid True TemplateAccepted: the API server takes podTemplate
        GroupReady True GroupOwn: every member of the group inventory is of this app
        Some(Steady) lag Some(200) group Some("Stable 2/0") replicas Some(2)
    "#]],
    );
    check(
        &running().ask("spec: {suspend: true}").with(crate::scene::stop),
        &expect![[r#"
        Available False Suspended: spec.suspend is true
        Ready True Suspended: spec.suspend is true: nothing is read
        TopicsReady True TopicsReadable: every input and output is there
        TemplateValid True TemplateAccepted: the API server takes podTemplate
        GroupReady True GroupOwn: every member of the group inventory is of this app
        Some(Steady) lag Some(200) group Some("Empty 0/0") replicas Some(0)
    "#]],
    );
    let refused = |seen: &mut _| children(seen).template = Some(Template::Refused("no such field".into()));
    check(
        &running().with(refused),
        &expect![[r#"
        Available True Running: 2 instances are ready
        Ready False TemplateRefused: the API server refuses podTemplate: no such field; correct it, what runs goes on as it was
        Stalled True TemplateRefused: the API server refuses podTemplate: no such field; correct it, what runs goes on as it was
        TopicsReady True TopicsReadable: every input and output is there
        TemplateValid False TemplateRefused: the API server refuses podTemplate: no such field; correct it, what runs goes on as it was
        GroupReady True GroupOwn: every member of the group inventory is of this app
        Some(Steady) lag Some(200) group Some("Stable 2/0") replicas Some(2)
    "#]],
    );
}

#[test]
fn figures_alone_are_written_seldom() {
    let before = running().report(&Outcome::Done, &StreamAppStatus::default());
    let scene = running().with(|seen| group(seen).committed = crate::scene::offsets(950));
    let after = scene.report(&Outcome::Done, &before);
    assert_ne!(before.lag_records, after.lag_records);
    assert!(before.differs_in_figures_only(&after));
    let joined = running().with(|seen| group(seen).members.push(member("inventory-app-1-2")));
    assert!(!before.differs_in_figures_only(&joined.report(&Outcome::Done, &before)));
}
