//! Casts between types, as in Postgres's `pg_cast`; every type goes to and from text by its output and input function.

use super::{CastContext, Context, EvalError, Function, Sql, kernel::column, kernel::scalar, kind};
use crate::value::{
    ColumnBuilder, DATE_INFINITY, DATE_NEGATIVE_INFINITY, DAY, Decimal, INFINITY, NEGATIVE_INFINITY, ValueError,
    check_timestamp, compare_doubles, local_from_utc, parse_double, parse_real, print_any, print_double, print_real,
    utc_from_local,
};
use arrow_array::{Array, ArrayRef, StringArray};
use millrace_contract::SqlType;
use num_traits::ToPrimitive;
use std::{cmp::Ordering, sync::Arc};

const IMPLICIT: Sql = Sql::Cast(CastContext::Implicit);
const ASSIGNMENT: Sql = Sql::Cast(CastContext::Assignment);
const EXPLICIT: Sql = Sql::Cast(CastContext::Explicit);

pub(super) fn functions() -> Vec<Function> {
    let mut functions = numbers();
    functions.extend(times());
    macro_rules! text {
        ($($kind:ident $name:literal;)*) => {$(
            functions.extend([
                Function {
                    name: concat!("cast_text_", $name),
                    sql: EXPLICIT,
                    arguments: &[SqlType::Text],
                    variadic: None,
                    returns: SqlType::$kind,
                    strict: true,
                    evaluate: |context, arguments, rows| from_text(SqlType::$kind, context, arguments, rows),
                    doc: "Reads the type's text form.",
                },
                Function {
                    name: concat!("cast_", $name, "_text"),
                    sql: ASSIGNMENT,
                    arguments: &[SqlType::$kind],
                    variadic: None,
                    returns: SqlType::Text,
                    strict: true,
                    evaluate: |context, arguments, rows| to_text(context, arguments, rows),
                    doc: "The value's text form.",
                },
            ]);
        )*};
    }
    text! {
        SmallInt "smallint";
        Integer "integer";
        BigInt "bigint";
        Real "real";
        DoublePrecision "double";
        Numeric "numeric";
        Date "date";
        Time "time";
        Timestamp "timestamp";
        TimestampTz "timestamptz";
        Uuid "uuid";
        Jsonb "jsonb";
    }
    functions.push(Function {
        name: "cast_text_boolean",
        sql: EXPLICIT,
        arguments: &[SqlType::Text],
        variadic: None,
        returns: SqlType::Boolean,
        strict: true,
        evaluate: |context, arguments, rows| from_text(SqlType::Boolean, context, arguments, rows),
        doc: "Reads true, false, yes, no, on, off, 1, 0 or a unique prefix.",
    });
    functions.push(scalar!("cast_boolean_text", ASSIGNMENT, [Boolean] -> Text, "true or false.", |_, value| {
        value.to_string()
    }));
    functions
}

fn from_text(ty: SqlType, context: &Context, arguments: &[ArrayRef], rows: usize) -> Result<ArrayRef, EvalError> {
    let texts = column::<kind::Text>(arguments, 0);
    let mut builder = ColumnBuilder::new(ty, rows).in_zone(context.zone);
    for row in 0..rows {
        if texts.is_null(row) { builder.append_null() } else { builder.append_text(texts.value(row))? }
    }
    Ok(builder.finish())
}

fn to_text(context: &Context, arguments: &[ArrayRef], rows: usize) -> Result<ArrayRef, EvalError> {
    let texts: StringArray = (0..rows).map(|row| print_any(&arguments[0], row, context.zone)).collect();
    Ok(Arc::new(texts))
}

fn numbers() -> Vec<Function> {
    const ROUNDS: &str = "The nearest integer; half goes to the even one.";
    const ROUNDS_AWAY: &str = "The nearest integer; half goes away from zero.";
    const WIDENS: &str = "The same number.";
    const CHECKS: &str = "The same number, if it fits.";
    vec![
        scalar!("cast_smallint_integer", IMPLICIT, [SmallInt] -> Integer, WIDENS, |_, value| i32::from(value)),
        scalar!("cast_smallint_bigint", IMPLICIT, [SmallInt] -> BigInt, WIDENS, |_, value| i64::from(value)),
        scalar!("cast_integer_bigint", IMPLICIT, [Integer] -> BigInt, WIDENS, |_, value| i64::from(value)),
        scalar!("cast_integer_smallint", ASSIGNMENT, [Integer] -> SmallInt, CHECKS, |_, value| fit(i16::try_from(value), "smallint")),
        scalar!("cast_bigint_smallint", ASSIGNMENT, [BigInt] -> SmallInt, CHECKS, |_, value| fit(i16::try_from(value), "smallint")),
        scalar!("cast_bigint_integer", ASSIGNMENT, [BigInt] -> Integer, CHECKS, |_, value| fit(i32::try_from(value), "integer")),
        scalar!("cast_smallint_real", IMPLICIT, [SmallInt] -> Real, WIDENS, |_, value| f32::from(value)),
        scalar!("cast_integer_real", IMPLICIT, [Integer] -> Real, "The nearest real.", |_, value| value as f32),
        scalar!("cast_bigint_real", IMPLICIT, [BigInt] -> Real, "The nearest real.", |_, value| value as f32),
        scalar!("cast_smallint_double", IMPLICIT, [SmallInt] -> DoublePrecision, WIDENS, |_, value| f64::from(value)),
        scalar!("cast_integer_double", IMPLICIT, [Integer] -> DoublePrecision, WIDENS, |_, value| f64::from(value)),
        scalar!("cast_bigint_double", IMPLICIT, [BigInt] -> DoublePrecision, "The nearest double precision.", |_, value| value as f64),
        scalar!("cast_smallint_numeric", IMPLICIT, [SmallInt] -> Numeric, WIDENS, |_, value| Decimal::new(value, 0)),
        scalar!("cast_integer_numeric", IMPLICIT, [Integer] -> Numeric, WIDENS, |_, value| Decimal::new(value, 0)),
        scalar!("cast_bigint_numeric", IMPLICIT, [BigInt] -> Numeric, WIDENS, |_, value| Decimal::new(value, 0)),
        scalar!("cast_real_double", IMPLICIT, [Real] -> DoublePrecision, WIDENS, |_, value| f64::from(value)),
        scalar!("cast_double_real", ASSIGNMENT, [DoublePrecision] -> Real, "The nearest real, if it fits.", |_, value| narrow(value)),
        scalar!("cast_real_smallint", ASSIGNMENT, [Real] -> SmallInt, ROUNDS, |_, value| float_to_integer(f64::from(value), -32768.0, 32768.0, "smallint").map(|value| value as i16)),
        scalar!("cast_real_integer", ASSIGNMENT, [Real] -> Integer, ROUNDS, |_, value| float_to_integer(f64::from(value), -2147483648.0, 2147483648.0, "integer").map(|value| value as i32)),
        scalar!("cast_real_bigint", ASSIGNMENT, [Real] -> BigInt, ROUNDS, |_, value| float_to_integer(f64::from(value), -9223372036854775808.0, 9223372036854775808.0, "bigint")),
        scalar!("cast_double_smallint", ASSIGNMENT, [DoublePrecision] -> SmallInt, ROUNDS, |_, value| float_to_integer(value, -32768.0, 32768.0, "smallint").map(|value| value as i16)),
        scalar!("cast_double_integer", ASSIGNMENT, [DoublePrecision] -> Integer, ROUNDS, |_, value| float_to_integer(value, -2147483648.0, 2147483648.0, "integer").map(|value| value as i32)),
        scalar!("cast_double_bigint", ASSIGNMENT, [DoublePrecision] -> BigInt, ROUNDS, |_, value| float_to_integer(value, -9223372036854775808.0, 9223372036854775808.0, "bigint")),
        scalar!("cast_real_numeric", ASSIGNMENT, [Real] -> Numeric, "The number with 6 significant digits.", |_, value| significant(f64::from(value), 6, &print_real(value))),
        scalar!("cast_double_numeric", ASSIGNMENT, [DoublePrecision] -> Numeric, "The number with 15 significant digits.", |_, value| significant(value, 15, &print_double(value))),
        scalar!("cast_numeric_real", IMPLICIT, [Numeric] -> Real, "The nearest real.", |_, value| parse_real(&value.to_string())),
        scalar!("cast_numeric_double", IMPLICIT, [Numeric] -> DoublePrecision, "The nearest double precision.", |_, value| parse_double(&value.to_string())),
        scalar!("cast_numeric_smallint", ASSIGNMENT, [Numeric] -> SmallInt, ROUNDS_AWAY, |_, value| fit(value.round_to_integer().to_i16().ok_or(()), "smallint")),
        scalar!("cast_numeric_integer", ASSIGNMENT, [Numeric] -> Integer, ROUNDS_AWAY, |_, value| fit(value.round_to_integer().to_i32().ok_or(()), "integer")),
        scalar!("cast_numeric_bigint", ASSIGNMENT, [Numeric] -> BigInt, ROUNDS_AWAY, |_, value| fit(value.round_to_integer().to_i64().ok_or(()), "bigint")),
    ]
}

fn fit<T, E>(result: Result<T, E>, ty: &'static str) -> Result<T, EvalError> {
    result.map_err(|_| ValueError::out_of_range(ty))
}

/// From `least` up to, and without, `end`.
pub(super) fn float_to_integer(value: f64, least: f64, end: f64, ty: &'static str) -> Result<i64, EvalError> {
    let rounded = value.round_ties_even();
    if rounded >= least && rounded < end { Ok(rounded as i64) } else { Err(ValueError::out_of_range(ty)) }
}

fn narrow(value: f64) -> Result<f32, EvalError> {
    let narrow = value as f32;
    if narrow.is_infinite() && !value.is_infinite() {
        return Err(ValueError::float_overflow());
    }
    if narrow == 0.0 && compare_doubles(value, 0.0) != Ordering::Equal {
        return Err(ValueError::float_underflow());
    }
    Ok(narrow)
}

/// C's `%.*g`, read as numeric.
fn significant(value: f64, digits: usize, printed: &str) -> Result<Decimal, EvalError> {
    if !value.is_finite() {
        return Decimal::parse(printed);
    }
    let scientific = format!("{value:.*e}", digits - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let mantissa = if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    Decimal::parse(&format!("{mantissa}e{exponent}"))
}

fn times() -> Vec<Function> {
    vec![
        scalar!("cast_date_timestamp", IMPLICIT, [Date] -> Timestamp, "Midnight of the day.", |_, days| midnight(days)),
        scalar!("cast_date_timestamptz", IMPLICIT, [Date] -> TimestampTz, "Midnight of the day in the view's time zone.", |context, days| {
            midnight(days).and_then(|local| to_moment(context, local))
        }),
        scalar!("cast_timestamp_date", ASSIGNMENT, [Timestamp] -> Date, "The day.", |_, local| day(local)),
        scalar!("cast_timestamp_time", ASSIGNMENT, [Timestamp] -> Time, "The time of day.", |_, local| time_of_day(local)),
        scalar!("cast_timestamp_timestamptz", IMPLICIT, [Timestamp] -> TimestampTz, "The moment at which clocks of the view's time zone show it.", to_moment),
        scalar!("cast_timestamptz_timestamp", ASSIGNMENT, [TimestampTz] -> Timestamp, "What clocks of the view's time zone show.", |context, moment| {
            if is_infinite(moment) { Ok(moment) } else { check_timestamp(to_local(context, moment)) }
        }),
        scalar!("cast_timestamptz_date", ASSIGNMENT, [TimestampTz] -> Date, "The day in the view's time zone.", |context, moment| day(to_local(context, moment))),
        scalar!("cast_timestamptz_time", ASSIGNMENT, [TimestampTz] -> Time, "The time of day in the view's time zone.", |context, moment| time_of_day(to_local(context, moment))),
    ]
}

/// Infinite values stay what they are.
pub(super) fn is_infinite(micros: i64) -> bool {
    micros == INFINITY || micros == NEGATIVE_INFINITY
}

pub(super) fn midnight(days: i32) -> Result<i64, EvalError> {
    match days {
        DATE_INFINITY => Ok(INFINITY),
        DATE_NEGATIVE_INFINITY => Ok(NEGATIVE_INFINITY),
        days => i64::from(days)
            .checked_mul(DAY)
            .and_then(|micros| check_timestamp(micros).ok())
            .ok_or_else(|| ValueError::new("22008", "date out of range for timestamp")),
    }
}

pub(super) fn day(local: i64) -> i32 {
    match local {
        INFINITY => DATE_INFINITY,
        NEGATIVE_INFINITY => DATE_NEGATIVE_INFINITY,
        local => local.div_euclid(DAY) as i32,
    }
}

fn time_of_day(local: i64) -> Option<i64> {
    (!is_infinite(local)).then(|| local.rem_euclid(DAY))
}

pub(super) fn to_moment(context: &Context, local: i64) -> Result<i64, EvalError> {
    if is_infinite(local) { Ok(local) } else { check_timestamp(utc_from_local(context.zone, local)) }
}

pub(super) fn to_local(context: &Context, moment: i64) -> i64 {
    if is_infinite(moment) { moment } else { local_from_utc(context.zone, moment) }
}
