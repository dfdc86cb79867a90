//! Where a replay begins, by each choice, and when it is refused: then nothing is stopped.

use crate::scene::{EARLIEST, END, Scene, group, input, offsets, running, stopped};
use expect_test::expect;

fn replay(from: &str) -> Scene {
    stopped().ask(&format!("spec: {{replay: {{id: again, from: {from}}}}}"))
}

#[test]
fn a_replay_begins_where_it_says() {
    replay("{earliest: {}}").check(&expect![[r#"
        Resetting
        - write down replay again: saved order-events/0@900 order-events/1@900, begins order-events/0@100 order-events/1@100
    "#]]);
    replay("{latest: {}}").check(&expect![[r#"
        Resetting
        - write down replay again: saved order-events/0@900 order-events/1@900, begins order-events/0@1000 order-events/1@1000
    "#]]);
    replay("{offsets: {order-events: {'1': 500}}}").check(&expect![[r#"
        Resetting
        - write down replay again: saved order-events/0@900 order-events/1@900, begins order-events/1@500
    "#]]);
    replay("{shiftBy: -100}").check(&expect![[r#"
        Resetting
        - write down replay again: saved order-events/0@900 order-events/1@900, begins order-events/0@800 order-events/1@800
    "#]]);
    replay("{shiftBy: 50}").check(&expect![[r#"
        Resetting
        - write down replay again: saved order-events/0@900 order-events/1@900, begins order-events/0@950 order-events/1@950
    "#]]);
}

#[test]
fn a_time_is_looked_up_by_kafka() {
    let timed = || replay("{timestamp: '2023-11-14T22:00:00Z'}");
    timed().check(&expect![[r#"
        Stopping
        waits for the offset of topic order-events partition 0 at that time
    "#]]);
    timed().with(|seen| input(seen).since = [(0, 400), (1, END)].into()).check(&expect![[r#"
        Resetting
        - write down replay again: saved order-events/0@900 order-events/1@900, begins order-events/0@400 order-events/1@1000
    "#]]);
    replay("{duration: 24h}").with(|seen| input(seen).since = [(0, EARLIEST), (1, 450)].into()).check(&expect![[r#"
        Resetting
        - write down replay again: saved order-events/0@900 order-events/1@900, begins order-events/0@100 order-events/1@450
    "#]]);
}

#[test]
fn a_shift_stays_within_what_the_topic_has() {
    replay("{shiftBy: -1000}").check(&expect![[r#"
        Resetting
        - write down replay again: saved order-events/0@900 order-events/1@900, begins order-events/0@100 order-events/1@100
    "#]]);
    replay("{shiftBy: 1000}").check(&expect![[r#"
        Resetting
        - write down replay again: saved order-events/0@900 order-events/1@900, begins order-events/0@1000 order-events/1@1000
    "#]]);
    replay("{shiftBy: -10}").with(|seen| group(seen).committed.clear()).check(&expect![[r#"
        Resetting
        - write down replay again: saved nothing, begins order-events/0@100 order-events/1@100
    "#]]);
}

#[test]
fn a_replay_goes_back_to_where_the_group_was_before_another() {
    let once = replay("{earliest: {}}").done();
    assert_eq!(once.replays()[0].saved, offsets(900));
    let back = once.ask("spec: {replay: {id: back, from: {saved: again, earliest: null}}}");
    back.check(&expect![[r#"
        Resetting
        - write down replay back: saved order-events/0@900 order-events/1@900, begins order-events/0@900 order-events/1@900
    "#]]);
    let fresh = || replay("{earliest: {}}").with(|seen| group(seen).committed.clear()).done();
    fresh().ask("spec: {replay: {id: back, from: {saved: again, earliest: null}}}").check(&expect![[r#"
        Resetting
        - write down replay back: saved nothing, begins order-events/0@100 order-events/1@100
    "#]]);
}

#[test]
fn an_id_that_was_not_is_refused_and_nothing_is_stopped() {
    running().ask("spec: {replay: {id: back, from: {saved: never}}}").check(&expect![[r#"
        Steady
        ! InvalidSpec: replay.from.saved is 'never', but there was no replay of that id; there was no replay yet: write the id of a replay that was
    "#]]);
}

#[test]
fn offsets_that_the_topic_does_not_have_are_refused() {
    let asks = |offsets: &str| {
        running().ask(&format!("spec: {{replay: {{id: again, from: {{offsets: {{order-events: {offsets}}}}}}}}}"))
    };
    asks("{'0': 99}").check(&expect![[r#"
        Steady
        ! InvalidSpec: replay.from.offsets begins partition 0 of topic order-events at 99, but it has the offsets 100 to 1000; write one of them
    "#]]);
    asks("{'0': 1001}").check(&expect![[r#"
        Steady
        ! InvalidSpec: replay.from.offsets begins partition 0 of topic order-events at 1001, but it has the offsets 100 to 1000; write one of them
    "#]]);
    asks("{'7': 500}").check(&expect![[r#"
        Steady
        ! InvalidSpec: replay.from.offsets has partition 7 of topic order-events, but the topic has 2 partitions, from 0 on; take it out
    "#]]);
}

#[test]
fn an_app_that_is_made_with_a_replay_begins_there() {
    crate::scene::prepared().ask("spec: {replay: {id: first, from: {latest: {}}}}").check(&expect![[r#"
        Resetting
        - write down replay first: saved nothing, begins order-events/0@1000 order-events/1@1000
    "#]]);
}
