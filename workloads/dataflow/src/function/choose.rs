//! greatest, least and nullif: functions that choose one of their arguments, of every type that has an order.

use super::{Context, EvalError, Function, Sql};
use crate::{keys::take, records::concat_arrays, value::comparator};
use arrow_array::{Array, ArrayRef, UInt32Array};
use millrace_contract::SqlType;

pub(super) fn functions() -> Vec<Function> {
    let mut functions = Vec::new();
    macro_rules! choices {
        ($($kind:ident $name:literal;)*) => {$(
            functions.extend([
                Function {
                    name: concat!("greatest_", $name),
                    sql: Sql::Function("greatest"),
                    arguments: &[SqlType::$kind],
                    variadic: Some(SqlType::$kind),
                    returns: SqlType::$kind,
                    strict: false,
                    evaluate: |_: &Context, arguments: &[ArrayRef], rows| Ok(extreme(SqlType::$kind, arguments, rows, true)),
                    doc: "The largest of the arguments that are not null.",
                },
                Function {
                    name: concat!("least_", $name),
                    sql: Sql::Function("least"),
                    arguments: &[SqlType::$kind],
                    variadic: Some(SqlType::$kind),
                    returns: SqlType::$kind,
                    strict: false,
                    evaluate: |_: &Context, arguments: &[ArrayRef], rows| Ok(extreme(SqlType::$kind, arguments, rows, false)),
                    doc: "The smallest of the arguments that are not null.",
                },
                Function {
                    name: concat!("nullif_", $name),
                    sql: Sql::Function("nullif"),
                    arguments: &[SqlType::$kind, SqlType::$kind],
                    variadic: None,
                    returns: SqlType::$kind,
                    strict: false,
                    evaluate: |_: &Context, arguments: &[ArrayRef], rows| nullif(SqlType::$kind, arguments, rows),
                    doc: "The first argument; null if it equals the second.",
                },
            ]);
        )*};
    }
    choices! {
        Boolean "boolean";
        SmallInt "smallint";
        Integer "integer";
        BigInt "bigint";
        Real "real";
        DoublePrecision "double";
        Numeric "numeric";
        Text "text";
        Date "date";
        Time "time";
        Timestamp "timestamp";
        TimestampTz "timestamptz";
        Uuid "uuid";
        Jsonb "jsonb";
    }
    functions
}

/// Of equal values the first stays.
fn extreme(ty: SqlType, arguments: &[ArrayRef], rows: usize, largest: bool) -> ArrayRef {
    let all = concat_arrays(arguments.iter().map(AsRef::as_ref));
    let order = comparator(ty, &all, &all);
    let choose = |row: usize| {
        let candidates =
            (0..arguments.len()).map(|argument| argument * rows + row).filter(|index| all.is_valid(*index));
        let best = candidates.reduce(|best, next| {
            let better = if largest { order(next, best).is_gt() } else { order(next, best).is_lt() };
            if better { next } else { best }
        });
        best.map(|index| index as u32)
    };
    take(&all, &(0..rows).map(choose).collect::<UInt32Array>())
}

fn nullif(ty: SqlType, arguments: &[ArrayRef], rows: usize) -> Result<ArrayRef, EvalError> {
    let (first, second) = (&arguments[0], &arguments[1]);
    let order = comparator(ty, first, second);
    let keep = |row: usize| {
        let equal = first.is_valid(row) && second.is_valid(row) && order(row, row).is_eq();
        (!equal).then_some(row as u32)
    };
    Ok(take(first, &(0..rows).map(keep).collect::<UInt32Array>()))
}
