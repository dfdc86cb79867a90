//! Whole workers on real brokers and a real Postgres: what is read arrives, once.

use crate::common::{Scene, line, with_value};
use millrace_contract::Plan;
use millrace_test_support::plans;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use std::time::Duration;

fn random() -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(rand::rng().next_u64())
}

/// Some history before the first worker, some while two of them share the partitions, some after one has gone.
async fn check(plan: fn(&str) -> Plan) {
    let mut random = random();
    let mut scene = Scene::new(plan, 6).await;
    let table = !scene.stored.plan.sources[0].key.is_empty();
    let lines = |random: &mut ChaCha8Rng, from: usize| -> Vec<(String, Option<String>)> {
        let lines = (from..from + 2_000).map(|index| line(random, index));
        if table { lines.collect() } else { lines.map(with_value).collect() }
    };
    scene.produce(&lines(&mut random, 0)).await;
    let one = scene.worker("user-view-0");
    scene.caught_up().await;
    scene.assert_exact().await;
    let two = scene.worker("user-view-1");
    scene
        .until(
            "two workers hold three partitions each",
            "SELECT count(*) FILTER (WHERE holder = 'user-view-0') = 3
                AND count(*) FILTER (WHERE holder = 'user-view-1') = 3 FROM millrace.progress",
            Duration::from_secs(15),
        )
        .await;
    scene.produce(&lines(&mut random, 2_000)).await;
    scene.caught_up().await;
    scene.assert_exact().await;
    assert_eq!(one.end().code(), Some(0));
    let holders: Vec<(Option<String>,)> =
        scene.query("SELECT DISTINCT holder FROM millrace.progress WHERE holder = 'user-view-0'").await;
    assert!(holders.is_empty(), "a worker that was told to end gives its tasks back");
    scene.produce(&lines(&mut random, 4_000)).await;
    scene.caught_up().await;
    scene.assert_exact().await;
    assert_eq!(two.end().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_appended() {
    check(plans::append).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_is_kept() {
    check(plans::upsert).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_streams_groups_are_kept() {
    check(plans::stream_totals).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tables_groups_are_kept() {
    check(plans::table_totals).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_go_past_transaction_markers_and_aborted_records_are_not_read() {
    let mut scene = Scene::new(plans::append, 1).await;
    let producer: BaseProducer = crate::common::producer_config(&scene.kafka)
        .set("transactional.id", format!("tx-{}", scene.topic))
        .create()
        .expect("the settings are valid");
    let second = Duration::from_secs(10);
    producer.init_transactions(second).expect("transactions are there");
    let topic = scene.topic.clone();
    for (round, commit) in [(0, true), (1, false), (2, true), (3, false)] {
        producer.begin_transaction().expect("begun");
        for index in 0..5 {
            let value = format!(r#"{{"user":{{"id":{index},"name":"{round}"}}}}"#);
            producer.send(BaseRecord::<str, str>::to(&topic).payload(&value)).map_err(|(e, _)| e).expect("sent");
            producer.poll(Duration::ZERO);
        }
        producer.flush(second).expect("flushed");
        if commit {
            producer.commit_transaction(second).expect("committed");
        } else {
            producer.abort_transaction(second).expect("aborted");
        }
    }
    let worker = scene.worker("user-view-0");
    // 20 records and 4 markers.
    scene
        .until(
            "the position is behind the last marker",
            "SELECT next_offset = 24 FROM millrace.progress",
            Duration::from_secs(15),
        )
        .await;
    assert_eq!(scene.stored.rows().await.len(), 10);
    scene
        .until("nothing is left to read", "SELECT lag_records = 0 FROM millrace.progress", Duration::from_secs(10))
        .await;

    // Records of an open transaction are not read, and are no lag.
    producer.begin_transaction().expect("begun");
    producer.send(BaseRecord::<str, str>::to(&topic).payload("{}")).map_err(|(e, _)| e).expect("sent");
    producer.flush(second).expect("flushed");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let rows: Vec<(i64, Option<i64>)> = scene.query("SELECT next_offset, lag_records FROM millrace.progress").await;
    assert_eq!(rows, [(24, Some(0))]);
    producer.commit_transaction(second).expect("committed");
    scene
        .until("the transaction is read", "SELECT next_offset = 26 FROM millrace.progress", Duration::from_secs(10))
        .await;
    assert_eq!(scene.stored.rows().await.len(), 11);
    scene.assert_continuous().await;
    drop(worker);
    scene.records.clear();
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_and_metrics_tell_the_truth() {
    let mut scene = Scene::new(plans::upsert, 2).await;
    let worker = scene.worker("user-view-0");
    scene
        .until(
            "tasks are held",
            "SELECT bool_and(holder = 'user-view-0') FROM millrace.progress",
            Duration::from_secs(10),
        )
        .await;
    scene.produce_history(&mut random(), 500).await;
    scene.produce(&[("7".into(), Some("{".into()))]).await;
    scene.caught_up().await;
    assert_eq!(worker.get("/healthz").map(|(status, _)| status), Some(200));
    assert_eq!(worker.get("/readyz").map(|(status, _)| status), Some(200));
    assert_eq!(worker.metric("millrace_worker_records_total", ""), Some(501.0));
    assert_eq!(worker.metric("millrace_worker_tasks_held", ""), Some(2.0));
    assert_eq!(worker.metric("millrace_worker_dead_letters_total", "reason=\"Decode\""), Some(1.0));
    assert!(worker.metric("millrace_worker_epochs_total", "").is_some_and(|epochs| epochs >= 1.0));
    assert!(worker.metric("millrace_worker_commit_seconds_count", "").is_some_and(|epochs| epochs >= 1.0));
    assert!(worker.metric("millrace_worker_resident_memory_bytes", "").is_some_and(|bytes| bytes < 100e6));
    let rows: Vec<(Option<i64>, Option<i64>)> =
        scene.query("SELECT sum(records)::bigint, sum(dead_letters)::bigint FROM millrace.progress").await;
    assert_eq!(rows, [(Some(501), Some(1))]);
    for text in worker.log().lines() {
        serde_json::from_str::<serde_json::Value>(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_are_shown_to_kafkas_tools() {
    use rdkafka::{
        TopicPartitionList,
        consumer::{BaseConsumer, Consumer},
    };
    let mut scene = Scene::new(plans::append, 2).await;
    scene.produce(&(0..50).map(|n| (n.to_string(), Some("{}".into()))).collect::<Vec<_>>()).await;
    let worker = scene.worker("user-view-0");
    scene.caught_up().await;
    let shown = |group: &str| -> i64 {
        let consumer: BaseConsumer = rdkafka::ClientConfig::new()
            .set("bootstrap.servers", &scene.kafka)
            .set("group.id", group)
            .create()
            .expect("the settings are valid");
        let mut list = TopicPartitionList::new();
        list.add_partition_range(&scene.topic, 0, 1);
        let committed = consumer.committed_offsets(list, Duration::from_secs(10)).expect("the group answers");
        committed.elements().iter().filter_map(|element| element.offset().to_raw()).map(|offset| offset.max(0)).sum()
    };
    let wait = async |group: &str| {
        for _ in 0..100 {
            if shown(group) == 50 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("group {group} shows {}", shown(group));
    };
    wait("millrace.shop.user-view.0123abcd").await;
    assert_eq!(shown("millrace.shop.user-view"), 0, "the stable group is the live revision's");
    scene.stored.go_live().await;
    wait("millrace.shop.user-view").await;
    drop(worker);
}
