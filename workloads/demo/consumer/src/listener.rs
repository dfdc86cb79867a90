//! The listener: what an instance has handled and not yet committed, and what happens to that when partitions go.

use std::{
    collections::BTreeSet,
    mem::take,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rdkafka::{
    ClientContext, Statistics,
    consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance},
    error::{KafkaError, RDKafkaErrorCode},
};

use crate::{
    batch::{Positions, to_list},
    metrics::Metrics,
};

pub struct Listener {
    /// Handled, and to be committed.
    handled: Mutex<Positions>,
    /// Where the log ended for this reader, as of the last statistics: behind the markers of transactions, which no record
    /// shows.
    ends: Mutex<Positions>,
    /// Partitions that have gone since somebody asked.
    lost: Mutex<BTreeSet<(String, i32)>>,
    joined: AtomicBool,
    rebalanced: Mutex<Instant>,
    metrics: Metrics,
}

/// Statistics tell of a partition that has just come what they knew when it was here before.
const STATISTICS_SETTLE: Duration = Duration::from_secs(3);

impl Listener {
    pub fn new(metrics: Metrics) -> Listener {
        Listener {
            handled: Mutex::default(),
            ends: Mutex::default(),
            lost: Mutex::default(),
            joined: AtomicBool::new(false),
            rebalanced: Mutex::new(Instant::now()),
            metrics,
        }
    }

    /// Whether the group has given this instance its partitions, be it none.
    pub fn has_joined(&self) -> bool {
        self.joined.load(Ordering::Relaxed)
    }

    pub fn add_handled(&self, positions: Positions) {
        self.handled.lock().expect("no holder panics").extend(positions);
    }

    pub fn take_handled(&self) -> Positions {
        take(&mut *self.handled.lock().expect("no holder panics"))
    }

    pub fn take_lost(&self) -> BTreeSet<(String, i32)> {
        take(&mut *self.lost.lock().expect("no holder panics"))
    }

    pub fn take_ends(&self) -> Positions {
        take(&mut *self.ends.lock().expect("no holder panics"))
    }
}

impl ClientContext for Listener {
    fn error(&self, error: KafkaError, reason: &str) {
        // The end of a partition is asked for, and is no error.
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::PartitionEOF) {
            tracing::warn!(error = %error, reason, "kafka is in trouble");
        }
    }

    fn stats(&self, statistics: Statistics) {
        if self.rebalanced.lock().expect("no holder panics").elapsed() < STATISTICS_SETTLE {
            return;
        }
        let mut ends = self.ends.lock().expect("no holder panics");
        for (name, topic) in statistics.topics {
            for (partition, state) in topic.partitions {
                if partition >= 0 && state.eof_offset > 0 {
                    ends.insert((name.clone(), partition), state.eof_offset);
                }
            }
        }
    }
}

impl ConsumerContext for Listener {
    /// Commits what it has done of the partitions that it loses, so that their next owner does not do it again.
    fn pre_rebalance(&self, consumer: &BaseConsumer<Listener>, rebalance: &Rebalance<'_>) {
        *self.rebalanced.lock().expect("no holder panics") = Instant::now();
        self.take_ends();
        let Rebalance::Revoke(lost) = rebalance else { return };
        let lost: Vec<(String, i32)> =
            lost.elements().iter().map(|element| (element.topic().to_owned(), element.partition())).collect();
        self.lost.lock().expect("no holder panics").extend(lost.iter().cloned());
        let handled: Positions = {
            let mut handled = self.handled.lock().expect("no holder panics");
            lost.into_iter().filter_map(|place| Some((place.clone(), handled.remove(&place)?))).collect()
        };
        if handled.is_empty() {
            return;
        }
        // A partition that went without asking has another owner already, and commits of its own.
        if consumer.assignment_lost() {
            tracing::warn!(
                partitions = handled.len(),
                "partitions were taken away; what is not committed is done again"
            );
            return;
        }
        match to_list(&handled).and_then(|list| consumer.commit(&list, CommitMode::Sync)) {
            Ok(()) => tracing::info!(partitions = handled.len(), "partitions given back, positions committed"),
            Err(error) => tracing::warn!(error = %error, "positions of lost partitions cannot be committed"),
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Listener>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(_) => self.joined.store(true, Ordering::Relaxed),
            Rebalance::Revoke(_) => {}
            Rebalance::Error(error) => tracing::warn!(error = %error, "rebalance failed"),
        }
        if let Ok(assignment) = consumer.assignment() {
            self.metrics.partitions.set(assignment.count() as i64);
        }
    }
}
