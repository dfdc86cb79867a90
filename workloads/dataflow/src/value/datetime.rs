//! The written form of a moment, taken apart: ISO 8601 and Postgres's ISO output, dates with or without a time.
//!
//! Other DateStyles, month names and words that depend on the clock (`now`, `today`) are deliberately absent.

use super::{ValueError, calendar::days_in_month, days_from_civil, text, zone_named};
use chrono_tz::Tz;

/// What a text said; nothing is converted yet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Written {
    /// Days since 1970-01-01.
    pub days: Option<i64>,
    /// Microseconds since midnight; up to and including 24:00:00 (and a second 60).
    pub time: Option<i64>,
    pub zone: Option<Zone>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Zone {
    /// Seconds east of UTC.
    Offset(i64),
    Named(Tz),
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Moment {
    Written(Written),
    Infinity,
    NegativeInfinity,
    /// 1970-01-01 00:00 UTC.
    Epoch,
}

/// Reads a date, a time, or both, for a value of type `ty`.
pub(crate) fn read(text: &str, ty: &'static str) -> Result<Moment, ValueError> {
    let trimmed = text::trim(text);
    match trimmed.as_bytes().first() {
        Some(b'0'..=b'9') => {}
        Some(b't' | b'T') if matches!(trimmed.as_bytes().get(1), Some(b'0'..=b'9')) => {}
        _ => return read_word(trimmed).ok_or_else(|| ValueError::datetime_syntax(ty, text)),
    }
    let mut cursor = Cursor { rest: trimmed.as_bytes(), text, ty };
    let date = cursor.date()?;
    let mut written = Written { days: None, time: None, zone: None };
    // A time behind a date and a `T` is no time, and a zone with a name needs a date: so it is in Postgres.
    if cursor.is_time() && date.is_some() && matches!(cursor.peek(), b't' | b'T') {
        return Err(cursor.syntax());
    }
    let separated = cursor.separator();
    if separated || date.is_none() {
        written.time = cursor.time()?;
    }
    if written.time.is_none() && (date.is_none() || cursor.is_time()) {
        return Err(cursor.syntax());
    }
    cursor.spaces();
    written.zone = cursor.zone()?;
    if date.is_none() && matches!(written.zone, Some(Zone::Named(_))) {
        return Err(cursor.syntax());
    }
    cursor.spaces();
    let before_christ = cursor.era();
    if !cursor.rest.is_empty() {
        return Err(cursor.syntax());
    }
    if let Some((year, month, day)) = date {
        let year = match (year, before_christ) {
            (0, _) => return Err(ValueError::datetime_field(text)),
            (year, true) => 1 - year,
            (year, false) => year,
        };
        if !(1..=12).contains(&month) || !(1..=days_in_month(year, month)).contains(&day) {
            return Err(ValueError::datetime_field(text));
        }
        written.days = Some(days_from_civil(year, month, day));
    }
    Ok(Moment::Written(written))
}

fn read_word(word: &str) -> Option<Moment> {
    match word.to_ascii_lowercase().as_str() {
        "infinity" => Some(Moment::Infinity),
        "-infinity" => Some(Moment::NegativeInfinity),
        "epoch" => Some(Moment::Epoch),
        _ => None,
    }
}

struct Cursor<'a> {
    rest: &'a [u8],
    text: &'a str,
    ty: &'static str,
}

impl Cursor<'_> {
    fn syntax(&self) -> ValueError {
        ValueError::datetime_syntax(self.ty, self.text)
    }

    fn is_time(&self) -> bool {
        self.ty == "time"
    }

    fn peek(&self) -> u8 {
        self.rest.first().copied().unwrap_or(0)
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == byte && byte != 0;
        if found {
            self.rest = &self.rest[1..];
        }
        found
    }

    fn spaces(&mut self) {
        while text::is_space(self.peek()) {
            self.rest = &self.rest[1..];
        }
    }

    fn digit_count(&self) -> usize {
        self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    }

    /// The next `count` bytes, which are digits.
    fn number(&mut self, count: usize) -> i64 {
        let (digits, rest) = self.rest.split_at(count);
        self.rest = rest;
        digits.iter().fold(0, |value, byte| value * 10 + i64::from(byte - b'0'))
    }

    fn bounded_number(&mut self, most: usize) -> Result<i64, ValueError> {
        match self.digit_count() {
            count if count >= 1 && count <= most => Ok(self.number(count)),
            _ => Err(self.syntax()),
        }
    }

    /// `year-month-day`, `year/month/day`, `year.month.day` or eight digits; none when a time comes first.
    fn date(&mut self) -> Result<Option<(i64, i64, i64)>, ValueError> {
        let count = self.digit_count();
        match self.rest.get(count) {
            Some(&separator @ (b'-' | b'/' | b'.')) if (3..=7).contains(&count) => {
                let year = self.number(count);
                self.take(separator);
                let month = self.bounded_number(2)?;
                if !self.take(separator) {
                    return Err(self.syntax());
                }
                Ok(Some((year, month, self.bounded_number(2)?)))
            }
            Some(b':') => Ok(None),
            Some(b'-' | b'/') => Err(self.syntax()),
            _ if count == 8 => Ok(Some((self.number(4), self.number(2), self.number(2)))),
            // Six digits alone are a time for a time, and otherwise a date with a year of 1970 to 2069.
            _ if count == 6 && !self.is_time() => {
                let year = self.number(2);
                let century = if year < 70 { 2000 } else { 1900 };
                Ok(Some((century + year, self.number(2), self.number(2))))
            }
            _ => Ok(None),
        }
    }

    /// Between date and time: `T` or white space; true if a time may follow.
    fn separator(&mut self) -> bool {
        if matches!(self.peek(), b't' | b'T') {
            self.rest = &self.rest[1..];
            return true;
        }
        let before = self.rest.len();
        self.spaces();
        self.rest.len() < before && self.peek().is_ascii_digit()
    }

    /// `hour:minute[:second[.fraction]]` or `hhmm[ss[.fraction]]`, with AM or PM.
    fn time(&mut self) -> Result<Option<i64>, ValueError> {
        let count = self.digit_count();
        let (mut hour, minute, mut second, has_second) = match (count, self.rest.get(count)) {
            (1 | 2, Some(b':')) => {
                let hour = self.number(count);
                self.take(b':');
                let minute = self.bounded_number(2)?;
                let has_second = self.take(b':');
                (hour, minute, if has_second { self.bounded_number(2)? } else { 0 }, has_second)
            }
            (6, _) => (self.number(2), self.number(2), self.number(2), true),
            (4, _) => (self.number(2), self.number(2), 0, false),
            _ => return Err(self.syntax()),
        };
        let mut micros = 0;
        if has_second && self.peek() == b'.' {
            micros = self.fraction()?;
        }
        let field = || ValueError::datetime_field(self.text);
        if minute > 59 || second > 60 {
            return Err(field());
        }
        if let Some(afternoon) = self.half_of_day() {
            if hour > 12 {
                return Err(field());
            }
            hour = hour % 12 + if afternoon { 12 } else { 0 };
        }
        if micros == 1_000_000 {
            second += 1;
            micros = 0;
        }
        let time = ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros;
        if hour > 24 || (hour == 24 && time > super::DAY) {
            return Err(ValueError::datetime_field(self.text));
        }
        Ok(Some(time))
    }

    /// `.5` in microseconds; further digits are rounded as Postgres does it, in binary.
    fn fraction(&mut self) -> Result<i64, ValueError> {
        let count = self.rest[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (digits, rest) = self.rest.split_at(1 + count);
        self.rest = rest;
        if count == 0 {
            return Ok(0);
        }
        if count <= 6 {
            let value = digits[1..].iter().fold(0, |value, byte| value * 10 + i64::from(byte - b'0'));
            return Ok(value * 10i64.pow(6 - count as u32));
        }
        let text = std::str::from_utf8(digits).map_err(|_| self.syntax())?;
        let value: f64 = text.parse().map_err(|_| self.syntax())?;
        Ok((value * 1e6).round_ties_even() as i64)
    }

    /// AM: false, PM: true.
    fn half_of_day(&mut self) -> Option<bool> {
        let start = self.rest.iter().take_while(|byte| text::is_space(**byte)).count();
        let word = self.rest.get(start..start + 2)?;
        let afternoon = match [word[0].to_ascii_lowercase(), word[1].to_ascii_lowercase()] {
            [b'a', b'm'] => false,
            [b'p', b'm'] => true,
            _ => return None,
        };
        if self.rest.get(start + 2).is_some_and(u8::is_ascii_alphanumeric) {
            return None;
        }
        self.rest = &self.rest[start + 2..];
        Some(afternoon)
    }

    fn zone(&mut self) -> Result<Option<Zone>, ValueError> {
        match self.peek() {
            sign @ (b'+' | b'-') => {
                self.rest = &self.rest[1..];
                let seconds = self.offset()?;
                Ok(Some(Zone::Offset(if sign == b'-' { -seconds } else { seconds })))
            }
            first if first.is_ascii_alphabetic() => self.named_zone(),
            _ => Ok(None),
        }
    }

    /// `hh`, `hhmm`, `hh:mm` or `hh:mm:ss`, in seconds.
    fn offset(&mut self) -> Result<i64, ValueError> {
        let count = self.digit_count();
        let (hours, minutes, seconds) = match count {
            1 | 2 => {
                let hours = self.number(count);
                let minutes = if self.take(b':') { self.bounded_number(2)? } else { 0 };
                let seconds = if self.take(b':') { self.bounded_number(2)? } else { 0 };
                (hours, minutes, seconds)
            }
            3 | 4 => (self.number(count - 2), self.number(2), 0),
            _ => return Err(self.syntax()),
        };
        if hours > 15 || minutes > 59 || seconds > 59 {
            let message = format!("time zone displacement out of range: \"{}\"", self.text);
            return Err(ValueError::new("22009", message));
        }
        Ok((hours * 60 + minutes) * 60 + seconds)
    }

    fn named_zone(&mut self) -> Result<Option<Zone>, ValueError> {
        let in_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(**byte, b'/' | b'_' | b'+' | b'-');
        let count = self.rest.iter().take_while(in_name).count();
        let (name, rest) = self.rest.split_at(count);
        let name = std::str::from_utf8(name).unwrap_or_default();
        if ["bc", "ad"].iter().any(|era| name.eq_ignore_ascii_case(era)) {
            return Ok(None);
        }
        self.rest = rest;
        if ["z", "zulu", "utc", "gmt"].iter().any(|zulu| name.eq_ignore_ascii_case(zulu)) {
            return Ok(Some(Zone::Offset(0)));
        }
        // A name with a slash can only be a zone; any other word is no part of a date.
        zone_named(name)
            .map(|zone| Some(Zone::Named(zone)))
            .map_err(|unknown| if name.contains('/') { unknown } else { self.syntax() })
    }

    /// True for BC.
    fn era(&mut self) -> bool {
        let before_christ = self.rest.eq_ignore_ascii_case(b"bc");
        if before_christ || self.rest.eq_ignore_ascii_case(b"ad") {
            self.rest = &[];
        }
        before_christ
    }
}
