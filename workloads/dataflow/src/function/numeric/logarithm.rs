//! exp, ln and log of numeric, by series in integers with more digits than are shown.

use super::{LEAST_DIGITS, MOST_SHOWN_SCALE, quotient, scale};
use crate::function::{EvalError, Function, Sql, kernel::scalar};
use crate::value::{Decimal, ValueError, overflow, ten_to};
use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive, Zero};

/// Digits that are computed and not shown.
const GUARD: u32 = 20;
/// Where exp is no numeric any more.
const MOST_EXPONENT: f64 = 6000.0;

pub(super) fn functions() -> Vec<Function> {
    vec![
        scalar!("numeric_exp", Sql::Function("exp"), [Numeric] -> Numeric, "e to the power of the number.", |_, a: Decimal| {
            let value: f64 = a.to_string().parse().unwrap_or(f64::MAX);
            let digits = (value * std::f64::consts::LOG10_E).clamp(-2000.0, 2000.0) as i64;
            exp(&a, scale::bounded(LEAST_DIGITS - digits, &[&a]))
        }),
        scalar!("numeric_ln", Sql::Function("ln"), [Numeric] -> Numeric, "Natural logarithm.", |_, a: Decimal| {
            check_positive(&a)?;
            Ok::<_, EvalError>(ln(&a, scale::bounded(LEAST_DIGITS - scale::ln_weight(&a), &[&a])))
        }),
        scalar!("numeric_log", Sql::Function("log"), [Numeric, Numeric] -> Numeric, "Logarithm of the second number to the base of the first.", |_, base: Decimal, a: Decimal| log(&base, &a)),
        scalar!("numeric_log10", Sql::Function("log"), [Numeric] -> Numeric, "Logarithm to base 10.", |_, a: Decimal| log(&Decimal::new(10, 0), &a)),
        scalar!("numeric_log10_named", Sql::Function("log10"), [Numeric] -> Numeric, "Logarithm to base 10.", |_, a: Decimal| log(&Decimal::new(10, 0), &a)),
    ]
}

fn check_positive(a: &Decimal) -> Result<(), EvalError> {
    if a.is_negative() {
        return Err(ValueError::new("2201E", "cannot take logarithm of a negative number"));
    }
    if a.is_zero() { Err(ValueError::new("2201E", "cannot take logarithm of zero")) } else { Ok(()) }
}

fn log(base: &Decimal, a: &Decimal) -> Result<Decimal, EvalError> {
    check_positive(base)?;
    check_positive(a)?;
    let (base_weight, weight) = (scale::ln_weight(base), scale::ln_weight(a));
    let scale = scale::bounded(LEAST_DIGITS - (weight - base_weight), &[base, a]);
    let digits = scale + GUARD + 2 * (base_weight.unsigned_abs() + weight.unsigned_abs()) as u32;
    let base = ln(base, digits);
    if base.is_zero() {
        return Err(ValueError::division_by_zero());
    }
    quotient(&ln(a, digits), &base, scale).checked()
}

/// Natural logarithm of a positive number, with `scale` digits after the point.
pub(super) fn ln(a: &Decimal, scale: u32) -> Decimal {
    let digits = scale + GUARD;
    let one = ten_to(digits);
    // a = m * 2^k with m near 1, so that the series is short.
    let binary = a.unscaled.bits() as i64 - ten_to(a.scale).bits() as i64;
    let (numerator, denominator) = if binary >= 0 {
        (a.unscaled.clone(), ten_to(a.scale) << binary)
    } else {
        (&a.unscaled << binary.unsigned_abs(), ten_to(a.scale))
    };
    // ln(m) = 2 artanh((m - 1) / (m + 1))
    let ratio = (&numerator - &denominator) * &one / (&numerator + &denominator);
    let ln_two = artanh(&(&one / 3), &one) * 2;
    let sum = artanh(&ratio, &one) * 2 + ln_two * binary;
    Decimal::new(sum, digits).round(scale)
}

/// x + x³/3 + x⁵/5 + … in units of 1/one.
fn artanh(x: &BigInt, one: &BigInt) -> BigInt {
    let square = x * x / one;
    let mut power = x.clone();
    let mut sum = BigInt::zero();
    let mut divisor = 1u32;
    while !power.is_zero() {
        sum += &power / divisor;
        power = power * &square / one;
        divisor += 2;
    }
    sum
}

/// e to the power of `a`, with `scale` digits after the point.
pub(super) fn exp(a: &Decimal, scale: u32) -> Result<Decimal, EvalError> {
    let value: f64 = a.to_string().parse().unwrap_or(f64::MAX);
    if value.abs() >= MOST_EXPONENT {
        return if value > 0.0 { Err(overflow()) } else { Ok(Decimal::new(0, scale.min(MOST_SHOWN_SCALE as u32))) };
    }
    // As many digits more as the result has before its point.
    let digits = scale + GUARD + (value.max(0.0) * 0.44) as u32;
    let one = ten_to(digits);
    let exact = a.round(digits.max(a.scale));
    let x = exact.unscaled / ten_to(exact.scale - digits);
    let ln_two = artanh(&(&one / 3), &one) * 2;
    // a = k ln 2 + r with r small.
    let doublings = BigInt::to_i64(&(&x / &ln_two)).unwrap_or(0);
    let rest = x - &ln_two * doublings;
    let mut term = one.clone();
    let mut sum = BigInt::zero();
    let mut divisor = 1u32;
    while !term.is_zero() {
        sum += &term;
        term = term * &rest / &one / divisor;
        divisor += 1;
    }
    let scaled = if doublings >= 0 { sum << doublings.unsigned_abs() } else { sum >> doublings.unsigned_abs() };
    debug_assert!(!scaled.is_negative());
    Decimal::new(scaled, digits).round(scale).checked()
}
