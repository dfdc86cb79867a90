//! boolean: AND, OR and NOT are nodes of an expression; what is left is one type's share of the casts.

use super::{CastContext, Function, Sql, kernel::scalar};

pub(super) fn functions() -> Vec<Function> {
    vec![
        scalar!("cast_boolean_integer", Sql::Cast(CastContext::Explicit), [Boolean] -> Integer,
            "True is 1, false is 0.", |_, value| i32::from(value)),
        scalar!("cast_integer_boolean", Sql::Cast(CastContext::Explicit), [Integer] -> Boolean,
            "0 is false, every other number is true.", |_, value| value != 0),
    ]
}
