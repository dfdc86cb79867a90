//! The loader on real brokers and a real Postgres: what it sends adds up to what it expects, and a view that
//! differs in one row is found out.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use millrace_demo_kit::{connections::KafkaConnection, load::Sending};
use millrace_demo_users::load::{CatchUp, Comparison, Population, ViewName};
use millrace_test_support::{TemporaryKafka, TemporaryPostgres};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
};
use serde_json::Value;
use sqlx::PgPool;

const POPULATION: Population = Population { seed: 3, users: 2000, first_id: 21, update_percent: 20, delete_percent: 5 };

#[tokio::test]
async fn what_is_sent_adds_up_to_the_expected_rows_in_javas_partitions() {
    let kafka = TemporaryKafka::shared().await;
    let topic = kafka.topic("load", 6).await;
    let servers = kafka.bootstrap_servers();
    let sending = Sending { kafka: KafkaConnection::plaintext(&servers), topic: topic.clone(), rate: None };
    let send_all = move || sending.send_all(POPULATION.events(), POPULATION.expected_events());
    let sent = tokio::task::spawn_blocking(send_all).await.unwrap().unwrap();
    assert_eq!(sent.records, POPULATION.events().count() as u64);
    assert_eq!(sent.newest_offsets.values().map(|offset| offset + 1).sum::<i64>(), sent.records as i64);

    let consumer: BaseConsumer =
        KafkaConnection::plaintext(&servers).client().set("group.id", "reader").create().unwrap();
    let mut positions = TopicPartitionList::new();
    for partition in 0..6 {
        positions.add_partition_offset(&topic, partition, Offset::Beginning).unwrap();
    }
    consumer.assign(&positions).unwrap();
    let (mut read, mut left, mut partitions) = (0, BTreeMap::new(), BTreeMap::new());
    let start = Instant::now();
    while read < sent.records {
        assert!(start.elapsed() < Duration::from_secs(60), "{read} of {} records", sent.records);
        let Some(record) = consumer.poll(Duration::from_millis(100)) else { continue };
        let record = record.unwrap();
        read += 1;
        let key: i64 = std::str::from_utf8(record.key().unwrap()).unwrap().parse().unwrap();
        assert_eq!(*partitions.entry(key).or_insert(record.partition()), record.partition(), "key {key}");
        let value: Value = serde_json::from_slice(record.payload().unwrap()).unwrap();
        match value["event_type"].as_str().unwrap() {
            "USER_DELETED" => left.remove(&key),
            _ => left.insert(key, value["user"].clone()),
        };
    }
    let expected: BTreeMap<i64, Value> =
        POPULATION.final_rows().map(|user| (user.id, serde_json::to_value(user).unwrap())).collect();
    assert!(left == expected);
    // murmur2("21") of Kafka's own tests is -973932308; librdkafka's default would choose partition 4.
    assert_eq!(partitions[&21], (-973_932_308_i32 & i32::MAX) % 6);
}

/// A table with exactly the expected rows, and neighbours that are none of the load's business.
async fn table_with_expected_rows() -> PgPool {
    let pool = PgPool::connect(&TemporaryPostgres::database().await).await.unwrap();
    sqlx::raw_sql(
        "CREATE SCHEMA shop;
         CREATE TABLE shop.user_view (id bigint PRIMARY KEY, name text, email text, department text, status text,
                                      created_at timestamptz, updated_at timestamptz);
         INSERT INTO shop.user_view (id) VALUES (20), (2021)",
    )
    .execute(&pool)
    .await
    .unwrap();
    for user in POPULATION.final_rows() {
        sqlx::query("INSERT INTO shop.user_view VALUES ($1, $2, $3, $4, $5, $6, $7)")
            .bind(user.id)
            .bind(user.name)
            .bind(user.email)
            .bind(user.department)
            .bind(user.status.as_str())
            .bind(user.created_at)
            .bind(user.updated_at)
            .execute(&pool)
            .await
            .unwrap();
    }
    pool
}

fn view() -> ViewName {
    "shop.user_view".parse().unwrap()
}

#[tokio::test]
async fn one_row_missing_one_different_and_one_extra_are_each_found() {
    let pool = table_with_expected_rows().await;
    let rows = POPULATION.final_rows().count() as u64;
    let comparison = Comparison::of(&pool, &view(), POPULATION).await.unwrap();
    assert_eq!(comparison, Comparison { equal: rows, ..Comparison::default() });

    let deleted = (0..).find(|index| POPULATION.final_row(*index).is_none()).unwrap() as i64 + 21;
    let kept: Vec<i64> = POPULATION.final_rows().map(|user| user.id).collect();
    let (first, middle, last) = (kept[0], kept[700], kept[kept.len() - 1]);
    for (statement, id) in [
        ("INSERT INTO shop.user_view (id) VALUES ($1)", deleted),
        ("DELETE FROM shop.user_view WHERE id = $1", first),
        (
            "UPDATE shop.user_view SET updated_at = updated_at + interval '1 microsecond', name = '홍길동님' WHERE id = $1",
            middle,
        ),
        ("DELETE FROM shop.user_view WHERE id = $1", last),
    ] {
        assert_eq!(sqlx::query(statement).bind(id).execute(&pool).await.unwrap().rows_affected(), 1);
    }
    let comparison = Comparison::of(&pool, &view(), POPULATION).await.unwrap();
    let Comparison { equal, missing, different, extra, sample } = &comparison;
    assert_eq!((*equal, *missing, *different, *extra), (rows - 3, 2, 1, 1));
    assert!(!comparison.is_equal());
    let says =
        |id: i64, words: &str| sample.iter().any(|line| line.starts_with(&format!("id {id}:")) && line.contains(words));
    assert!(says(deleted, "expected no row"), "{comparison}");
    assert!(says(first, "no row; expected"), "{comparison}");
    assert!(says(middle, "name is \"홍길동님\", expected") && says(middle, "updated_at is"), "{comparison}");
    assert!(says(last, "no row; expected"), "{comparison}");
}

#[tokio::test]
async fn a_view_that_comes_late_is_waited_for_and_one_that_stands_still_wrong_is_reported() {
    let pool = table_with_expected_rows().await;
    let late = POPULATION.final_rows().next().unwrap();
    sqlx::query("UPDATE shop.user_view SET name = NULL WHERE id = $1").bind(late.id).execute(&pool).await.unwrap();
    let view = view();
    let patient = |seconds| CatchUp {
        pool: &pool,
        view: &view,
        topic: "user-events",
        population: POPULATION,
        patience: Duration::from_secs(seconds),
    };
    let mend = async {
        tokio::time::sleep(Duration::from_millis(2500)).await;
        sqlx::query("UPDATE shop.user_view SET name = $2 WHERE id = $1")
            .bind(late.id)
            .bind(&late.name)
            .execute(&pool)
            .await
            .unwrap();
    };
    let waiting = patient(30);
    let (comparison, ()) = tokio::join!(waiting.compare_when_caught_up(None), mend);
    assert!(comparison.unwrap().is_equal());

    sqlx::query("DELETE FROM shop.user_view WHERE id = $1").bind(late.id).execute(&pool).await.unwrap();
    let comparison = patient(2).compare_when_caught_up(None).await.unwrap();
    assert_eq!(comparison.missing, 1);
}

#[tokio::test]
async fn offsets_are_waited_for_where_the_database_can_tell() {
    let pool = table_with_expected_rows().await;
    // The two relations of the catalog that the loader asks, over a table that the test moves forward.
    sqlx::raw_sql(
        "CREATE SCHEMA millrace;
         CREATE TABLE millrace.position (partition integer, next_offset bigint);
         INSERT INTO millrace.position VALUES (0, 5), (1, 5);
         CREATE VIEW millrace.freshness AS
             SELECT 'shop.user_view' AS target, 'user-events' AS topic, partition, next_offset FROM millrace.position;
         CREATE FUNCTION millrace.reached(view text, topic text, partition integer, record_offset bigint)
             RETURNS boolean LANGUAGE sql STABLE AS $$
             SELECT coalesce(bool_and(f.next_offset > $4), false) FROM millrace.freshness f
             WHERE f.target = $1 AND f.topic = $2 AND f.partition = $3 $$",
    )
    .execute(&pool)
    .await
    .unwrap();
    let view = view();
    let catch_up = CatchUp {
        pool: &pool,
        view: &view,
        topic: "user-events",
        population: POPULATION,
        patience: Duration::from_secs(3),
    };
    let newest = BTreeMap::from([(0, 4), (1, 9)]);
    let stuck = catch_up.compare_when_caught_up(Some(newest.clone())).await.unwrap_err().to_string();
    assert!(stuck.contains("found partitions [1] of user-events short"), "{stuck}");
    let go_on = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        sqlx::query("UPDATE millrace.position SET next_offset = 10").execute(&pool).await.unwrap();
    };
    let (comparison, ()) = tokio::join!(catch_up.compare_when_caught_up(Some(newest)), go_on);
    assert!(comparison.unwrap().is_equal());
}
