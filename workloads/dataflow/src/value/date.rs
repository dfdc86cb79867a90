//! date: days since 1970-01-01.

use super::{
    ValueError,
    calendar::{FIRST_DAY, civil_from_days},
    datetime::{Moment, read},
};

pub const DATE_INFINITY: i32 = i32::MAX;
pub const DATE_NEGATIVE_INFINITY: i32 = i32::MIN;

/// The day after the last that Postgres has: 5874898-01-01.
const END: i64 = 2_147_483_494 + FIRST_DAY;

/// A time of day and a zone behind the date are read and ignored, as Postgres does.
pub fn parse_date(text: &str) -> Result<i32, ValueError> {
    match read(text, "date")? {
        Moment::Infinity => Ok(DATE_INFINITY),
        Moment::NegativeInfinity => Ok(DATE_NEGATIVE_INFINITY),
        Moment::Epoch => Ok(0),
        Moment::Written(written) => {
            let days = written.days.ok_or_else(|| ValueError::datetime_syntax("date", text))?;
            check_date(days).map_err(|_| ValueError::new("22008", format!("date out of range: \"{text}\"")))
        }
    }
}

/// The day, if Postgres has it.
pub fn check_date(days: i64) -> Result<i32, ValueError> {
    if (FIRST_DAY..END).contains(&days) { Ok(days as i32) } else { Err(ValueError::datetime_out_of_range("date")) }
}

/// DateStyle ISO.
pub fn print_date(days: i32) -> String {
    match days {
        DATE_INFINITY => "infinity".to_owned(),
        DATE_NEGATIVE_INFINITY => "-infinity".to_owned(),
        days => {
            let (date, era) = civil(i64::from(days));
            date + era
        }
    }
}

/// The date, and what follows the whole value when it is before Christ.
pub(crate) fn civil(days: i64) -> (String, &'static str) {
    let (year, month, day) = civil_from_days(days);
    if year > 0 {
        (format!("{year:04}-{month:02}-{day:02}"), "")
    } else {
        (format!("{:04}-{month:02}-{day:02}", 1 - year), " BC")
    }
}
