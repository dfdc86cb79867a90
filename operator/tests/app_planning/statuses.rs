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
    check(&running(), &expect![[""]]);
}

#[test]
fn members_without_a_partition_and_of_somebody_else_are_told() {
    let scene = running().with(|seen| {
        group(seen).members[0].partitions = 0;
        group(seen).members.push(member("kcat"));
    });
    check(&scene, &expect![[""]]);
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
    check(&running().ask(REPLAY), &expect![[""]]);
    check(&stopped().ask(REPLAY).with(|seen| group(seen).members = vec![member("kcat")]), &expect![[""]]);
    check(&stopped().ask(REPLAY).done().done().done().done().later(5 * SECOND), &expect![[""]]);
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
    check(&running().with(|seen| group(seen).members.clear()), &expect![[""]]);
    check(&running().with(|seen| children(seen).deployment.as_mut().expect("it runs").ready = 1), &expect![[""]]);
    check(&running().ask("spec: {suspend: true}").with(crate::scene::stop), &expect![[""]]);
    let refused = |seen: &mut _| children(seen).template = Some(Template::Refused("no such field".into()));
    check(&running().with(refused), &expect![[""]]);
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
