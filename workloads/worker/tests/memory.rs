//! A million keys through one worker: memory stays bounded, and every key arrives.

#[path = "worker/common/mod.rs"]
mod common;

use common::Scene;
use millrace_contract::Plan;
use millrace_test_support::plans;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use std::time::{Duration, Instant};

const KEYS: usize = 1_000_000;
const LIMIT: f64 = 100e6;

/// Sends every key once, as fast as the brokers take them.
fn produce(kafka: &str, topic: &str) {
    let producer: BaseProducer = common::producer_config(kafka)
        .set("queue.buffering.max.messages", "200000")
        .set("compression.type", "lz4")
        .create()
        .expect("the settings are valid");
    for id in 0..KEYS {
        let key = id.to_string();
        let value = format!(
            r#"{{"event_type":"USER_CREATED","user":{{"id":{id},"name":"홍길동{id}","email":"hong{id}@example.com","department":"개발{}팀","age":{},"status":"ACTIVE","created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}},"at":"2026-01-01T00:00:00Z"}}"#,
            id % 100,
            18 + id % 50
        );
        let mut record = BaseRecord::to(topic).key(&key).payload(&value);
        while let Err((_, back)) = producer.send(record) {
            producer.poll(Duration::from_millis(10));
            record = back;
        }
    }
    producer.flush(Duration::from_secs(60)).expect("everything is delivered");
}

async fn check(plan: fn(&str) -> Plan, rows: usize) {
    let scene = Scene::new(plan, 6).await;
    let (kafka, topic) = (scene.kafka.clone(), scene.topic.clone());
    tokio::task::spawn_blocking(move || produce(&kafka, &topic)).await.expect("produced");
    let worker = scene.worker_with("user-view-0", &[("MILLRACE_LOG", "info")]);
    let begun = Instant::now();
    let mut most: f64 = 0.0;
    loop {
        most = most.max(worker.metric("millrace_worker_resident_memory_bytes", "").unwrap_or(0.0));
        let done: Vec<(i64,)> = scene.query("SELECT sum(records)::bigint FROM millrace.progress").await;
        if done[0].0 == KEYS as i64 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(300), "{} of {KEYS} after 300 s", done[0].0);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let cpu = worker.cpu_seconds();
    let metric = |name: &str| worker.metric(&format!("millrace_worker_{name}"), "").unwrap_or(0.0);
    eprintln!(
        "{:.0} records/s, {:.1} s of {seconds:.1} s in {} transactions, {cpu:.1} CPU seconds of the worker, {:.0} MB at most",
        KEYS as f64 / seconds,
        metric("commit_seconds_sum"),
        metric("epochs_total"),
        most / 1e6
    );
    assert!(most < LIMIT, "{most} bytes resident, expected below {LIMIT}");
    assert_eq!(scene.stored.rows().await.len(), rows);
    scene.assert_continuous().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_rows_in_less_than_a_hundred_megabytes() {
    check(plans::upsert, KEYS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_rows_in_a_hundred_groups_in_less_than_a_hundred_megabytes() {
    check(plans::table_totals, 100).await;
}
