//! The reader: a thread that polls Kafka, decodes and maps the next epochs while the present one commits.
//!
//! It holds back by not polling: at most one epoch waits in the channel, one is being made, and one commits.

mod assignment;
mod message;
mod pace;
mod partitions;
mod reading;
#[cfg(test)]
mod stand_in;
mod trust;

pub use message::{Assignment, Command, Event};

use crate::{
    prepared::{Prepared, Preparer, Range},
    telemetry::health::Health,
};
use assignment::Checked;
use millrace_connectors::{
    RawRecords,
    kafka::{KafkaSource, Polled},
    postgres::Problem,
};
use pace::Pace;
use rdkafka::error::KafkaResult;
use reading::{Reading, Waiting};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, TryRecvError},
    },
    time::{Duration, Instant},
};
use tokio::sync::mpsc::{Sender, UnboundedSender, error::TrySendError};

/// Epochs are at least this far apart while the input is idle.
const APART: Duration = Duration::from_millis(20);
/// Bytes of raw records in one epoch.
const EPOCH_BYTES: usize = 4 << 20;
/// Records that come after the topic was last known to be the right one for longer than this wait until it is again.
const TRUSTED_FOR: Duration = Duration::from_millis(100);
/// While nothing comes, the topic is looked at this often.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(3);
const TIMEOUT: Duration = Duration::from_secs(2);

/// What the reader and the loop both look at.
pub struct Shared {
    /// Records in one epoch: fewer when commits are slow.
    pub epoch_records: AtomicUsize,
    /// Records a second that may be read; none: as many as come.
    pub limit: Mutex<Option<f64>>,
    /// Lag of each partition from the position read, not from the one committed.
    pub stable: Mutex<BTreeMap<i32, i64>>,
}

/// Makes a client whose consumer group has this name.
pub type Connect = Box<dyn Fn(&str) -> KafkaResult<KafkaSource> + Send>;

/// What the reader is made of.
pub struct Reader {
    pub source: KafkaSource,
    pub connect: Connect,
    /// The consumer group that `source` was made for.
    pub group: String,
    pub preparer: Arc<Preparer>,
    pub commands: Receiver<Command>,
    pub prepared: Sender<Prepared>,
    pub events: UnboundedSender<Event>,
    pub shared: Arc<Shared>,
    pub health: Arc<Health>,
}

/// Says that the reader has ended, however it did.
struct Ended(Arc<Health>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.reader_ended.store(true, Ordering::Relaxed);
    }
}

struct Turning {
    reader: Reader,
    /// The consumer group that is asked for, and when a client for it may be made again.
    group: String,
    next_group: Instant,
    pace: Pace,
    reading: BTreeMap<i32, Reading>,
    waiting: Vec<Waiting>,
    next_try: Instant,
    pending: RawRecords,
    sent: Instant,
    /// When each topic's identity was last asked for and found right.
    trusted: Vec<Option<Instant>>,
    looked: Instant,
}

impl Reader {
    /// Turns until the loop is gone.
    pub fn run(self) {
        let _ended = Ended(self.health.clone());
        let mut turning = Turning::new(self);
        while turning.turn().is_some() {}
    }
}

impl Turning {
    fn new(reader: Reader) -> Turning {
        let now = Instant::now();
        let topics = reader.source.topics().names().len();
        Turning {
            group: reader.group.clone(),
            next_group: now,
            reader,
            pace: Pace::new(now),
            reading: BTreeMap::new(),
            waiting: Vec::new(),
            next_try: now,
            pending: RawRecords::default(),
            sent: now,
            trusted: vec![None; topics],
            looked: now,
        }
    }

    /// One turn; `None`: the loop is gone.
    fn turn(&mut self) -> Option<()> {
        self.obey()?;
        self.keep_group();
        self.keep_pace();
        self.try_waiting();
        self.look();
        self.poll();
        if self.due() {
            self.dispatch()?;
        }
        Some(())
    }

    fn obey(&mut self) -> Option<()> {
        loop {
            let command = match self.reader.commands.try_recv() {
                Ok(command) => command,
                Err(TryRecvError::Empty) => return Some(()),
                Err(TryRecvError::Disconnected) => return None,
            };
            match command {
                Command::Read(assignments) => {
                    let partitions: Vec<i32> = assignments.iter().map(|assignment| assignment.partition).collect();
                    self.stop(&partitions);
                    self.waiting.extend(assignments.into_iter().map(Waiting::new));
                    self.next_try = Instant::now();
                }
                Command::Stop(partitions) => self.stop(&partitions),
                Command::StopAll => {
                    let partitions: Vec<i32> = self.reading.keys().copied().collect();
                    self.stop(&partitions);
                    self.waiting.clear();
                }
                Command::Group(group) => {
                    (self.group, self.next_group) = (group, Instant::now());
                    self.keep_group();
                }
                Command::Mirror(positions) => {
                    if let Err(error) = self.reader.source.mirror(&positions) {
                        tracing::warn!(%error, "positions not written to the consumer group");
                    }
                }
            }
        }
    }

    /// Checks and assigns what waits, once a second.
    fn try_waiting(&mut self) {
        if self.waiting.is_empty() || Instant::now() < self.next_try {
            return;
        }
        let waiting = std::mem::take(&mut self.waiting);
        for waiting in waiting {
            let checked = assignment::check(&self.reader.source, &waiting, TIMEOUT);
            self.reader.health.kafka.store(!matches!(checked, Checked::Unreachable(_)), Ordering::Relaxed);
            match checked {
                Checked::Right { partitions } => {
                    self.reader.preparer.note_partitions(waiting.assignment.partition, partitions);
                    self.start(waiting.assignment);
                }
                Checked::Wrong(problem) => self.report(&waiting.assignment, problem),
                Checked::NotYet => self.waiting.push(Waiting { tries: waiting.tries + 1, ..waiting }),
                Checked::Unreachable(error) => {
                    tracing::info!(error, partition = waiting.assignment.partition, "waiting for kafka");
                    self.waiting.push(waiting);
                }
            }
        }
        self.next_try = Instant::now() + Duration::from_secs(1);
    }

    fn report(&self, assignment: &Assignment, problem: Problem) {
        self.send(Event::Problem { partition: assignment.partition, owner: assignment.owner, problem });
    }

    fn send(&self, event: Event) {
        // The loop is gone: the next turn ends.
        let _ = self.reader.events.send(event);
    }

    /// Looks at the topic while nothing comes, and shows what the brokers say of the log's end.
    fn look(&mut self) {
        if self.looked.elapsed() < Duration::from_secs(1) {
            return;
        }
        self.looked = Instant::now();
        let mut stable = self.reader.shared.stable.lock().unwrap_or_else(PoisonError::into_inner);
        *stable = self
            .reading
            .keys()
            .filter_map(|&partition| Some((partition, self.reader.source.stable(partition)?)))
            .collect();
        drop(stable);
        if !self.trusts(LOOKED_AT_EVERY) {
            self.trust();
        }
    }

    fn full(&self) -> bool {
        self.pending.len() >= self.reader.shared.epoch_records.load(Ordering::Relaxed)
            || self.pending.byte_len() >= EPOCH_BYTES
    }

    fn moved(&self) -> bool {
        !self.pending.is_empty() || self.reading.values().any(|reading| reading.to > reading.from)
    }

    /// Takes what the client has and the pace allows, for at most as long as an epoch may wait.
    fn poll(&mut self) {
        let stands_still = self.pace.stands_still();
        let mut room = self.pace.room(Instant::now());
        if room == 0 && !stands_still {
            // What comes waits at the client.
            return std::thread::sleep(APART);
        }
        let mut wait = if self.moved() { APART.saturating_sub(self.sent.elapsed()) } else { APART };
        for turn in 0..4_096 {
            if self.full() || (room == 0 && !stands_still) {
                return;
            }
            match self.reader.source.poll(wait, &mut self.pending) {
                Polled::Record { partition, offset } => {
                    match self.reading.get_mut(&partition) {
                        // What comes while nothing may be read is read again from where the partition stands.
                        Some(reading) if offset >= reading.to && !stands_still => reading.to = offset + 1,
                        _ => self.pending.pop(),
                    }
                    self.pace.take();
                    room = room.saturating_sub(1);
                    wait = Duration::ZERO;
                    if turn % 256 == 255 && self.sent.elapsed() > APART {
                        return;
                    }
                }
                Polled::End { partition, offset } => {
                    if let Some(reading) = self.reading.get_mut(&partition).filter(|_| !stands_still) {
                        reading.to = reading.to.max(offset);
                    }
                }
                Polled::OutOfRange { partition } => {
                    if let Some(reading) = self.reading.get(&partition) {
                        let assignment = reading.restart();
                        self.wait_for(vec![assignment]);
                    }
                }
                Polled::Truncated { partition } => {
                    if let Some(reading) = self.reading.get(&partition) {
                        let assignment = reading.restart();
                        self.stop(&[partition]);
                        self.waiting.push(Waiting { truncated: true, ..Waiting::new(assignment) });
                    }
                }
                Polled::Trouble(text) => {
                    tracing::info!(text, "kafka");
                    self.trusted.fill(None);
                }
                Polled::Other => {}
                Polled::Nothing => return,
            }
        }
    }

    fn due(&self) -> bool {
        self.full() || self.moved() && self.sent.elapsed() >= APART && self.reader.prepared.capacity() > 0
    }

    /// Sends what was read on its way.
    fn dispatch(&mut self) -> Option<()> {
        if !self.trusts(TRUSTED_FOR) && !self.trust() {
            if !self.reading.is_empty() {
                // What was read waits until somebody says that it is of the right topic.
                std::thread::sleep(Duration::from_millis(200));
            }
            return Some(());
        }
        let ranges: Vec<Range> = self
            .reading
            .values()
            .filter(|reading| reading.to > reading.from)
            .map(|reading| Range {
                partition: reading.assignment.partition,
                owner: reading.assignment.owner,
                from: reading.from,
                to: reading.to,
                lag: self.reader.source.stable(reading.assignment.partition).map(|end| (end - reading.to).max(0)),
            })
            .collect();
        for reading in self.reading.values_mut() {
            reading.from = reading.to;
        }
        let raw = std::mem::take(&mut self.pending);
        self.sent = Instant::now();
        let mut prepared = self.reader.preparer.prepare(raw, ranges);
        loop {
            match self.reader.prepared.try_send(prepared) {
                Ok(()) => return Some(()),
                Err(TrySendError::Closed(_)) => return None,
                Err(TrySendError::Full(back)) => {
                    prepared = back;
                    // Commands come through while an epoch waits for its turn. A partition that was stopped meanwhile
                    // has another owner from now on, and the loop leaves its part of the epoch out.
                    self.obey()?;
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
        }
    }
}
