//! What a status says of a view, beyond what its plan says.

use crate::scene::{END, OTHER_QUERY, PAUSE, REPLAY, Scene, only, steady, topic, view};
use millrace_contract::catalog::LEASE_SECONDS;
use millrace_crds::{ConditionType, Forecast, MaterializedViewStatus};
use millrace_operator::view::{
    moment::Moment,
    observed::{Observed, Offsets},
    request::{Request, Verb},
    status::Outcome,
};

/// The status of Ready, its reason, and the generation that it is about.
fn ready(status: &MaterializedViewStatus) -> (&str, &str, Option<i64>) {
    let ready = status.condition(ConditionType::Ready).expect("it is always there");
    (&ready.status, &ready.reason, ready.observed_generation)
}

#[test]
fn a_paused_view_says_nothing_of_a_generation_that_nobody_looked_at() {
    let live = steady().report(&Outcome::Done, &MaterializedViewStatus::default());
    assert_eq!(ready(&live), ("True", "Live", Some(1)));
    let paused = steady().ask(PAUSE).report(&Outcome::Done, &live);
    assert_eq!(ready(&paused), ("True", "Paused", Some(1)));
    let changed = steady().ask(PAUSE).ask("metadata: {generation: 2}");
    let once = changed.report(&Outcome::Done, &paused);
    for status in [&once, &changed.report(&Outcome::Done, &once)] {
        assert_eq!(ready(status), ("Unknown", "Paused", Some(1)));
        assert_eq!(status.observed_generation, Some(1));
    }
    let resumed = steady().ask("metadata: {generation: 2}").report(&Outcome::Done, &once);
    assert_eq!(ready(&resumed), ("True", "Live", Some(2)));
    assert_eq!(resumed.observed_generation, Some(2));
}

#[test]
fn records_that_come_after_an_idle_day_are_not_a_day_late() {
    const DAY: i64 = 24 * 3600 * 1000;
    let now = Moment(1_700_000_000_000);
    let day_ago = Moment(now.0 - DAY);
    // Two seconds ago the workers found nothing to read.
    let renewed = Moment(now.0 + i64::from(LEASE_SECONDS) * 1000 - 2_000);
    let idle = |seen: &mut Observed| {
        for task in &mut only(seen).progress {
            (task.event_time, task.committed_at) = (Some(day_ago), Some(day_ago));
            (task.lease_until, task.lag_records) = (Some(renewed), Some(0));
        }
        topic(seen).partitions.insert(0, Offsets { earliest: 0, end: END + 20_000 });
    };
    let busy = || steady().with(idle);
    let status = busy().report(&Outcome::Done, &MaterializedViewStatus::default());
    assert_eq!((status.lag_records, status.freshness_milliseconds), (Some(20_000), Some(2_000)));
    assert_eq!(ready(&status), ("True", "Live", Some(1)));
    // One partition has been waiting since before that.
    let late = busy().with(|seen| only(seen).progress[1].lag_records = Some(20_000));
    let status = late.report(&Outcome::Done, &MaterializedViewStatus::default());
    assert_eq!(status.freshness_milliseconds, Some(DAY));
    assert_eq!(ready(&status), ("False", "CatchingUp", Some(1)));
}

#[test]
fn a_status_says_which_id_promotes_and_which_requests_have_acted() {
    let built = || steady().ask(OTHER_QUERY).begun(0);
    let status = built().report(&Outcome::Done, &MaterializedViewStatus::default());
    let rollout = status.rollout.clone().expect("a rollout");
    assert_eq!((rollout.promote.as_ref(), status.requests.len()), (Some(&rollout.revision), 0));
    let request = Request { verb: Verb::Promote, id: rollout.revision.clone() };
    let asked = || built().ask_by_name("millrace.dev/promote");
    let before = asked().report(&Outcome::Done, &status);
    assert!(before.requests.is_empty());
    let acted = || asked().with(|seen| view(seen).requests.extend([(request.clone(), None)]));
    // What has acted acts no more: another id would let the revision go live.
    let spent = acted().report(&Outcome::Done, &before);
    assert_eq!(spent.request(&request).map(|acted| acted.nothing_to_do.as_deref()), Some(None));
    assert_eq!(spent.rollout.and_then(|rollout| rollout.promote), Some(format!("{}.2", rollout.revision)));
    let approved = acted().with(|seen| {
        let rows = view(seen).revisions.iter_mut();
        rows.for_each(|(_, row)| row.approved_at = Some(Moment(0)));
    });
    let approved = approved.report(&Outcome::Done, &before);
    assert_eq!(approved.rollout.and_then(|rollout| rollout.promote), None);
    let in_vain = asked().with(|seen| view(seen).requests.extend([(request.clone(), Some("할 일 없음".into()))]));
    let in_vain = in_vain.report(&Outcome::Done, &before);
    let said = in_vain.request(&request).and_then(|acted| acted.nothing_to_do.as_deref());
    assert_eq!(said, Some("할 일 없음"));
    let live = acted().ask("metadata: {annotations: null}").report(&Outcome::Done, &before);
    assert!(live.requests.is_empty());
    let steady = steady().report(&Outcome::Done, &MaterializedViewStatus::default());
    assert_eq!(steady.rollout.and_then(|rollout| rollout.promote), None);
}

#[test]
fn a_rollout_says_what_it_will_do_before_it_is_made_and_the_same_while_it_is() {
    let forecast = |scene: &Scene| -> Option<Forecast> {
        scene.report(&Outcome::Done, &MaterializedViewStatus::default()).rollout?.forecast
    };
    assert_eq!(forecast(&steady()), None);
    for change in [OTHER_QUERY, REPLAY] {
        let stopped = || steady().ask(change).ask("spec: {rollout: {paused: true}}");
        let before = forecast(&stopped()).expect("a rollout is to come");
        assert_eq!((before.records, before.bytes), (Some(100_000), Some(12_000_000)));
        assert_eq!((before.seconds, before.workers), (Some(20), 2));
        assert_eq!(before.sentences.len(), 3, "{:?}", before.sentences);
        let moved = stopped().with(|seen| {
            topic(seen).partitions.insert(0, Offsets { earliest: 0, end: END + 300 });
        });
        assert_eq!(forecast(&moved), Some(before.clone()), "a few records more change nothing");
        for read in [0, END] {
            assert_eq!(forecast(&steady().ask(change).begun(read)), Some(before.clone()));
        }
    }
}
