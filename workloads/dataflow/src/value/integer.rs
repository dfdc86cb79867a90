//! smallint, integer, bigint: decimal digits with a sign.

use super::{ValueError, text::trim};

pub fn parse_smallint(text: &str) -> Result<i16, ValueError> {
    parse(text, "smallint", i64::from(i16::MIN), i64::from(i16::MAX)).map(|value| value as i16)
}

pub fn parse_integer(text: &str) -> Result<i32, ValueError> {
    parse(text, "integer", i64::from(i32::MIN), i64::from(i32::MAX)).map(|value| value as i32)
}

pub fn parse_bigint(text: &str) -> Result<i64, ValueError> {
    parse(text, "bigint", i64::MIN, i64::MAX)
}

/// Digits are read until they are too many: a number out of range is told before what follows it is looked at.
fn parse(text: &str, ty: &'static str, least: i64, most: i64) -> Result<i64, ValueError> {
    let trimmed = trim(text).as_bytes();
    let (negative, digits) = match trimmed {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    if digits.is_empty() {
        return Err(ValueError::syntax(ty, text));
    }
    // Summed as a negative number, which has one more value.
    let mut value: i64 = 0;
    let bound = if negative { least } else { -most };
    for &byte in digits {
        if !byte.is_ascii_digit() {
            return Err(ValueError::syntax(ty, text));
        }
        value = value
            .checked_mul(10)
            .and_then(|value| value.checked_sub(i64::from(byte - b'0')))
            .filter(|&value| value >= bound)
            .ok_or_else(|| ValueError::text_out_of_range(ty, text))?;
    }
    Ok(if negative { value } else { -value })
}
