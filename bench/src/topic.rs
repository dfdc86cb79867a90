//! Fills a topic as fast as the brokers take it.

use anyhow::{Context, Result};
use millrace_demo_users::load::Population;
use rdkafka::{
    ClientConfig,
    error::KafkaError,
    producer::{BaseProducer, BaseRecord, Producer},
    types::RDKafkaErrorCode,
};
use std::time::Duration;

pub fn producer(brokers: &str, linger: &str) -> Result<BaseProducer> {
    Ok(ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .set("enable.idempotence", "true")
        .set("partitioner", "murmur2_random")
        .set("linger.ms", linger)
        .set("queue.buffering.max.messages", "500000")
        .create()?)
}

pub fn fill(brokers: &str, topic: &str, population: Population) -> Result<()> {
    let producer = producer(brokers, "20")?;
    for event in population.events() {
        let mut record = BaseRecord::to(topic).key(&event.key).payload(&event.value);
        while let Err((error, back)) = producer.send(record) {
            if error != KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull) {
                return Err(error.into());
            }
            producer.poll(Duration::from_millis(20));
            record = back;
        }
    }
    producer.flush(Duration::from_secs(300)).context("the brokers acknowledge every record")
}
