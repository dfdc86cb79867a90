//! Holds on real brokers and a real Postgres: workers come to stand at an offset exactly, and go on when it ends.

use crate::common::{Scene, recomputed};
use millrace_test_support::plans;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use std::time::Duration;

/// A machine that does much else besides is slow.
const PATIENCE: Duration = Duration::from_secs(60);

fn random() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(rand::rng().next_u64())
}

/// Holds partition 0 at `offset`; ends by itself after `seconds`.
async fn hold(scene: &Scene, offset: i64, seconds: u32) {
    let until = format!("hold_until = clock_timestamp() + interval '{seconds} s'");
    scene.execute(&format!("UPDATE millrace.progress SET hold_offset = {offset}, {until} WHERE partition = 0")).await;
}

async fn release(scene: &Scene) {
    scene.execute("UPDATE millrace.progress SET hold_until = clock_timestamp()").await;
}

async fn stands_at(scene: &Scene, offset: i64) {
    let there = format!("SELECT next_offset = {offset} FROM millrace.progress WHERE partition = 0");
    scene.until("the partition stands at its hold", &there, PATIENCE).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(scene.positions().await[&0], offset, "{}", scene.state().await);
}

/// The result is that of the records before `offset` of partition 0, and of all others.
async fn assert_cut_at(scene: &Scene, offset: i64) {
    let before: Vec<_> =
        scene.records.iter().filter(|record| record.partition != 0 || record.offset < offset).cloned().collect();
    assert_eq!(scene.stored.rows().await, recomputed(&scene.stored.plan, &before));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_stops_in_the_middle_of_a_batch_and_goes_on_from_there() {
    let mut random = random();
    let mut scene = Scene::new(plans::table_totals, 2).await;
    scene.produce_history(&mut random, 3_000).await;
    hold(&scene, 777, 600).await;
    let worker = scene.worker("user-view-0");
    stands_at(&scene, 777).await;
    scene
        .until(
            "the other partition goes on",
            "SELECT next_offset > 1000 FROM millrace.progress WHERE partition = 1",
            PATIENCE,
        )
        .await;
    assert_cut_at(&scene, 777).await;
    // It is kept, for longer than a lease that nobody renews.
    tokio::time::sleep(Duration::from_secs(9)).await;
    let kept = "SELECT holder = 'user-view-0' AND lease_until > now() AND owner = 1 FROM millrace.progress WHERE partition = 0";
    scene.until("the lease is renewed", kept, Duration::from_secs(1)).await;
    release(&scene).await;
    scene.caught_up().await;
    scene.assert_exact().await;
    assert_eq!(worker.metric("millrace_worker_dataflow_restarts_total", ""), None, "no session was lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_reads_as_fast_as_it_can_never_passes_a_hold() {
    let mut random = random();
    let mut scene = Scene::new(plans::upsert, 1).await;
    let worker = scene.worker("user-view-0");
    for _ in 0..5 {
        scene.produce_history(&mut random, 1_000).await;
        // Where it stands this moment: what is on its way goes past that.
        scene
            .execute(
                "UPDATE millrace.progress
                 SET hold_offset = next_offset, hold_until = clock_timestamp() + interval '1 minute'",
            )
            .await;
        let held: Vec<(i64,)> = scene.query("SELECT hold_offset FROM millrace.progress").await;
        let held = held[0].0;
        scene.produce_history(&mut random, 1_000).await;
        stands_at(&scene, held).await;
        assert_cut_at(&scene, held).await;
        // And a little further, without an end between the two.
        hold(&scene, held + 3, 60).await;
        stands_at(&scene, held + 3).await;
        release(&scene).await;
        scene.caught_up().await;
    }
    scene.assert_exact().await;
    assert_eq!(worker.metric("millrace_worker_dataflow_restarts_total", ""), None, "no session was lost");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_between_records_is_stood_at_exactly() {
    let scene = Scene::new(plans::append, 1).await;
    let producer: BaseProducer = crate::common::producer_config(&scene.kafka)
        .set("transactional.id", format!("tx-{}", scene.topic))
        .create()
        .expect("the settings are valid");
    let patience = Duration::from_secs(10);
    producer.init_transactions(patience).expect("transactions are there");
    // Each transaction is five records and its marker: 0..6, 6..12, and so on; the second one and the fourth are no
    // records to read.
    for commit in [true, false, true, false, true] {
        producer.begin_transaction().expect("begun");
        for _ in 0..5 {
            producer.send(BaseRecord::<str, str>::to(&scene.topic).payload("{}")).map_err(|(e, _)| e).expect("sent");
            producer.poll(Duration::ZERO);
        }
        producer.flush(patience).expect("flushed");
        match commit {
            true => producer.commit_transaction(patience).expect("committed"),
            false => producer.abort_transaction(patience).expect("aborted"),
        }
    }
    // On a marker, after it, in the middle of what was aborted, before the first record after that, at the end.
    hold(&scene, 5, 600).await;
    let worker = scene.worker("user-view-0");
    for (offset, rows) in [(5, 5), (6, 5), (9, 5), (12, 5), (13, 6), (18, 10), (30, 15)] {
        hold(&scene, offset, 600).await;
        stands_at(&scene, offset).await;
        assert_eq!(scene.stored.rows().await.len(), rows, "at {offset}");
    }
    release(&scene).await;
    scene.assert_continuous().await;
    drop(worker);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_at_a_hold_is_followed_by_one_that_stands_there_too() {
    let mut random = random();
    let mut scene = Scene::new(plans::table_totals, 2).await;
    scene.produce_history(&mut random, 2_000).await;
    hold(&scene, 500, 600).await;
    let worker = scene.worker("user-view-0");
    stands_at(&scene, 500).await;
    worker.kill();
    let _other = scene.worker("user-view-1");
    scene
        .until(
            "the other worker has the partition",
            "SELECT bool_and(holder = 'user-view-1') FROM millrace.progress",
            Duration::from_secs(30),
        )
        .await;
    stands_at(&scene, 500).await;
    assert_cut_at(&scene, 500).await;
    release(&scene).await;
    scene.caught_up().await;
    scene.assert_exact().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_nobody_ends_ends_by_itself() {
    let mut random = random();
    let mut scene = Scene::new(plans::upsert, 1).await;
    scene.produce_history(&mut random, 1_000).await;
    hold(&scene, 300, 600).await;
    let _worker = scene.worker("user-view-0");
    stands_at(&scene, 300).await;
    hold(&scene, 300, 3).await;
    scene.caught_up().await;
    scene.assert_exact().await;
}
