//! One service with its database, its relay and a way to read its topic.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, body::Body, http::Request};
use millrace_demo_kit::{
    connections::{KafkaConnection, for_service},
    health::Health,
    metrics::Metrics,
    outbox,
    relay::{Relay, RelayState},
    service::{Core, router},
};
use millrace_demo_users::{api, service::SCHEMA};
use millrace_test_support::{TemporaryKafka, TemporaryPostgres};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
};
use serde_json::{Value, json};
use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};
use tower::ServiceExt;

pub struct Service {
    pub router: Router,
    pub pool: PgPool,
    pub uri: String,
    pub bell: Arc<Notify>,
    pub schema: watch::Sender<Option<String>>,
    pub relay: watch::Sender<RelayState>,
}

impl Service {
    pub async fn start() -> Service {
        // The very rights that the service has in a cluster: an owner that is no superuser.
        let uri = TemporaryPostgres::owned_database().await.uri;
        let pool = pool_of_service(&uri).await;
        SCHEMA.migrate(&pool).await.unwrap();
        let (schema, schema_state) = watch::channel(None);
        let (relay, relay_state) = watch::channel(RelayState::Starting);
        let bell = Arc::new(Notify::new());
        let health =
            Health { pool: pool.clone(), metrics: Metrics::new(SCHEMA.name), relay: relay_state, schema: schema_state };
        let core = Core { pool: pool.clone(), bell: bell.clone() };
        Service { router: router(health, api::routes(core)), pool, uri, bell, schema, relay }
    }

    pub async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, Value) {
        let request = Request::builder().method(method).uri(path).body(Body::from(body.to_owned())).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&body))))
    }

    pub async fn create(&self, name: &str, email: &str) -> i64 {
        let body = json!({"name": name, "email": email, "department": "개발팀"}).to_string();
        let (status, user) = self.ask("POST", "/api/users", &body).await;
        assert_eq!(status, 201, "{user}");
        user["id"].as_i64().unwrap()
    }

    pub async fn rename(&self, id: i64, name: &str) {
        let body = json!({"name": name, "email": format!("{id}@example.com"), "department": "d", "status": "ACTIVE"});
        let (status, answer) = self.ask("PUT", &format!("/api/users/{id}"), &body.to_string()).await;
        assert_eq!(status, 200, "{answer}");
    }

    pub async fn outbox_values(&self) -> Vec<Value> {
        let values: Vec<String> =
            sqlx::query_scalar("SELECT value FROM demo_users.outbox ORDER BY id").fetch_all(&self.pool).await.unwrap();
        values.iter().map(|value| serde_json::from_str(value).unwrap()).collect()
    }

    pub fn relay(&self, kafka: &str, topic: &str) -> RunningRelay {
        let relay = Relay {
            postgres: for_service(self.uri.parse::<PgConnectOptions>().unwrap(), SCHEMA.name),
            kafka: KafkaConnection::plaintext(kafka),
            topic: topic.to_owned(),
            transactional_id: format!("relay-of-{topic}"),
            bell: self.bell.clone(),
            metrics: Metrics::new(SCHEMA.name),
        };
        let (stop, stopped) = watch::channel(false);
        let (state_sender, state) = watch::channel(RelayState::Starting);
        let task = tokio::spawn(relay.run(state_sender, stopped));
        RunningRelay { stop, state, task }
    }

    pub async fn all_sent(&self) {
        eventually("the outbox is empty", async || outbox::backlog(&self.pool).await.unwrap().rows == 0).await;
    }
}

pub async fn pool_of_service(uri: &str) -> PgPool {
    PgPool::connect_with(for_service(uri.parse::<PgConnectOptions>().unwrap(), SCHEMA.name)).await.unwrap()
}

pub struct RunningRelay {
    pub stop: watch::Sender<bool>,
    pub state: watch::Receiver<RelayState>,
    pub task: JoinHandle<()>,
}

impl RunningRelay {
    pub async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap();
    }

    pub async fn reaches(&self, wanted: RelayState) {
        eventually(&format!("{wanted:?}"), async || *self.state.borrow() == wanted).await;
    }
}

pub async fn eventually(what: &str, check: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !check().await {
        assert!(start.elapsed() < Duration::from_secs(60), "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Every committed record of the topic: partition, key, value.
pub async fn records(kafka: &TemporaryKafka, topic: &str) -> Vec<(i32, String, String)> {
    let (servers, topic) = (kafka.bootstrap_servers(), topic.to_owned());
    tokio::task::spawn_blocking(move || {
        let consumer: BaseConsumer = KafkaConnection::plaintext(&servers)
            .client()
            .set("group.id", "reader")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .create()
            .unwrap();
        let mut positions = TopicPartitionList::new();
        for partition in 0..6 {
            positions.add_partition_offset(&topic, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&positions).unwrap();
        let (mut ended, mut found) = (std::collections::BTreeSet::new(), Vec::new());
        let start = Instant::now();
        while ended.len() < 6 {
            assert!(start.elapsed() < Duration::from_secs(60), "the topic has no end");
            match consumer.poll(Duration::from_millis(100)) {
                Some(Ok(record)) => {
                    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                    found.push((record.partition(), text(record.key().unwrap()), text(record.payload().unwrap())));
                }
                Some(Err(rdkafka::error::KafkaError::PartitionEOF(partition))) => {
                    ended.insert(partition);
                }
                Some(Err(error)) => panic!("{error}"),
                None => {}
            }
        }
        found
    })
    .await
    .unwrap()
}

pub fn event_types(records: &[(i32, String, String)], key: i64) -> Vec<String> {
    records
        .iter()
        .filter(|(_, found, _)| *found == key.to_string())
        .map(|(_, _, value)| serde_json::from_str::<Value>(value).unwrap()["event_type"].as_str().unwrap().to_owned())
        .collect()
}
