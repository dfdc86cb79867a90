//! date, time, timestamp and timestamptz: arithmetic, parts and truncation. What depends on the clock is absent.

mod extract;
mod truncate;
mod unit;

use super::{
    EvalError, Function, Sql,
    cast::{is_infinite, midnight},
    kernel::scalar,
};
use crate::value::{
    DATE_INFINITY, DATE_NEGATIVE_INFINITY, INFINITY, NEGATIVE_INFINITY, ValueError, check_date, check_timestamp,
    days_from_civil, days_in_month, local_from_utc, utc_from_local, zone_named,
};

pub(super) fn functions() -> Vec<Function> {
    let mut functions = vec![
        scalar!("date_pli", Sql::Operator("+"), [Date, Integer] -> Date, "So many days later.", |_, date, days| add_days(date, i64::from(days))),
        scalar!("integer_pl_date", Sql::Operator("+"), [Integer, Date] -> Date, "So many days later.", |_, days, date| add_days(date, i64::from(days))),
        scalar!("date_mii", Sql::Operator("-"), [Date, Integer] -> Date, "So many days earlier.", |_, date, days| add_days(date, -i64::from(days))),
        scalar!("date_mi", Sql::Operator("-"), [Date, Date] -> Integer, "The number of days between.", |_, a: i32, b: i32| {
            if is_infinite_date(a) || is_infinite_date(b) {
                return Err(ValueError::new("22008", "cannot subtract infinite dates"));
            }
            Ok(a - b)
        }),
        scalar!("datetime_pl", Sql::Operator("+"), [Date, Time] -> Timestamp, "The time on the day.", |_, date, time| at_time(date, time)),
        scalar!("timedate_pl", Sql::Operator("+"), [Time, Date] -> Timestamp, "The time on the day.", |_, time, date| at_time(date, time)),
        scalar!("make_date", Sql::Function("make_date"), [Integer, Integer, Integer] -> Date, "The date of a year (negative: BC), month and day.", |_, year, month, day| make_date(year, month, day)),
        scalar!("to_timestamp", Sql::Function("to_timestamp"), [DoublePrecision] -> TimestampTz, "The moment so many seconds after 1970-01-01 00:00 UTC.", |_, seconds| to_timestamp(seconds)),
        scalar!("timestamptz_zone", Sql::Function("timezone"), [Text, TimestampTz] -> Timestamp, "What clocks of a time zone show (`moment AT TIME ZONE zone`).", |_, zone: &str, moment| {
            if is_infinite(moment) { Ok(moment) } else { check_timestamp(local_from_utc(zone_named(zone)?, moment)) }
        }),
        scalar!("timestamp_zone", Sql::Function("timezone"), [Text, Timestamp] -> TimestampTz, "The moment at which clocks of a time zone show it (`timestamp AT TIME ZONE zone`).", |_, zone: &str, local| {
            if is_infinite(local) {
                return Ok(local);
            }
            check_timestamp(utc_from_local(zone_named(zone)?, local))
        }),
        scalar!("isfinite_date", Sql::Function("isfinite"), [Date] -> Boolean, "Whether it is neither infinity nor -infinity.", |_, date| !is_infinite_date(date)),
        scalar!("isfinite_timestamp", Sql::Function("isfinite"), [Timestamp] -> Boolean, "Whether it is neither infinity nor -infinity.", |_, local| !is_infinite(local)),
        scalar!("isfinite_timestamptz", Sql::Function("isfinite"), [TimestampTz] -> Boolean, "Whether it is neither infinity nor -infinity.", |_, moment| !is_infinite(moment)),
    ];
    functions.extend(truncate::functions());
    functions.extend(extract::functions());
    functions
}

fn is_infinite_date(date: i32) -> bool {
    date == DATE_INFINITY || date == DATE_NEGATIVE_INFINITY
}

fn add_days(date: i32, days: i64) -> Result<i32, EvalError> {
    if is_infinite_date(date) { Ok(date) } else { check_date(i64::from(date) + days) }
}

fn at_time(date: i32, time: i64) -> Result<i64, EvalError> {
    let local = midnight(date)?;
    if is_infinite(local) { Ok(local) } else { check_timestamp(local.saturating_add(time)) }
}

fn make_date(year: i32, month: i32, day: i32) -> Result<i32, EvalError> {
    let out_of_range =
        || ValueError::new("22008", format!("date field value out of range: {year}-{month:02}-{day:02}"));
    let (month, day) = (i64::from(month), i64::from(day));
    // There is no year 0: 1 BC comes before 1.
    let astronomical = match i64::from(year) {
        0 => return Err(out_of_range()),
        before_christ if before_christ < 0 => before_christ + 1,
        year => year,
    };
    if !(1..=12).contains(&month) || !(1..=days_in_month(astronomical, month)).contains(&day) {
        return Err(out_of_range());
    }
    check_date(days_from_civil(astronomical, month, day))
}

fn to_timestamp(seconds: f64) -> Result<i64, EvalError> {
    if seconds.is_nan() {
        return Err(ValueError::new("22008", "timestamp cannot be NaN"));
    }
    if seconds.is_infinite() {
        return Ok(if seconds > 0.0 { INFINITY } else { NEGATIVE_INFINITY });
    }
    // Rounded where Postgres counts from.
    const SECONDS_TO_2000: i64 = 946_684_800;
    let micros = ((seconds - SECONDS_TO_2000 as f64) * 1e6).round_ties_even();
    let out_of_range = || ValueError::new("22008", format!("timestamp out of range: \"{seconds}\""));
    if micros.abs() >= i64::MAX as f64 {
        return Err(out_of_range());
    }
    let since_1970 = (micros as i64).checked_add(SECONDS_TO_2000 * 1_000_000).ok_or_else(out_of_range)?;
    check_timestamp(since_1970)
}
