//! The names of calendar units and parts, with all of Postgres's spellings.

use crate::function::EvalError;
use crate::value::ValueError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Microsecond,
    Millisecond,
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
    Decade,
    Century,
    Millennium,
    DayOfWeek,
    IsoDayOfWeek,
    DayOfYear,
    IsoYear,
    Julian,
    Epoch,
    Zone,
    ZoneHour,
    ZoneMinute,
}

/// Postgres's words are cut after ten characters.
const LONGEST: usize = 10;

impl Unit {
    /// The unit of a name, in any case; `ty` is the type that it is asked of.
    pub fn named(name: &str, ty: &'static str) -> Result<Self, EvalError> {
        let lower = name.to_lowercase();
        let word: String = lower.chars().take(LONGEST).collect();
        Ok(match word.as_str() {
            "us" | "usec" | "usecond" | "useconds" | "usecs" | "microsecon" => Unit::Microsecond,
            "ms" | "msec" | "msecond" | "mseconds" | "msecs" | "millisecon" => Unit::Millisecond,
            "s" | "sec" | "second" | "seconds" | "secs" => Unit::Second,
            "m" | "min" | "mins" | "minute" | "minutes" => Unit::Minute,
            "h" | "hour" | "hours" | "hr" | "hrs" => Unit::Hour,
            "d" | "day" | "days" => Unit::Day,
            "w" | "week" | "weeks" => Unit::Week,
            "mon" | "mons" | "month" | "months" => Unit::Month,
            "qtr" | "quarter" => Unit::Quarter,
            "y" | "year" | "years" | "yr" | "yrs" => Unit::Year,
            "dec" | "decade" | "decades" | "decs" => Unit::Decade,
            "c" | "cent" | "century" | "centuries" => Unit::Century,
            "mil" | "mils" | "millennia" | "millennium" => Unit::Millennium,
            "dow" => Unit::DayOfWeek,
            "isodow" => Unit::IsoDayOfWeek,
            "doy" => Unit::DayOfYear,
            "isoyear" => Unit::IsoYear,
            "j" | "jd" | "julian" => Unit::Julian,
            "epoch" => Unit::Epoch,
            "timezone" => Unit::Zone,
            "timezone_h" => Unit::ZoneHour,
            "timezone_m" => Unit::ZoneMinute,
            _ => return Err(Unit::unknown(name, ty)),
        })
    }

    /// 22023: no such unit, or a part that is no unit.
    pub fn unknown(name: &str, ty: &'static str) -> EvalError {
        ValueError::parameter(format!("unit \"{name}\" not recognized for type {ty}"))
    }

    /// 0A000: the unit exists, and the type has no such part.
    pub fn unsupported(name: &str, ty: &'static str) -> EvalError {
        ValueError::new("0A000", format!("unit \"{name}\" not supported for type {ty}"))
    }
}
