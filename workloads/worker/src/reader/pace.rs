//! How fast a reader reads: a token bucket that is emptied in bursts.

use std::time::{Duration, Instant};

/// The bucket holds what comes together in this time, and may be emptied once it is half full: a few larger epochs cost
/// Postgres less than many small ones.
const BURST: Duration = Duration::from_millis(250);

/// Records that may be read now.
pub struct Pace {
    /// Records a second; none: there is no limit.
    rate: Option<f64>,
    records: f64,
    filled: Instant,
    /// The bucket has been half full, and is not empty yet.
    open: bool,
}

impl Pace {
    /// Without a limit.
    pub fn new(now: Instant) -> Pace {
        Pace { rate: None, records: 0.0, filled: now, open: false }
    }

    /// At most `rate` records a second from now on.
    pub fn set(&mut self, rate: Option<f64>, now: Instant) {
        if rate != self.rate {
            self.fill(now);
            self.rate = rate;
            // What came together faster is not read faster now.
            self.records = self.records.min(self.most());
        }
    }

    pub fn stands_still(&self) -> bool {
        self.rate.is_some_and(|rate| rate <= 0.0)
    }

    /// How many records may be read now.
    pub fn room(&mut self, now: Instant) -> usize {
        if self.rate.is_none() {
            return usize::MAX;
        }
        self.fill(now);
        self.open |= self.records >= self.most() / 2.0;
        if self.open { self.records as usize } else { 0 }
    }

    /// A record was read.
    pub fn take(&mut self) {
        self.records = (self.records - 1.0).max(0.0);
        // Empty before it is filled again: what drips in meanwhile waits.
        self.open &= self.records >= 1.0;
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = now;
        self.records = (self.records + passed * self.rate.unwrap_or(0.0)).min(self.most());
    }

    /// One record at least, unless nothing is to be read at all: whoever reads one in ten seconds reads it whole.
    fn most(&self) -> f64 {
        match self.rate {
            Some(rate) if rate > 0.0 => (rate * BURST.as_secs_f64()).max(1.0),
            Some(_) | None => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks every `step` for `seconds`, and reads what there is room for, at most `comes`: what each look has read.
    fn read(pace: &mut Pace, from: Instant, seconds: u64, step: Duration, comes: usize) -> Vec<(Instant, f64)> {
        let mut now = from;
        let mut looks = Vec::new();
        while now < from + Duration::from_secs(seconds) {
            now += step;
            let read = pace.room(now).min(comes);
            (0..read).for_each(|_| pace.take());
            looks.push((now, read as f64));
        }
        looks
    }

    fn sum(looks: &[(Instant, f64)]) -> f64 {
        looks.iter().map(|(_, read)| read).sum()
    }

    #[test]
    fn no_stretch_of_time_sees_more_than_its_rate_and_one_burst() {
        for rate in [0.3, 1.0, 7.0, 125.0, 4_000.0, 1_000_000.0] {
            for (step, comes) in [(1, 4_096), (20, usize::MAX), (90, usize::MAX), (400, usize::MAX), (20, 3)] {
                let begun = Instant::now();
                let mut pace = Pace::new(begun);
                pace.set(Some(rate), begun);
                let looks = read(&mut pace, begun, 20, Duration::from_millis(step), comes);
                let burst = (rate / 4.0).max(1.0);
                for first in 0..looks.len().min(600) {
                    let mut seen = 0.0;
                    for (at, read) in &looks[first..] {
                        seen += read;
                        let allowed = rate * (*at - looks[first].0).as_secs_f64() + burst + 1e-3;
                        assert!(seen <= allowed, "{seen} records at {rate} a second, looked at every {step} ms");
                    }
                }
                // Nothing is saved up before the first look.
                assert!(sum(&looks) <= rate * 20.1 + 1.0);
            }
        }
    }

    #[test]
    fn what_the_rate_allows_is_read_when_it_is_there() {
        for rate in [1.0, 7.0, 125.0, 4_000.0, 150_000.0] {
            let begun = Instant::now();
            let mut pace = Pace::new(begun);
            pace.set(Some(rate), begun);
            let read = sum(&read(&mut pace, begun, 20, Duration::from_millis(20), 4_096));
            assert!(read >= rate * 20.0 * 0.9 - 1.0, "{read} records in 20 s at {rate} a second");
        }
    }

    #[test]
    fn small_amounts_are_not_read_one_by_one() {
        let begun = Instant::now();
        let mut pace = Pace::new(begun);
        pace.set(Some(1_000.0), begun);
        let looks = read(&mut pace, begun, 10, Duration::from_millis(5), usize::MAX);
        assert!(looks.iter().all(|(_, read)| *read == 0.0 || *read >= 100.0));
    }

    #[test]
    fn it_stands_still_and_goes_on() {
        let begun = Instant::now();
        let later = |seconds| begun + Duration::from_secs(seconds);
        let mut pace = Pace::new(begun);
        assert_eq!(pace.room(later(1)), usize::MAX);
        pace.set(Some(1_000.0), later(1));
        assert_eq!(pace.room(later(1)), 0, "nothing is saved up while there is no limit");
        assert_eq!(pace.room(later(2)), 250);
        pace.set(Some(0.0), later(2));
        assert!(pace.stands_still());
        assert_eq!(pace.room(later(100)), 0);
        pace.set(Some(4.0), later(100));
        assert!(!pace.stands_still());
        assert_eq!(pace.room(later(100)), 0, "nothing is saved up while it stands still");
        assert_eq!(pace.room(later(101)), 1);
        pace.set(None, later(101));
        assert_eq!(pace.room(later(101)), usize::MAX);
    }
}
