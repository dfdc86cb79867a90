//! A revision that is built beside readers: how fast it may read, and when it stands still for them.

use crate::scene::{
    END, MINUTE, OTHER_QUERY, Scene, children, kafka_is_gone, live, next, postgres_is_gone, steady, topic,
};
use expect_test::expect;
use millrace_operator::view::{
    known::Known,
    moment::Moment,
    observed::{Observed, Offsets},
};
use std::time::Duration;

const LIMIT: &str = "spec: {rollout: {maxRecordsPerSecond: 5000}}";
const FRESH: &str = "spec: {rollout: {maxLiveFreshness: 30s}}";
const DAY: Duration = Duration::from_secs(24 * 3600);
/// When nothing is said of it, a scene is now.
const NOW: Moment = Moment(1_700_000_000_000);

fn building() -> Scene {
    steady().ask(OTHER_QUERY).begun(0)
}

/// Records wait for the live revision, and the newest that readers see was made so many seconds ago.
fn late(seconds: i64) -> impl Fn(&mut Observed) {
    move |seen| {
        topic(seen).partitions.insert(0, Offsets { earliest: 0, end: END + 100 });
        live(seen).progress[0].event_time = Some(Moment(NOW.0 - seconds * 1000));
    }
}

fn pace(pace: i64) -> impl Fn(&mut Observed) {
    move |seen| next(seen).pace = Some(pace)
}

#[test]
fn a_build_is_limited_from_its_first_second_to_its_last() {
    steady().ask(OTHER_QUERY).ask(LIMIT).check(&expect![[r#"
        B Building
        - create revision B replays 0->0 at 5000/s user-events/0@0 user-events/1@0
    "#]]);
    building().ask(LIMIT).check(&expect![[r#"
        B Building
        - let B read 5000/s
        waits for workers: revision B is 100000 records behind the live one
    "#]]);
    building().ask(LIMIT).with(pace(5_000)).check(&expect![[r#"
        B Building
        waits for workers: revision B is 100000 records behind the live one
    "#]]);
    building().with(pace(5_000)).check(&expect![[r#"
        B Building
        - let B read as fast as it can
        waits for workers: revision B is 100000 records behind the live one
    "#]]);
    steady().ask(LIMIT).check(&expect![[r#"
        A Steady
    "#]]);
}

#[test]
fn a_live_revision_does_not_stand_still_for_one_that_is_slow() {
    let near = || steady().ask(OTHER_QUERY).begun(END - 100).switched();
    near().ask("spec: {rollout: {maxRecordsPerSecond: 40}}").with(pace(40)).check(&expect![[r#"
        B CuttingOver
        - fence A for B
        waits for revision B to pass the live one
    "#]]);
    near().ask("spec: {rollout: {maxRecordsPerSecond: 39}}").with(pace(39)).check(&expect![[r#"
        B CatchingUp
        waits for workers: revision B is 200 records behind the live one
    "#]]);
}

#[test]
fn a_build_stands_still_while_readers_see_records_too_late() {
    building().ask(FRESH).with(late(30)).check(&expect![[r#"
        B Building
        waits for workers: revision B is 100000 records behind the live one
    "#]]);
    building().ask(FRESH).with(late(31)).check(&expect![[r#"
        B Building
        - let B stand still
        waits for the live revision: B stands still since readers saw records later than rollout.maxLiveFreshness (30 s) allows, and goes on once they see them within half of that
    "#]]);
    // One that is made now begins so.
    steady().ask(OTHER_QUERY).ask(FRESH).with(late(31)).check(&expect![[r#"
        B Building
        - create revision B replays 0->0 at 0/s user-events/0@0 user-events/1@0
    "#]]);
    // Without the field nobody minds.
    building().with(late(3_000)).check(&expect![[r#"
        B Building
        waits for workers: revision B is 100000 records behind the live one
    "#]]);
}

#[test]
fn it_goes_on_once_they_see_them_well_in_time() {
    let stands = |seconds| building().ask(FRESH).with(pace(0)).with(late(seconds));
    stands(16).check(&expect![[r#"
        B Building
        waits for the live revision: B stands still since readers saw records later than rollout.maxLiveFreshness (30 s) allows, and goes on once they see them within half of that
    "#]]);
    stands(15).check(&expect![[r#"
        B Building
        - let B read as fast as it can
        waits for workers: revision B is 100000 records behind the live one
    "#]]);
    stands(15).ask(LIMIT).check(&expect![[r#"
        B Building
        - let B read 5000/s
        waits for workers: revision B is 100000 records behind the live one
    "#]]);
    // The last record was late, a day ago; nothing has come since.
    let idle = |seen: &mut Observed| {
        topic(seen).partitions.insert(0, Offsets { earliest: 0, end: END });
    };
    stands(24 * 3600).with(idle).check(&expect![[r#"
        B Building
        - let B read as fast as it can
        waits for workers: revision B is 100000 records behind the live one
    "#]]);
}

#[test]
fn close_behind_it_stands_still_as_well_and_no_fence_waits_for_it() {
    let near = steady().ask(OTHER_QUERY).ask(FRESH).begun(END - 100).switched();
    near.with(pace(0)).with(late(31)).check(&expect![[r#"
        B CatchingUp
        waits for the live revision: B stands still since readers saw records later than rollout.maxLiveFreshness (30 s) allows, and goes on once they see them within half of that
    "#]]);
}

#[test]
fn what_cannot_be_asked_changes_nothing() {
    let kafka_away = |seen: &mut Observed| seen.kafka = Known::Unknown(kafka_is_gone());
    building().ask(FRESH).with(late(31)).with(kafka_away).check(&expect![[r#"
        B Building
        waits for workers: revision B is 100000 records behind the live one
        ! KafkaUnreachable: no broker answers
    "#]]);
    building().ask(FRESH).with(pace(0)).with(kafka_away).check(&expect![[r#"
        B Building
        waits for the live revision: B stands still since readers saw records later than rollout.maxLiveFreshness (30 s) allows, and goes on once they see them within half of that
        ! KafkaUnreachable: no broker answers
    "#]]);
    // Nothing is known of any record that readers see.
    let unknown = |seen: &mut Observed| live(seen).progress[0].event_time = None;
    building().ask(FRESH).with(late(31)).with(unknown).check(&expect![[r#"
        B Building
        waits for workers: revision B is 100000 records behind the live one
    "#]]);
    building().ask(FRESH).with(|seen| seen.catalog = Known::Unknown(postgres_is_gone())).check(&expect![[r#"
        ! PostgresUnreachable: Postgres does not answer
    "#]]);
}

#[test]
fn a_live_revision_that_cannot_go_on_holds_nothing_back() {
    let stands = || building().ask(FRESH).with(pace(0)).with(late(3_000));
    let stopped = |seen: &mut Observed| {
        live(seen).progress[0].problem = Some("ErrorsStopped: 12 of 100 records failed".into());
    };
    stands().with(stopped).check(&expect![[r#"
        B Building
        - let B read as fast as it can
        waits for workers: revision B is 100000 records behind the live one
    "#]]);
    let lost = |seen: &mut Observed| {
        live(seen).progress[0].next_offset = 10;
        next(seen).progress[0].next_offset = 500;
        topic(seen).partitions.insert(0, Offsets { earliest: 500, end: END });
    };
    stands().with(lost).check(&expect![[r#"
        B Building
        - let B read as fast as it can
        waits for workers: revision B is 50000 records behind the live one
    "#]]);
    let without_workers = |seen: &mut Observed| {
        children(seen).deployments.values_mut().for_each(|deployment| deployment.ready = 0);
    };
    stands().with(without_workers).check(&expect![[r#"
        B Building
        - let B read as fast as it can
        waits for workers: revision B is 100000 records behind the live one
    "#]]);
    let fenced = steady().ask(OTHER_QUERY).ask(FRESH).begun(END - 100).switched().fenced(Duration::from_secs(10));
    fenced.with(late(3_000)).check(&expect![[r#"
        B CuttingOver
        waits for revision B to pass the live one
    "#]]);
}

#[test]
fn standing_still_for_longer_than_tombstones_are_kept_is_a_pause() {
    let patient = || steady().ask(OTHER_QUERY).ask("spec: {rollout: {timeout: 72h}}").begun(END - 100).later(2 * DAY);
    let held = |seen: &mut Observed| {
        topic(seen).keeps_tombstones = Some(DAY);
        next(seen).progress.iter_mut().for_each(|task| task.lease_until = Some(NOW + 2 * DAY));
    };
    patient().with(held).check(&expect![[r#"
        B CuttingOver
        - show switch:A:B instead of plain:A
        waits for readers that hold the view open for longer than a moment
    "#]]);
    let stood_still = |since: Duration| {
        move |seen: &mut Observed| {
            let row = next(seen);
            (row.pace, row.paced_at) = (Some(0), Some(NOW + since));
        }
    };
    patient().with(held).with(stood_still(DAY - MINUTE)).check(&expect![[r#"
        B Building
        - abandon B: TombstonesMayBeLost
    "#]]);
    patient().with(held).with(stood_still(DAY + MINUTE)).check(&expect![[r#"
        B CatchingUp
        - let B read as fast as it can
        waits for workers: revision B is 200 records behind the live one
    "#]]);
}
