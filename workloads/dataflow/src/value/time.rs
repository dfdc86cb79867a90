//! time: microseconds since midnight, 24:00:00 included.

use super::{
    ValueError,
    datetime::{Moment, read},
};

/// A day in microseconds.
pub const DAY: i64 = 86_400_000_000;

/// A date before the time (with a space between) and a zone behind it are read and ignored, as Postgres does.
pub fn parse_time(text: &str) -> Result<i64, ValueError> {
    match read(text, "time")? {
        Moment::Written(written) => written.time.ok_or_else(|| ValueError::datetime_syntax("time", text)),
        Moment::Infinity | Moment::NegativeInfinity | Moment::Epoch => Err(ValueError::datetime_syntax("time", text)),
    }
}

/// `hh:mm:ss` and as much of the fraction as is not zero.
pub fn print_time(micros: i64) -> String {
    let seconds = micros / 1_000_000;
    let fraction = micros % 1_000_000;
    let mut text = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if fraction != 0 {
        let digits = format!(".{fraction:06}");
        text.push_str(digits.trim_end_matches('0'));
    }
    text
}
