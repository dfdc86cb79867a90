//! A topic that grows: keys move to other partitions, and each still counts once.

use crate::common::Scene;
use millrace_contract::Plan;
use millrace_test_support::{TemporaryKafka, plans};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rdkafka::admin::{AdminOptions, NewPartitions};
use std::time::Duration;

async fn check(plan: fn(&str) -> Plan) {
    let mut random = ChaCha8Rng::seed_from_u64(rand::rng().next_u64());
    let mut scene = Scene::new(plan, 6).await;
    scene.produce_history(&mut random, 1_500).await;
    let _workers = [scene.worker("user-view-0"), scene.worker("user-view-1")];
    scene.produce_history(&mut random, 500).await;
    TemporaryKafka::shared()
        .await
        .admin()
        .create_partitions(&[NewPartitions::new(&scene.topic, 8)], &AdminOptions::new())
        .await
        .expect("the topic grows");
    // A producer that has heard of it puts old keys into other partitions, before anybody reads those.
    loop {
        scene.produce_history(&mut random, 50).await;
        if scene.records.iter().any(|record| record.partition >= 6) {
            break;
        }
        scene.producer = crate::common::producer_config(&scene.kafka).create().expect("the settings are valid");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    scene.produce_history(&mut random, 1_500).await;
    let topic = crate::common::identity(&scene.kafka, &scene.topic).await;
    assert_eq!(topic.partitions, 8);
    scene.stored.add_partitions(&topic, 6).await;
    scene.produce_history(&mut random, 1_500).await;
    scene.caught_up().await;
    scene.assert_exact().await;
    let shared: Vec<(bool,)> = scene.query("SELECT bool_and(shared) FROM millrace.progress").await;
    assert_eq!(shared, [(true,)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tables_rows_survive_growth() {
    check(plans::upsert).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tables_groups_survive_growth() {
    check(plans::table_totals).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_another_partitioner_placed_are_noticed() {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut scene = Scene::new(plans::table_totals, 4).await;
    let _worker = scene.worker("user-view-0");
    scene.produce_history(&mut random, 300).await;
    scene.caught_up().await;
    let shared: Vec<(bool,)> = scene.query("SELECT bool_or(shared) FROM millrace.progress").await;
    assert_eq!(shared, [(false,)], "murmur2 places keys where they are expected");
    // librdkafka's own default is CRC32.
    scene.producer =
        crate::common::producer_config(&scene.kafka).set("partitioner", "consistent_random").create().expect("valid");
    scene.produce_history(&mut random, 300).await;
    scene.caught_up().await;
    let shared: Vec<(bool,)> = scene.query("SELECT bool_and(shared) FROM millrace.progress").await;
    assert_eq!(shared, [(true,)]);
    scene.assert_exact().await;
}
