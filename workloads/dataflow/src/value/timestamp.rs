//! timestamp and timestamptz: microseconds since 1970-01-01, of a wall clock and of UTC.

use super::{
    DAY, ValueError,
    calendar::{FIRST_DAY, days_from_civil},
    date::civil,
    datetime::{Moment, Written, Zone, read},
    local_from_utc, offset_of, print_time, utc_from_local,
};
use chrono_tz::Tz;

pub const INFINITY: i64 = i64::MAX;
pub const NEGATIVE_INFINITY: i64 = i64::MIN;

/// A zone behind the timestamp is read and ignored, as Postgres does.
pub fn parse_timestamp(text: &str) -> Result<i64, ValueError> {
    parse(text, "timestamp", |_, local| Some(local))
}

/// A timestamp without a zone is of the wall clock of `zone`.
pub fn parse_timestamptz(text: &str, zone: Tz) -> Result<i64, ValueError> {
    parse(text, "timestamp with time zone", |written, local| match written.zone {
        Some(Zone::Offset(seconds)) => local.checked_sub(seconds * 1_000_000),
        Some(Zone::Named(zone)) => Some(utc_from_local(zone, local)),
        None => Some(utc_from_local(zone, local)),
    })
}

fn parse(text: &str, ty: &'static str, moment: impl Fn(&Written, i64) -> Option<i64>) -> Result<i64, ValueError> {
    match read(text, ty)? {
        Moment::Infinity => Ok(INFINITY),
        Moment::NegativeInfinity => Ok(NEGATIVE_INFINITY),
        Moment::Epoch => Ok(0),
        Moment::Written(written) => {
            let days = written.days.ok_or_else(|| ValueError::datetime_syntax(ty, text))?;
            days.checked_mul(DAY)
                .and_then(|micros| micros.checked_add(written.time.unwrap_or(0)))
                .and_then(|local| moment(&written, local))
                .and_then(|micros| check_timestamp(micros).ok())
                .ok_or_else(|| ValueError::new("22008", format!("timestamp out of range: \"{text}\"")))
        }
    }
}

/// The first moment that is too late: 64 bits end some days after it, further off than any zone's clock shows.
const END: i64 = days_from_civil(294_247, 1, 1) * DAY;

/// The timestamp, if it can be held: from 4714 BC (as in Postgres) to the end of the year 294246.
pub fn check_timestamp(micros: i64) -> Result<i64, ValueError> {
    if (FIRST_DAY * DAY..END).contains(&micros) {
        Ok(micros)
    } else {
        Err(ValueError::datetime_out_of_range("timestamp"))
    }
}

/// DateStyle ISO.
pub fn print_timestamp(micros: i64) -> String {
    special(micros).unwrap_or_else(|| print_local(micros, ""))
}

/// DateStyle ISO, on the wall clock of `zone`, with its offset.
pub fn print_timestamptz(micros: i64, zone: Tz) -> String {
    special(micros).unwrap_or_else(|| print_local(local_from_utc(zone, micros), &print_offset(offset_of(zone, micros))))
}

fn special(micros: i64) -> Option<String> {
    match micros {
        INFINITY => Some("infinity".to_owned()),
        NEGATIVE_INFINITY => Some("-infinity".to_owned()),
        _ => None,
    }
}

fn print_local(micros: i64, offset: &str) -> String {
    let (date, era) = civil(micros.div_euclid(DAY));
    format!("{date} {}{offset}{era}", print_time(micros.rem_euclid(DAY)))
}

/// `+09`, `-03:30`, or with seconds where a zone once had them.
fn print_offset(seconds: i64) -> String {
    let sign = if seconds < 0 { '-' } else { '+' };
    let seconds = seconds.abs();
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (minutes, rest) {
        (0, 0) => format!("{sign}{hours:02}"),
        (_, 0) => format!("{sign}{hours:02}:{minutes:02}"),
        _ => format!("{sign}{hours:02}:{minutes:02}:{rest:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_read_and_written_as_postgres_does() {
        let seoul = Tz::Asia__Seoul;
        for (text, utc, local) in [
            ("2026-01-01T00:00:00Z", "2026-01-01 00:00:00+00", "2026-01-01 09:00:00+09"),
            ("2026-01-01 00:00:00", "2025-12-31 15:00:00+00", "2026-01-01 00:00:00+09"),
            (" 2026-01-01T00:00:00.1234567+05:30 ", "2025-12-31 18:30:00.123457+00", "2026-01-01 03:30:00.123457+09"),
            ("2026-12-31 24:00:00+00", "2027-01-01 00:00:00+00", "2027-01-01 09:00:00+09"),
            ("20260101T101112-0330", "2026-01-01 13:41:12+00", "2026-01-01 22:41:12+09"),
            ("infinity", "infinity", "infinity"),
        ] {
            let value = parse_timestamptz(text, seoul).expect(text);
            assert_eq!(print_timestamptz(value, Tz::UTC), utc, "{text}");
            assert_eq!(print_timestamptz(value, seoul), local, "{text}");
        }
        let ides = parse_timestamp("0044-03-15 12:00 BC").expect("a date before Christ");
        assert_eq!(print_timestamp(ides), "0044-03-15 12:00:00 BC");
    }

    #[test]
    fn clocks_that_jump_are_read_as_postgres_reads_them() {
        let new_york = Tz::America__New_York;
        for (text, utc) in [("2026-03-08 02:30:00", "07:30:00+00"), ("2026-11-01 01:30:00", "06:30:00+00")] {
            let value = parse_timestamptz(text, new_york).expect(text);
            assert!(print_timestamptz(value, Tz::UTC).ends_with(utc), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused_with_its_class() {
        for (text, sqlstate) in [
            ("", "22007"),
            ("내일", "22007"),
            ("now", "22007"),
            ("2026-13-01", "22008"),
            ("2026-02-29", "22008"),
            ("2026-01-01 25:00:00", "22008"),
            ("2026-01-01 10:00:00+99", "22009"),
            ("0000-01-01", "22008"),
            ("300000-01-01", "22008"),
        ] {
            assert_eq!(parse_timestamp(text).expect_err(text).sqlstate, sqlstate, "{text}");
        }
    }

    #[test]
    fn where_timestamps_end_every_zone_has_an_answer() {
        for zone in [Tz::America__New_York, Tz::Asia__Seoul, Tz::Pacific__Kiritimati, Tz::Etc__GMTPlus12, Tz::UTC] {
            for text in ["294247-01-10 04:00:00", "294247-01-10 04:00:54.775807", "294247-01-01 23:00:00"] {
                assert_eq!(parse_timestamptz(text, zone).expect_err(text).sqlstate, "22008", "{text} {zone}");
                let named = format!("{text} {zone}");
                assert_eq!(parse_timestamptz(&named, Tz::UTC).expect_err(text).sqlstate, "22008", "{named}");
            }
            for edge in [END - 1, FIRST_DAY * DAY] {
                print_timestamptz(edge, zone);
                for moment in [local_from_utc(zone, edge), utc_from_local(zone, edge)] {
                    print_timestamp(moment);
                }
            }
        }
    }
}
