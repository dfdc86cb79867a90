//! Running programs, what they answer, and the topics that they write.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, ExitStatus},
    time::{Duration, Instant},
};

use millrace_demo_kit::connections::KafkaConnection;
use millrace_test_support::{OwnedDatabase, TemporaryKafka};
use rdkafka::{
    Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    message::OwnedMessage,
    producer::{BaseProducer, BaseRecord, Producer},
};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_millrace-demo");
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const PARTITIONS: i32 = 3;

/// Killed when the test ends, however it ends.
pub struct Running(Child);

impl Running {
    pub fn start(mut command: Command) -> Running {
        Running(command.spawn().unwrap())
    }

    /// With −9.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// By SIGTERM, and it ends well.
    pub fn terminate(&mut self) {
        let status = self.ask_to_end();
        assert!(status.success(), "{status}");
    }

    /// By SIGTERM.
    pub fn ask_to_end(&mut self) -> ExitStatus {
        Command::new("kill").arg(self.0.id().to_string()).status().unwrap();
        let start = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < Duration::from_secs(20), "the program does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A service, or an app, with its database; it answers on the port.
pub fn program(name: &str, port: u16, kafka: &TemporaryKafka, database: &OwnedDatabase) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .arg(name)
        .env("MILLRACE_LISTEN", format!("127.0.0.1:{port}"))
        .env("MILLRACE_BOOTSTRAP_SERVERS", kafka.bootstrap_servers())
        .env("MILLRACE_POSTGRES_HOST", "127.0.0.1")
        .env("MILLRACE_POSTGRES_PORT", database.port.to_string())
        .env("MILLRACE_POSTGRES_DATABASE", &database.name)
        .env("MILLRACE_POSTGRES_USERNAME", &database.role)
        .env("MILLRACE_POSTGRES_PASSWORD", &database.password);
    command
}

/// An app in its group; the client's id is the port, as a pod's name would be.
pub fn app(
    name: &str,
    port: u16,
    kafka: &TemporaryKafka,
    database: &OwnedDatabase,
    group: &str,
    topics: [&str; 2],
) -> Command {
    let [input, output] = topics;
    let mut command = program(name, port, kafka, database);
    command
        .env("MILLRACE_CLIENT_ID", port.to_string())
        .env("MILLRACE_CONSUMER_GROUP", group)
        .env("MILLRACE_INPUT_TOPICS", input)
        .env("MILLRACE_OUTPUT_TOPICS", output)
        // As short as the brokers allow.
        .env("MILLRACE_DEMO_SESSION_SECONDS", "6");
    command
}

/// Status and body; nothing while nobody listens.
pub fn ask(port: u16, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let length = body.len();
    write!(
        connection,
        "{method} {path} HTTP/1.1\r\nHost: demo\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .ok()?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

pub fn wait_for(port: u16, path: &str, status: u16, words: &str) -> String {
    let mut answer = None;
    eventually(&format!("{path} answers {status} with {words:?}"), || {
        answer = ask(port, "GET", path, "");
        answer.as_ref().is_some_and(|(found, body)| *found == status && body.contains(words))
    });
    answer.map(|(_, body)| body).unwrap_or_default()
}

pub fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let start = Instant::now();
    while !check() {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The topics of a test, each by the name that the test gives it.
pub async fn topics<const N: usize>(kafka: &TemporaryKafka, names: [&str; N]) {
    for name in names {
        kafka.create_topic(name, PARTITIONS, &[]).await;
    }
}

pub fn send(kafka: &TemporaryKafka, topic: &str, records: impl IntoIterator<Item = (String, String)>) {
    let producer: BaseProducer = KafkaConnection::plaintext(&kafka.bootstrap_servers()).producer().create().unwrap();
    for (key, value) in records {
        producer.send(BaseRecord::to(topic).key(&key).payload(&value)).map_err(|(error, _)| error).unwrap();
    }
    producer.flush(PATIENCE).unwrap();
}

/// An order as its record has it. Its user has the order's own number, so that whatever is keyed by the user tells the order.
pub fn order(id: u64, product: &str, quantity: i64) -> (String, String) {
    let value = serde_json::json!({
        "event_id": format!("e-{id}"), "event_type": "ORDER_CREATED",
        "order": {
            "id": id, "user_id": id, "product": product, "quantity": quantity, "unit_price": 1000,
            "status": "PLACED", "created_at": "2026-01-01T00:00:00Z",
        },
        "at": "2026-01-01T00:00:00Z",
    });
    (id.to_string(), value.to_string())
}

/// What a reader of committed records has seen of a topic so far.
pub struct Reader {
    consumer: BaseConsumer,
    pub records: Vec<OwnedMessage>,
}

impl Reader {
    pub fn new(kafka: &TemporaryKafka, topic: &str) -> Reader {
        let consumer: BaseConsumer = KafkaConnection::plaintext(&kafka.bootstrap_servers())
            .client()
            .set("group.id", "reader")
            .set("isolation.level", "read_committed")
            .set("enable.auto.commit", "false")
            .create()
            .unwrap();
        let mut positions = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            positions.add_partition_offset(topic, partition, Offset::Beginning).unwrap();
        }
        consumer.assign(&positions).unwrap();
        Reader { consumer, records: Vec::new() }
    }

    /// Reads on for so long without a new record.
    pub fn read_on(&mut self, patience: Duration) -> &[OwnedMessage] {
        let mut last = Instant::now();
        // A wait may end early without a record.
        while last.elapsed() < patience {
            if let Some(record) = self.consumer.poll(patience) {
                self.records.push(record.unwrap().detach());
                last = Instant::now();
            }
        }
        &self.records
    }

    pub fn wait_for(&mut self, count: usize) {
        let start = Instant::now();
        while self.read_on(Duration::from_millis(20)).len() < count {
            assert!(start.elapsed() < PATIENCE, "{} records, expected {count}", self.records.len());
        }
    }

    /// How often each key has come.
    pub fn keys(&self) -> BTreeMap<u64, usize> {
        let mut keys = BTreeMap::new();
        for record in &self.records {
            let key = std::str::from_utf8(record.key().unwrap()).unwrap().parse().unwrap();
            *keys.entry(key).or_default() += 1;
        }
        keys
    }
}

/// The committed positions of a group, 0 where it has none, and the ends of the topic, markers of transactions included.
pub fn committed_and_ends(kafka: &TemporaryKafka, group: &str, topic: &str) -> (Vec<i64>, Vec<i64>) {
    let consumer: BaseConsumer =
        KafkaConnection::plaintext(&kafka.bootstrap_servers()).client().set("group.id", group).create().unwrap();
    let mut partitions = TopicPartitionList::new();
    partitions.add_partition_range(topic, 0, PARTITIONS - 1);
    let committed = consumer.committed_offsets(partitions, PATIENCE).unwrap();
    let committed = committed.elements().iter().map(|element| element.offset().to_raw().unwrap_or(0).max(0)).collect();
    let ends =
        (0..PARTITIONS).map(|partition| consumer.fetch_watermarks(topic, partition, PATIENCE).unwrap().1).collect();
    (committed, ends)
}
