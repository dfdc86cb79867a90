//! Comparison of two values of one type: text by its bytes, NaN larger than every number and equal to itself.

use super::{Context, EvalError, Function, Sql};
use crate::value::comparator;
use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_buffer::BooleanBuffer;
use millrace_contract::SqlType;
use std::{cmp::Ordering, sync::Arc};

pub(super) fn functions() -> Vec<Function> {
    let mut functions = Vec::new();
    macro_rules! comparisons {
        ($($kind:ident $prefix:literal;)*) => {$(
            functions.extend([
                comparison!($kind, concat!($prefix, "eq"), "=", "Equal.", Ordering::is_eq),
                comparison!($kind, concat!($prefix, "ne"), "<>", "Not equal.", Ordering::is_ne),
                comparison!($kind, concat!($prefix, "lt"), "<", "Less.", Ordering::is_lt),
                comparison!($kind, concat!($prefix, "le"), "<=", "Less or equal.", Ordering::is_le),
                comparison!($kind, concat!($prefix, "gt"), ">", "Greater.", Ordering::is_gt),
                comparison!($kind, concat!($prefix, "ge"), ">=", "Greater or equal.", Ordering::is_ge),
            ]);
        )*};
    }
    macro_rules! comparison {
        ($kind:ident, $name:expr, $operator:literal, $doc:literal, $holds:expr) => {
            Function {
                name: $name,
                sql: Sql::Operator($operator),
                arguments: &[SqlType::$kind, SqlType::$kind],
                variadic: None,
                returns: SqlType::Boolean,
                strict: true,
                evaluate: |_: &Context, arguments: &[ArrayRef], rows| compare(SqlType::$kind, arguments, rows, $holds),
                doc: $doc,
            }
        };
    }
    comparisons! {
        Boolean "bool";
        SmallInt "int2";
        Integer "int4";
        BigInt "int8";
        Real "float4";
        DoublePrecision "float8";
        Numeric "numeric_";
        Text "text_";
        Date "date_";
        Time "time_";
        Timestamp "timestamp_";
        TimestampTz "timestamptz_";
        Uuid "uuid_";
        Jsonb "jsonb_";
    }
    functions
}

fn compare(
    ty: SqlType,
    arguments: &[ArrayRef],
    rows: usize,
    holds: impl Fn(Ordering) -> bool,
) -> Result<ArrayRef, EvalError> {
    let (left, right) = (&arguments[0], &arguments[1]);
    let nulls = arrow_buffer::NullBuffer::union(left.nulls(), right.nulls());
    let order = comparator(ty, left, right);
    let values = match &nulls {
        None => BooleanBuffer::collect_bool(rows, |row| holds(order(row, row))),
        Some(nulls) => BooleanBuffer::collect_bool(rows, |row| nulls.is_valid(row) && holds(order(row, row))),
    };
    Ok(Arc::new(BooleanArray::new(values, nulls)))
}
