//! Roots, powers, logarithms and rounding of double precision.

use super::{EvalError, Function, Sql, kernel::scalar};
use crate::value::ValueError;

pub(super) fn functions() -> Vec<Function> {
    vec![
        scalar!("dsqrt", Sql::Function("sqrt"), [DoublePrecision] -> DoublePrecision, "Square root.", |_, a: f64| {
            if a < 0.0 { Err(ValueError::new("2201F", "cannot take square root of a negative number")) } else { Ok(a.sqrt()) }
        }),
        scalar!("dexp", Sql::Function("exp"), [DoublePrecision] -> DoublePrecision, "e to the power of the number.", |_, a: f64| {
            if a == f64::NEG_INFINITY { Ok(0.0) } else { in_range(a.exp(), a.is_infinite()) }
        }),
        scalar!("dlog1", Sql::Function("ln"), [DoublePrecision] -> DoublePrecision, "Natural logarithm.", |_, a: f64| {
            check_positive(a).map(|()| a.ln())
        }),
        scalar!("dlog10", Sql::Function("log"), [DoublePrecision] -> DoublePrecision, "Logarithm to base 10.", |_, a: f64| {
            check_positive(a).map(|()| a.log10())
        }),
        scalar!("dlog10_named", Sql::Function("log10"), [DoublePrecision] -> DoublePrecision, "Logarithm to base 10.", |_, a: f64| {
            check_positive(a).map(|()| a.log10())
        }),
        scalar!("dpow_operator", Sql::Operator("^"), [DoublePrecision, DoublePrecision] -> DoublePrecision, "Power.", |_, a, b| power(a, b)),
        scalar!("dpow", Sql::Function("power"), [DoublePrecision, DoublePrecision] -> DoublePrecision, "Power.", |_, a, b| power(a, b)),
        scalar!("dpow_short", Sql::Function("pow"), [DoublePrecision, DoublePrecision] -> DoublePrecision, "Power.", |_, a, b| power(a, b)),
        scalar!("dround", Sql::Function("round"), [DoublePrecision] -> DoublePrecision, "The nearest integer; half goes to the even one.", |_, a: f64| a.round_ties_even()),
        scalar!("dtrunc", Sql::Function("trunc"), [DoublePrecision] -> DoublePrecision, "Without digits after the point.", |_, a: f64| a.trunc()),
        scalar!("dceil", Sql::Function("ceil"), [DoublePrecision] -> DoublePrecision, "The smallest integer that is not less.", |_, a: f64| a.ceil()),
        scalar!("dceiling", Sql::Function("ceiling"), [DoublePrecision] -> DoublePrecision, "The smallest integer that is not less.", |_, a: f64| a.ceil()),
        scalar!("dfloor", Sql::Function("floor"), [DoublePrecision] -> DoublePrecision, "The largest integer that is not greater.", |_, a: f64| a.floor()),
        scalar!("dsign", Sql::Function("sign"), [DoublePrecision] -> DoublePrecision, "-1, 0 or 1.", |_, a: f64| {
            if a > 0.0 { 1.0 } else if a < 0.0 { -1.0 } else { 0.0 }
        }),
    ]
}

fn in_range(result: f64, was_infinite: bool) -> Result<f64, EvalError> {
    if result.is_infinite() && !was_infinite {
        return Err(ValueError::float_overflow());
    }
    if result == 0.0 { Err(ValueError::float_underflow()) } else { Ok(result) }
}

fn check_positive(a: f64) -> Result<(), EvalError> {
    if a == 0.0 {
        return Err(ValueError::new("2201E", "cannot take logarithm of zero"));
    }
    if a < 0.0 { Err(ValueError::new("2201E", "cannot take logarithm of a negative number")) } else { Ok(()) }
}

/// POSIX `pow`, with Postgres's errors where it gives none.
fn power(a: f64, b: f64) -> Result<f64, EvalError> {
    if a == 0.0 && b < 0.0 {
        return Err(ValueError::new("2201F", "zero raised to a negative power is undefined"));
    }
    if a < 0.0 && b.is_finite() && b.floor() != b {
        let message = "a negative number raised to a non-integer power yields a complex result";
        return Err(ValueError::new("2201F", message));
    }
    let result = a.powf(b);
    if a.is_finite() && b.is_finite() {
        if result.is_infinite() {
            return Err(ValueError::float_overflow());
        }
        if result == 0.0 && a != 0.0 {
            return Err(ValueError::float_underflow());
        }
    }
    Ok(result)
}
