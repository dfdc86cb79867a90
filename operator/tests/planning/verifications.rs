//! Verifications: a copy of the live revision is built, compared and dropped, and nothing else changes.

use crate::scene::{END, MINUTE, OTHER_QUERY, Scene, kafka_is_gone, steady, topic, view};
use expect_test::expect;
use millrace_contract::revision::RevisionState;
use millrace_crds::{ComparisonStatus, MaterializedViewStatus, VerificationResult};
use millrace_operator::view::{
    comparison::{Comparison, State},
    known::Known,
    moment::Moment,
    observed::Observed,
    request::{Request, Verb},
    status::Outcome,
    verification::{Verification, copy_of},
};

const NOW: i64 = 1_700_000_000_000;

fn annotated(scene: Scene, verb: &str, value: &str) -> Scene {
    scene.ask(&format!("metadata: {{annotations: {{millrace.dev/{verb}: '{value}'}}}}"))
}

/// The live revision is verified since a minute ago, and its copy has read each partition so far.
fn verified(next_offset: i64) -> Scene {
    let begun_at = Moment(NOW - 60_000);
    let begin = |seen: &mut Observed| {
        let view = view(seen);
        let live = view.live.clone().expect("one is live");
        let mut row = view.revisions[&live].clone();
        row.created_at = begun_at;
        row.progress.iter_mut().for_each(|task| task.next_offset = next_offset);
        view.revisions.insert(copy_of(&live), row);
        let (id, copy) = (Some("mine".to_owned()), Some(copy_of(&live)));
        view.verification = Some(Verification { id, copy, begun_at, result: None });
        view.requests.insert(Request { verb: Verb::Verify, id: "mine".into() }, None);
    };
    annotated(steady(), "verify", "mine").with(begin).workers()
}

fn compared(state: State) -> impl FnOnce(&mut Observed) {
    move |seen| {
        let view = view(seen);
        let live = view.live.clone().expect("one is live");
        let comparison = Comparison { live: live.clone(), begun_at: Moment(NOW - 30_000), state };
        view.comparisons.insert(copy_of(&live), comparison);
    }
}

fn found(different: i64) -> State {
    let (compared_rows, only_in_live, only_in_next) = (1_000, 0, 0);
    State::Found(ComparisonStatus { compared_rows, only_in_live, only_in_next, different, sample: Vec::new() })
}

/// The copy was given up.
fn given_up(seen: &mut Observed) {
    let view = view(seen);
    let copy = copy_of(view.live.as_ref().expect("one is live"));
    let row = view.revisions.get_mut(&copy).expect("it is built");
    (row.state, row.reason) = (RevisionState::Abandoned, Some("RolloutAborted: a person gave it up".into()));
}

#[test]
fn a_verification_builds_a_copy_of_what_is_live_or_says_why_not() {
    annotated(steady(), "verify", "mine").check(&expect![[r#"
        A Steady
        - obey verify mine: build B to verify A
    "#]]);
    annotated(steady().ask(OTHER_QUERY).begun(0), "verify", "mine").check(&expect![[r#"
        B Building
        - obey verify mine: nothing: what is live is not what the resource asks for, and a rollout comes first
        waits for workers: revision B is 100000 records behind the live one
    "#]]);
    let cut = |seen: &mut Observed| topic(seen).partitions.get_mut(&1).expect("two partitions").earliest = 10;
    annotated(steady(), "verify", "mine").with(cut).check(&expect![[r#"
        A Steady
        - obey verify mine: nothing: topic user-events partition 1 begins at offset 10 now, the live revision was built from offset 0: what is built now would lack those records
    "#]]);
    // What the topic has is not known: the request waits, and nothing else does.
    let gone = |seen: &mut Observed| seen.kafka = Known::Unknown(kafka_is_gone());
    annotated(steady(), "verify", "mine").with(gone).check(&expect![[r#"
        A Steady
        ! KafkaUnreachable: no broker answers
    "#]]);
    annotated(verified(0), "verify", "another").check(&expect![[r#"
        A Steady
        - obey verify another: nothing: a verification goes on already
        waits for revisions A and B to stand at equal positions, where they are compared
    "#]]);
}

#[test]
fn a_copy_is_compared_where_both_have_read_the_same() {
    verified(0).check(&expect![[r#"
        A Steady
        waits for revisions A and B to stand at equal positions, where they are compared
    "#]]);
    verified(END - 100).check(&expect![[r#"
        A Steady
        - hold A and B at equal positions
        waits for revisions A and B to stand at equal positions, where they are compared
    "#]]);
    verified(END).check(&expect![[r#"
        A Steady
        - compare B with A
    "#]]);
    verified(END).with(compared(State::Running)).check(&expect![[r#"
        A Steady
    "#]]);
    verified(END).with(compared(State::Lost)).check(&expect![[r#"
        A Steady
        - compare B with A
    "#]]);
    verified(END).with(compared(found(0))).check(&expect![[r#"
        A Steady
        - end verification by B: Equal
    "#]]);
    verified(END).with(compared(found(2))).check(&expect![[r#"
        A Steady
        - end verification by B: Different
    "#]]);
    verified(END).with(compared(State::Failed("out of disk".into()))).check(&expect![[r#"
        A Steady
        - end verification by B: Refused
    "#]]);
}

#[test]
fn a_verification_ends_when_something_else_comes_first() {
    verified(0).ask(OTHER_QUERY).check(&expect![[r#"
        B Building
        - create revision B replays 0->0 user-events/0@0 user-events/1@0
        - end verification by C: Refused
    "#]]);
    verified(0).later(121 * MINUTE).check(&expect![[r#"
        A Steady
        - end verification by B: Refused
    "#]]);
    annotated(verified(0), "abort", "mine").check(&expect![[r#"
        A Steady
        - obey abort mine: abandon B
        waits for revisions A and B to stand at equal positions, where they are compared
    "#]]);
    verified(0).with(given_up).check(&expect![[r#"
        A Steady
        - delete deployment user-view-B
        - end verification by B: Refused
        - drop revision B
    "#]]);
    // It is nobody's to promote.
    let copy = verified(0).observed.catalog.present().and_then(|catalog| {
        let copy = catalog.view.as_ref()?.verification.as_ref()?.copy.clone()?;
        Some(copy.0)
    });
    annotated(verified(0), "promote", &copy.expect("a copy")).check(&expect![[r#"
        A Steady
        - obey promote B: nothing: no revision of that name is being built
        waits for revisions A and B to stand at equal positions, where they are compared
    "#]]);
}

#[test]
fn what_a_verification_came_to_stays_in_the_status() {
    let ended = verified(END).with(compared(found(2))).with(given_up).with(|seen| {
        let result = Some((VerificationResult::Different, "revision B gives other rows".to_owned()));
        view(seen).verification.as_mut().expect("one was begun").result = result;
    });
    ended.check(&expect![[r#"
        A Steady
        - delete deployment user-view-B
        - drop revision B
    "#]]);
    let status = ended.report(&Outcome::Done, &MaterializedViewStatus::default());
    let verification = status.verification.expect("it is shown");
    assert_eq!(verification.id.as_deref(), Some("mine"));
    assert_eq!(verification.result, Some(VerificationResult::Different));
    assert_eq!(verification.message.as_deref(), Some("revision B gives other rows"));
    assert_eq!(verification.comparison.expect("what was found").different, 2);
    // Another one has not found anything yet.
    let again = verified(END).with(compared(found(2))).with(|seen| {
        view(seen).verification.as_mut().expect("one was begun").begun_at = Moment(NOW);
    });
    let status = again.report(&Outcome::Done, &MaterializedViewStatus::default());
    assert_eq!(status.verification.expect("it is shown").comparison, None);
}

#[test]
fn a_view_is_verified_as_often_as_its_resource_says() {
    let hourly = || steady().ask("spec: {verify: {every: 1h}}");
    hourly().check(&expect![[r#"
        A Steady
    "#]]);
    hourly().later(60 * MINUTE).check(&expect![[r#"
        A Steady
        - build B to verify A
    "#]]);
    // Not while something is rolled out.
    hourly().ask(OTHER_QUERY).begun(0).later(60 * MINUTE).check(&expect![[r#"
        B Building
        waits for workers: revision B is 100000 records behind the live one
    "#]]);
    let before = |seen: &mut Observed| {
        let result = Some((VerificationResult::Equal, String::new()));
        view(seen).verification =
            Some(Verification { id: None, copy: None, begun_at: Moment(NOW - 30 * 60_000), result });
    };
    hourly().with(before).later(29 * MINUTE).check(&expect![[r#"
        A Steady
    "#]]);
    hourly().with(before).later(30 * MINUTE).check(&expect![[r#"
        A Steady
        - build B to verify A
    "#]]);
}
