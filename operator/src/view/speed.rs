//! Speed: records a second, as they were measured.

use super::{
    figures::{count, two_digits},
    observed::ViewRow,
};
use std::{fmt, time::Duration};

/// A build of fewer records says more of how long workers take to start than of how fast they read.
pub const MEASURED_FROM: i64 = 10_000;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed(f64);

impl Speed {
    /// None: nothing has moved, or no time has passed.
    pub fn of(records: i64, time: Duration) -> Option<Speed> {
        (records > 0 && !time.is_zero()).then(|| Speed(records as f64 / time.as_secs_f64()))
    }

    /// The seconds that so many records take.
    pub fn seconds_for(self, records: i64) -> f64 {
        records as f64 / self.0
    }

    /// No more than `most` records a second.
    pub fn within(self, most: Option<i64>) -> Speed {
        Speed(most.map_or(self.0, |most| self.0.min(most as f64)))
    }

    /// What each of so many partitions has of it.
    pub fn shared_by(self, partitions: usize) -> Speed {
        Speed(self.0 / partitions.max(1) as f64)
    }
}

/// To two digits: it is said the same while it moves a little.
impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 10.0 {
            write!(f, "{:.1} records/s", self.0)
        } else {
            write!(f, "{} records/s", count(two_digits(self.0 as i64)))
        }
    }
}

/// How fast the newest revision of the view was built whose build was measured.
pub fn measured(view: &ViewRow) -> Option<Speed> {
    let measured = view.revisions.values().filter_map(|row| Some((row.created_at, row.built?)));
    let enough = measured.filter(|(_, built)| built.records >= MEASURED_FROM);
    let (_, built) = enough.max_by_key(|(created_at, _)| *created_at)?;
    Speed::of(built.records, built.time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_said_to_two_digits() {
        for (records, seconds, said) in [
            (10_000, 2, "5,000 records/s"),
            (123_456, 1, "120,000 records/s"),
            (21, 2, "10 records/s"),
            (7, 2, "3.5 records/s"),
        ] {
            let speed = Speed::of(records, Duration::from_secs(seconds)).expect("it moves");
            assert_eq!(speed.to_string(), said);
        }
        assert_eq!(Speed::of(0, Duration::from_secs(1)), None);
        assert_eq!(Speed::of(1, Duration::ZERO), None);
    }
}
