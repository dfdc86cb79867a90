//! A session: from joining the group until something fails or the end comes. One thread polls, handles and sends, so that
//! nothing is in flight while the group moves partitions.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use rdkafka::{
    Message,
    consumer::{BaseConsumer, CommitMode, Consumer as _},
    error::KafkaError,
    message::OwnedMessage,
};
use tokio::{runtime::Handle, sync::watch};

use crate::{
    App,
    app::Outgoing,
    batch::{Batch, DeadLetter, Positions, to_list},
    effects,
    emitter::Emitter,
    health::ConsumerState,
    listener::Listener,
    runner::{Consumer, Delivery},
};

pub struct Session<A> {
    consumer: Arc<Consumer<A>>,
    state: watch::Sender<ConsumerState>,
    stop: watch::Receiver<bool>,
    runtime: Handle,
}

const POLL: Duration = Duration::from_millis(100);

type Client = BaseConsumer<Listener>;

struct Polled {
    records: Vec<OwnedMessage>,
    /// The queue was empty for a whole wait. That nothing came is not enough: a commit that was answered, or partitions
    /// that moved, end a wait early too.
    drained: bool,
}

impl<A: App> Session<A> {
    /// To be called within the runtime that has the consumer's pool.
    pub fn new(
        consumer: Arc<Consumer<A>>,
        state: watch::Sender<ConsumerState>,
        stop: watch::Receiver<bool>,
    ) -> Session<A> {
        Session { consumer, state, stop, runtime: Handle::current() }
    }

    /// Ends well only when it is told to stop. Blocks.
    pub fn run(&self) -> Result<()> {
        let Consumer { group, kafka, output, dead_letters, .. } = &*self.consumer;
        let id = format!("{group}-{}", kafka.client_id);
        let transactional_id = (self.consumer.delivery == Delivery::ExactlyOnce).then_some(id.as_str());
        let emitter = Emitter::start(kafka, output.clone(), dead_letters.clone(), transactional_id)?;
        let client = self.join()?;
        let mut committed = Instant::now();
        // The next offset of what was handled in this session.
        let mut reached = Positions::new();
        while !self.is_stopped() {
            let ends = ends_beyond(&reached, &client)?;
            let Polled { records, drained } = self.poll(&client)?;
            if !records.is_empty() {
                reached.extend(self.handle(&client, &emitter, records)?);
            } else if drained {
                // What stood before these ends has come by: they were known before the queue was found empty.
                client.context().add_handled(ends);
            }
            if committed.elapsed() >= Duration::from_secs(self.consumer.pace.commit_seconds) {
                commit_handled(&client);
                committed = Instant::now();
            }
        }
        commit_handled(&client);
        Ok(())
    }

    fn is_stopped(&self) -> bool {
        *self.stop.borrow()
    }

    fn join(&self) -> Result<Client> {
        let Consumer { group, inputs, pace, kafka, metrics, .. } = &*self.consumer;
        let client: Client = kafka
            .client()
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", "read_committed")
            // Instances that keep a partition go on reading it while others move.
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", (pace.session_seconds * 1000).to_string())
            .set("heartbeat.interval.ms", "1000")
            // Partitions that a topic has got are found within this time.
            .set("topic.metadata.refresh.interval.ms", "10000")
            .set("metadata.max.age.ms", "30000")
            // Tell where a partition ends for a reader of committed records.
            .set("enable.partition.eof", "true")
            .set("statistics.interval.ms", "1000")
            .create_with_context(Listener::new(metrics.clone()))
            .context("kafka consumer")?;
        let topics: Vec<&str> = inputs.iter().map(String::as_str).collect();
        client.subscribe(&topics).with_context(|| format!("cannot subscribe to {}", topics.join(", ")))?;
        Ok(client)
    }

    /// What comes within one wait, up to a batch of it. Partitions move in here, where nothing is half done.
    fn poll(&self, client: &Client) -> Result<Polled> {
        let mut polled = Polled { records: Vec::new(), drained: false };
        let (mut wait, mut began) = (POLL, Instant::now());
        while polled.records.len() < self.consumer.pace.batch {
            match client.poll(wait) {
                None => {
                    polled.drained = polled.records.is_empty() && began.elapsed() >= POLL;
                    break;
                }
                Some(Ok(record)) => {
                    polled.records.push(record.detach());
                    wait = Duration::ZERO;
                }
                Some(Err(KafkaError::PartitionEOF(_))) => began = Instant::now(),
                Some(Err(KafkaError::MessageConsumption(error))) => {
                    // librdkafka goes on trying; a topic may still be made.
                    tracing::warn!(error = %error, "reading is in trouble");
                    self.state.send_replace(ConsumerState::Failing(error.to_string()));
                    return Ok(polled);
                }
                Some(Err(error)) => return Err(error).context("cannot read"),
            }
        }
        // Polled before their partition went, and not handled: its next owner reads them.
        let lost = client.context().take_lost();
        polled.records.retain(|record| !lost.contains(&(record.topic().to_owned(), record.partition())));
        if client.context().has_joined() {
            self.state.send_if_modified(|state| {
                let news = *state != ConsumerState::Consuming;
                *state = ConsumerState::Consuming;
                news
            });
        }
        Ok(polled)
    }

    fn handle(&self, client: &Client, emitter: &Emitter, records: Vec<OwnedMessage>) -> Result<Positions> {
        let metrics = &self.consumer.metrics;
        let mut batch = Batch::read(&*self.consumer.app, records);
        let positions = std::mem::take(&mut batch.positions);
        let count = batch.records as u64;
        if self.consumer.delivery == Delivery::AtMostOnce {
            commit(client, &positions)?;
        }
        let (outgoing, dead_letters) = self.apply(batch)?;
        thread::sleep(Duration::from_millis(self.consumer.pace.work_milliseconds * count));
        match self.consumer.delivery {
            Delivery::AtMostOnce => emitter.send(&outgoing, &dead_letters)?,
            Delivery::AtLeastOnce => {
                emitter.send(&outgoing, &dead_letters)?;
                client.context().add_handled(positions.clone());
            }
            Delivery::ExactlyOnce => {
                let group = client.group_metadata().context("a consumer with a group has its metadata")?;
                // An end that stands to be committed is older than these positions.
                drop(client.context().take_handled());
                emitter.send_in_transaction(&outgoing, &dead_letters, &to_list(&positions)?, &group)?;
            }
        }
        metrics.records.inc_by(count);
        metrics.sent.inc_by(if emitter.output.is_some() { outgoing.len() as u64 } else { 0 });
        metrics.dead_letters.inc_by(dead_letters.len() as u64);
        Ok(positions)
    }

    /// Effects of the batch in Postgres, tried until they are there. Where Postgres refuses what a record holds, the batch
    /// is halved until that record is alone: it becomes a dead letter.
    fn apply(&self, batch: Batch<A::Content>) -> Result<(Vec<Outgoing>, Vec<DeadLetter>)> {
        let Batch { mut events, mut dead_letters, positions: _, records: _ } = batch;
        let mut outgoing = Vec::new();
        let mut parts = Vec::new();
        if !events.is_empty() {
            parts.push(events.split_off(0));
        }
        while let Some(mut part) = parts.pop() {
            let applied = {
                let contents: Vec<_> = part.iter().map(|(_, event)| event).collect();
                self.apply_persistently(&contents)?
            };
            match applied {
                Ok(mut effects) => {
                    self.consumer.metrics.repeated.inc_by(effects.repeated as u64);
                    outgoing.append(&mut effects.outgoing);
                }
                Err(refusal) if part.len() == 1 => {
                    let letters = part.into_iter().map(|(record, _)| DeadLetter { record, reason: refusal.clone() });
                    dead_letters.extend(letters);
                }
                Err(_) => {
                    let second = part.split_off(part.len() / 2);
                    parts.extend([second, part]);
                }
            }
        }
        Ok((outgoing, dead_letters))
    }

    /// The inner error is a refusal of what one of the events holds.
    fn apply_persistently(
        &self,
        events: &[&crate::Event<A::Content>],
    ) -> Result<std::result::Result<effects::Effects, String>> {
        let mut wait = Duration::from_millis(250);
        loop {
            let applying = effects::apply(&*self.consumer.app, &self.consumer.pool, events);
            match self.runtime.block_on(applying) {
                Ok(effects) => return Ok(Ok(effects)),
                Err(error) if effects::is_of_content(&error) => return Ok(Err(format!("postgres: {error}"))),
                Err(error) if self.is_stopped() => return Err(error).context("postgres"),
                Err(error) => {
                    tracing::warn!(error = %error, retry_in_ms = wait.as_millis() as u64, "postgres failed");
                    self.state.send_replace(ConsumerState::Failing(format!("postgres: {error}")));
                    thread::sleep(wait);
                    wait = (wait * 2).min(Duration::from_secs(5));
                }
            }
        }
    }
}

/// Ends of the log that lie behind everything that was handled: there stand markers of transactions and nothing else.
fn ends_beyond(reached: &Positions, client: &Client) -> Result<Positions> {
    let mut ends = client.context().take_ends();
    if !ends.is_empty() {
        let assigned = client.assignment().context("a consumer knows its partitions")?;
        ends.retain(|place, end| {
            assigned.find_partition(&place.0, place.1).is_some()
                && reached.get(place).is_none_or(|offset| *end > *offset)
        });
    }
    Ok(ends)
}

/// What cannot be committed now, for the group is just moving partitions, is committed later, or when they go.
fn commit_handled(client: &Client) {
    let handled = client.context().take_handled();
    if let Err(error) = commit(client, &handled) {
        tracing::warn!(error = format!("{error:#}"), "positions are committed later");
        client.context().add_handled(handled);
    }
}

/// Waits for the answer: no commit may come in after a later one by another way, the transaction's.
fn commit(client: &Client, positions: &Positions) -> Result<()> {
    if positions.is_empty() {
        return Ok(());
    }
    client.commit(&to_list(positions)?, CommitMode::Sync).context("positions cannot be committed")
}
