//! Powers and square roots of numeric.

use super::{LEAST_DIGITS, MOST_SHOWN_SCALE, logarithm, multiply, quotient, scale};
use crate::function::{EvalError, Function, Sql, kernel::scalar};
use crate::value::{Decimal, ValueError, divide_rounded, overflow, ten_to};
use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive, Zero};

/// Where ln(result) is beyond these, the result is no numeric, or shows no digit.
const MOST_LN: f64 = 6000.0 * 1.0033;
const MOST_DIGITS: f64 = 131_072.0;

pub(super) fn functions() -> Vec<Function> {
    vec![
        scalar!("numeric_power_operator", Sql::Operator("^"), [Numeric, Numeric] -> Numeric, "Power.", |_, a, b| power(&a, &b)),
        scalar!("numeric_power", Sql::Function("power"), [Numeric, Numeric] -> Numeric, "Power.", |_, a, b| power(&a, &b)),
        scalar!("numeric_pow", Sql::Function("pow"), [Numeric, Numeric] -> Numeric, "Power.", |_, a, b| power(&a, &b)),
        scalar!("numeric_sqrt", Sql::Function("sqrt"), [Numeric] -> Numeric, "Square root.", |_, a| square_root(&a)),
    ]
}

fn square_root(a: &Decimal) -> Result<Decimal, EvalError> {
    if a.is_negative() {
        return Err(ValueError::new("2201F", "cannot take square root of a negative number"));
    }
    // The weight of the root, in decimal digits.
    let weight = scale::Leading::of(a).weight;
    let root_weight = if a.is_zero() { 1 } else { ((weight + 1) * 4).div_euclid(2) - 1 };
    let scale = scale::bounded(LEAST_DIGITS - root_weight, &[a]);
    // One digit more than is shown, so that half can be told; the rest of the root lies below it.
    let shift = 2 * (i64::from(scale) + 1) - i64::from(a.scale);
    let unscaled =
        if shift >= 0 { &a.unscaled * ten_to(shift as u32) } else { &a.unscaled / ten_to(shift.unsigned_abs() as u32) };
    Decimal::new(divide_rounded(&unscaled.sqrt(), &BigInt::from(10)), scale).checked()
}

fn power(base: &Decimal, exponent: &Decimal) -> Result<Decimal, EvalError> {
    let undefined = |message: &str| Err(ValueError::new("2201F", message));
    if base.is_zero() && exponent.is_negative() {
        return undefined("zero raised to a negative power is undefined");
    }
    let integer = exponent.clone().normalized();
    let is_integer = integer.scale == 0;
    if is_integer && let Some(integer) = integer.unscaled.to_i32() {
        return integer_power(base, integer);
    }
    if base.is_zero() {
        return Ok(Decimal::new(0, LEAST_DIGITS as u32));
    }
    if base.is_negative() && !is_integer {
        return undefined("a negative number raised to a non-integer power yields a complex result");
    }
    let negative = base.is_negative() && integer.unscaled.bit(0);
    let base = Decimal::new(base.unscaled.abs(), base.scale);
    let rough_scale = (8 - scale::ln_weight(&base)).clamp(0, MOST_SHOWN_SCALE) as u32;
    let rough = multiply(&logarithm::ln(&base, rough_scale), exponent)?.round(rough_scale);
    let rough: f64 = rough.to_string().parse().unwrap_or(f64::NAN);
    if rough.abs() > MOST_LN {
        return if rough > 0.0 { Err(overflow()) } else { Ok(Decimal::new(0, MOST_SHOWN_SCALE as u32)) };
    }
    // The constant is shorter than LOG10_E on purpose: Postgres writes it so, and cuts the estimate to an integer.
    #[expect(clippy::approx_constant, reason = "Postgres's own constant")]
    let digits = (rough * 0.434_294_481_903_252) as i64;
    let scale = scale::bounded(LEAST_DIGITS - digits, &[&base, exponent]);
    // ln to as many digits as the result has, before and after its point.
    let ln_scale = scale + 20 + digits.unsigned_abs() as u32 + exponent.digits() as u32;
    let product = multiply(&logarithm::ln(&base, ln_scale), exponent)?;
    let result = logarithm::exp(&product, scale)?;
    Ok(if negative { Decimal::new(-result.unscaled, result.scale) } else { result })
}

/// 16 digits after the point at least, whatever the size of the result.
fn integer_power(base: &Decimal, exponent: i32) -> Result<Decimal, EvalError> {
    let weight = if base.is_zero() { 0.0 } else { scale::log10(base) * f64::from(exponent) };
    if weight > MOST_DIGITS {
        return Err(overflow());
    }
    let scale = scale::bounded(LEAST_DIGITS, &[base]);
    if weight + 1.0 < -f64::from(scale) {
        return Ok(Decimal::new(0, scale));
    }
    if base.is_zero() {
        let one = if exponent == 0 { ten_to(scale) } else { BigInt::zero() };
        return Ok(Decimal::new(one, scale));
    }
    let base = base.clone().normalized();
    let magnitude = exponent.unsigned_abs();
    // Exact while that is cheap; digits far behind those that are shown are dropped in between.
    let kept = scale as usize + weight.abs() as usize + 40;
    let powered = repeated_square(&base, magnitude, kept);
    let result = if exponent >= 0 { powered.round(scale) } else { quotient(&Decimal::new(1, 0), &powered, scale) };
    result.checked()
}

fn repeated_square(base: &Decimal, mut exponent: u32, kept: usize) -> Decimal {
    let trim = |value: Decimal| {
        let excess = value.digits().saturating_sub(kept).min(value.scale as usize);
        let scale = value.scale - excess as u32;
        value.round(scale)
    };
    let mut result = Decimal::new(1, 0);
    let mut square = base.clone();
    loop {
        if exponent & 1 == 1 {
            result = trim(Decimal::new(&result.unscaled * &square.unscaled, result.scale + square.scale));
        }
        exponent >>= 1;
        if exponent == 0 {
            return result;
        }
        square = trim(Decimal::new(&square.unscaled * &square.unscaled, square.scale * 2));
    }
}
