//! What could not be asked, and what is gone: nothing is stopped, dropped or swapped because of it.

use crate::scene::{END, MINUTE, OTHER_QUERY, REPLAY, building, kafka_is_gone, only, postgres_is_gone, steady, topic};
use expect_test::expect;
use millrace_operator::view::{
    known::Known,
    observed::{Observed, Offsets},
};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(24 * 3600);

#[test]
fn nothing_is_stopped_while_kafka_cannot_be_asked() {
    let gone = |seen: &mut Observed| seen.kafka = Known::Unknown(kafka_is_gone());
    steady().with(gone).check(&expect![[r#"
        A Steady
        ! KafkaUnreachable: no broker answers
    "#]]);
    steady().ask(OTHER_QUERY).with(gone).check(&expect![[r#"
        B Building
        waits for no broker answers
        ! KafkaUnreachable: no broker answers
    "#]]);
    building().with(gone).check(&expect![[r#"
        A Building
        waits for Kafka, to know where the topics end
        ! KafkaUnreachable: no broker answers
    "#]]);
}

#[test]
fn nothing_is_done_while_postgres_cannot_be_asked() {
    steady().ask(OTHER_QUERY).with(|seen| seen.catalog = Known::Unknown(postgres_is_gone())).check(&expect![[r#"
        ! PostgresUnreachable: Postgres does not answer
    "#]]);
}

#[test]
fn what_was_read_and_is_gone_waits_for_a_replay() {
    let cut = || {
        steady().with(|seen| {
            only(seen).progress[0].next_offset = 10;
            topic(seen).partitions.insert(0, Offsets { earliest: 500, end: END });
        })
    };
    cut().ask(REPLAY).check(&expect![[r#"
        B Building
        - create revision B replays 0->1 for replay again user-events/0@500 user-events/1@0
    "#]]);
    cut().check(&expect![[r#"
        A Steady
        ! DataLost: topic user-events partition 0 begins at offset 500, the view has read up to 10: the records between are gone; ask for a replay (spec.replay with a new id) to build the view from what is left
    "#]]);
    steady().with(|seen| topic(seen).id = "topic-2".into()).check(&expect![[r#"
        A Steady
        ! TopicRecreated: topic user-events was deleted and made again (its id was topic-1 and is topic-2); ask for a replay (spec.replay with a new id) to build the view from the new one
    "#]]);
    steady().with(|seen| topic(seen).id = "topic-2".into()).ask(REPLAY).check(&expect![[r#"
        B Building
        - create revision B replays 0->1 for replay again user-events/0@0 user-events/1@0
    "#]]);
}

#[test]
fn what_was_read_and_is_gone_since_is_not_read_again() {
    let retained = |seen: &mut Observed| {
        topic(seen).partitions.insert(0, Offsets { earliest: 500, end: END });
    };
    steady().with(retained).check(&expect![[r#"
        A Steady
    "#]]);
    steady().with(retained).ask(REPLAY).check(&expect![[r#"
        A Steady
        ! RetentionCutsReplay: topic user-events partition 0 begins at offset 500 now, the live revision was built from offset 0: a new revision would lack those records, so the live one stays; to do without them write acceptTruncation: true in spec.replay
    "#]]);
}

fn keeps_tombstones_for_a_day(seen: &mut Observed) {
    topic(seen).keeps_tombstones = Some(DAY);
}

#[test]
fn a_table_that_was_not_read_while_tombstones_went_is_built_anew() {
    let records_come = |seen: &mut Observed| {
        topic(seen).partitions.insert(0, Offsets { earliest: 0, end: END + 1 });
    };
    let back_after = |pause| steady().later(pause).with(keeps_tombstones_for_a_day);
    back_after(2 * DAY).check(&expect![[r#"
        A Steady
    "#]]);
    back_after(DAY).with(records_come).check(&expect![[r#"
        A Steady
    "#]]);
    back_after(2 * DAY).with(records_come).check(&expect![[r#"
        B Building
        - create revision B replays 0->1 user-events/0@0 user-events/1@0
        ! TombstonesMayBeLost: topic user-events partition 0 was not read for 172800 s and keeps tombstones for 86400 s (delete.retention.ms): keys that were deleted meanwhile may stay in the view; it is built anew beside the live revision, as a replay (spec.replay with a new id) would do at any time
    "#]]);
    back_after(2 * DAY).with(records_come).ask(REPLAY).check(&expect![[r#"
        B Building
        - create revision B replays 0->1 for replay again user-events/0@0 user-events/1@0
    "#]]);
    back_after(2 * DAY).with(records_come).ask(REPLAY).begun(0).check(&expect![[r#"
        B Building
        waits for workers: revision B is 100000 records behind the live one
    "#]]);
    // While it is suspended nothing more is missed than already is.
    let suspended = back_after(2 * DAY).with(records_come).ask("spec: {suspend: true}");
    suspended.check(&expect![[r#"
        A Steady
        - apply deployment user-view-A replicas=0
    "#]]);
}

#[test]
fn a_build_that_outlasts_tombstones_is_abandoned() {
    let patient = || steady().ask(OTHER_QUERY).ask("spec: {rollout: {timeout: 48h}}").begun(0);
    let slow = |age| patient().later(age).with(keeps_tombstones_for_a_day);
    slow(DAY - MINUTE).check(&expect![[r#"
        B Building
        waits for workers: revision B is 100000 records behind the live one
    "#]]);
    slow(DAY).check(&expect![[r#"
        B Building
        - abandon B: TombstonesMayBeLost
    "#]]);
}

#[test]
fn what_workers_cannot_go_on_with_is_said() {
    let stopped = "ErrorsStopped: 12 of 100 records failed";
    steady().with(|seen| only(seen).progress[1].problem = Some(stopped.into())).check(&expect![[r#"
        A Steady
        ! TooManyErrors: 12 of 100 records failed
    "#]]);
}
