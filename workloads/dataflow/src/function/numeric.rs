//! numeric: exact arithmetic, and quotients with as many digits as Postgres gives them.

mod logarithm;
mod power;
mod scale;

use super::{EvalError, Function, Sql, kernel::scalar};
use crate::value::{Decimal, ValueError, divide_rounded, ten_to};
use num_bigint::BigInt;
use num_traits::Signed;
use std::cmp::Ordering;

/// Postgres's limits of a scale that an argument asks for, and of one that is shown.
const MOST_ASKED_SCALE: i32 = 16_383;
const MOST_SHOWN_SCALE: i64 = 1000;
/// Quotients and roots have at least so many significant digits.
const LEAST_DIGITS: i64 = 16;

pub(super) fn functions() -> Vec<Function> {
    let mut functions = vec![
        scalar!("numeric_add", Sql::Operator("+"), [Numeric, Numeric] -> Numeric, "Sum.", |_, a, b| (&a + &b).checked()),
        scalar!("numeric_sub", Sql::Operator("-"), [Numeric, Numeric] -> Numeric, "Difference.", |_, a, b| subtract(&a, &b).checked()),
        scalar!("numeric_mul", Sql::Operator("*"), [Numeric, Numeric] -> Numeric, "Product.", |_, a, b| multiply(&a, &b)),
        scalar!("numeric_div", Sql::Operator("/"), [Numeric, Numeric] -> Numeric, "Quotient, rounded to at least 16 significant digits.", |_, a, b| divide(&a, &b)),
        scalar!("numeric_mod_operator", Sql::Operator("%"), [Numeric, Numeric] -> Numeric, "Remainder, with the sign of the dividend.", |_, a, b| remainder(&a, &b)),
        scalar!("numeric_mod", Sql::Function("mod"), [Numeric, Numeric] -> Numeric, "Remainder, with the sign of the dividend.", |_, a, b| remainder(&a, &b)),
        scalar!("numeric_div_trunc", Sql::Function("div"), [Numeric, Numeric] -> Numeric, "Integer quotient, truncated.", |_, a: Decimal, b: Decimal| {
            if b.is_zero() {
                return Err(ValueError::division_by_zero());
            }
            let (a, b, _) = a.aligned(&b);
            Decimal::new(a / b, 0).checked()
        }),
        scalar!("numeric_uminus", Sql::Prefix("-"), [Numeric] -> Numeric, "Negation.", |_, a: Decimal| Decimal::new(-a.unscaled, a.scale)),
        scalar!("numeric_uplus", Sql::Prefix("+"), [Numeric] -> Numeric, "The same number.", |_, a| a),
        scalar!("numeric_abs", Sql::Function("abs"), [Numeric] -> Numeric, "Absolute value.", |_, a: Decimal| Decimal::new(a.unscaled.abs(), a.scale)),
        scalar!("numeric_sign", Sql::Function("sign"), [Numeric] -> Numeric, "-1, 0 or 1.", |_, a: Decimal| Decimal::new(a.unscaled.signum(), 0)),
        scalar!("numeric_ceil", Sql::Function("ceil"), [Numeric] -> Numeric, "The smallest integer that is not less.", |_, a| toward(&a, Ordering::Greater)),
        scalar!("numeric_ceiling", Sql::Function("ceiling"), [Numeric] -> Numeric, "The smallest integer that is not less.", |_, a| toward(&a, Ordering::Greater)),
        scalar!("numeric_floor", Sql::Function("floor"), [Numeric] -> Numeric, "The largest integer that is not greater.", |_, a| toward(&a, Ordering::Less)),
        scalar!("numeric_round", Sql::Function("round"), [Numeric] -> Numeric, "The nearest integer; half goes away from zero.", |_, a: Decimal| a.round(0).checked()),
        scalar!("numeric_round_scale", Sql::Function("round"), [Numeric, Integer] -> Numeric, "With so many digits after the point; half goes away from zero.", |_, a: Decimal, scale| {
            at_scale(&a, scale, divide_rounded)
        }),
        scalar!("numeric_trunc", Sql::Function("trunc"), [Numeric] -> Numeric, "Without digits after the point.", |_, a| at_scale(&a, 0, |a, b| a / b)),
        scalar!("numeric_trunc_scale", Sql::Function("trunc"), [Numeric, Integer] -> Numeric, "With so many digits after the point, the others cut off.", |_, a, scale| {
            at_scale(&a, scale, |a, b| a / b)
        }),
    ];
    functions.extend(power::functions());
    functions.extend(logarithm::functions());
    functions
}

fn subtract(a: &Decimal, b: &Decimal) -> Decimal {
    let (a, b, scale) = a.aligned(b);
    Decimal::new(a - b, scale)
}

fn multiply(a: &Decimal, b: &Decimal) -> Result<Decimal, EvalError> {
    let product = Decimal::new(&a.unscaled * &b.unscaled, a.scale + b.scale);
    const MOST_SCALE: u32 = 16_383;
    if product.scale > MOST_SCALE { product.round(MOST_SCALE).checked() } else { product.checked() }
}

pub(super) fn divide(a: &Decimal, b: &Decimal) -> Result<Decimal, EvalError> {
    if b.is_zero() {
        return Err(ValueError::division_by_zero());
    }
    quotient(a, b, scale::of_quotient(a, b)).checked()
}

/// a / b with `scale` digits after the point, half rounded away from zero. `b` is not zero.
fn quotient(a: &Decimal, b: &Decimal, scale: u32) -> Decimal {
    let shift = i64::from(scale) + i64::from(b.scale) - i64::from(a.scale);
    let power = ten_to(shift.unsigned_abs() as u32);
    let unscaled = if shift >= 0 {
        divide_rounded(&(&a.unscaled * power), &b.unscaled)
    } else {
        divide_rounded(&a.unscaled, &(&b.unscaled * power))
    };
    Decimal::new(unscaled, scale)
}

fn remainder(a: &Decimal, b: &Decimal) -> Result<Decimal, EvalError> {
    if b.is_zero() {
        return Err(ValueError::division_by_zero());
    }
    let (a, b, scale) = a.aligned(b);
    Decimal::new(a % b, scale).checked()
}

/// The nearest integer in one direction.
fn toward(a: &Decimal, direction: Ordering) -> Result<Decimal, EvalError> {
    let power = ten_to(a.scale);
    let (truncated, rest) = (&a.unscaled / &power, &a.unscaled % &power);
    let sign = rest.signum();
    let moved = match direction {
        Ordering::Greater if sign > BigInt::ZERO => truncated + 1,
        Ordering::Less if sign < BigInt::ZERO => truncated - 1,
        _ => truncated,
    };
    Decimal::new(moved, 0).checked()
}

/// With `scale` digits after the point, or zeros before it when negative; `cut` divides by a power of ten.
fn at_scale(a: &Decimal, scale: i32, cut: impl Fn(&BigInt, &BigInt) -> BigInt) -> Result<Decimal, EvalError> {
    let scale = scale.clamp(-MOST_ASKED_SCALE, MOST_ASKED_SCALE);
    let shift = i64::from(a.scale) - i64::from(scale);
    if shift <= 0 {
        return a.round(scale as u32).checked();
    }
    let unscaled = cut(&a.unscaled, &ten_to(shift as u32));
    match u32::try_from(scale) {
        Ok(scale) => Decimal::new(unscaled, scale).checked(),
        Err(_) => Decimal::new(unscaled * ten_to(scale.unsigned_abs()), 0).checked(),
    }
}
