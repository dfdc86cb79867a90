//! real and double precision: the shortest text that reads back as the same number.

use super::{ValueError, text::trim};
use num_bigint::BigInt;

pub fn parse_double(text: &str) -> Result<f64, ValueError> {
    parse(text, "double precision", |value: f64| (value == 0.0, value.is_infinite()))
}

pub fn parse_real(text: &str) -> Result<f32, ValueError> {
    parse(text, "real", |value: f32| (value == 0.0, value.is_infinite()))
}

/// `strtod` and Postgres's own words for the special values. `class` tells (zero, infinite).
fn parse<F: std::str::FromStr + Copy>(
    text: &str,
    ty: &'static str,
    class: impl Fn(F) -> (bool, bool),
) -> Result<F, ValueError> {
    let trimmed = trim(text);
    let syntax = || ValueError::syntax(ty, text);
    let unsigned = trimmed.strip_prefix(['+', '-']).unwrap_or(trimmed);
    if unsigned.len() > 2 && unsigned.as_bytes()[0] == b'0' && matches!(unsigned.as_bytes()[1], b'x' | b'X') {
        let decimal = decimal_of_hexadecimal(&unsigned[2..]).ok_or_else(syntax)?;
        let sign = if trimmed.starts_with('-') { "-" } else { "" };
        return parse(&format!("{sign}{decimal}"), ty, class);
    }
    let value: F = trimmed.parse().map_err(|_| syntax())?;
    let (zero, infinite) = class(value);
    let named = unsigned.as_bytes().first().is_some_and(u8::is_ascii_alphabetic);
    let mantissa = unsigned.split(['e', 'E']).next().unwrap_or_default();
    let vanished = zero && mantissa.bytes().any(|byte| byte.is_ascii_digit() && byte != b'0');
    if (infinite && !named) || vanished {
        return Err(ValueError::new("22003", format!("\"{trimmed}\" is out of range for type {ty}")));
    }
    Ok(value)
}

/// `1.8p3` (C's hexadecimal float, after `0x`) as an exact decimal text.
fn decimal_of_hexadecimal(text: &str) -> Option<String> {
    let (mantissa, exponent) = match text.split_once(['p', 'P']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok().filter(|power| power.abs() < 5000)?),
        None => (text, 0),
    };
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{integer}{fraction}");
    let unscaled = BigInt::parse_bytes(digits.as_bytes(), 16).filter(|_| !digits.starts_with(['+', '-']))?;
    let power = exponent - 4 * i32::try_from(fraction.len()).ok()?;
    if power >= 0 {
        return Some((unscaled << power).to_string());
    }
    // x / 2^n = x * 5^n / 10^n
    Some(format!("{}e{power}", unscaled * BigInt::from(5).pow(power.unsigned_abs())))
}

/// Fixed notation for exponents -4 to 14, as Postgres does.
pub fn print_double(value: f64) -> String {
    if let Some(special) = special(value.is_nan(), value.is_infinite(), value < 0.0) {
        return special.to_owned();
    }
    let mut shortest = format!("{value:e}");
    // A number with an even mantissa owns the two borders of its interval in Rust's shortest text, not in Postgres's.
    if value.to_bits() & 1 == 0 && is_border(&shortest, value.abs()) {
        let longer = (1..=17).map(|digits| format!("{value:.digits$e}"));
        let fits = |text: &String| text.parse() == Ok(value) && !is_border(text, value.abs());
        shortest = longer.into_iter().find(fits).unwrap_or(shortest);
    }
    notation(&shortest, 15)
}

/// Fixed notation for exponents -4 to 5, as Postgres does.
pub fn print_real(value: f32) -> String {
    if let Some(special) = special(value.is_nan(), value.is_infinite(), value < 0.0) {
        return special.to_owned();
    }
    let mut shortest = format!("{value:e}");
    if value.to_bits() & 1 == 0 && is_real_border(&shortest, value.abs()) {
        let longer = (1..=9).map(|digits| format!("{value:.digits$e}"));
        let fits = |text: &String| text.parse() == Ok(value) && !is_real_border(text, value.abs());
        shortest = longer.into_iter().find(fits).unwrap_or(shortest);
    }
    notation(&shortest, 6)
}

fn special(nan: bool, infinite: bool, negative: bool) -> Option<&'static str> {
    match (nan, infinite, negative) {
        (true, ..) => Some("NaN"),
        (_, true, false) => Some("Infinity"),
        (_, true, true) => Some("-Infinity"),
        _ => None,
    }
}

/// Rust's `1.25e-7` as Postgres writes it.
fn notation(scientific: &str, fixed_below: i32) -> String {
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let all: String = mantissa.chars().filter(|character| *character != '.').collect();
    let trimmed = all.trim_end_matches('0');
    let digits = if trimmed.is_empty() { "0" } else { trimmed };
    if exponent < -4 || exponent >= fixed_below {
        let point = if digits.len() > 1 { "." } else { "" };
        let direction = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{}{point}{}e{direction}{:02}", &digits[..1], &digits[1..], exponent.abs());
    }
    if exponent < 0 {
        return format!("{sign}0.{}{digits}", "0".repeat(exponent.unsigned_abs() as usize - 1));
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        return format!("{sign}{digits}{}", "0".repeat(whole - digits.len()));
    }
    format!("{sign}{}.{}", &digits[..whole], &digits[whole..])
}

/// Whether a decimal text lies exactly between `value` (not negative) and one of its neighbours.
fn is_border(text: &str, value: f64) -> bool {
    if value == 0.0 {
        return false;
    }
    let bits = value.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i32;
    let fraction = bits & ((1 << 52) - 1);
    let (mantissa, power) = if exponent == 0 { (fraction, -1074) } else { (fraction | 1 << 52, exponent - 1075) };
    is_half_way(text, mantissa, power, fraction == 0 && exponent > 1)
}

fn is_real_border(text: &str, value: f32) -> bool {
    if value == 0.0 {
        return false;
    }
    let bits = value.to_bits();
    let exponent = ((bits >> 23) & 0xff) as i32;
    let fraction = u64::from(bits & ((1 << 23) - 1));
    let (mantissa, power) = if exponent == 0 { (fraction, -149) } else { (fraction | 1 << 23, exponent - 150) };
    is_half_way(text, mantissa, power, fraction == 0 && exponent > 1)
}

/// The neighbours' middles of `mantissa * 2^power`; below a power of two the lower one is half as far.
fn is_half_way(text: &str, mantissa: u64, power: i32, narrow_below: bool) -> bool {
    let unsigned = text.trim_start_matches('-');
    let (digits, exponent) = unsigned.split_once('e').unwrap_or((unsigned, "0"));
    let fraction = digits.split_once('.').map_or(0, |(_, fraction)| fraction.len() as i32);
    let exponent = exponent.parse::<i32>().unwrap_or(0) - fraction;
    let digits: String = digits.chars().filter(char::is_ascii_digit).collect();
    let Some(unscaled) = BigInt::parse_bytes(digits.as_bytes(), 10) else { return false };
    // Both sides times 2^(2 - power) and 10^-exponent, as far as these are needed to be integers.
    let quarter = power - 2;
    let ten = |power: i32| BigInt::from(10).pow(power.max(0).unsigned_abs());
    let two = |power: i32| BigInt::from(2).pow(power.max(0).unsigned_abs());
    let decimal = unscaled * ten(exponent) * two(-quarter);
    let binary = |quarters: u64| BigInt::from(quarters) * two(quarter) * ten(-exponent);
    let below = if narrow_below { 1 } else { 2 };
    decimal == binary(4 * mantissa + 2) || decimal == binary(4 * mantissa - below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_postgres_writes_them() {
        for (value, text) in [
            (0.1, "0.1"),
            (-0.0, "-0"),
            (1e15, "1e+15"),
            (123_456_789_012_345.0, "123456789012345"),
            (0.0001, "0.0001"),
            (0.000_012_5, "1.25e-05"),
            (1e23, "9.999999999999999e+22"),
            (9_007_199_254_740_992.0, "9.007199254740992e+15"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(print_double(value), text);
        }
        assert_eq!(print_real(1e6), "1e+06");
        assert_eq!(print_real(16_777_216.0), "1.6777216e+07");
    }

    #[test]
    fn numbers_out_of_range_are_refused_and_special_ones_are_not() {
        for text in ["1e400", "-1e400", "1e-400"] {
            assert_eq!(parse_double(text).expect_err(text).sqlstate, "22003");
        }
        for text in ["", "abc", "1e", "0x", "1 2"] {
            assert_eq!(parse_double(text).expect_err(text).sqlstate, "22P02");
        }
        assert_eq!(parse_double(" -inf "), Ok(f64::NEG_INFINITY));
        assert_eq!(parse_double("0x1.8p1"), Ok(3.0));
        assert!(parse_double("nan").is_ok_and(f64::is_nan));
    }
}
