//! extract and date_part: one part of a date or time, as numeric and as double precision.

use super::{is_infinite_date, unit::Unit};
use crate::function::{
    Context, EvalError, Function, Sql,
    cast::{is_infinite, midnight},
    kernel::scalar,
    numeric::divide,
};
use crate::value::{
    DATE_INFINITY, DAY, Decimal, INFINITY, ValueError, civil_from_days, days_from_civil, local_from_utc, offset_of,
};

const TIMESTAMP: &str = "timestamp without time zone";
const TIMESTAMPTZ: &str = "timestamp with time zone";

pub(super) fn functions() -> Vec<Function> {
    const EXTRACT: Sql = Sql::Function("extract");
    const DATE_PART: Sql = Sql::Function("date_part");
    const NUMERIC: &str = "One part, such as year, month, day, hour, epoch or dow (`extract(part FROM value)`).";
    const FLOAT: &str = "One part, such as year, month, day, hour, epoch or dow.";
    vec![
        scalar!("extract_date", EXTRACT, [Text, Date] -> Numeric, NUMERIC, |_, unit: &str, date| numeric(of_date(unit, date)?)),
        scalar!("extract_time", EXTRACT, [Text, Time] -> Numeric, NUMERIC, |_, unit: &str, time| numeric(of_time(unit, time)?)),
        scalar!("extract_timestamp", EXTRACT, [Text, Timestamp] -> Numeric, NUMERIC, |_, unit: &str, local| numeric(of_timestamp(unit, local)?)),
        scalar!("extract_timestamptz", EXTRACT, [Text, TimestampTz] -> Numeric, NUMERIC, |context, unit: &str, moment| {
            numeric(of_timestamptz(context, unit, moment)?)
        }),
        scalar!("date_part_date", DATE_PART, [Text, Date] -> DoublePrecision, FLOAT, |_, unit: &str, date| {
            Ok::<_, EvalError>(float(of_timestamp(unit, midnight(date)?)?))
        }),
        scalar!("date_part_time", DATE_PART, [Text, Time] -> DoublePrecision, FLOAT, |_, unit: &str, time| {
            Ok::<_, EvalError>(float(of_time(unit, time)?))
        }),
        scalar!("date_part_timestamp", DATE_PART, [Text, Timestamp] -> DoublePrecision, FLOAT, |_, unit: &str, local| {
            Ok::<_, EvalError>(float(of_timestamp(unit, local)?))
        }),
        scalar!("date_part_timestamptz", DATE_PART, [Text, TimestampTz] -> DoublePrecision, FLOAT, |context, unit: &str, moment| {
            Ok::<_, EvalError>(float(of_timestamptz(context, unit, moment)?))
        }),
    ]
}

/// A part, before it is written as one of two types.
enum Part {
    Whole(i64),
    /// Microseconds, shown as seconds.
    Seconds(i64),
    /// Microseconds, shown as milliseconds.
    Milliseconds(i64),
    /// Microseconds since 1970, shown as seconds.
    Epoch(i64),
    /// Days and microseconds, shown as days.
    Julian(i64, i64),
    /// The year of infinity is infinite, of -infinity (true) too.
    Infinite(bool),
    /// The hour of infinity is null.
    Missing,
}

fn numeric(part: Part) -> Result<Option<Decimal>, EvalError> {
    Ok(Some(match part {
        Part::Whole(value) => Decimal::new(value, 0),
        Part::Seconds(micros) | Part::Epoch(micros) => Decimal::new(micros, 6),
        Part::Milliseconds(micros) => Decimal::new(micros, 3),
        Part::Julian(days, micros) => {
            &Decimal::new(days, 0) + &divide(&Decimal::new(micros, 0), &Decimal::new(DAY, 0))?
        }
        Part::Infinite(_) => {
            return Err(ValueError::new("0A000", "numeric \"Infinity\" is not supported; test with isfinite() first"));
        }
        Part::Missing => return Ok(None),
    }))
}

/// With Postgres's order of operations, so that the last bit agrees.
fn float(part: Part) -> Option<f64> {
    let split = |micros: i64| ((micros / 1_000_000) as f64, (micros % 1_000_000) as f64);
    match part {
        Part::Whole(value) => Some(value as f64),
        Part::Seconds(micros) => {
            let (seconds, rest) = split(micros);
            Some(seconds + rest / 1e6)
        }
        Part::Milliseconds(micros) => {
            let (seconds, rest) = split(micros);
            Some(seconds * 1000.0 + rest / 1000.0)
        }
        Part::Epoch(micros) => Some(micros as f64 / 1e6),
        Part::Julian(days, micros) => {
            let (seconds, rest) = split(micros);
            Some(days as f64 + (seconds + rest / 1e6) / 86_400.0)
        }
        Part::Infinite(negative) => Some(if negative { f64::NEG_INFINITY } else { f64::INFINITY }),
        Part::Missing => None,
    }
}

fn of_date(name: &str, date: i32) -> Result<Part, EvalError> {
    let unit = Unit::named(name, "date")?;
    match unit {
        Unit::Microsecond
        | Unit::Millisecond
        | Unit::Second
        | Unit::Minute
        | Unit::Hour
        | Unit::Zone
        | Unit::ZoneHour
        | Unit::ZoneMinute => Err(Unit::unsupported(name, "date")),
        _ if is_infinite_date(date) => Ok(of_infinity(unit, date != DATE_INFINITY)),
        Unit::Epoch => Ok(Part::Whole(i64::from(date) * 86_400)),
        Unit::Julian => Ok(Part::Whole(julian(i64::from(date)))),
        unit => Ok(of_day(unit, i64::from(date))),
    }
}

fn of_time(name: &str, time: i64) -> Result<Part, EvalError> {
    match Unit::named(name, "time without time zone")? {
        Unit::Epoch => Ok(Part::Epoch(time)),
        unit @ (Unit::Microsecond | Unit::Millisecond | Unit::Second | Unit::Minute | Unit::Hour) => {
            Ok(of_time_of_day(unit, time))
        }
        _ => Err(Unit::unsupported(name, "time without time zone")),
    }
}

fn of_timestamp(name: &str, local: i64) -> Result<Part, EvalError> {
    let unit = Unit::named(name, TIMESTAMP)?;
    match unit {
        _ if is_infinite(local) => Ok(of_infinity(unit, local != INFINITY)),
        Unit::Zone | Unit::ZoneHour | Unit::ZoneMinute => Err(Unit::unsupported(name, TIMESTAMP)),
        Unit::Epoch => Ok(Part::Epoch(local)),
        unit => Ok(of_local(unit, local)),
    }
}

fn of_timestamptz(context: &Context, name: &str, moment: i64) -> Result<Part, EvalError> {
    let unit = Unit::named(name, TIMESTAMPTZ)?;
    if is_infinite(moment) {
        return Ok(of_infinity(unit, moment != INFINITY));
    }
    let offset = offset_of(context.zone, moment);
    Ok(match unit {
        Unit::Epoch => Part::Epoch(moment),
        Unit::Zone => Part::Whole(offset),
        Unit::ZoneHour => Part::Whole(offset / 3600),
        Unit::ZoneMinute => Part::Whole(offset / 60 % 60),
        unit => of_local(unit, local_from_utc(context.zone, moment)),
    })
}

/// What grows with time is infinite, what comes round again is null.
fn of_infinity(unit: Unit, negative: bool) -> Part {
    match unit {
        Unit::Year | Unit::Decade | Unit::Century | Unit::Millennium | Unit::Julian | Unit::IsoYear | Unit::Epoch => {
            Part::Infinite(negative)
        }
        Unit::Microsecond
        | Unit::Millisecond
        | Unit::Second
        | Unit::Minute
        | Unit::Hour
        | Unit::Day
        | Unit::Week
        | Unit::Month
        | Unit::Quarter
        | Unit::DayOfWeek
        | Unit::IsoDayOfWeek
        | Unit::DayOfYear
        | Unit::Zone
        | Unit::ZoneHour
        | Unit::ZoneMinute => Part::Missing,
    }
}

fn of_local(unit: Unit, local: i64) -> Part {
    let (days, micros) = (local.div_euclid(DAY), local.rem_euclid(DAY));
    match unit {
        Unit::Microsecond | Unit::Millisecond | Unit::Second | Unit::Minute | Unit::Hour => {
            of_time_of_day(unit, micros)
        }
        Unit::Julian => Part::Julian(julian(days), micros),
        unit => of_day(unit, days),
    }
}

fn of_time_of_day(unit: Unit, micros: i64) -> Part {
    match unit {
        Unit::Microsecond => Part::Whole(micros % 60_000_000),
        Unit::Millisecond => Part::Milliseconds(micros % 60_000_000),
        Unit::Second => Part::Seconds(micros % 60_000_000),
        Unit::Minute => Part::Whole(micros / 60_000_000 % 60),
        _ => Part::Whole(micros / 3_600_000_000),
    }
}

fn of_day(unit: Unit, days: i64) -> Part {
    let (year, month, day) = civil_from_days(days);
    // 0 is a Sunday: 1970-01-01 was a Thursday.
    let day_of_week = (days + 4).rem_euclid(7);
    let before_christ = |year: i64| if year > 0 { year } else { year - 1 };
    // A week belongs to the year of its Thursday.
    let thursday = days - (days + 3).rem_euclid(7) + 3;
    let iso_year = civil_from_days(thursday).0;
    let era = |length: i64| {
        if year > 0 { (year + length - 1) / length } else { -((length - 1 - (year - 1)) / length) }
    };
    Part::Whole(match unit {
        Unit::Day => day,
        Unit::Week => (thursday - days_from_civil(iso_year, 1, 1)) / 7 + 1,
        Unit::Month => month,
        Unit::Quarter => (month - 1) / 3 + 1,
        Unit::Year => before_christ(year),
        Unit::Decade => {
            if year >= 0 {
                year / 10
            } else {
                -((8 - (year - 1)) / 10)
            }
        }
        Unit::Century => era(100),
        Unit::Millennium => era(1000),
        Unit::DayOfWeek => day_of_week,
        Unit::IsoDayOfWeek => (day_of_week + 6) % 7 + 1,
        Unit::DayOfYear => days - days_from_civil(year, 1, 1) + 1,
        _ => before_christ(iso_year),
    })
}

fn julian(days: i64) -> i64 {
    const OF_1970: i64 = 2_440_588;
    days + OF_1970
}
