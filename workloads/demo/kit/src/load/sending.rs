//! Sending made-up records: as fast as the brokers take them, or at a rate.

use std::{
    collections::BTreeMap,
    num::NonZeroU64,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use rdkafka::{
    ClientContext, Message,
    error::{KafkaError, RDKafkaErrorCode},
    message::DeliveryResult,
    producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer},
};

use crate::{connections::KafkaConnection, load::Progress};

/// One record for the topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub key: String,
    pub value: Vec<u8>,
}

pub struct Sending {
    pub kafka: KafkaConnection,
    pub topic: String,
    /// Records per second.
    pub rate: Option<NonZeroU64>,
}

/// What the brokers have acknowledged.
#[derive(Debug)]
pub struct Sent {
    pub records: u64,
    /// The offset of the newest record in every partition that got one.
    pub newest_offsets: BTreeMap<i32, i64>,
}

impl Sending {
    /// Returns when the brokers have acknowledged every record; about how many there are is for the eye alone. Blocks.
    pub fn send_all(&self, events: impl Iterator<Item = Event>, about: u64) -> Result<Sent> {
        let producer: ThreadedProducer<Acknowledgements> = self
            .kafka
            .producer()
            .set("queue.buffering.max.messages", "200000")
            .set("queue.buffering.max.kbytes", "131072")
            .set("batch.size", "1000000")
            .set("linger.ms", "20")
            .set("compression.type", "zstd")
            .set("message.timeout.ms", "300000")
            .create_with_context(Acknowledgements::default())
            .context("kafka producer")?;
        let acknowledgements = producer.context();
        let mut progress = Progress::new("sent", about);
        let start = Instant::now();
        let mut queued = 0;
        for event in events {
            self.keep_rate(start, queued);
            self.enqueue(&producer, &event)?;
            queued += 1;
            if queued % 1000 == 0 {
                acknowledgements.check()?;
                progress.set(acknowledgements.count.load(Ordering::Relaxed));
            }
        }
        while acknowledgements.count.load(Ordering::Relaxed) < queued {
            acknowledgements.check()?;
            progress.set(acknowledgements.count.load(Ordering::Relaxed));
            // Sends what lingers; records still on their way after it are waited for in the next round.
            match producer.flush(Duration::from_millis(200)) {
                Ok(()) | Err(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut)) => {}
                Err(error) => return Err(error).context("records cannot be flushed"),
            }
        }
        acknowledgements.check()?;
        progress.finish();
        let newest_offsets = acknowledgements.newest_offsets.lock().expect("no holder panics").clone();
        Ok(Sent { records: queued, newest_offsets })
    }

    fn enqueue(&self, producer: &ThreadedProducer<Acknowledgements>, event: &Event) -> Result<()> {
        let mut record = BaseRecord::to(&self.topic).key(&event.key).payload(&event.value);
        loop {
            match producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => {
                    producer.context().check()?;
                    std::thread::sleep(Duration::from_millis(2));
                    record = refused;
                }
                Err((error, _)) => {
                    return Err(error).with_context(|| format!("the record with key {} cannot be sent", event.key));
                }
            }
        }
    }

    fn keep_rate(&self, start: Instant, queued: u64) {
        let Some(rate) = self.rate else { return };
        let due = Duration::from_secs_f64(queued as f64 / rate.get() as f64);
        // The finest sleep that the kernel keeps; what is due sooner goes at once.
        if let Some(wait) = due.checked_sub(start.elapsed()).filter(|wait| *wait >= Duration::from_millis(1)) {
            std::thread::sleep(wait);
        }
    }
}

/// What the brokers said of the records so far.
#[derive(Default)]
struct Acknowledgements {
    count: AtomicU64,
    newest_offsets: Mutex<BTreeMap<i32, i64>>,
    failure: Mutex<Option<KafkaError>>,
}

impl Acknowledgements {
    fn check(&self) -> Result<()> {
        match &*self.failure.lock().expect("no holder panics") {
            Some(error) => bail!("the brokers refused a record: {error}"),
            None => Ok(()),
        }
    }
}

impl ClientContext for Acknowledgements {}

impl ProducerContext for Acknowledgements {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(record) => {
                let mut newest = self.newest_offsets.lock().expect("no holder panics");
                let offset = newest.entry(record.partition()).or_insert(record.offset());
                *offset = (*offset).max(record.offset());
                self.count.fetch_add(1, Ordering::Relaxed);
            }
            Err((error, _)) => {
                self.failure.lock().expect("no holder panics").get_or_insert_with(|| error.clone());
            }
        }
    }
}
