//! Questions: a manifest in, the page about it out.

use crate::scene::{
    END, MINUTE, OTHER_QUERY, PAUSE, REPLAY, Scene, kafka_is_gone, nothing, only, prepared, steady, topic, view,
};
use expect_test::expect;
use millrace_crds::Verdict;
use millrace_operator::view::{
    known::Known,
    moment::Moment,
    observed::{Observed, Offsets},
    question::{answer, status, supposed},
};

/// What the live revision has in Postgres was asked for.
fn measured(seen: &mut Observed) {
    view(seen).live_bytes = Some(8_000_000);
}

#[test]
fn what_changes_nothing_is_no_rollout() {
    steady().asked(&expect![[r#"
        shop/user-view: no rollout, the live revision is what this manifest asks for
    "#]]);
    steady().ask("spec: {workers: {mode: Fixed, replicas: 3}}").asked(&expect![[r#"
        shop/user-view: no rollout, the live revision is what this manifest asks for

        What is done at once:
        - apply deployment user-view-A replicas=3
    "#]]);
}

#[test]
fn a_replay_says_what_it_reads_and_what_it_needs() {
    steady().with(measured).ask(REPLAY).asked(&expect![[r#"
        shop/user-view: a rollout

        Revision B would be built beside A, which readers see until B is at or past it in every partition.

        What changes:
        - the replay 'again' computes everything once more

        What it takes:
        - 100,000 records are read by 2 workers, about 12 MB
        - that takes about 20 s, at 5,000 records/s
        - Postgres holds 8 MB of this view, and about 16 MB while both revisions are there

        topic        partition  from     to  records
        user-events          0     0  50000   50,000
        user-events          1     0  50000   50,000
    "#]]);
}

#[test]
fn the_page_of_the_documentation_is_what_is_answered() {
    let documentation = include_str!("../../../docs/replay.md").replace("5e6f7a8b", "B").replace("1a2b3c4d", "A");
    let page = steady().with(measured).ask("spec: {replay: {id: what-if}}").page();
    assert!(documentation.contains(&format!("```text\n{page}```\n")), "docs/replay.md does not show:\n{page}");
}

#[test]
fn a_result_that_there_is_no_room_for_twice_is_said_to_be_dropped() {
    let in_place = "spec: {rollout: {strategy: InPlaceWithDowntime}}";
    steady().with(measured).ask(REPLAY).ask(in_place).asked(&expect![[r#"
        shop/user-view: a rollout

        Revision B would take the place of A at once and empty; readers see it fill.

        What changes:
        - the replay 'again' computes everything once more

        What it takes:
        - 100,000 records are read by 2 workers, about 12 MB
        - that takes about 20 s, at 5,000 records/s
        - Postgres holds 8 MB of this view, which are dropped when the new revision goes live

        topic        partition  from     to  records
        user-events          0     0  50000   50,000
        user-events          1     0  50000   50,000
    "#]]);
}

#[test]
fn a_column_that_comes_is_said_and_one_that_goes_needs_a_person() {
    steady().ask("spec: {query: 'SELECT id, name, name AS loud FROM users'}").asked_in_short(&expect![[r#"
        shop/user-view: a rollout

        What changes:
        - the query computes something else
        - column loud text is new

        What it takes:
        - 100,000 records are read by 2 workers, about 12 MB
        - that takes about 20 s, at 5,000 records/s
    "#]]);
    let without = || steady().ask("spec: {query: 'SELECT id FROM users'}");
    without().asked_in_short(&expect![[r#"
        shop/user-view: refused

        What changes:
        - the query computes something else
        - column name text is gone, and null from then on

        What it takes:
        - 100,000 records are read by 2 workers, about 12 MB
        - that takes about 20 s, at 5,000 records/s

        What speaks against it:
        - BreakingChange: readers of shop.user_view would lose columns: name text is gone; keep them in the query with their types, or write rollout.onBreakingChange: AwaitApproval and let a person decide, or make another MaterializedView
    "#]]);
    without().ask("spec: {rollout: {onBreakingChange: AwaitApproval}}").asked_in_short(&expect![[r#"
        shop/user-view: a rollout

        What changes:
        - the query computes something else
        - column name text is gone, and null from then on

        What it takes:
        - 100,000 records are read by 2 workers, about 12 MB
        - that takes about 20 s, at 5,000 records/s
        - it goes live when a person promotes it
    "#]]);
}

#[test]
fn other_changes_are_said_by_the_names_of_their_fields() {
    let source = "spec: {sources: [{deleteWhen: name = 'x'}], timeZone: Asia/Seoul}";
    steady().ask(source).with(|seen| only(seen).built = None).asked_in_short(&expect![[r#"
        shop/user-view: a rollout

        What changes:
        - the source users is declared otherwise: deleteWhen
        - the time zone is Asia/Seoul, and was UTC

        What it takes:
        - 100,000 records are read by 2 workers, about 12 MB
        - how long that takes is not known yet: no revision of this view was built from 10,000 records or more
    "#]]);
}

#[test]
fn a_topic_that_retention_has_cut_is_refused_with_its_offsets() {
    let cut = |seen: &mut Observed| {
        topic(seen).partitions.insert(0, Offsets { earliest: 500, end: END });
    };
    steady().ask(OTHER_QUERY).with(cut).asked(&expect![[r#"
        shop/user-view: refused

        Revision B would be built beside A, which readers see until B is at or past it in every partition.

        What changes:
        - the query computes something else

        What it takes:
        - 99,500 records are read by 2 workers, about 12 MB
        - that takes about 20 s, at 5,000 records/s
        - retention cuts off 1 of 2 partitions

        topic        partition  from     to  records
        user-events          0   500  50000   49,500  cut off
        user-events          1     0  50000   50,000

        What speaks against it:
        - RetentionCutsReplay: topic user-events partition 0 begins at offset 500 now, the live revision was built from offset 0: a new revision would lack those records, so the live one stays; to do without them ask for a replay: write spec.replay with a new id and acceptTruncation: true
    "#]]);
}

#[test]
fn a_first_build_is_forecast_before_there_is_anything() {
    prepared().asked(&expect![[r#"
        shop/user-view: a rollout

        Revision A would be the first; readers see it once it has read what there is.

        What changes:
        - readers will see the columns id bigint, name text

        What it takes:
        - 100,000 records are read by 2 workers
        - how long that takes is not known yet: no revision of this view was built from 10,000 records or more

        topic        partition  from     to  records
        user-events          0     0  50000   50,000
        user-events          1     0  50000   50,000
    "#]]);
    nothing().asked(&expect![[r#"
        shop/user-view: a rollout

        Revision A would be the first; readers see it once it has read what there is.

        What changes:
        - readers will see the columns id bigint, name text

        What it takes:
        - what is read is not known yet: it waits for topic user-events

        What is done at once:
        - create topic user-events partitions=2 replicas=3 {min.insync.replicas=2}
    "#]]);
}

#[test]
fn what_waits_for_a_person_says_so() {
    steady().ask(OTHER_QUERY).ask("spec: {rollout: {paused: true}}").asked_in_short(&expect![[r#"
        shop/user-view: a rollout

        What changes:
        - the query computes something else

        What it takes:
        - 100,000 records are read by 2 workers, about 12 MB
        - that takes about 20 s, at 5,000 records/s

        What it waits for:
        - a person: rollout.paused is true; write false to let the rollout go on
    "#]]);
    steady().ask(PAUSE).asked_in_short(&expect![[r#"
        shop/user-view: no rollout, the live revision is what this manifest asks for

        What it waits for:
        - a person: the annotation millrace.dev/pause-reconcile keeps the operator from doing anything
    "#]]);
}

#[test]
fn a_manifest_that_is_wrong_is_refused_and_a_world_that_does_not_answer_is_asked_again() {
    steady().ask("spec: {query: 'SELECT nothing FROM users'}").asked(&expect![[r#"
        shop/user-view: refused

        What speaks against it:
        - InvalidQuery: spec.query line 1, column 8: found unknown column "nothing"; the source users has id, name: write one of them
    "#]]);
    steady().ask("spec: {target: {schema: bank}}").asked(&expect![[r#"
        shop/user-view: refused

        What speaks against it:
        - NotAllowed: target.schema is bank, but the namespace shop may write the schema shop only; write that, or let the operator's configuration (tenancy) allow it
    "#]]);
    steady().ask("spec: {target: {name: 사용자}}").asked(&expect![[r#"
        shop/user-view: refused

        What speaks against it:
        - InvalidSpec: target is shop.사용자 and was shop.user_view, but it cannot change, because readers know the table by it; write shop.user_view, or make another MaterializedView
    "#]]);
    steady().with(|seen| seen.kafka = Known::Unknown(kafka_is_gone())).asked(&expect![[r#"
        not answered: KafkaUnreachable: no broker answers
    "#]]);
}

#[test]
fn records_that_are_gone_speak_against_a_query_and_not_against_the_replay_that_is_the_way_out() {
    let lost = |scene: Scene| {
        scene.with(|seen| {
            let task = &mut only(seen).progress[0];
            (task.next_offset, task.bytes) = (100, Some(12_000));
            topic(seen).partitions.insert(0, Offsets { earliest: 500, end: END });
        })
    };
    lost(steady()).ask(REPLAY).asked(&expect![[r#"
        shop/user-view: a rollout

        Revision B would be built beside A, which readers see until B is at or past it in every partition.

        What changes:
        - the replay 'again' computes everything once more

        What it takes:
        - 99,500 records are read by 2 workers, about 12 MB
        - that takes about 20 s, at 5,000 records/s

        topic        partition  from     to  records
        user-events          0   500  50000   49,500
        user-events          1     0  50000   50,000
    "#]]);
}

#[test]
fn an_answer_says_when_it_was_given_and_whether_it_is_one() {
    let manifest = r#"
        apiVersion: millrace.dev/v1alpha1
        kind: RolloutPlan
        metadata: {name: what-if, namespace: shop, generation: 3}
        spec:
          view: user-view
          spec:
            sources: [{name: users, topic: user-events, as: Stream, columns: [{name: id, type: bigint}]}]
            query: SELECT id FROM users
            target: {schema: shop, name: user_view}
    "#;
    let mut question: millrace_crds::RolloutPlan = serde_yaml::from_str(manifest).expect("a question");
    let view = supposed(&question, None);
    assert_eq!(view.metadata.name.as_deref(), Some("user-view"));
    assert_eq!(view.metadata.namespace.as_deref(), Some("shop"));
    let now = Moment(1_700_000_000_000);
    question.status = Some(status(&question, Err(kafka_is_gone()), now));
    assert_eq!(question.verdict(), None);
    let first = question.status.clone();
    question.status = Some(status(&question, Err(kafka_is_gone()), now + MINUTE));
    assert_eq!(question.status, first, "nothing is written while nothing has changed");
    let scene = steady();
    let answered = answer(&scene.desired(), &scene.observed, now);
    question.status = Some(status(&question, answered, now + MINUTE));
    assert_eq!(question.verdict(), Some(Verdict::NoRollout));
    question.metadata.generation = Some(4);
    assert_eq!(question.verdict(), None, "the question is another one");
}
