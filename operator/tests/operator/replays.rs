//! Replays from anywhere on a real API server, Kafka and Postgres: where each begins, and what is refused.

use crate::stage::{Stage, live, users_view};
use millrace_crds::ConditionType;
use rdkafka::{Offset, TopicPartitionList, admin::AdminOptions};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const PARTITIONS: i32 = 3;
const RECORDS: i64 = 10;
/// Each record is this much younger than the one before; the last one is as old.
const STEP: Duration = Duration::from_secs(600);

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_begins_where_it_is_asked_to_or_says_why_not() {
    let stage = Stage::set().await;
    let begun = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64;
    let topic = format!("users-{}", stage.database.name);
    stage.kafka.create_topic(&topic, PARTITIONS, &[("min.insync.replicas", "2")]).await;
    stage.produce(&topic, PARTITIONS, RECORDS, |record| time_of(record, begun)).await;
    let worker = stage.read_up_to(RECORDS);
    stage.apply(users_view("user-view", &topic)).await;
    stage.ready("user-view").await;
    assert_eq!(starts(&stage).await, "0 0 0");

    // The fourth record's own time, and one that begins between two records.
    let time = k8s_openapi::jiff::Timestamp::from_millisecond(time_of(4, begun)).expect("a time").to_string();
    let said = refused(&stage, json!({"id": "at-a-time", "from": {"earliest": null, "timestamp": time}})).await;
    assert!(
        said.contains("partition 0 would be read from offset 4, the live revision began at 0 and has read up to 10")
    );
    assert_eq!(replayed(&stage, json!({"id": "at-a-time", "discardHistory": true})).await, "4 4 4");
    let ago = json!({"id": "ago", "from": {"timestamp": null, "duration": "45m"}});
    assert_eq!(replayed(&stage, ago).await, "6 6 6");
    let latest = json!({"id": "latest", "from": {"duration": null, "latest": {}}});
    assert_eq!(replayed(&stage, latest).await, "10 10 10");
    let offsets = json!({"users": {"0": 1, "1": 10, "2": 0}});
    let by_hand = json!({"id": "offsets", "from": {"latest": null, "offsets": offsets}, "discardHistory": false});
    assert_eq!(replayed(&stage, by_hand).await, "1 10 0");

    // Retention removes five records of each partition.
    let mut list = TopicPartitionList::new();
    for partition in 0..PARTITIONS {
        list.add_partition_offset(&topic, partition, Offset::Offset(5)).expect("an offset");
    }
    stage.kafka.admin().delete_records(&list, &AdminOptions::new()).await.expect("Kafka removes records");
    let everything = json!({"id": "everything", "from": {"offsets": null, "earliest": {}}});
    let said = refused(&stage, everything).await;
    assert!(said.contains("partition 0 begins at offset 5 now, the live revision was built from offset 1"), "{said}");
    assert_eq!(replayed(&stage, json!({"id": "everything", "acceptTruncation": true})).await, "5 5 5");

    // The annotation asks as the field does; the id has acted then, whichever way it comes.
    let before = live(&stage.get("user-view").await);
    stage.patch("user-view", json!({"metadata": {"annotations": {"millrace.dev/replay": "typed"}}})).await;
    stage.wait("user-view", "replayed", |view| accepted(view, "typed") && live(view) != before).await;
    let before = live(&stage.ready("user-view").await);
    stage.patch("user-view", json!({"spec": {"replay": {"id": "typed"}}})).await;
    assert_eq!(live(&stage.ready("user-view").await), before, "an id acted twice");
    worker.abort();
}

/// When a record was written, in a test that began at `begun`.
fn time_of(record: i64, begun: i64) -> i64 {
    begun - (RECORDS - record) * STEP.as_millis() as i64
}

/// Asks for a replay that is refused: what is said of it.
async fn refused(stage: &Stage, replay: Value) -> String {
    let before = live(&stage.get("user-view").await);
    stage.patch("user-view", json!({"spec": {"replay": replay}})).await;
    let view = stage
        .wait("user-view", "refused", |view| {
            crate::stage::current(view) && crate::stage::condition(view, ConditionType::Stalled).is_some()
        })
        .await;
    assert_eq!(live(&view), before);
    crate::stage::condition(&view, ConditionType::Ready).expect("Ready").message.clone()
}

/// Asks for a replay and waits until it is live: the offsets that it began at.
async fn replayed(stage: &Stage, replay: Value) -> String {
    let before = live(&stage.get("user-view").await);
    stage.patch("user-view", json!({"spec": {"replay": replay}})).await;
    let view = stage.ready("user-view").await;
    assert_ne!(live(&view), before, "{:?}", view.status);
    starts(stage).await
}

/// Where the live revision began in each partition.
async fn starts(stage: &Stage) -> String {
    let starts = "SELECT string_agg(p.start_offset::text, ' ' ORDER BY p.partition) FROM millrace.progress p
                  JOIN millrace.view v ON v.live_revision = p.revision";
    stage.text(starts).await.expect("positions")
}

fn accepted(view: &millrace_crds::MaterializedView, id: &str) -> bool {
    view.status.as_ref().is_some_and(|status| status.replays.iter().any(|replay| replay.id == id))
}
