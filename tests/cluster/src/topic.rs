//! Topics as raw records: what a test sends, and all that is there, read without any of the product's code.

use anyhow::{Context, Result, bail};
use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication},
    client::DefaultClientContext,
    consumer::{BaseConsumer, Consumer},
    error::KafkaError,
    producer::{BaseProducer, BaseRecord, Producer},
    types::RDKafkaErrorCode,
};
use std::time::{Duration, Instant};

pub const BROKERS: &str = "127.0.0.1:19092,127.0.0.1:19093,127.0.0.1:19094";
const TIMEOUT: Duration = Duration::from_secs(30);

/// One record as the log has it.
#[derive(Debug, Clone)]
pub struct RawRecord {
    pub partition: i32,
    pub offset: i64,
    /// Milliseconds since 1970.
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
}

fn admin() -> Result<AdminClient<DefaultClientContext>> {
    Ok(ClientConfig::new().set("bootstrap.servers", BROKERS).create()?)
}

pub async fn create(topic: &str, partitions: i32) -> Result<()> {
    let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(3)).set("min.insync.replicas", "2");
    for result in admin()?.create_topics([&new], &AdminOptions::new().operation_timeout(Some(TIMEOUT))).await? {
        if let Err((topic, code)) = result {
            bail!("topic {topic} was not created: {code}");
        }
    }
    Ok(())
}

pub async fn grow(topic: &str, partitions: usize) -> Result<()> {
    let new = NewPartitions::new(topic, partitions);
    for result in admin()?.create_partitions([&new], &AdminOptions::new()).await? {
        if let Err((topic, code)) = result {
            bail!("topic {topic} was not grown: {code}");
        }
    }
    Ok(())
}

/// Removes the records of a partition before `offset`, as retention would.
pub async fn cut(topic: &str, partition: i32, offset: i64) -> Result<()> {
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(topic, partition, Offset::Offset(offset))?;
    admin()?.delete_records(&list, &AdminOptions::new().operation_timeout(Some(TIMEOUT))).await?;
    Ok(())
}

/// Deletes the topic and waits until it is gone; a topic that is not there is fine.
pub async fn delete(topic: &str) -> Result<()> {
    for result in admin()?.delete_topics(&[topic], &AdminOptions::new()).await? {
        if let Err((topic, code)) = result
            && code != RDKafkaErrorCode::UnknownTopicOrPartition
        {
            bail!("topic {topic} was not deleted: {code}");
        }
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    Ok(())
}

/// An idempotent producer with the partitioner that Java's clients have.
pub struct TestProducer(BaseProducer);

impl TestProducer {
    pub fn new() -> Result<Self> {
        Ok(TestProducer(
            ClientConfig::new()
                .set("bootstrap.servers", BROKERS)
                .set("enable.idempotence", "true")
                .set("partitioner", "murmur2_random")
                .set("linger.ms", "5")
                .set("queue.buffering.max.messages", "500000")
                .create()?,
        ))
    }

    /// Queues one record; a full queue is waited for.
    pub fn send(&self, topic: &str, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        self.send_record(BaseRecord::<[u8], [u8]>::to(topic).key(key), value)
    }

    pub fn send_to(&self, topic: &str, partition: i32, key: &[u8], value: Option<&[u8]>) -> Result<()> {
        self.send_record(BaseRecord::<[u8], [u8]>::to(topic).key(key).partition(partition), value)
    }

    fn send_record<'a>(&self, mut record: BaseRecord<'a, [u8], [u8]>, value: Option<&'a [u8]>) -> Result<()> {
        record.payload = value;
        loop {
            match self.0.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    self.0.poll(Duration::from_millis(50));
                    record = back;
                }
                Err((error, _)) => return Err(error.into()),
            }
        }
    }

    /// Returns when every record is acknowledged by all in-sync replicas.
    pub fn flush(&self) -> Result<()> {
        self.0.flush(Duration::from_secs(120)).context("the brokers acknowledge every record")
    }
}

/// The end offset of every partition.
pub fn ends(topic: &str) -> Result<Vec<i64>> {
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", BROKERS).set("group.id", "cluster-tests").create()?;
    let metadata = consumer.fetch_metadata(Some(topic), TIMEOUT)?;
    let topic_metadata = metadata.topics().first().context("the topic is described")?;
    let mut partitions: Vec<i32> = topic_metadata.partitions().iter().map(|partition| partition.id()).collect();
    partitions.sort_unstable();
    partitions.into_iter().map(|partition| Ok(consumer.fetch_watermarks(topic, partition, TIMEOUT)?.1)).collect()
}

/// Every committed record of the topic, from its first to what is its end now.
pub fn read_all(topic: &str) -> Result<Vec<RawRecord>> {
    let ends = ends(topic)?;
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", BROKERS)
        .set("group.id", "cluster-tests")
        .set("isolation.level", "read_committed")
        .set("enable.partition.eof", "true")
        .set("enable.auto.commit", "false")
        .create()?;
    let mut assignment = TopicPartitionList::new();
    for partition in 0..ends.len() {
        assignment.add_partition_offset(topic, partition as i32, Offset::Beginning)?;
    }
    consumer.assign(&assignment)?;
    let mut records = Vec::new();
    let mut open = ends.len();
    let start = Instant::now();
    while open > 0 {
        if start.elapsed() > Duration::from_secs(300) {
            bail!("topic {topic} was not read to its end in 300 s: {} records so far", records.len());
        }
        match consumer.poll(Duration::from_millis(500)) {
            None => {}
            Some(Err(KafkaError::PartitionEOF(_))) => open -= 1,
            Some(Err(error)) => return Err(error.into()),
            Some(Ok(message)) => records.push(RawRecord {
                partition: message.partition(),
                offset: message.offset(),
                timestamp: message.timestamp().to_millis().unwrap_or(0),
                key: message.key().map(<[u8]>::to_vec),
                value: message.payload().map(<[u8]>::to_vec),
            }),
        }
    }
    Ok(records)
}
