//! A scene: real brokers, a real Postgres, a revision in its catalog, and worker processes that a test ends as it likes.

#![allow(dead_code)]

mod process;
#[path = "../../../../connectors/tests/common/recomputation.rs"]
mod recomputation;

pub use process::Process;
pub use recomputation::{Record, recomputed};

use millrace_connectors::kafka::{ClientName, KafkaSource};
use millrace_contract::{Plan, Topics, connection::KafkaConnection};
use millrace_test_support::{OwnedDatabase, StoredRevision, TemporaryKafka, TemporaryPostgres, TopicOfRevision};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rdkafka::{
    ClientConfig,
    producer::{FutureProducer, FutureRecord},
};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub struct Scene {
    pub kafka: String,
    pub topic: String,
    pub stored: StoredRevision,
    pub producer: FutureProducer,
    /// Everything that was produced, in order.
    pub records: Vec<Record>,
    /// An hour ago: brokers drop what is too old for them.
    first_timestamp: i64,
}

impl Scene {
    pub async fn new(plan: fn(&str) -> Plan, partitions: i32) -> Scene {
        Scene::in_database(TemporaryPostgres::owned_database().await, plan, partitions).await
    }

    pub async fn in_database(database: OwnedDatabase, plan: fn(&str) -> Plan, partitions: i32) -> Scene {
        Scene::on(TemporaryKafka::shared().await, database, plan, partitions).await
    }

    pub async fn on(
        brokers: &TemporaryKafka,
        database: OwnedDatabase,
        plan: fn(&str) -> Plan,
        partitions: i32,
    ) -> Scene {
        let topic = brokers.topic("users", partitions).await;
        Scene::over(brokers, database, plan, topic).await
    }

    /// Over a topic that is there.
    pub async fn over(
        brokers: &TemporaryKafka,
        database: OwnedDatabase,
        plan: fn(&str) -> Plan,
        topic: String,
    ) -> Scene {
        let kafka = brokers.bootstrap_servers();
        let identity = identity(&kafka, &topic).await;
        let stored = StoredRevision::create(database, plan(&topic), &identity).await;
        let scene = Scene::of(kafka, topic, stored);
        scene.watch().await;
        scene
    }

    /// Over two topics that are there.
    pub async fn joined(brokers: &TemporaryKafka, plan: Plan) -> Scene {
        let kafka = brokers.bootstrap_servers();
        let topics = plan.topics();
        let [first, second] = topics.names() else { panic!("two topics") };
        let mut topic = identity(&kafka, first).await;
        topic.further.push((second.clone(), identity(&kafka, second).await.topic_id));
        let stored = StoredRevision::create(TemporaryPostgres::owned_database().await, plan.clone(), &topic).await;
        Scene::of(kafka, first.clone(), stored)
    }

    fn of(kafka: String, topic: String, stored: StoredRevision) -> Scene {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as i64;
        let first_timestamp = now - 3_600_000;
        Scene { producer: producer(&kafka), kafka, topic, stored, records: Vec::new(), first_timestamp }
    }

    /// Installs a trigger that writes down every step of every position.
    async fn watch(&self) {
        let mut owner = self.stored.owner().await;
        owner
            .execute(
                "CREATE TABLE public.steps (n bigserial PRIMARY KEY, partition integer, before bigint, after bigint);
                 CREATE FUNCTION public.write_down() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
                 BEGIN INSERT INTO public.steps (partition, before, after)
                       VALUES (NEW.partition, OLD.next_offset, NEW.next_offset); RETURN NULL; END $$;
                 CREATE TRIGGER steps AFTER UPDATE OF next_offset ON millrace.progress FOR EACH ROW
                 WHEN (OLD.next_offset <> NEW.next_offset) EXECUTE FUNCTION public.write_down()",
            )
            .await
            .expect("the trigger is made");
    }

    /// Sends records and waits until the brokers have them. Each is (key, value); timestamps count up.
    pub async fn produce(&mut self, lines: &[(String, Option<String>)]) {
        self.produce_from(self.first_timestamp + self.records.len() as i64, lines).await;
    }

    /// The same, the first of them at `start`.
    pub async fn produce_from(&mut self, start: i64, lines: &[(String, Option<String>)]) {
        let sent: Vec<_> = lines
            .iter()
            .enumerate()
            .map(|(index, (key, value))| {
                let mut record = FutureRecord::<str, str>::to(&self.topic).key(key).timestamp(start + index as i64);
                record.payload = value.as_deref();
                self.producer.send_result(record).map_err(|(error, _)| error).expect("the queue has room")
            })
            .collect();
        for (index, (sent, (key, value))) in sent.into_iter().zip(lines).enumerate() {
            let delivery = sent.await.expect("not cancelled").expect("delivered");
            self.records.push(Record {
                partition: delivery.partition,
                offset: delivery.offset,
                timestamp: start + index as i64,
                key: key.clone(),
                value: value.clone(),
            });
        }
    }

    /// Inserts, updates and deletes of users.
    pub async fn produce_history(&mut self, random: &mut ChaCha8Rng, count: usize) {
        let lines: Vec<_> = (0..count).map(|index| line(random, self.records.len() + index)).collect();
        self.produce(&lines).await;
    }

    pub fn worker(&self, pod: &str) -> Process {
        self.worker_with(pod, &[])
    }

    pub fn worker_with(&self, pod: &str, environment: &[(&str, &str)]) -> Process {
        Process::start(self, pod, environment)
    }

    /// Waits until every record produced so far is applied.
    pub async fn caught_up(&self) {
        self.caught_up_within(Duration::from_secs(40)).await;
    }

    pub async fn caught_up_within(&self, patience: Duration) {
        let mut ends = std::collections::BTreeMap::new();
        for record in &self.records {
            ends.insert(record.partition, record.offset + 1);
        }
        let begun = Instant::now();
        loop {
            let positions = self.positions().await;
            if ends.iter().all(|(partition, end)| positions.get(partition).is_some_and(|position| position >= end)) {
                return;
            }
            assert!(
                begun.elapsed() < patience,
                "not caught up: {positions:?}, expected {ends:?}\n{}",
                self.state().await
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn positions(&self) -> std::collections::BTreeMap<i32, i64> {
        let rows: Vec<(i32, i64)> = self.query("SELECT partition, next_offset FROM millrace.progress").await;
        rows.into_iter().collect()
    }

    /// The catalog's rows, for a failing test.
    pub async fn state(&self) -> String {
        let rows: Vec<(String,)> =
            self.query("SELECT p::text FROM millrace.progress p UNION ALL SELECT w::text FROM millrace.worker w").await;
        rows.into_iter().map(|(row,)| row).collect::<Vec<_>>().join("\n")
    }

    pub async fn query<R>(&self, sql: &str) -> Vec<R>
    where
        R: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin,
    {
        // A server that was killed comes back while somebody looks.
        for _ in 0..100 {
            if let Ok(mut owner) = PgConnection::connect(&self.stored.database.uri).await
                && let Ok(rows) = sqlx::query_as(AssertSqlSafe(sql.to_owned())).fetch_all(&mut owner).await
            {
                return rows;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("postgres does not answer: {sql}");
    }

    pub async fn execute(&self, sql: &str) {
        self.stored.owner().await.execute(AssertSqlSafe(sql.to_owned())).await.unwrap_or_else(|e| panic!("{sql}: {e}"));
    }

    /// Waits until `sql`, which gives one truth value, is true.
    pub async fn until(&self, what: &str, sql: &str, patience: Duration) {
        let begun = Instant::now();
        loop {
            let rows: Vec<(Option<bool>,)> = self.query(sql).await;
            if rows.first().is_some_and(|(is,)| *is == Some(true)) {
                return;
            }
            assert!(begun.elapsed() < patience, "{what}: not within {patience:?}\n{}", self.state().await);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The result equals a plain recomputation, and the committed ranges meet without gap or overlap.
    pub async fn assert_exact(&self) {
        assert_eq!(self.stored.rows().await, recomputed(&self.stored.plan, &self.records));
        self.assert_continuous().await;
    }

    pub async fn assert_continuous(&self) {
        let steps: Vec<(i32, i64, i64)> =
            self.query("SELECT partition, before, after FROM public.steps ORDER BY n").await;
        let mut at = std::collections::BTreeMap::new();
        for (partition, before, after) in steps {
            let expected = at.insert(partition, after).unwrap_or(0);
            assert_eq!(before, expected, "partition {partition}: a range begins where none ended");
            assert!(after > before, "partition {partition} went back from {before} to {after}");
        }
        assert_eq!(at.into_iter().collect::<Vec<_>>(), {
            let positions = self.positions().await;
            positions.into_iter().filter(|(_, position)| *position > 0).collect::<Vec<_>>()
        });
    }
}

pub fn line(random: &mut ChaCha8Rng, index: usize) -> (String, Option<String>) {
    let departments = ["\"개발팀\"", "\"영업팀\"", "\"인사팀\"", "null", "\"퇴사\""];
    let id = random.random_range(0..300);
    let department = departments[random.random_range(0..departments.len())];
    let age = random.random_range(18..70);
    let value = random
        .random_bool(0.9)
        .then(|| format!(r#"{{"user":{{"id":{id},"name":"홍길동 {index}","department":{department},"age":{age}}}}}"#));
    (id.to_string(), value)
}

/// Records of a Stream have values.
pub fn with_value(line: (String, Option<String>)) -> (String, Option<String>) {
    (line.0, Some(line.1.unwrap_or_else(|| r#"{"user":{"id":0}}"#.into())))
}

pub async fn identity(kafka: &str, topic: &str) -> TopicOfRevision {
    let connection = connection(kafka);
    let topic = topic.to_owned();
    tokio::task::spawn_blocking(move || {
        let name = ClientName { client_id: "test", group_id: "test" };
        let source = KafkaSource::new(&connection, &name, Topics::new(vec![topic.clone()]), false)
            .expect("the settings are valid");
        let found = source.identity(&topic, Duration::from_secs(10)).expect("the brokers answer");
        TopicOfRevision {
            cluster_id: found.cluster_id,
            topic_id: found.topic_id.expect("the topic is there"),
            partitions: found.partitions as i32,
            further: vec![],
        }
    })
    .await
    .expect("asking does not panic")
}

pub fn connection(kafka: &str) -> KafkaConnection {
    KafkaConnection {
        bootstrap_servers: kafka.into(),
        security_protocol: "PLAINTEXT".into(),
        sasl_mechanism: None,
        username: None,
        password: None,
        ca: None,
    }
}

pub fn producer_config(kafka: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", kafka)
        .set("partitioner", "murmur2_random")
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("linger.ms", "5");
    config
}

fn producer(kafka: &str) -> FutureProducer {
    producer_config(kafka).create().expect("the settings are valid")
}
