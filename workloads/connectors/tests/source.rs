//! The Kafka source on real brokers: records with their headers, the end of a partition, and positions outside the log.

use millrace_connectors::{
    RawRecords,
    decode::Decoder,
    kafka::{ClientName, KafkaSource, Polled, partition_of},
};
use millrace_contract::{
    Source, SqlType, Topics,
    connection::KafkaConnection,
    source::{Format, KeyFormat, Origin, SourceColumn, SourceKind},
};
use millrace_dataflow::value::print;
use millrace_test_support::TemporaryKafka;
use rdkafka::{
    ClientConfig,
    message::{Header, OwnedHeaders},
    producer::{FutureProducer, FutureRecord},
};
use std::time::{Duration, Instant};

fn source(kafka: &str, topic: &str) -> KafkaSource {
    let connection = KafkaConnection {
        bootstrap_servers: kafka.into(),
        security_protocol: "PLAINTEXT".into(),
        sasl_mechanism: None,
        username: None,
        password: None,
        ca: None,
    };
    KafkaSource::new(
        &connection,
        &ClientName { client_id: "test", group_id: "test" },
        Topics::new(vec![topic.into()]),
        true,
    )
    .expect("the settings are valid")
}

fn producer(kafka: &str) -> FutureProducer {
    ClientConfig::new()
        .set("bootstrap.servers", kafka)
        .set("partitioner", "murmur2_random")
        .create()
        .expect("the settings are valid")
}

/// Polls until `until` is true of something polled.
fn poll(source: &mut KafkaSource, records: &mut RawRecords, until: impl Fn(&Polled) -> bool) -> Polled {
    let begun = Instant::now();
    loop {
        let polled = source.poll(Duration::from_millis(100), records);
        if until(&polled) {
            return polled;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "nothing of the kind came; the last was {polled:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_comes_with_its_key_headers_time_and_place() {
    let brokers = TemporaryKafka::shared().await;
    let topic = brokers.topic("source", 1).await;
    let headers = OwnedHeaders::new()
        .insert(Header { key: "trace", value: Some("old") })
        .insert(Header { key: "none", value: None::<&str> })
        .insert(Header { key: "trace", value: Some("새것") });
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let milliseconds = now.as_millis() as i64;
    let record = FutureRecord::to(&topic).key("열쇠").payload("{}").headers(headers).timestamp(milliseconds);
    producer(&brokers.bootstrap_servers()).send(record, Duration::from_secs(10)).await.expect("delivered");

    let mut source = source(&brokers.bootstrap_servers(), &topic);
    source.assign(&[(0, 0)]).expect("assigned");
    let mut records = RawRecords::default();
    poll(&mut source, &mut records, |polled| matches!(polled, Polled::Record { .. }));
    let end = poll(&mut source, &mut records, |polled| matches!(polled, Polled::End { .. }));
    assert_eq!(end, Polled::End { partition: 0, offset: 1 });

    let column = |name: &str, ty, origin| SourceColumn { name: name.into(), ty, origin };
    let columns = vec![
        column("key", SqlType::Text, Origin::Key),
        column("trace", SqlType::Text, Origin::Header("trace".into())),
        column("none", SqlType::Text, Origin::Header("none".into())),
        column("at", SqlType::TimestampTz, Origin::Timestamp),
        column("partition", SqlType::Integer, Origin::Partition),
        column("offset", SqlType::BigInt, Origin::Offset),
    ];
    let definition = Source {
        name: "t".into(),
        topic,
        kind: SourceKind::Stream,
        format: Format::Json,
        key_format: KeyFormat::None,
        key: vec![],
        delete_when: None,
        columns,
    };
    let decoded = Decoder::new(&definition, chrono_tz::UTC).decode(&records);
    assert_eq!(decoded.rejected, []);
    let cells: Vec<Option<String>> = definition
        .columns
        .iter()
        .enumerate()
        .map(|(index, column)| print(decoded.records.columns.column(index).as_ref(), column.ty, 0, chrono_tz::UTC))
        .collect();
    let at = chrono::DateTime::from_timestamp_millis(milliseconds).expect("a time of now");
    let at = at.format("%Y-%m-%d %H:%M:%S%.3f").to_string();
    let at = format!("{}+00", at.trim_end_matches('0').trim_end_matches('.'));
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(cells, [text("열쇠"), text("새것"), None, Some(at), text("0"), text("0")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_lie_where_the_partitioner_of_the_worker_says() {
    let brokers = TemporaryKafka::shared().await;
    let topic = brokers.topic("source", 5).await;
    let producer = producer(&brokers.bootstrap_servers());
    for key in ["", "7", "홍길동", "a-little-bit-long-string", "0123456789", "1", "22", "333"] {
        let record = FutureRecord::<str, str>::to(&topic).key(key).payload("{}");
        let delivery = producer.send(record, Duration::from_secs(10)).await.expect("delivered");
        if !key.is_empty() {
            assert_eq!(partition_of(key.as_bytes(), 5), delivery.partition, "{key}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_outside_the_log_is_said_and_never_moved() {
    let brokers = TemporaryKafka::shared().await;
    let topic = brokers.topic("source", 2).await;
    let mut source = source(&brokers.bootstrap_servers(), &topic);
    source.assign(&[(0, 0), (1, 17)]).expect("assigned");
    let mut records = RawRecords::default();
    let polled = poll(&mut source, &mut records, |polled| matches!(polled, Polled::OutOfRange { .. }));
    assert_eq!(polled, Polled::OutOfRange { partition: 1 });
    source.unassign(&[1]).expect("unassigned");
    assert_eq!(source.bounds(1, Duration::from_secs(10)).expect("answered"), (0, 0));
    producer(&brokers.bootstrap_servers())
        .send(FutureRecord::<str, str>::to(&topic).partition(0).payload("{}"), Duration::from_secs(10))
        .await
        .expect("delivered");
    let polled = poll(&mut source, &mut records, |polled| matches!(polled, Polled::Record { .. }));
    assert_eq!(polled, Polled::Record { partition: 0, offset: 0 }, "the other partition goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_that_is_not_there_is_told_from_brokers_that_are_not() {
    let brokers = TemporaryKafka::shared().await;
    let found =
        source(&brokers.bootstrap_servers(), "nowhere").identity("nowhere", Duration::from_secs(10)).expect("answered");
    assert_eq!(found.topic_id, None);
    let topic = brokers.topic("source", 3).await;
    let found =
        source(&brokers.bootstrap_servers(), &topic).identity(&topic, Duration::from_secs(10)).expect("answered");
    assert!(found.topic_id.is_some_and(|id| id.len() >= 20));
    assert_eq!(found.partitions, 3);
    assert!(source("127.0.0.1:1", &topic).identity(&topic, Duration::from_millis(500)).is_err());
}
