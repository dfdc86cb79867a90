//! What is kept current: the revision before the live one, for a rollback that has nothing to catch up.

use crate::scene::{END, MINUTE, OTHER_QUERY, Scene, kafka_is_gone, live, steady, topic, view};
use expect_test::expect;
use millrace_contract::revision::RevisionState;
use millrace_crds::MaterializedViewStatus;
use millrace_operator::view::{
    known::Known,
    moment::Moment,
    observed::{Observed, Offsets, RevisionRow},
    rhythm::Shown as _,
    shown::Shown,
    status::Outcome,
};
use std::time::Duration;

const CURRENT: &str = "spec: {rollout: {keepPreviousCurrent: true}}";
const THIRD_QUERY: &str = "spec: {query: 'SELECT id, name FROM users WHERE id > 20'}";

/// B became live a minute ago, and A's workers are still there.
fn cut_over() -> Scene {
    steady().ask(OTHER_QUERY).ask(CURRENT).begun(END).cut_over(MINUTE).workers()
}

/// A is kept current.
fn standby() -> Scene {
    cut_over().with(|seen| before(seen).state = RevisionState::Standby)
}

/// The revision that was live before.
fn before(seen: &mut Observed) -> &mut RevisionRow {
    view(seen).revisions.values_mut().find(|row| row.ended_at.is_some()).expect("one was live before")
}

fn rolled_back(seen: &mut Observed) {
    let view = view(seen);
    let to = view.previous().map(|(name, _)| name.clone());
    view.rolled_back = view.live.clone().zip(to);
}

#[test]
fn workers_of_the_revision_before_go_on_where_it_is_asked_for() {
    cut_over().check(&expect![[r#"
        B Steady
        - keep A current
    "#]]);
    standby().check(&expect![[r#"
        B Steady
    "#]]);
    let not_asked = "spec: {rollout: {keepPreviousCurrent: false}}";
    cut_over().ask(not_asked).check(&expect![[r#"
        B Steady
        - delete deployment user-view-A
    "#]]);
    standby().ask(not_asked).check(&expect![[r#"
        B Steady
        - keep A current no longer
    "#]]);
    // There is no room for two.
    standby().ask("spec: {rollout: {strategy: InPlaceWithDowntime}}").check(&expect![[r#"
        B Steady
        - keep A current no longer
    "#]]);
    // Its workers are what is kept, and they are as many as those of the live one.
    standby().ask("spec: {workers: {mode: Fixed, replicas: 3}}").check(&expect![[r#"
        B Steady
        - apply deployment user-view-B replicas=3
        - apply deployment user-view-A replicas=3
    "#]]);
    standby().ask("spec: {suspend: true}").check(&expect![[r#"
        B Steady
        - apply deployment user-view-B replicas=0
        - apply deployment user-view-A replicas=0
    "#]]);
    standby().ask("spec: {rollout: {paused: true}}").check(&expect![[r#"
        B Steady
    "#]]);
}

#[test]
fn it_is_kept_no_longer_than_any_revision_of_before() {
    standby().later(8 * MINUTE).check(&expect![[r#"
        B Steady
    "#]]);
    standby().later(10 * MINUTE).check(&expect![[r#"
        B Steady
        - keep A current no longer
    "#]]);
    let rests = |seen: &mut Observed| before(seen).state = RevisionState::Retired;
    standby().later(10 * MINUTE).with(rests).check(&expect![[r#"
        B Steady
        - delete deployment user-view-A
        - drop revision A
    "#]]);
}

#[test]
fn it_rests_while_a_third_revision_is_built_and_goes_on_when_that_is_given_up() {
    standby().ask(THIRD_QUERY).check(&expect![[r#"
        C Building
        - create revision C replays 0->0 user-events/0@0 user-events/1@0
    "#]]);
    let building = || standby().ask(THIRD_QUERY).begun(0);
    building().check(&expect![[r#"
        C Building
        - keep A current no longer
        waits for workers: revision C is 100000 records behind the live one
    "#]]);
    let given_up = |seen: &mut Observed| {
        let rows = view(seen).revisions.values_mut();
        let built = rows.max_by_key(|row| row.progress[0].next_offset == 0).expect("three revisions");
        (built.state, built.reason) = (RevisionState::Abandoned, Some("RolloutAborted: a person gave it up".into()));
    };
    let rests = |seen: &mut Observed| before(seen).state = RevisionState::Retired;
    building().with(rests).with(given_up).check(&expect![[r#"
        C Building
        - delete deployment user-view-C
        - keep A current
        ! RolloutAborted: revision C was abandoned: a person gave it up
    "#]]);
}

#[test]
fn it_follows_its_topic_and_rests_where_that_cannot_be_followed() {
    let grown = |seen: &mut Observed| {
        topic(seen).partitions.insert(2, Offsets { earliest: 0, end: 10 });
    };
    standby().with(grown).check(&expect![[r#"
        B Steady
        - add partitions to B user-events/2@0
        - add partitions to A user-events/2@0
    "#]]);
    let another = |seen: &mut Observed| before(seen).progress[0].topic_id = "topic-0".into();
    standby().with(another).check(&expect![[r#"
        B Steady
        - keep A current no longer
    "#]]);
    cut_over().with(another).check(&expect![[r#"
        B Steady
        - delete deployment user-view-A
    "#]]);
    let unread = |seen: &mut Observed| {
        topic(seen).keeps_tombstones = Some(MINUTE);
        topic(seen).partitions.insert(0, Offsets { earliest: 0, end: END + 1 });
        let long_ago = Moment(1_700_000_000_000 - 120_000);
        before(seen).progress.iter_mut().for_each(|task| task.lease_until = Some(long_ago));
    };
    standby().with(unread).check(&expect![[r#"
        B Steady
        - keep A current no longer
    "#]]);
    // Unknown is not gone: what works goes on, and what does not does not begin.
    let kafka_away = |seen: &mut Observed| seen.kafka = Known::Unknown(kafka_is_gone());
    standby().with(kafka_away).check(&expect![[r#"
        B Steady
        ! KafkaUnreachable: no broker answers
    "#]]);
    cut_over().with(kafka_away).check(&expect![[r#"
        B Steady
        ! KafkaUnreachable: no broker answers
    "#]]);
}

#[test]
fn it_gives_way_to_readers_as_a_revision_that_is_built_does() {
    standby().ask("spec: {rollout: {maxRecordsPerSecond: 20000}}").check(&expect![[r#"
        B Steady
        - let A read 20000/s
    "#]]);
    let late = |seen: &mut Observed| {
        topic(seen).partitions.insert(0, Offsets { earliest: 0, end: END + 20_000 });
        let day_ago = Moment(1_700_000_000_000 - 24 * 3_600_000);
        for task in &mut live(seen).progress {
            (task.event_time, task.committed_at, task.lag_records) = (Some(day_ago), Some(day_ago), Some(20_000));
        }
    };
    let late = || standby().ask("spec: {rollout: {maxLiveFreshness: 30s}}").with(late);
    late().check(&expect![[r#"
        B Steady
        - let A stand still
    "#]]);
    // Whoever goes back leaves what is late.
    let stood_still = |seen: &mut Observed| {
        let row = before(seen);
        (row.state, row.ended_at, row.pace) = (RevisionState::Open, None, Some(0));
        row.progress[0].next_offset = END - 5_000;
    };
    late().with(rolled_back).with(stood_still).check(&expect![[r#"
        A CatchingUp
        - let A read as fast as it can
        waits for workers: revision A is 5000 records behind the live one
    "#]]);
}

#[test]
fn a_rollback_to_it_swaps_at_once() {
    let back = || standby().with(rolled_back);
    back().check(&expect![[r#"
        A Building
        - reopen revision A
    "#]]);
    let reopened = |seen: &mut Observed| {
        let row = before(seen);
        (row.state, row.ended_at) = (RevisionState::Open, None);
    };
    back().with(reopened).check(&expect![[r#"
        A CuttingOver
        - show switch:B:A instead of plain:B
        waits for readers that hold the view open for longer than a moment
    "#]]);
    // Right after the cut-over the switch is still there: readers that hold it open keep nobody from going back.
    let switched = |seen: &mut Observed| {
        let view = view(seen);
        let (next, (live, _)) = (view.live.clone(), view.previous().expect("one was live before"));
        view.shown = Shown::Switch { live: live.clone(), next: next.expect("one is live") };
        view.old_snapshots = true;
    };
    back().with(switched).with(reopened).check(&expect![[r#"
        A CuttingOver
        - cut over from B to A
    "#]]);
    // What was gone back from may be what did the harm.
    let gone_back = |seen: &mut Observed| {
        let view = view(seen);
        let (from, to) = view.rolled_back.clone().expect("a person went back");
        for (name, row) in &mut view.revisions {
            row.state = if *name == to { RevisionState::Open } else { RevisionState::Retired };
            row.ended_at = (*name == from).then_some(Moment(1_700_000_000_000));
        }
        (view.live, view.shown) = (Some(to.clone()), Shown::Plain(to));
    };
    back().with(gone_back).check(&expect![[r#"
        A Steady
        - delete deployment user-view-B
        ! RolledBack: revision A is live because a person went back from B, which the resource asks for; write another query, ask for a replay (spec.replay with a new id), or let B go live again with the annotation millrace.dev/retry and a name of your choice
    "#]]);
}

#[test]
fn the_status_says_what_a_rollback_would_go_back_to_and_how_far_that_is_behind() {
    let status = |scene: Scene| scene.report(&Outcome::Done, &MaterializedViewStatus::default());
    assert_eq!(status(steady()).previous_revision, None);
    let current = status(standby());
    let previous = current.previous_revision.clone().expect("one is kept");
    assert_ne!(Some(&previous.revision), current.live_revision.as_ref());
    assert_eq!((previous.kept_current, previous.records_behind), (true, Some(0)));
    let until = previous.kept_until.expect("it was cut over").0;
    assert_eq!(until.as_millisecond(), 1_700_000_000_000 + Duration::from_secs(540).as_millis() as i64);
    let behind = |seen: &mut Observed| before(seen).progress[0].next_offset = END - 1_234;
    let late = status(standby().with(behind));
    assert_eq!(late.previous_revision.as_ref().and_then(|previous| previous.records_behind), Some(1_200));
    assert!(current.differs_in_figures_only(&late));
    let rests = status(cut_over().with(behind));
    assert_eq!(rests.previous_revision.as_ref().map(|previous| previous.kept_current), Some(false));
    assert!(!late.differs_in_figures_only(&rests));
}
