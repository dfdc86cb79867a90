//! A reset of topics that cannot be seen, and of such as are no input any more.

use crate::{
    resets::{altered, begun, written},
    scene::{INPUT, SECOND, Scene, group, kafka, kafka_is_gone, offsets, running},
};
use expect_test::expect;
use millrace_crds::StreamAppStatus;
use millrace_operator::{
    app::observed::Observed,
    view::{known::Known, status::Outcome},
};

/// A leader of one of its partitions does not answer: what the group has committed of it is not asked for.
fn hide_input(seen: &mut Observed) {
    kafka(seen).by_topic.insert(INPUT.into(), Known::Unknown(kafka_is_gone()));
    group(seen).committed.remove(INPUT);
}

#[test]
fn offsets_of_a_topic_that_cannot_be_seen_are_not_taken_for_lost() {
    let waits = || {
        expect![[r#"
            Resetting
            waits for topic order-events
            ! KafkaUnreachable: no broker answers
        "#]]
    };
    // What was written down stays.
    written().with(hide_input).check(&waits());
    begun().with(hide_input).check(&waits());
    // Nobody is accused of a commit.
    altered().with(hide_input).check(&waits());
    altered().later(11 * SECOND).with(hide_input).check(&waits());
}

#[test]
fn a_sum_without_one_of_the_topics_is_no_lag() {
    let before = running().report(&Outcome::Done, &StreamAppStatus::default());
    let after = running().with(hide_input).report(&Outcome::Done, &before);
    assert_eq!((after.lag_records, after.lag), (Some(200), before.lag));
}

/// Another topic is read instead of the one that the reset was accepted for.
fn reads_another(scene: Scene) -> Scene {
    scene.ask("spec: {inputs: [{topic: returns}]}").with(|seen| {
        let topic = kafka(seen).by_topic.remove(INPUT).expect("it is there");
        kafka(seen).by_topic.insert("returns".into(), topic);
        group(seen).committed.remove(INPUT);
    })
}

#[test]
fn a_topic_that_is_no_input_any_more_is_neither_moved_nor_watched() {
    reads_another(begun()).check(&expect![[r#"
        Resetting
        - alter offsets for replay again to nothing
        - note that Kafka has taken the offsets of replay again
    "#]]);
    reads_another(altered()).later(11 * SECOND).check(&expect![[r#"
        Resetting
        - note that replay again is proved
    "#]]);
    let replays = reads_another(written()).done().replays();
    assert_eq!(replays[0].saved, offsets(900), "what was written down of it stays");
    assert!(replays[0].begun_at.is_some());
}

#[test]
fn a_partition_that_is_gone_holds_nothing_up() {
    let with_fewer = |seen: &mut Observed| {
        let Some(Known::Present(topic)) = kafka(seen).by_topic.get_mut(INPUT) else { panic!("it is there") };
        topic.partitions.remove(&1);
        group(seen).committed.get_mut(INPUT).expect("it is committed").remove(&1);
    };
    begun().ask("spec: {inputs: [{topic: order-events}]}").with(with_fewer).check(&expect![[r#"
        Resetting
        - alter offsets for replay again to order-events/0@100
        - note that Kafka has taken the offsets of replay again
    "#]]);
}
