//! smallint, integer, bigint: checked arithmetic.

use super::{EvalError, Function, Sql, kernel::scalar};
use crate::value::ValueError;

pub(super) fn functions() -> Vec<Function> {
    let mut functions = Vec::new();
    macro_rules! integer {
        ($kind:ident, $native:ty, $type:literal, $prefix:literal, [$($name:literal),*]) => {
            let [add, subtract, multiply, divide, modulo, mod_function, negate, plus, absolute, and, or, xor, not]
                = [$(concat!($prefix, $name)),*];
            functions.extend([
                scalar!(add, Sql::Operator("+"), [$kind, $kind] -> $kind, "Sum.", |_, a, b| {
                    checked(a.checked_add(b), $type)
                }),
                scalar!(subtract, Sql::Operator("-"), [$kind, $kind] -> $kind, "Difference.", |_, a, b| {
                    checked(a.checked_sub(b), $type)
                }),
                scalar!(multiply, Sql::Operator("*"), [$kind, $kind] -> $kind, "Product.", |_, a, b| {
                    checked(a.checked_mul(b), $type)
                }),
                scalar!(divide, Sql::Operator("/"), [$kind, $kind] -> $kind, "Quotient, truncated.", |_, a, b| {
                    if b == 0 { Err(ValueError::division_by_zero()) } else { checked(a.checked_div(b), $type) }
                }),
                scalar!(modulo, Sql::Operator("%"), [$kind, $kind] -> $kind, "Remainder, with the sign of the dividend.", |_, a, b| {
                    if b == 0 { Err(ValueError::division_by_zero()) } else { Ok(a.checked_rem(b).unwrap_or(0)) }
                }),
                scalar!(mod_function, Sql::Function("mod"), [$kind, $kind] -> $kind, "Remainder, with the sign of the dividend.", |_, a, b| {
                    if b == 0 { Err(ValueError::division_by_zero()) } else { Ok(a.checked_rem(b).unwrap_or(0)) }
                }),
                scalar!(negate, Sql::Prefix("-"), [$kind] -> $kind, "Negation.", |_, a| checked(a.checked_neg(), $type)),
                scalar!(plus, Sql::Prefix("+"), [$kind] -> $kind, "The same number.", |_, a| a),
                scalar!(absolute, Sql::Function("abs"), [$kind] -> $kind, "Absolute value.", |_, a| checked(a.checked_abs(), $type)),
                scalar!(and, Sql::Operator("&"), [$kind, $kind] -> $kind, "Bitwise AND.", |_, a, b| a & b),
                scalar!(or, Sql::Operator("|"), [$kind, $kind] -> $kind, "Bitwise OR.", |_, a, b| a | b),
                scalar!(xor, Sql::Operator("#"), [$kind, $kind] -> $kind, "Bitwise exclusive OR.", |_, a, b| a ^ b),
                scalar!(not, Sql::Prefix("~"), [$kind] -> $kind, "Bitwise NOT.", |_, a: $native| !a),
            ]);
        };
    }
    integer!(
        SmallInt,
        i16,
        "smallint",
        "int2",
        ["pl", "mi", "mul", "div", "_mod_operator", "mod", "um", "up", "abs", "and", "or", "xor", "not"]
    );
    integer!(
        Integer,
        i32,
        "integer",
        "int4",
        ["pl", "mi", "mul", "div", "_mod_operator", "mod", "um", "up", "abs", "and", "or", "xor", "not"]
    );
    integer!(
        BigInt,
        i64,
        "bigint",
        "int8",
        ["pl", "mi", "mul", "div", "_mod_operator", "mod", "um", "up", "abs", "and", "or", "xor", "not"]
    );
    functions
}

fn checked<T>(result: Option<T>, ty: &'static str) -> Result<T, EvalError> {
    result.ok_or_else(|| ValueError::out_of_range(ty))
}
