//! date_trunc: the start of the unit that a moment lies in.

use super::unit::Unit;
use crate::function::{EvalError, Function, Sql, cast::is_infinite, kernel::scalar};
use crate::value::{
    DAY, check_timestamp, civil_from_days, days_from_civil, local_from_utc, offset_of, utc_from_local, zone_named,
};
use chrono_tz::Tz;

pub(super) fn functions() -> Vec<Function> {
    vec![
        scalar!("timestamp_trunc", Sql::Function("date_trunc"), [Text, Timestamp] -> Timestamp, "The start of a unit: microseconds to millennium.", |_, unit: &str, local: i64| {
            if is_infinite(local) {
                return Ok(local);
            }
            check_timestamp(truncate(unit, local, "timestamp without time zone")?.0)
        }),
        scalar!("timestamptz_trunc", Sql::Function("date_trunc"), [Text, TimestampTz] -> TimestampTz, "The start of a unit in the view's time zone.", |context, unit: &str, moment| {
            truncate_moment(unit, moment, context.zone)
        }),
        scalar!("timestamptz_trunc_zone", Sql::Function("date_trunc"), [Text, TimestampTz, Text] -> TimestampTz, "The start of a unit in a time zone.", |_, unit: &str, moment: i64, zone: &str| {
            if is_infinite(moment) {
                return Ok(moment);
            }
            truncate_moment(unit, moment, zone_named(zone)?)
        }),
    ]
}

fn truncate_moment(unit: &str, moment: i64, zone: Tz) -> Result<i64, EvalError> {
    if is_infinite(moment) {
        return Ok(moment);
    }
    let (local, whole_days) = truncate(unit, local_from_utc(zone, moment), "timestamp with time zone")?;
    // Parts of a day keep the offset of the moment itself, on both sides of a clock that jumps.
    let moment = if whole_days { utc_from_local(zone, local) } else { local - offset_of(zone, moment) * 1_000_000 };
    check_timestamp(moment)
}

/// The truncated wall clock, and whether the unit is one of whole days.
fn truncate(name: &str, local: i64, ty: &'static str) -> Result<(i64, bool), EvalError> {
    let down = |size: i64| local.div_euclid(size) * size;
    let days = local.div_euclid(DAY);
    let (year, month, _) = civil_from_days(days);
    let start = |year, month| days_from_civil(year, month, 1) * DAY;
    Ok(match Unit::named(name, ty)? {
        Unit::Microsecond => (local, false),
        Unit::Millisecond => (down(1_000), false),
        Unit::Second => (down(1_000_000), false),
        Unit::Minute => (down(60_000_000), false),
        Unit::Hour => (down(3_600_000_000), false),
        Unit::Day => (days * DAY, true),
        // 1970-01-01 was a Thursday.
        Unit::Week => (((days + 3).div_euclid(7) * 7 - 3) * DAY, true),
        Unit::Month => (start(year, month), true),
        Unit::Quarter => (start(year, (month - 1) / 3 * 3 + 1), true),
        Unit::Year => (start(year, 1), true),
        Unit::Decade => (start(first_of_decade(year), 1), true),
        Unit::Century => (start(first_of_era(year, 100), 1), true),
        Unit::Millennium => (start(first_of_era(year, 1000), 1), true),
        Unit::Zone | Unit::ZoneHour | Unit::ZoneMinute => return Err(Unit::unsupported(name, ty)),
        Unit::DayOfWeek | Unit::IsoDayOfWeek | Unit::DayOfYear | Unit::IsoYear | Unit::Julian | Unit::Epoch => {
            return Err(Unit::unknown(name, ty));
        }
    })
}

/// Decades start with a year that ends in 0; before Christ they are counted as Postgres does.
fn first_of_decade(year: i64) -> i64 {
    if year > 0 { year / 10 * 10 } else { -((8 - (year - 1)) / 10) * 10 }
}

/// Centuries and millennia start with the year 1, 101, …
fn first_of_era(year: i64, length: i64) -> i64 {
    if year > 0 {
        (year + length - 1) / length * length - length + 1
    } else {
        -((length - 1 - (year - 1)) / length) * length + 1
    }
}
