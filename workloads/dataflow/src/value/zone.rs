//! Time zones: what turns a moment into a calendar, and back.

use super::ValueError;
use chrono::{DateTime, LocalResult, Offset, TimeZone};
use chrono_tz::Tz;

const SECOND: i64 = 1_000_000;

/// A time zone by its IANA name, in any case.
pub fn zone_named(name: &str) -> Result<Tz, ValueError> {
    let in_any_case = || chrono_tz::TZ_VARIANTS.into_iter().find(|zone| zone.name().eq_ignore_ascii_case(name));
    name.parse()
        .ok()
        .or_else(in_any_case)
        .ok_or_else(|| ValueError::parameter(format!("time zone \"{name}\" not recognized")))
}

/// Seconds east of UTC at a moment (µs since 1970).
pub fn offset_of(zone: Tz, utc: i64) -> i64 {
    if zone == Tz::UTC {
        return 0;
    }
    let moment = DateTime::from_timestamp(clamp(utc.div_euclid(SECOND)), 0).unwrap_or_default();
    i64::from(zone.offset_from_utc_datetime(&moment.naive_utc()).fix().local_minus_utc())
}

/// The wall clock (µs since 1970-01-01 00:00 of that clock) at a moment; at the end of 64 bits, that end.
pub fn local_from_utc(zone: Tz, utc: i64) -> i64 {
    utc.saturating_add(offset_of(zone, utc) * SECOND)
}

/// The moment at which the wall clock shows `local`. A time that clocks skip is read with the offset before the jump,
/// a time that they show twice with the offset after it, as Postgres does. At the end of 64 bits, that end.
pub fn utc_from_local(zone: Tz, local: i64) -> i64 {
    if zone == Tz::UTC {
        return local;
    }
    let naive =
        |local: i64| DateTime::from_timestamp(clamp(local.div_euclid(SECOND)), 0).unwrap_or_default().naive_utc();
    let offset = match zone.offset_from_local_datetime(&naive(local)) {
        LocalResult::Single(offset) => offset.fix(),
        LocalResult::Ambiguous(_, later) => later.fix(),
        LocalResult::None => {
            // Jumps are shorter than a day, and at least a day apart.
            let before = zone.offset_from_local_datetime(&naive(local.saturating_sub(24 * 3600 * SECOND)));
            before.earliest().map_or_else(|| zone.offset_from_utc_datetime(&naive(local)).fix(), |offset| offset.fix())
        }
    };
    local.saturating_sub(i64::from(offset.local_minus_utc()) * SECOND)
}

/// Into the years that chrono has; further out no zone changes its offset.
fn clamp(seconds: i64) -> i64 {
    const YEARS_200_000: i64 = 200_000 * 31_556_952;
    seconds.clamp(-YEARS_200_000, YEARS_200_000)
}
