//! The emitter: sends records, each acknowledged by all in-sync replicas before it says so; with exactly-once delivery in a
//! transaction that commits the consumer's positions too.

use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use millrace_demo_kit::connections::KafkaConnection;
use rdkafka::{
    ClientContext, Message, TopicPartitionList,
    consumer::ConsumerGroupMetadata,
    error::{KafkaError, RDKafkaErrorCode},
    message::{DeliveryResult, OwnedHeaders},
    producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer},
};

use crate::{app::Outgoing, batch::DeadLetter};

/// Longer than a broker needs to fail over, shorter than a reader would want to wait behind a dead app.
const PATIENCE: Duration = Duration::from_secs(15);

pub struct Emitter {
    producer: ThreadedProducer<Deliveries>,
    /// Where records go that an app sends; without one it sends none.
    pub output: Option<String>,
    pub dead_letters: String,
}

impl Emitter {
    /// With a transactional id it fences whoever had that id before. Blocks.
    pub fn start(
        kafka: &KafkaConnection,
        output: Option<String>,
        dead_letters: String,
        transactional_id: Option<&str>,
    ) -> Result<Emitter> {
        let milliseconds = PATIENCE.as_millis().to_string();
        let mut config = kafka.producer();
        config.set("message.timeout.ms", &milliseconds).set("linger.ms", "5");
        if let Some(id) = transactional_id {
            config.set("transactional.id", id).set("transaction.timeout.ms", &milliseconds);
        }
        let producer: ThreadedProducer<Deliveries> =
            config.create_with_context(Deliveries::default()).context("kafka producer")?;
        if transactional_id.is_some() {
            producer.init_transactions(2 * PATIENCE).context("kafka producer cannot register its id")?;
        }
        Ok(Emitter { producer, output, dead_letters })
    }

    /// Returns when the brokers have acknowledged all of it. Blocks.
    pub fn send(&self, outgoing: &[Outgoing], dead_letters: &[DeadLetter]) -> Result<()> {
        self.enqueue_all(outgoing, dead_letters)?;
        if let Err(error) = self.producer.flush(PATIENCE) {
            bail!("records are not acknowledged within {PATIENCE:?}: {error}");
        }
        self.producer.context().check()
    }

    /// All of it and the positions, or nothing that a reader of committed records sees. After an error the emitter must
    /// be dropped, and the records be read again. Blocks.
    pub fn send_in_transaction(
        &self,
        outgoing: &[Outgoing],
        dead_letters: &[DeadLetter],
        positions: &TopicPartitionList,
        group: &ConsumerGroupMetadata,
    ) -> Result<()> {
        self.producer.begin_transaction().context("transaction cannot begin")?;
        self.enqueue_all(outgoing, dead_letters)
            .and_then(|()| {
                self.producer
                    .send_offsets_to_transaction(positions, group, PATIENCE)
                    .context("positions cannot be sent to the transaction")
            })
            .and_then(|()| self.producer.commit_transaction(PATIENCE).context("transaction cannot be committed"))
            .inspect_err(|_| {
                // Frees readers of committed records now rather than after the timeout; a successor would do it too.
                let _ = self.producer.abort_transaction(PATIENCE);
            })
    }

    fn enqueue_all(&self, outgoing: &[Outgoing], dead_letters: &[DeadLetter]) -> Result<()> {
        if let Some(output) = &self.output {
            for Outgoing { cause: _, key, value } in outgoing {
                self.enqueue(BaseRecord::to(output).key(key.as_bytes()).payload(value.as_bytes()), None)?;
            }
        }
        for letter in dead_letters {
            let mut record = BaseRecord::to(&self.dead_letters);
            record.key = letter.record.key();
            record.payload = letter.record.payload();
            self.enqueue(record, Some(letter.headers()))?;
        }
        Ok(())
    }

    fn enqueue<'a>(&self, mut record: BaseRecord<'a, [u8], [u8]>, headers: Option<OwnedHeaders>) -> Result<()> {
        record.headers = headers;
        let topic = record.topic.to_owned();
        let start = Instant::now();
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused))
                    if start.elapsed() < PATIENCE =>
                {
                    std::thread::sleep(Duration::from_millis(2));
                    record = refused;
                }
                Err((error, _)) => return Err(error).with_context(|| format!("a record for {topic} cannot be sent")),
            }
        }
    }
}

/// The first refusal of a record, if there was one.
#[derive(Default)]
struct Deliveries(Mutex<Option<KafkaError>>);

impl Deliveries {
    fn check(&self) -> Result<()> {
        match self.0.lock().expect("no holder panics").take() {
            Some(error) => Err(anyhow!("the brokers refused a record: {error}")),
            None => Ok(()),
        }
    }
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, _)) = result {
            self.0.lock().expect("no holder panics").get_or_insert_with(|| error.clone());
        }
    }
}
