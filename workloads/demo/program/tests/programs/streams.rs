//! The Kafka Streams program as a StreamApp's pods run it: totals that count every order once, internal topics under the
//! group's name, and a group that is empty as soon as it has ended.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use millrace_demo_kit::connections::KafkaConnection;
use millrace_test_support::{TemporaryKafka, class_path};
use rdkafka::{
    Message,
    consumer::{BaseConsumer, Consumer},
};

use crate::stage::{PATIENCE, Reader, Running, eventually, free_port, order, send, topics, wait_for};

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../streams/ProductTotals.java");
const GROUP: &str = "totals-app";

fn compiled(jars: &str) -> String {
    let classes = Path::new(env!("CARGO_TARGET_TMPDIR")).join("streams");
    let javac = Command::new("javac").arg("-d").arg(&classes).args(["-cp", jars, PROGRAM]).status();
    assert!(javac.expect("javac runs; expected JDK 17 or newer").success());
    classes.display().to_string()
}

/// The newest total of each product.
fn totals(reader: &Reader) -> BTreeMap<String, u64> {
    let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap().to_vec()).unwrap();
    let total = |record: &rdkafka::message::OwnedMessage| (text(record.key()), text(record.payload()).parse().unwrap());
    reader.records.iter().map(total).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kafka_streams_program_counts_every_order_once_and_leaves_its_group_at_once() {
    let kafka = TemporaryKafka::shared().await;
    topics(kafka, ["streams-orders", "streams-totals"]).await;
    let products = ["키보드", "의자", "Desk lamp"];
    let bad = ("x".to_owned(), "깨진 값".to_owned());
    send(kafka, "streams-orders", (1..=90).map(|id| order(id, products[id as usize % 3], id as i64)).chain([bad]));
    let run = move || {
        let jars = ["kafka", "demo-streams"].map(|image| class_path(image).unwrap()).join(":");
        let state = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut command = Command::new("java");
        command
            .args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=WARN"])
            .args(["-cp", &format!("{}:{jars}", compiled(&jars)), "ProductTotals"])
            .env("MILLRACE_LISTEN", format!("127.0.0.1:{port}"))
            .env("MILLRACE_BOOTSTRAP_SERVERS", kafka.bootstrap_servers())
            .env("MILLRACE_CONSUMER_GROUP", GROUP)
            .env("MILLRACE_CLIENT_ID", "totals-app-pod")
            .env("MILLRACE_INPUT_TOPICS", "streams-orders")
            .env("MILLRACE_OUTPUT_TOPICS", "streams-totals")
            .env("MILLRACE_STATE_DIR", state.path())
            .stderr(Stdio::null());
        let mut running = Running::start(command);
        wait_for(port, "/readyz", 200, "RUNNING");
        let expected: BTreeMap<String, u64> =
            (0..3).map(|rest| (products[rest].to_owned(), (1..=90).filter(|id| id % 3 == rest as u64).sum())).collect();
        let mut reader = Reader::new(kafka, "streams-totals");
        eventually("every order is counted once", || {
            reader.read_on(Duration::from_millis(50));
            totals(&reader) == expected
        });

        let client: BaseConsumer =
            KafkaConnection::plaintext(&kafka.bootstrap_servers()).client().set("group.id", "looker").create().unwrap();
        let names = client.fetch_metadata(None, PATIENCE).unwrap();
        let internal: Vec<&str> = names.topics().iter().map(|topic| topic.name()).collect();
        for end in ["-changelog", "-repartition"] {
            let found = internal.iter().any(|name| name.starts_with("totals-app-") && name.ends_with(end));
            assert!(found, "{internal:?}");
        }

        running.ask_to_end();
        let ended = Instant::now();
        eventually("the group is empty", || {
            let groups = client.fetch_group_list(Some(GROUP), PATIENCE).unwrap();
            groups.groups().iter().all(|group| group.members().is_empty())
        });
        // A member that only stays silent would be waited for as long as its session lasts, 45 s.
        assert!(ended.elapsed() < Duration::from_secs(10), "{:?}", ended.elapsed());
    };
    tokio::task::spawn_blocking(run).await.unwrap();
}
