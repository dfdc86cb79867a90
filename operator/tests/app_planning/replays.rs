//! Where a replay begins, by each choice, and when it is refused: then nothing is stopped.

use crate::scene::{EARLIEST, END, Scene, group, input, offsets, running, stopped};
use expect_test::expect;

fn replay(from: &str) -> Scene {
    stopped().ask(&format!("spec: {{replay: {{id: again, from: {from}}}}}"))
}

#[test]
fn a_replay_begins_where_it_says() {
    replay("{earliest: {}}").check(&expect![[""]]);
    replay("{latest: {}}").check(&expect![[""]]);
    replay("{offsets: {order-events: {1: 500}}}").check(&expect![[""]]);
    replay("{shiftBy: -100}").check(&expect![[""]]);
    replay("{shiftBy: 50}").check(&expect![[""]]);
}

#[test]
fn a_time_is_looked_up_by_kafka() {
    let timed = || replay("{timestamp: '2023-11-14T22:00:00Z'}");
    timed().check(&expect![[""]]);
    timed().with(|seen| input(seen).since = [(0, 400), (1, END)].into()).check(&expect![[""]]);
    replay("{duration: 24h}").with(|seen| input(seen).since = [(0, EARLIEST), (1, 450)].into()).check(&expect![[""]]);
}

#[test]
fn a_shift_stays_within_what_the_topic_has() {
    replay("{shiftBy: -1000}").check(&expect![[""]]);
    replay("{shiftBy: 1000}").check(&expect![[""]]);
    replay("{shiftBy: -10}").with(|seen| group(seen).committed.clear()).check(&expect![[""]]);
}

#[test]
fn a_replay_goes_back_to_where_the_group_was_before_another() {
    let once = replay("{earliest: {}}").done();
    assert_eq!(once.replays()[0].saved, offsets(900));
    let back = once.ask("spec: {replay: {id: back, from: {saved: again, earliest: null}}}");
    back.check(&expect![[""]]);
    let fresh = || replay("{earliest: {}}").with(|seen| group(seen).committed.clear()).done();
    fresh().ask("spec: {replay: {id: back, from: {saved: again, earliest: null}}}").check(&expect![[""]]);
}

#[test]
fn an_id_that_was_not_is_refused_and_nothing_is_stopped() {
    running().ask("spec: {replay: {id: back, from: {saved: never}}}").check(&expect![[""]]);
}

#[test]
fn offsets_that_the_topic_does_not_have_are_refused() {
    for (offsets, expected) in [("{0: 99}", expect![[""]]), ("{0: 1001}", expect![[""]]), ("{7: 500}", expect![[""]])] {
        let from = format!("spec: {{replay: {{id: again, from: {{offsets: {{order-events: {offsets}}}}}}}}}");
        running().ask(&from).check(&expected);
    }
}

#[test]
fn an_app_that_is_made_with_a_replay_begins_there() {
    crate::scene::prepared().ask("spec: {replay: {id: first, from: {latest: {}}}}").check(&expect![[""]]);
}
