//! The service on a real Postgres and real brokers: what REST changes, and only that, in that order, is what
//! the topic carries.

mod stage;

use std::collections::BTreeMap;

use millrace_demo_kit::{connections::KafkaConnection, outbox, relay::RelayState, sender::Sender};
use millrace_demo_users::{event::UserEvent, service::SCHEMA};
use millrace_test_support::{TemporaryKafka, TemporaryPostgres};
use serde_json::{Value, json};
use sqlx::Connection;

use stage::{Service, event_types, eventually, pool_of_service, records};

#[tokio::test]
async fn a_user_is_created_read_replaced_listed_and_deleted() {
    let service = Service::start().await;
    let (status, created) = service
        .ask("POST", "/api/users", r#"{"name":"홍길동","email":"hong@example.com","department":"개발팀"}"#)
        .await;
    assert_eq!(status, 201);
    assert_eq!((&created["id"], &created["name"], &created["status"]), (&json!(1), &json!("홍길동"), &json!("ACTIVE")));
    assert_eq!(created["created_at"], created["updated_at"]);
    let (status, found) = service.ask("GET", "/api/users/1", "").await;
    assert_eq!((status, &found), (200, &created));

    let body = r#"{"name":"홍길순","email":"hong@example.com","department":"영업팀","status":"INACTIVE"}"#;
    let (status, replaced) = service.ask("PUT", "/api/users/1", body).await;
    assert_eq!((status, &replaced["name"], &replaced["department"]), (200, &json!("홍길순"), &json!("영업팀")));
    assert_eq!(replaced["created_at"], created["created_at"]);
    assert!(replaced["updated_at"].as_str() > created["updated_at"].as_str());

    let second = service.create("Søren", "s@example.com").await;
    let (_, page) = service.ask("GET", "/api/users?limit=1", "").await;
    assert_eq!((&page["users"], &page["next"]), (&json!([replaced]), &json!(1)));
    let (_, page) = service.ask("GET", "/api/users?limit=2&after=1", "").await;
    assert_eq!((&page["users"][0]["id"], &page["next"]), (&json!(second), &Value::Null));

    assert_eq!(service.ask("DELETE", "/api/users/1", "").await.0, 204);
    let types: Vec<Value> = service.outbox_values().await.iter().map(|value| value["event_type"].clone()).collect();
    assert_eq!(types, ["USER_CREATED", "USER_UPDATED", "USER_CREATED", "USER_DELETED"]);
    assert_eq!(service.outbox_values().await[1]["user"], replaced);
    assert_eq!(service.outbox_values().await[3]["user"], json!({"id": 1}));
}

#[tokio::test]
async fn what_is_wrong_is_answered_with_the_field_and_leaves_no_event() {
    let service = Service::start().await;
    service.create("홍길동", "hong@example.com").await;
    let taken = r#"{"name":"가짜","email":"HONG@example.com","department":"d"}"#;
    let whole = r#"{"name":"n","email":"n@example.com","department":"d","status":"ACTIVE"}"#;
    for (method, path, body, status, field) in [
        ("POST", "/api/users", r#"{"name":""}"#, 400, "name"),
        ("POST", "/api/users", "홍길동", 400, "body"),
        ("POST", "/api/users", taken, 409, "email"),
        ("PUT", "/api/users/2", whole, 404, "id"),
        ("PUT", "/api/users/둘", whole, 400, "id"),
        ("GET", "/api/users/0", "", 400, "id"),
        ("GET", "/api/users/99", "", 404, "id"),
        ("DELETE", "/api/users/99", "", 404, "id"),
        ("GET", "/api/users?limit=many", "", 400, "limit"),
    ] {
        // A path in an HTTP request is ASCII.
        let path = path.replace('둘', "%EB%91%98");
        let (found, answer) = service.ask(method, &path, body).await;
        assert_eq!((found, answer["error"]["field"].as_str()), (status, Some(field)), "{method} {path} {answer}");
        assert!(answer["error"]["found"].is_string() && answer["error"]["expected"].is_string(), "{answer}");
    }
    assert_eq!(service.outbox_values().await.len(), 1);
}

#[tokio::test]
async fn tables_are_prepared_once_by_replicas_that_start_together() {
    let uri = TemporaryPostgres::owned_database().await.uri;
    let pool = pool_of_service(&uri).await;
    let outcomes = futures::future::join_all((0..4).map(|_| SCHEMA.migrate(&pool))).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    let steps: i64 = sqlx::query_scalar("SELECT count(*) FROM demo_users.version").fetch_one(&pool).await.unwrap();
    assert_eq!(steps, SCHEMA.steps.len() as i64);
}

#[tokio::test]
async fn readiness_says_what_is_missing_and_metrics_show_the_backlog() {
    let service = Service::start().await;
    service.create("홍길동", "hong@example.com").await;
    service.relay.send_replace(RelayState::Failing("kafka: brokers do not answer".to_owned()));
    let (status, body) = service.ask("GET", "/readyz", "").await;
    assert_eq!((status, body["ready"].as_bool()), (200, Some(true)));
    assert_eq!(body["relay"], "failing, tries again: kafka: brokers do not answer");
    let (_, metrics) = service.ask("GET", "/metrics", "").await;
    let metrics = metrics.as_str().unwrap();
    assert!(metrics.contains("demo_users_outbox_backlog_rows 1\n"), "{metrics}");
    let request = r#"demo_users_http_requests_total{method="POST",route="/api/users",status="201"} 1"#;
    assert!(metrics.contains(request), "{metrics}");

    service.schema.send_replace(Some("the tables cannot be prepared: 권한 없음".to_owned()));
    let (status, body) = service.ask("GET", "/readyz", "").await;
    assert_eq!((status, body["postgres"].as_str()), (503, Some("the tables cannot be prepared: 권한 없음")));
    assert_eq!(service.ask("GET", "/healthz", "").await.0, 200);
}

#[tokio::test]
async fn every_change_reaches_the_topic_once_in_order_and_byte_for_byte() {
    let kafka = TemporaryKafka::shared().await;
    let service = Service::start().await;
    // The relay makes the topic itself.
    let relay = service.relay(&kafka.bootstrap_servers(), "every-change");
    let mut ids = Vec::new();
    for number in 0..30 {
        ids.push(service.create("홍길동", &format!("hong.{number}@example.com")).await);
    }
    // Users change at once from many sides; each user's own changes queue at its row.
    futures::future::join_all(ids.iter().map(async |id| {
        for round in 0..5 {
            service.rename(*id, &format!("김 {round}")).await;
        }
        assert_eq!(service.ask("DELETE", &format!("/api/users/{id}"), "").await.0, 204);
    }))
    .await;
    service.all_sent().await;
    relay.stop().await;
    let records = records(kafka, "every-change").await;
    assert_eq!(records.len(), 30 * 7);
    for id in &ids {
        let mut expected = vec!["USER_CREATED"];
        expected.extend(["USER_UPDATED"; 5]);
        expected.push("USER_DELETED");
        assert_eq!(event_types(&records, *id), expected, "user {id}");
    }
    let mut of_each_key: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for (_, key, value) in &records {
        of_each_key.entry(key.parse().unwrap()).or_default().push(value.clone());
    }
    let mut written: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT key, value FROM demo_users.outbox ORDER BY id").fetch_all(&service.pool).await.unwrap();
    for (key, value) in rows {
        written.entry(key.parse().unwrap()).or_default().push(value);
    }
    assert_eq!(of_each_key, written);
    assert!(records.iter().map(|(partition, _, _)| partition).collect::<std::collections::BTreeSet<_>>().len() > 1);
}

#[tokio::test]
async fn an_event_of_a_slow_transaction_with_a_small_id_is_not_lost() {
    let kafka = TemporaryKafka::shared().await;
    let service = Service::start().await;
    let relay = service.relay(&kafka.bootstrap_servers(), "slow-transaction");
    let slow_user = service.create("느림보", "slow@example.com").await;
    let mut connection = service.pool.acquire().await.unwrap();
    let mut slow = connection.begin().await.unwrap();
    let event = UserEvent::deleted(slow_user, "2026-01-01T00:00:00Z".parse().unwrap());
    outbox::append(&mut slow, &slow_user.to_string(), &event.to_json()).await.unwrap();
    let quick_user = service.create("번개", "quick@example.com").await;
    service.all_sent().await;
    slow.commit().await.unwrap();
    service.all_sent().await;
    relay.stop().await;
    let records = records(kafka, "slow-transaction").await;
    assert_eq!(event_types(&records, quick_user), ["USER_CREATED"]);
    assert_eq!(event_types(&records, slow_user), ["USER_CREATED", "USER_DELETED"]);
}

#[tokio::test]
async fn two_relays_send_nothing_twice_and_the_second_takes_over() {
    let kafka = TemporaryKafka::shared().await;
    let service = Service::start().await;
    let first = service.relay(&kafka.bootstrap_servers(), "two-relays");
    first.reaches(RelayState::Relaying).await;
    let second = service.relay(&kafka.bootstrap_servers(), "two-relays");
    second.reaches(RelayState::Standby).await;
    let id = service.create("홍길동", "hong@example.com").await;
    service.all_sent().await;
    // Dies without a farewell: its session ends and gives the lock free.
    first.task.abort();
    second.reaches(RelayState::Relaying).await;
    service.rename(id, "홍길순").await;
    service.all_sent().await;
    second.stop().await;
    assert_eq!(event_types(&records(kafka, "two-relays").await, id), ["USER_CREATED", "USER_UPDATED"]);
}

#[tokio::test]
async fn a_relay_that_lost_its_lock_unawares_is_refused_by_the_brokers() {
    let kafka = TemporaryKafka::shared().await;
    let topic = kafka.topic("fenced", 6).await;
    let connection = KafkaConnection::plaintext(&kafka.bootstrap_servers());
    let row = |id: i64, value: &str| outbox::OutboxRow { id, key: "7".to_owned(), value: value.to_owned() };
    let refusal = tokio::task::spawn_blocking({
        let topic = topic.clone();
        move || {
            let old = Sender::start(&connection, &topic, "fenced").unwrap();
            old.send(&[row(1, "first")]).unwrap();
            let new = Sender::start(&connection, &topic, "fenced").unwrap();
            new.send(&[row(2, "second")]).unwrap();
            old.send(&[row(1, "first")])
        }
    })
    .await
    .unwrap();
    assert!(refusal.is_err());
    let values: Vec<String> = records(kafka, &topic).await.into_iter().map(|(_, _, value)| value).collect();
    assert_eq!(values, ["first", "second"]);
}

#[tokio::test]
async fn order_is_kept_while_brokers_and_postgres_are_killed() {
    let mut kafka = tokio::task::spawn_blocking(TemporaryKafka::start).await.unwrap();
    let mut postgres = tokio::task::spawn_blocking(TemporaryPostgres::start).await.unwrap();
    let uri = postgres.new_owned_database().await.uri;
    let pool = pool_of_service(&uri).await;
    SCHEMA.migrate(&pool).await.unwrap();
    let service = Service { pool: pool.clone(), uri, ..Service::start().await };
    let relay = service.relay(&kafka.bootstrap_servers(), "faults");
    relay.reaches(RelayState::Relaying).await;
    let write = async |from: i64, to: i64| {
        for number in from..to {
            let mut connection = pool.acquire().await.unwrap();
            // Ten users; the number of each event tells its place.
            sqlx::query("INSERT INTO demo_users.outbox (key, value) VALUES ($1, $2)")
                .bind((number % 10).to_string())
                .bind(number.to_string())
                .execute(&mut *connection)
                .await
                .unwrap();
        }
    };
    write(0, 100).await;
    kafka.kill_node(0);
    kafka.kill_node(1);
    write(100, 200).await;
    postgres.kill();
    kafka = tokio::task::spawn_blocking(move || {
        kafka.start_node(0);
        kafka.start_node(1);
        kafka
    })
    .await
    .unwrap();
    postgres.restart();
    write(200, 300).await;
    eventually("the outbox is empty", async || outbox::backlog(&pool).await.is_ok_and(|backlog| backlog.rows == 0))
        .await;
    relay.stop().await;
    let mut of_each_key: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (_, key, value) in records(&kafka, "faults").await {
        of_each_key.entry(key).or_default().push(value.parse().unwrap());
    }
    for (key, numbers) in &of_each_key {
        // A batch may come twice, whole; after a number may follow the next, or an earlier one and then all again.
        let mut first_times = Vec::new();
        for (place, number) in numbers.iter().enumerate() {
            if !numbers[..place].contains(number) {
                first_times.push(*number);
            }
            let follows = place == 0 || *number == numbers[place - 1] + 10 || *number <= numbers[place - 1];
            assert!(follows, "user {key}: {number} after {}", numbers[place - 1]);
        }
        let expected: Vec<i64> = (0..30).map(|step| step * 10 + key.parse::<i64>().unwrap()).collect();
        assert_eq!(first_times, expected, "user {key}");
        assert_eq!(numbers.last(), expected.last(), "user {key}");
    }
    assert_eq!(of_each_key.len(), 10);
}
