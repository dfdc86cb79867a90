//! Equality and order of column values as SQL has them: 1.0 is 1.00, -0 is 0, NaN is NaN and the largest.

use super::{Decimal, parse_json};
use arrow_array::{
    Array, ArrayRef, Float32Array, Float64Array, StringArray,
    builder::StringBuilder,
    cast::AsArray,
    types::{
        Date32Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, Time64MicrosecondType,
        TimestampMicrosecondType,
    },
};
use millrace_contract::SqlType;
use std::{cmp::Ordering, sync::Arc};

/// The column with equal values made identical, for grouping by bytes. Most types are so already.
pub fn canonical_keys(ty: SqlType, array: &ArrayRef) -> ArrayRef {
    match ty {
        SqlType::Numeric => map_text(array, |text| normal_numeric(text).to_owned()),
        SqlType::Jsonb => map_text(array, |text| stored_json(text).normalized().to_string()),
        SqlType::Real => {
            let floats: Float32Array = array.as_primitive::<Float32Type>().unary(canonical_real);
            Arc::new(floats)
        }
        SqlType::DoublePrecision => {
            let floats: Float64Array = array.as_primitive::<Float64Type>().unary(canonical_double);
            Arc::new(floats)
        }
        SqlType::Boolean
        | SqlType::SmallInt
        | SqlType::Integer
        | SqlType::BigInt
        | SqlType::Text
        | SqlType::Date
        | SqlType::Time
        | SqlType::Timestamp
        | SqlType::TimestampTz
        | SqlType::Uuid => array.clone(),
    }
}

/// Compares row `i` of one column with row `j` of the other; neither is null.
pub type Comparator<'a> = Box<dyn Fn(usize, usize) -> Ordering + 'a>;

/// The order that `<` and `min` use: text by its bytes, NaN last.
pub fn comparator<'a>(ty: SqlType, left: &'a ArrayRef, right: &'a ArrayRef) -> Comparator<'a> {
    macro_rules! primitive {
        ($kind:ty) => {{
            let (left, right) = (left.as_primitive::<$kind>(), right.as_primitive::<$kind>());
            Box::new(move |i, j| left.value(i).cmp(&right.value(j)))
        }};
    }
    match ty {
        SqlType::Boolean => {
            let (left, right) = (left.as_boolean(), right.as_boolean());
            Box::new(move |i, j| left.value(i).cmp(&right.value(j)))
        }
        SqlType::SmallInt => primitive!(Int16Type),
        SqlType::Integer => primitive!(Int32Type),
        SqlType::BigInt => primitive!(Int64Type),
        SqlType::Date => primitive!(Date32Type),
        SqlType::Time => primitive!(Time64MicrosecondType),
        SqlType::Timestamp | SqlType::TimestampTz => primitive!(TimestampMicrosecondType),
        SqlType::Real => {
            let (left, right) = (left.as_primitive::<Float32Type>(), right.as_primitive::<Float32Type>());
            Box::new(move |i, j| compare_doubles(f64::from(left.value(i)), f64::from(right.value(j))))
        }
        SqlType::DoublePrecision => {
            let (left, right) = (left.as_primitive::<Float64Type>(), right.as_primitive::<Float64Type>());
            Box::new(move |i, j| compare_doubles(left.value(i), right.value(j)))
        }
        SqlType::Text => {
            let (left, right) = (left.as_string::<i32>(), right.as_string::<i32>());
            Box::new(move |i, j| left.value(i).as_bytes().cmp(right.value(j).as_bytes()))
        }
        SqlType::Numeric => {
            let (left, right) = (left.as_string::<i32>(), right.as_string::<i32>());
            Box::new(move |i, j| compare_numerics(left.value(i), right.value(j)))
        }
        SqlType::Jsonb => {
            let (left, right) = (left.as_string::<i32>(), right.as_string::<i32>());
            Box::new(move |i, j| stored_json(left.value(i)).compare(&stored_json(right.value(j))))
        }
        SqlType::Uuid => {
            let (left, right) = (left.as_fixed_size_binary(), right.as_fixed_size_binary());
            Box::new(move |i, j| left.value(i).cmp(right.value(j)))
        }
    }
}

/// NaN equals itself and is larger than every other number; -0 equals 0.
pub(crate) fn compare_doubles(left: f64, right: f64) -> Ordering {
    left.partial_cmp(&right).unwrap_or_else(|| left.is_nan().cmp(&right.is_nan()))
}

fn compare_numerics(left: &str, right: &str) -> Ordering {
    if left == right { Ordering::Equal } else { stored_decimal(left).compare(&stored_decimal(right)) }
}

/// A number from a numeric column, whose text is always one.
pub(crate) fn stored_decimal(text: &str) -> Decimal {
    Decimal::parse(text).expect("a numeric column holds canonical numbers")
}

/// A document from a jsonb column, whose text is always one.
pub(crate) fn stored_json(text: &str) -> super::Json {
    parse_json(text).expect("a jsonb column holds canonical documents")
}

/// Canonical text of a numeric without zeros at the end of its fraction.
fn normal_numeric(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

fn canonical_real(value: f32) -> f32 {
    if value.is_nan() { f32::NAN } else { value + 0.0 }
}

fn canonical_double(value: f64) -> f64 {
    if value.is_nan() { f64::NAN } else { value + 0.0 }
}

fn map_text(array: &ArrayRef, change: impl Fn(&str) -> String) -> ArrayRef {
    let texts: &StringArray = array.as_string();
    let mut builder = StringBuilder::with_capacity(texts.len(), texts.value_data().len());
    for row in 0..texts.len() {
        if texts.is_null(row) { builder.append_null() } else { builder.append_value(change(texts.value(row))) }
    }
    Arc::new(builder.finish())
}
