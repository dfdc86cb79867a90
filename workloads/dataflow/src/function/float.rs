//! real and double precision: a finite result, or an error where finite numbers gave none.

use super::{EvalError, Function, Sql, kernel::scalar};
use crate::value::ValueError;

pub(super) fn functions() -> Vec<Function> {
    let mut functions = Vec::new();
    macro_rules! float {
        ($kind:ident, $native:ty, $prefix:literal, [$($name:literal),*]) => {
            let [add, subtract, multiply, divide, negate, plus, absolute] = [$(concat!($prefix, $name)),*];
            functions.extend([
                scalar!(add, Sql::Operator("+"), [$kind, $kind] -> $kind, "Sum.", |_, a: $native, b: $native| {
                    finite(a + b, (a + b).is_infinite(), a.is_infinite() || b.is_infinite())
                }),
                scalar!(subtract, Sql::Operator("-"), [$kind, $kind] -> $kind, "Difference.", |_, a: $native, b: $native| {
                    finite(a - b, (a - b).is_infinite(), a.is_infinite() || b.is_infinite())
                }),
                scalar!(multiply, Sql::Operator("*"), [$kind, $kind] -> $kind, "Product.", |_, a: $native, b: $native| {
                    let result = a * b;
                    if result == 0.0 && a != 0.0 && b != 0.0 {
                        return Err(ValueError::float_underflow());
                    }
                    finite(result, result.is_infinite(), a.is_infinite() || b.is_infinite())
                }),
                scalar!(divide, Sql::Operator("/"), [$kind, $kind] -> $kind, "Quotient.", |_, a: $native, b: $native| {
                    if b == 0.0 && !a.is_nan() {
                        return Err(ValueError::division_by_zero());
                    }
                    let result = a / b;
                    if result == 0.0 && a != 0.0 && !b.is_infinite() {
                        return Err(ValueError::float_underflow());
                    }
                    finite(result, result.is_infinite(), a.is_infinite())
                }),
                scalar!(negate, Sql::Prefix("-"), [$kind] -> $kind, "Negation.", |_, a: $native| -a),
                scalar!(plus, Sql::Prefix("+"), [$kind] -> $kind, "The same number.", |_, a| a),
                scalar!(absolute, Sql::Function("abs"), [$kind] -> $kind, "Absolute value.", |_, a: $native| a.abs()),
            ]);
        };
    }
    float!(Real, f32, "float4", ["pl", "mi", "mul", "div", "um", "up", "abs"]);
    float!(DoublePrecision, f64, "float8", ["pl", "mi", "mul", "div", "um", "up", "abs"]);
    functions
}

fn finite<F>(result: F, infinite: bool, was_infinite: bool) -> Result<F, EvalError> {
    if infinite && !was_infinite { Err(ValueError::float_overflow()) } else { Ok(result) }
}
