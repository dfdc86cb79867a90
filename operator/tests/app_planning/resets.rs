//! A replay step by step, and what holds it at each.

use crate::scene::{
    COMMITTED, END, REPLAY, SECOND, Scene, children, group, internal, kafka_is_gone, member, offsets, running, stop,
    stopped,
};
use expect_test::expect;
use millrace_operator::{
    app::observed::{Pod, Template},
    view::known::Known,
};

/// Everything is written down, and nothing altered.
fn written() -> Scene {
    stopped().ask(REPLAY).done()
}

/// What is written down was compared with what the group has.
fn begun() -> Scene {
    written().done()
}

/// Kafka has taken the offsets.
fn taken() -> Scene {
    begun().done()
}

/// Kafka was seen to have them.
fn altered() -> Scene {
    taken().done()
}

/// It was proved that it has them.
fn proved() -> Scene {
    altered().later(11 * SECOND).done()
}

/// The instances are in the group again, and have read up to there.
fn started(committed: i64) -> Scene {
    proved().done().with(|seen| {
        let running = running().observed;
        let Known::Present(seen_running) = running.children else { panic!("it runs") };
        let ledger = children(seen).ledger.take();
        *children(seen) = seen_running;
        children(seen).ledger = ledger;
        let Known::Present(joined) = running.group else { panic!("it runs") };
        *group(seen) = joined;
        group(seen).committed = offsets(committed);
    })
}

#[test]
fn a_replay_goes_from_step_to_step() {
    running().ask(REPLAY).check(&expect![[r#"
        Stopping
        - apply deployment inventory-app replicas=0
        waits for inventory-app-1-0, inventory-app-1-1 to end
    "#]]);
    stopped().ask(REPLAY).check(&expect![[r#"
        Resetting
        - write down replay again: saved order-events/0@900 order-events/1@900, begins order-events/0@100 order-events/1@100
    "#]]);
    written().check(&expect![[r#"
        Resetting
        - note that the reset of replay again begins
    "#]]);
    begun().check(&expect![[r#"
        Resetting
        - alter offsets for replay again to order-events/0@100 order-events/1@100
        - note that Kafka has taken the offsets of replay again
    "#]]);
    taken().check(&expect![[r#"
        Resetting
        - note that the offsets of replay again are altered
    "#]]);
    altered().check(&expect![[r#"
        Resetting
        waits for ten seconds without a commit of somebody else
    "#]]);
    altered().later(11 * SECOND).check(&expect![[r#"
        Resetting
        - note that replay again is proved
    "#]]);
    proved().check(&expect![[r#"
        Starting
        - apply deployment inventory-app replicas=2
        waits for an instance to join the group
    "#]]);
    proved().done().check(&expect![[r#"
        Starting
        waits for an instance to join the group
    "#]]);
    started(COMMITTED).check(&expect![[r#"
        CatchingUp
        waits for 200 records to be read again
    "#]]);
    started(END).check(&expect![[r#"
        CatchingUp
        - note that replay again has caught up
    "#]]);
    started(END).done().check(&expect![[r#"
        Steady
    "#]]);
}

#[test]
fn an_instance_that_is_ending_is_waited_for() {
    let ending = |seen: &mut _| {
        stop(seen);
        children(seen).pods.insert("inventory-app-1-0".into(), Pod { address: None, ending: true });
    };
    running().ask(REPLAY).with(ending).check(&expect![[r#"
        Stopping
        waits for inventory-app-1-0 to end
    "#]]);
    stopped().ask(REPLAY).with(|seen| children(seen).deployment.as_mut().expect("it is there").counted = false).check(
        &expect![[r#"
            Stopping
            waits for instances to end
        "#]],
    );
}

#[test]
fn a_member_of_somebody_else_is_named_and_waited_for() {
    let foreign = |seen: &mut _| group(seen).members = vec![member("kcat")];
    stopped().ask(REPLAY).with(foreign).check(&expect![[r#"
        Draining
        waits for kcat at 10.9.9.9 to leave the group
        ! ForeignMember: the group inventory has members that are not of this app: kcat at 10.9.9.9; stop them, and the replay goes on
    "#]]);
    written().with(foreign).check(&expect![[r#"
        Draining
        waits for kcat at 10.9.9.9 to leave the group
        ! ForeignMember: the group inventory has members that are not of this app: kcat at 10.9.9.9; stop them, and the replay goes on
    "#]]);
    altered().with(foreign).check(&expect![[r#"
        Draining
        waits for kcat at 10.9.9.9 to leave the group
        ! ForeignMember: the group inventory has members that are not of this app: kcat at 10.9.9.9; stop them, and the replay goes on
    "#]]);
    stopped().ask(REPLAY).with(|seen| group(seen).members = vec![member("inventory-app-1-0")]).check(&expect![[r#"
        Draining
        waits for the group to forget inventory-app-1-0 at 10.9.9.9, which ended without leaving
    "#]]);
}

#[test]
fn an_open_transaction_is_waited_for() {
    let open = |seen: &mut _| group(seen).unstable = Some("topic order-events partition 1".into());
    stopped().ask(REPLAY).with(open).check(&expect![[r#"
        Draining
        waits for the end of a transaction that commits offsets of topic order-events partition 1
    "#]]);
}

#[test]
fn offsets_are_altered_only_once_ledger_and_status_hold_them() {
    let unwritten = || {
        let mut scene = stopped().ask(REPLAY);
        let plan = scene.plan();
        let [millrace_operator::app::action::Action::WriteLedger { replays, .. }] = &plan.actions[..] else {
            panic!("{plan:?}");
        };
        children(&mut scene.observed).ledger = Some(millrace_operator::app::observed::Ledger {
            resource_version: "1".into(),
            ours: true,
            group: "inventory".into(),
            replays: Ok(replays.clone()),
        });
        scene
    };
    unwritten().check(&expect![[r#"
        Resetting
        waits for the status to hold the offsets, too
    "#]]);
    unwritten().remembered().check(&expect![[r#"
        Resetting
        - note that the reset of replay again begins
    "#]]);
}

#[test]
fn internal_topics_are_deleted_before_offsets_are_altered() {
    let streams = || begun().ask("spec: {internalTopics: {prefix: inventory-}}");
    streams().with(|seen| internal(seen, &["inventory-stock-changelog"])).check(&expect![[r#"
        Resetting
        - delete internal topics inventory-stock-changelog
        waits for the internal topics to be gone
    "#]]);
    streams().with(|seen| seen.internal = Known::Unknown(kafka_is_gone())).check(&expect![[r#"
        Resetting
        waits for a look at the internal topics
        ! KafkaUnreachable: no broker answers
    "#]]);
    streams().with(|seen| internal(seen, &[])).check(&expect![[r#"
        Resetting
        - alter offsets for replay again to order-events/0@100 order-events/1@100
        - note that Kafka has taken the offsets of replay again
    "#]]);
}

#[test]
fn what_was_committed_since_is_written_down_once_more() {
    written().with(|seen| group(seen).committed = offsets(950)).check(&expect![[r#"
        Resetting
        - write down replay again: saved order-events/0@950 order-events/1@950, begins order-events/0@100 order-events/1@100
    "#]]);
}

#[test]
fn a_commit_after_the_reset_is_told_and_the_reset_tried_again() {
    let committed = || altered().later(5 * SECOND).with(|seen| group(seen).committed = offsets(COMMITTED));
    committed().check(&expect![[r#"
        Resetting
        - note a foreign commit after replay again
    "#]]);
    committed().done().check(&expect![[r#"
        Resetting
        - alter offsets for replay again to order-events/0@100 order-events/1@100
        - note that Kafka has taken the offsets of replay again
        ! ForeignCommitter: after the group inventory was moved to offset 100 of topic order-events partition 0, somebody who is no member of it committed 900; find who commits without being a member and stop it, the replay is tried again until ten seconds pass without
    "#]]);
    committed().done().done().done().later(11 * SECOND).check(&expect![[r#"
        Resetting
        - note that replay again is proved
        ! ForeignCommitter: after the group inventory was moved to offset 100 of topic order-events partition 0, somebody who is no member of it committed 900; find who commits without being a member and stop it, the replay is tried again until ten seconds pass without
    "#]]);
    committed().done().done().done().later(11 * SECOND).done().check(&expect![[r#"
        Starting
        - apply deployment inventory-app replicas=2
        waits for an instance to join the group
    "#]]);
}

#[test]
fn an_instance_that_comes_back_during_the_reset_is_stopped() {
    altered()
        .with(|seen| {
            let Known::Present(running) = running().observed.children else { panic!("it runs") };
            children(seen).pods = running.pods;
            children(seen).deployment = running.deployment;
        })
        .check(&expect![[r#"
            Stopping
            - apply deployment inventory-app replicas=0
            waits for inventory-app-1-0, inventory-app-1-1 to end
        "#]]);
}

#[test]
fn a_replay_waits_while_it_cannot_be_seen() {
    let gone = |seen: &mut millrace_operator::app::observed::Observed| seen.group = Known::Unknown(kafka_is_gone());
    running().ask(REPLAY).with(gone).check(&expect![[r#"
        Stopping
        waits for Kafka
        ! KafkaUnreachable: no broker answers
    "#]]);
    stopped().ask(REPLAY).with(gone).check(&expect![[r#"
        Stopping
        waits for Kafka
        ! KafkaUnreachable: no broker answers
    "#]]);
    written().with(gone).check(&expect![[r#"
        Resetting
        waits for Kafka
        ! KafkaUnreachable: no broker answers
    "#]]);
    started(COMMITTED).with(gone).check(&expect![[r#"
        Starting
        ! KafkaUnreachable: no broker answers
    "#]]);
}

#[test]
fn an_app_whose_template_is_refused_is_not_stopped_for_a_replay() {
    running()
        .ask(REPLAY)
        .with(|seen| children(seen).template = Some(Template::Refused("spec.containers: no such field".into())))
        .check(&expect![[r#"
            Stopping
            waits for a podTemplate that the API server takes
            ! TemplateRefused: the API server refuses podTemplate: spec.containers: no such field; correct it, what runs goes on as it was
        "#]]);
}

#[test]
fn an_id_acts_once() {
    started(END).done().ask("spec: {replay: {id: again, from: {latest: {}}}}").check(&expect![[r#"
        Steady
    "#]]);
    started(END).done().ask("spec: {replay: null}").check(&expect![[r#"
        Steady
    "#]]);
}

#[test]
fn what_one_copy_of_the_ledger_has_lost_is_restored_from_the_other() {
    let lost = |seen: &mut _| children(seen).ledger = None;
    started(END).done().with(lost).check(&expect![[r#"
        - restore the ledger of again
    "#]]);
    written().with(lost).check(&expect![[r#"
        - restore the ledger of again
    "#]]);
    let broken = |seen: &mut _| {
        children(seen).ledger.as_mut().expect("written").replays = Err("expected value at line 1".into());
    };
    started(END).done().with(broken).check(&expect![[r#"
        ! InvalidSpec: what the ConfigMap inventory-replays holds of replays cannot be read: expected value at line 1; correct it, or delete it to have it restored from the status
    "#]]);
}

#[test]
fn a_suspended_app_is_reset_and_started_when_it_is_resumed() {
    proved().ask("spec: {suspend: true}").check(&expect![[r#"
        Starting
        waits for spec.suspend to be false
    "#]]);
}

#[test]
fn a_second_replay_takes_the_place_of_one_that_is_not_done() {
    written().ask("spec: {replay: {id: other, from: {latest: {}, earliest: null}}}").check(&expect![[r#"
        Resetting
        - write down replay other: saved order-events/0@900 order-events/1@900, begins order-events/0@1000 order-events/1@1000
    "#]]);
    started(COMMITTED).ask("spec: {replay: {id: other}}").check(&expect![[r#"
        Stopping
        - apply deployment inventory-app replicas=0
        waits for inventory-app-1-0, inventory-app-1-1 to end
    "#]]);
}

#[test]
fn a_program_that_does_not_see_the_end_of_a_transaction_has_caught_up() {
    started(END - 1).check(&expect![[r#"
        CatchingUp
        - note that replay again has caught up
    "#]]);
}
