//! numeric: a decimal number of any length that remembers how many digits it shows after the point.

use super::{ValueError, text::trim};
use num_bigint::BigInt;
use num_traits::{Signed, Zero};
use std::{cmp::Ordering, fmt};

/// `unscaled / 10^scale`. Two numbers of one value and different scales are equal in SQL, and print differently.
#[derive(Debug, Clone)]
pub struct Decimal {
    pub unscaled: BigInt,
    pub scale: u32,
}

/// Postgres's limits: digits before the point, and after it.
const MOST_INTEGER_DIGITS: usize = 131_072;
pub(crate) const MOST_SCALE: u32 = 16_383;

impl Decimal {
    pub fn new(unscaled: impl Into<BigInt>, scale: u32) -> Self {
        Decimal { unscaled: unscaled.into(), scale }
    }

    pub fn zero() -> Self {
        Decimal::new(0, 0)
    }

    /// Postgres's `numeric_in`. `NaN` and the infinities are refused: no view can keep sums of them.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        let trimmed = trim(text);
        let syntax = || ValueError::syntax("numeric", text);
        let bytes = trimmed.as_bytes();
        let (negative, rest) = match bytes {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        let word = std::str::from_utf8(rest).unwrap_or_default();
        let infinite = ["inf", "infinity"].iter().any(|name| word.eq_ignore_ascii_case(name));
        if infinite || trimmed.eq_ignore_ascii_case("nan") {
            return Err(ValueError::new(
                "0A000",
                format!("numeric \"{trimmed}\" is not supported; write null instead"),
            ));
        }
        let integer = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut end = integer;
        let mut fraction = 0;
        if rest.get(end) == Some(&b'.') {
            fraction = rest[end + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
            end += 1 + fraction;
        }
        if integer + fraction == 0 {
            return Err(syntax());
        }
        let exponent = match &rest[end..] {
            [] => 0,
            [b'e' | b'E', exponent @ ..] => parse_exponent(exponent, syntax)?,
            _ => return Err(syntax()),
        };
        let point = if fraction > 0 { integer + 1 } else { end };
        let digits = || rest[..integer].iter().chain(&rest[point..point + fraction]);
        let unscaled = if integer + fraction <= 18 {
            BigInt::from(digits().fold(0i64, |value, byte| value * 10 + i64::from(byte - b'0')))
        } else {
            let digits: Vec<u8> = digits().copied().collect();
            BigInt::parse_bytes(&digits, 10).ok_or_else(syntax)?
        };
        let unscaled = if negative { -unscaled } else { unscaled };
        let scale = fraction as i64 - exponent;
        // Checked before the power is computed: an exponent costs nothing to write.
        if scale > i64::from(MOST_SCALE) || (!unscaled.is_zero() && scale < -(MOST_INTEGER_DIGITS as i64)) {
            return Err(overflow());
        }
        if scale < 0 {
            let power = if unscaled.is_zero() { 0 } else { -scale as u32 };
            return Decimal::new(unscaled * ten_to(power), 0).checked();
        }
        Decimal::new(unscaled, scale as u32).checked()
    }

    /// The number, if Postgres can hold it.
    pub fn checked(self) -> Result<Self, ValueError> {
        // 3.33 bits a digit: only a number near the limit is counted exactly.
        let bits = self.unscaled.bits() as usize;
        if self.scale > MOST_SCALE
            || (bits > MOST_INTEGER_DIGITS * 3
                && self.digits().saturating_sub(self.scale as usize) > MOST_INTEGER_DIGITS)
        {
            return Err(overflow());
        }
        Ok(self)
    }

    /// The number of decimal digits of the unscaled number; 0 for zero.
    pub fn digits(&self) -> usize {
        if self.unscaled.is_zero() { 0 } else { self.unscaled.magnitude().to_string().len() }
    }

    pub fn is_zero(&self) -> bool {
        self.unscaled.is_zero()
    }

    pub fn is_negative(&self) -> bool {
        self.unscaled.is_negative()
    }

    /// With `scale` digits after the point; half is rounded away from zero.
    pub fn round(&self, scale: u32) -> Self {
        if scale >= self.scale {
            return Decimal::new(&self.unscaled * ten_to(scale - self.scale), scale);
        }
        Decimal::new(divide_rounded(&self.unscaled, &ten_to(self.scale - scale)), scale)
    }

    /// The integer nearest to the number; half is rounded away from zero.
    pub fn round_to_integer(&self) -> BigInt {
        self.round(0).unscaled
    }

    /// Both numbers as integers of one scale, the larger of the two.
    pub fn aligned(&self, other: &Self) -> (BigInt, BigInt, u32) {
        let scale = self.scale.max(other.scale);
        (&self.unscaled * ten_to(scale - self.scale), &other.unscaled * ten_to(scale - other.scale), scale)
    }

    /// The same value without zeros at the end of its fraction: one text for all that are equal.
    pub fn normalized(mut self) -> Self {
        if self.is_zero() {
            return Decimal::zero();
        }
        while self.scale > 0 {
            let quotient: BigInt = &self.unscaled / 10;
            if &quotient * 10 != self.unscaled {
                break;
            }
            self.unscaled = quotient;
            self.scale -= 1;
        }
        self
    }

    pub fn compare(&self, other: &Self) -> Ordering {
        if self.scale == other.scale {
            return self.unscaled.cmp(&other.unscaled);
        }
        let (left, right, _) = self.aligned(other);
        left.cmp(&right)
    }
}

impl std::ops::Add for &Decimal {
    type Output = Decimal;

    fn add(self, other: &Decimal) -> Decimal {
        let (left, right, scale) = self.aligned(other);
        Decimal::new(left + right, scale)
    }
}

/// Postgres's output: never an exponent, exactly `scale` digits after the point.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.unscaled.magnitude().to_string();
        let scale = self.scale as usize;
        if self.unscaled.is_negative() {
            f.write_str("-")?;
        }
        if scale == 0 {
            return f.write_str(&digits);
        }
        if digits.len() <= scale {
            return write!(f, "0.{digits:0>scale$}");
        }
        let (integer, fraction) = digits.split_at(digits.len() - scale);
        write!(f, "{integer}.{fraction}")
    }
}

/// The number after the `e`.
fn parse_exponent(text: &[u8], syntax: impl Fn() -> ValueError) -> Result<i64, ValueError> {
    let text = std::str::from_utf8(text).map_err(|_| syntax())?.trim_ascii_start();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(syntax());
    }
    // What no i32 holds is beyond every limit, too.
    let exponent: i32 = text.parse().map_err(|_| overflow())?;
    if exponent.unsigned_abs() < i32::MAX as u32 / 2 { Ok(i64::from(exponent)) } else { Err(overflow()) }
}

pub(crate) fn overflow() -> ValueError {
    ValueError::new("22003", "value overflows numeric format")
}

pub(crate) fn ten_to(power: u32) -> BigInt {
    const SMALL: u32 = 18;
    if power <= SMALL { BigInt::from(10i64.pow(power)) } else { BigInt::from(10).pow(power) }
}

/// Half is rounded away from zero. `divisor` is not zero.
pub(crate) fn divide_rounded(dividend: &BigInt, divisor: &BigInt) -> BigInt {
    let quotient = dividend / divisor;
    let remainder = dividend % divisor;
    if (remainder.magnitude() << 1) < *divisor.magnitude() {
        quotient
    } else if dividend.is_negative() == divisor.is_negative() {
        quotient + 1
    } else {
        quotient - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_that_was_written_is_kept() {
        for (text, printed) in [
            ("1.10", "1.10"),
            (" 007 ", "7"),
            ("-0.00", "0.00"),
            ("1e3", "1000"),
            ("1.5e-3", "0.0015"),
            (".5", "0.5"),
            ("5.", "5"),
            ("-12345678901234567890.123", "-12345678901234567890.123"),
            ("0e-3", "0.000"),
        ] {
            assert_eq!(Decimal::parse(text).map(|value| value.to_string()), Ok(printed.to_owned()), "{text}");
        }
        for text in ["", ".", "1e", "1..2", "abc", "1 2", "--1"] {
            assert_eq!(Decimal::parse(text).expect_err(text).sqlstate, "22P02");
        }
        let longest =
            ["1e-9223372036854775808", "0e-9223372036854775808", "1e9223372036854775807", "1e99999999999999999999"];
        for text in ["1e131072", "1e-16384", "1e999999"].into_iter().chain(longest) {
            assert_eq!(Decimal::parse(text).expect_err(text).sqlstate, "22003");
        }
        assert_eq!(Decimal::parse("-Infinity").expect_err("refused").sqlstate, "0A000");
    }

    #[test]
    fn half_is_rounded_away_from_zero() {
        for (text, scale, rounded) in [("2.5", 0, "3"), ("-2.5", 0, "-3"), ("1.25", 1, "1.3"), ("1.2", 3, "1.200")] {
            let value = Decimal::parse(text).expect("a number");
            assert_eq!(value.round(scale).to_string(), rounded);
        }
    }
}
