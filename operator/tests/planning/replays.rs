//! Replays: where each begins, what it would leave out, and that an id acts once.

use crate::scene::{END, MINUTE, OTHER_QUERY, REPLAY, Scene, building, only, prepared, steady, topic, view};
use expect_test::expect;
use millrace_operator::view::observed::{Built, Observed, Offsets};
use std::time::Duration;

/// A replay from `from` in the manifest, with what else is written beside it.
fn from(choice: &str) -> String {
    format!("spec: {{replay: {{id: again, from: {{earliest: null, {choice}}}}}}}")
}

const TOLD: &str = "spec: {replay: {id: again, discardHistory: true}}";

/// The view's revision was built from offset 1000 on.
fn begun_at_a_thousand() -> Scene {
    steady().with(|seen| {
        let rows = view(seen).revisions.values_mut();
        rows.flat_map(|row| &mut row.progress).for_each(|task| task.start_offset = 1_000);
    })
}

fn retention_kept(from: i64) -> impl Fn(&mut Observed) {
    move |seen| {
        topic(seen).partitions.insert(0, Offsets { earliest: from, end: END });
    }
}

#[test]
fn a_replay_that_would_leave_records_out_is_refused_with_the_offsets() {
    steady().ask(&from("latest: {}")).check(&expect![[r#"
        A Steady
        ! ReplayDiscardsHistory: the replay 'again' would leave records out: topic user-events partition 0 would be read from offset 50000, the live revision began at 0 and has read up to 50000; topic user-events partition 1 would be read from offset 50000, the live revision began at 0 and has read up to 50000; to do without them write discardHistory: true in spec.replay, or let it begin earlier
    "#]]);
    steady().ask(&from("latest: {}")).ask(TOLD).check(&expect![[r#"
        B Building
        - create revision B replays 0->1 for replay again user-events/0@50000 user-events/1@50000
    "#]]);
    steady().ask(&from("offsets: {users: {'0': 0, '1': 7}}")).check(&expect![[r#"
        A Steady
        ! ReplayDiscardsHistory: the replay 'again' would leave records out: topic user-events partition 1 would be read from offset 7, the live revision began at 0 and has read up to 50000; to do without them write discardHistory: true in spec.replay, or let it begin earlier
    "#]]);
    begun_at_a_thousand().ask(&from("offsets: {users: {'0': 1000, '1': 900}}")).check(&expect![[r#"
        B Building
        - create revision B replays 0->1 for replay again user-events/0@1000 user-events/1@900
    "#]]);
}

#[test]
fn what_is_being_built_goes_on_beside_a_replay_that_is_refused() {
    steady().ask(OTHER_QUERY).begun(0).ask(&from("latest: {}")).check(&expect![[r#"
        B Building
        waits for workers: revision B is 100000 records behind the live one
        ! ReplayDiscardsHistory: the replay 'again' would leave records out: topic user-events partition 0 would be read from offset 50000, the live revision began at 0 and has read up to 50000; topic user-events partition 1 would be read from offset 50000, the live revision began at 0 and has read up to 50000; to do without them write discardHistory: true in spec.replay, or let it begin earlier
    "#]]);
    // Asked for in one manifest, neither is done without the other.
    steady().ask(OTHER_QUERY).ask(&from("latest: {}")).check(&expect![[r#"
        B Building
        waits for the replay 'again' would leave records out: topic user-events partition 0 would be read from offset 50000, the live revision began at 0 and has read up to 50000; topic user-events partition 1 would be read from offset 50000, the live revision began at 0 and has read up to 50000; to do without them write discardHistory: true in spec.replay, or let it begin earlier
        ! ReplayDiscardsHistory: the replay 'again' would leave records out: topic user-events partition 0 would be read from offset 50000, the live revision began at 0 and has read up to 50000; topic user-events partition 1 would be read from offset 50000, the live revision began at 0 and has read up to 50000; to do without them write discardHistory: true in spec.replay, or let it begin earlier
    "#]]);
}

#[test]
fn a_replay_from_a_time_begins_where_kafka_says() {
    let since = |first: i64| {
        move |seen: &mut Observed| {
            topic(seen).since.extend([(0, first), (1, END)]);
        }
    };
    let asked = || begun_at_a_thousand().ask(&from("timestamp: '2023-11-14T20:00:00Z'"));
    asked().check(&expect![[r#"
        B Building
        waits for the offset of topic user-events partition 0 at that time
    "#]]);
    asked().with(since(400)).ask(TOLD).check(&expect![[r#"
        B Building
        - create revision B replays 0->1 for replay again user-events/0@400 user-events/1@50000
    "#]]);
    asked().with(since(400)).check(&expect![[r#"
        A Steady
        ! ReplayDiscardsHistory: the replay 'again' would leave records out: topic user-events partition 1 would be read from offset 50000, the live revision began at 1000 and has read up to 50000; to do without them write discardHistory: true in spec.replay, or let it begin earlier
    "#]]);
    // Nobody knows of which time the records were that are gone.
    let cut = || asked().ask(TOLD).with(since(500)).with(retention_kept(500));
    cut().check(&expect![[r#"
        A Steady
        ! RetentionCutsReplay: topic user-events partition 0 begins at offset 500 now, and older records may be of the time asked for: a new revision would lack those records, so the live one stays; to do without them write acceptTruncation: true in spec.replay
    "#]]);
    cut().ask("spec: {replay: {acceptTruncation: true}}").check(&expect![[r#"
        B Building
        - create revision B replays 0->1 for replay again user-events/0@500 user-events/1@50000
    "#]]);
    steady().ask(&from("duration: 24h")).with(since(400)).ask(TOLD).check(&expect![[r#"
        B Building
        - create revision B replays 0->1 for replay again user-events/0@400 user-events/1@50000
    "#]]);
}

#[test]
fn another_query_over_a_topic_that_retention_has_cut_says_how_to_go_on() {
    steady().ask(OTHER_QUERY).with(retention_kept(500)).check(&expect![[r#"
        B Building
        waits for topic user-events partition 0 begins at offset 500 now, the live revision was built from offset 0: a new revision would lack those records, so the live one stays; to do without them ask for a replay: write spec.replay with a new id and acceptTruncation: true
        ! RetentionCutsReplay: topic user-events partition 0 begins at offset 500 now, the live revision was built from offset 0: a new revision would lack those records, so the live one stays; to do without them ask for a replay: write spec.replay with a new id and acceptTruncation: true
    "#]]);
}

#[test]
fn a_replay_of_what_retention_has_removed_is_refused_unless_it_is_accepted() {
    let cut = || steady().ask(REPLAY).with(retention_kept(500));
    cut().check(&expect![[r#"
        A Steady
        ! RetentionCutsReplay: topic user-events partition 0 begins at offset 500 now, the live revision was built from offset 0: a new revision would lack those records, so the live one stays; to do without them write acceptTruncation: true in spec.replay
    "#]]);
    cut().ask("spec: {replay: {acceptTruncation: true}}").check(&expect![[r#"
        B Building
        - create revision B replays 0->1 for replay again user-events/0@500 user-events/1@0
    "#]]);
    let offsets =
        || begun_at_a_thousand().ask(&from("offsets: {users: {'0': 100, '1': 100}}")).with(retention_kept(500));
    offsets().check(&expect![[r#"
        A Steady
        ! RetentionCutsReplay: topic user-events partition 0 begins at offset 500 now, asked for is 100: a new revision would lack those records, so the live one stays; to do without them write acceptTruncation: true in spec.replay
    "#]]);
    offsets().ask("spec: {replay: {acceptTruncation: true}}").check(&expect![[r#"
        B Building
        - create revision B replays 0->1 for replay again user-events/0@500 user-events/1@100
    "#]]);
}

#[test]
fn a_replay_that_retention_would_overtake_is_refused_with_both_speeds() {
    let slow = |seen: &mut Observed| {
        only(seen).built = Some(Built { records: 10_000, time: Duration::from_secs(10_000) });
    };
    let replay = |offset: i64| from(&format!("offsets: {{users: {{'0': {offset}, '1': 0}}}}"));
    let asked = |offset| steady().ask(&replay(offset)).ask(TOLD).with(retention_kept(36_600));
    let later = |offset| asked(offset).later(60 * MINUTE);
    later(40_000).with(slow).check(&expect![[r#"
        A Steady
        ! RetentionCutsReplay: topic user-events partition 0 begins at offset 36600 now, loses 10 records/s and would be read from offset 40000 on at 0.5 records/s: a new revision would lack those records, so the live one stays; to do without them write acceptTruncation: true in spec.replay
    "#]]);
    let begins = expect![[r#"
        B Building
        - create revision B replays 0->1 for replay again user-events/0@40000 user-events/1@0
    "#]];
    later(40_000).with(slow).ask("spec: {replay: {acceptTruncation: true}}").check(&begins);
    // Read fast enough; at a speed that nobody knows; when one look at the log says nothing of its speed.
    later(40_000).check(&begins);
    later(40_000).with(|seen| only(seen).built = None).check(&begins);
    asked(40_000).with(slow).check(&begins);
    // What little is left is read before.
    later(49_999).with(slow).check(&expect![[r#"
        B Building
        - create revision B replays 0->1 for replay again user-events/0@49999 user-events/1@0
    "#]]);
}

#[test]
fn offsets_that_the_topic_does_not_have_are_refused() {
    steady().ask(&from("offsets: {users: {'0': 0}}")).check(&expect![[r#"
        A Steady
        ! InvalidSpec: replay.from.offsets says nothing of partition 1 of topic user-events, but a replay from offsets must say where each partition begins; it has the offsets 0 to 50000: write one of them
    "#]]);
    steady().ask(&from("offsets: {users: {'0': 0, '1': 50001}}")).check(&expect![[r#"
        A Steady
        ! InvalidSpec: replay.from.offsets begins partition 1 of topic user-events at 50001, but it ends at 50000; write 50000 or less
    "#]]);
    steady().ask(&from("offsets: {users: {'0': 0, '1': 0, '2': 0}}")).check(&expect![[r#"
        A Steady
        ! InvalidSpec: replay.from.offsets has partition 2 of topic user-events, but the topic has 2 partitions, from 0 on; take it out
    "#]]);
}

#[test]
fn a_first_revision_begins_where_its_replay_says_and_so_does_the_next_query() {
    prepared().ask(&from("offsets: {users: {'0': 10, '1': 20}}")).check(&expect![[r#"
        A Building
        waits for the replay 'again' would leave records out: topic user-events partition 0 would be read from offset 10, and older records from 0 on decide what is in the result; topic user-events partition 1 would be read from offset 20, and older records from 0 on decide what is in the result; to do without them write discardHistory: true in spec.replay, or let it begin earlier
        ! ReplayDiscardsHistory: the replay 'again' would leave records out: topic user-events partition 0 would be read from offset 10, and older records from 0 on decide what is in the result; topic user-events partition 1 would be read from offset 20, and older records from 0 on decide what is in the result; to do without them write discardHistory: true in spec.replay, or let it begin earlier
    "#]]);
    prepared().ask(&from("offsets: {users: {'0': 10, '1': 20}}")).ask(TOLD).check(&expect![[r#"
        A Building
        - create revision A replays 0->0 for replay again user-events/0@10 user-events/1@20
    "#]]);
    begun_at_a_thousand().ask(OTHER_QUERY).check(&expect![[r#"
        B Building
        - create revision B replays 0->0 user-events/0@1000 user-events/1@1000
    "#]]);
    building()
        .with(|seen| {
            let rows = view(seen).revisions.values_mut();
            rows.flat_map(|row| &mut row.progress).for_each(|task| task.start_offset = 1_000);
        })
        .ask(OTHER_QUERY)
        .check(&expect![[r#"
            B Building
            - abandon A: Superseded
            - create revision B replays 0->0 user-events/0@1000 user-events/1@1000
        "#]]);
}

#[test]
fn the_annotation_asks_as_the_field_does_and_an_id_acts_once_whichever_way_it_came() {
    let annotated = |scene: Scene| scene.ask("metadata: {annotations: {millrace.dev/replay: again}}");
    annotated(steady()).check(&expect![[r#"
        B Building
        - create revision B replays 0->1 for replay again user-events/0@0 user-events/1@0
    "#]]);
    let done = || steady().ask(REPLAY).begun(END).cut_over(MINUTE);
    annotated(done().ask("spec: {replay: null}")).check(&expect![[r#"
        B Steady
    "#]]);
    annotated(done()).ask("spec: {replay: {id: once-more}}").check(&expect![[r#"
        C Building
        - create revision C replays 1->2 for replay once-more user-events/0@0 user-events/1@0
    "#]]);
    // Refused as the annotation asks, the field says how to go on with the same id.
    let cut = || annotated(steady()).with(retention_kept(500));
    cut().check(&expect![[r#"
        A Steady
        ! RetentionCutsReplay: topic user-events partition 0 begins at offset 500 now, the live revision was built from offset 0: a new revision would lack those records, so the live one stays; to do without them write acceptTruncation: true in spec.replay
    "#]]);
    cut().ask("spec: {replay: {id: again, acceptTruncation: true}}").check(&expect![[r#"
        B Building
        - create revision B replays 0->1 for replay again user-events/0@500 user-events/1@0
    "#]]);
    steady().ask("metadata: {annotations: {millrace.dev/replay: 'again and again'}}").check(&expect![[r#"
        ! InvalidSpec: the annotation millrace.dev/replay is 'again and again', but it must have letters a to z, digits, dots, _ and - only, begin and end with a letter or a digit, and have at most 63 characters; write for example after-bugfix-42
    "#]]);
}
