//! What the probes look at: does the loop turn, and is everything there that it needs.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// A loop that has not turned for this long hangs.
const HANGS_AFTER: Duration = Duration::from_secs(30);

pub struct Health {
    start: Instant,
    /// Milliseconds from `start` to the last turn.
    last_turn: AtomicU64,
    pub postgres: AtomicBool,
    /// False from the moment the brokers do not answer until they do. A worker without tasks asks none, and is ready:
    /// otherwise one pod more than there are partitions would hold up every rolling update.
    pub kafka: AtomicBool,
    /// Whether the catalog was asked for tasks at least once.
    pub claimed: AtomicBool,
    /// The reader's thread has ended, and nothing will be read any more.
    pub reader_ended: AtomicBool,
}

impl Health {
    pub fn new() -> Health {
        Health {
            start: Instant::now(),
            last_turn: AtomicU64::new(0),
            postgres: AtomicBool::new(false),
            kafka: AtomicBool::new(true),
            claimed: AtomicBool::new(false),
            reader_ended: AtomicBool::new(false),
        }
    }

    pub fn turn(&self) {
        self.last_turn.store(self.start.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    /// Why the process should be started again.
    pub fn dead(&self) -> Option<String> {
        let last = Duration::from_millis(self.last_turn.load(Ordering::Relaxed));
        let still = self.start.elapsed().saturating_sub(last);
        if still > HANGS_AFTER {
            return Some(format!("the loop has not turned for {} s", still.as_secs()));
        }
        self.reader_ended.load(Ordering::Relaxed).then(|| "the reader has ended".into())
    }

    /// Why it cannot work right now.
    pub fn not_ready(&self) -> Option<&'static str> {
        if !self.postgres.load(Ordering::Relaxed) {
            return Some("postgres is not connected");
        }
        if !self.kafka.load(Ordering::Relaxed) {
            return Some("no broker answers");
        }
        (!self.claimed.load(Ordering::Relaxed)).then_some("the catalog has not been asked for tasks yet")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_without_tasks_is_ready_and_one_whose_brokers_are_silent_is_not() {
        let health = Health::new();
        assert_eq!(health.not_ready(), Some("postgres is not connected"));
        health.postgres.store(true, Ordering::Relaxed);
        health.claimed.store(true, Ordering::Relaxed);
        assert_eq!(health.not_ready(), None);
        health.kafka.store(false, Ordering::Relaxed);
        assert_eq!(health.not_ready(), Some("no broker answers"));
    }
}
