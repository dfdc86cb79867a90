//! A sender: writes outbox rows to the topic, a batch as one Kafka transaction.
//!
//! The transactional id fences: a relay that lost its lock without noticing (a stopped process, a cut line)
//! may still hold events of which its successor has already sent newer ones. Once the successor's sender has
//! started, the brokers refuse the old one.

use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};

use crate::{connections::KafkaConnection, outbox::OutboxRow};

/// Longer than a broker needs to fail over, shorter than a reader would want to wait behind a dead relay.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(15);

pub struct Sender {
    topic: String,
    producer: ThreadedProducer<DefaultProducerContext>,
}

impl Sender {
    /// Fences every earlier sender of the same transactional id. Blocks.
    pub fn start(kafka: &KafkaConnection, topic: &str, transactional_id: &str) -> Result<Sender> {
        let milliseconds = TRANSACTION_TIMEOUT.as_millis().to_string();
        let producer: ThreadedProducer<DefaultProducerContext> = kafka
            .producer()
            .set("transactional.id", transactional_id)
            .set("transaction.timeout.ms", &milliseconds)
            .set("message.timeout.ms", &milliseconds)
            .set("linger.ms", "0")
            .create()
            .context("kafka producer")?;
        producer.init_transactions(Duration::from_secs(30)).context("kafka producer cannot register its id")?;
        Ok(Sender { topic: topic.to_owned(), producer })
    }

    /// All rows in their order, or none that a reader of committed records sees. After an error the sender
    /// must be dropped: whether the brokers committed may be unknown, and the rows are to be sent again by
    /// a new one. Blocks.
    pub fn send(&self, rows: &[OutboxRow]) -> Result<()> {
        self.producer.begin_transaction().context("transaction cannot begin")?;
        self.send_within_transaction(rows).inspect_err(|_| {
            // Frees readers of committed records now rather than after the timeout; a successor would do it too.
            let _ = self.producer.abort_transaction(Duration::from_secs(5));
        })
    }

    fn send_within_transaction(&self, rows: &[OutboxRow]) -> Result<()> {
        for row in rows {
            self.producer
                .send(BaseRecord::to(&self.topic).key(&row.key).payload(&row.value))
                .map_err(|(error, _)| error)
                .with_context(|| format!("outbox row {} cannot be sent", row.id))?;
        }
        self.producer.commit_transaction(TRANSACTION_TIMEOUT).context("transaction cannot be committed")
    }
}
