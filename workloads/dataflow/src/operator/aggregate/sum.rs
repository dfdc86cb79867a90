//! The sum of every group: exact for integers and numeric; floats are only ever added to.

use super::groups::Groups;
use crate::{
    function::EvalError,
    value::{Decimal, ValueError, stored_decimal},
};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, Float32Array, Float64Array, Int64Array, PrimitiveArray, StringArray,
    cast::AsArray,
    types::{Float32Type, Float64Type, Int16Type, Int32Type, Int64Type},
};
use millrace_contract::SqlType;
use num_bigint::BigInt;
use std::sync::Arc;

pub(super) struct Sums {
    /// bigint for smallint and integer, numeric for bigint and numeric, the same type for floats; 0 for no value.
    pub column: ArrayRef,
    /// For which groups the sum is not zero.
    pub changes: Vec<bool>,
}

pub(super) fn sum(ty: SqlType, values: &ArrayRef, weights: &Int64Array, groups: &Groups) -> Result<Sums, EvalError> {
    match ty {
        SqlType::SmallInt => bigints(add_integers::<Int16Type>(values.as_primitive(), weights, groups)),
        SqlType::Integer => bigints(add_integers::<Int32Type>(values.as_primitive(), weights, groups)),
        SqlType::BigInt => {
            let sums = add_integers::<Int64Type>(values.as_primitive(), weights, groups);
            let column = StringArray::from_iter_values(sums.iter().map(i128::to_string));
            Ok(Sums { column: Arc::new(column), changes: sums.iter().map(|sum| *sum != 0).collect() })
        }
        SqlType::Numeric => add_numerics(values.as_string(), weights, groups),
        SqlType::Real => {
            let mut sums = vec![0f32; groups.len()];
            let values = values.as_primitive::<Float32Type>();
            for (row, group) in present_rows(values, groups) {
                let sum = sums[group] + values.value(row);
                check_finite(sum.is_infinite(), sums[group].is_infinite() || values.value(row).is_infinite())?;
                sums[group] = sum;
            }
            let changes = sums.iter().map(|sum| *sum != 0.0).collect();
            Ok(Sums { column: Arc::new(Float32Array::from(sums)), changes })
        }
        SqlType::DoublePrecision => {
            let mut sums = vec![0f64; groups.len()];
            let values = values.as_primitive::<Float64Type>();
            for (row, group) in present_rows(values, groups) {
                let sum = sums[group] + values.value(row);
                check_finite(sum.is_infinite(), sums[group].is_infinite() || values.value(row).is_infinite())?;
                sums[group] = sum;
            }
            let changes = sums.iter().map(|sum| *sum != 0.0).collect();
            Ok(Sums { column: Arc::new(Float64Array::from(sums)), changes })
        }
        SqlType::Boolean
        | SqlType::Text
        | SqlType::Date
        | SqlType::Time
        | SqlType::Timestamp
        | SqlType::TimestampTz
        | SqlType::Uuid
        | SqlType::Jsonb => unreachable!("a dataflow is refused when it sums {ty}"),
    }
}

fn present_rows<'a>(values: &'a dyn Array, groups: &'a Groups) -> impl Iterator<Item = (usize, usize)> + 'a {
    groups.of_rows().enumerate().filter(|(row, _)| values.is_valid(*row))
}

/// 2^63 rows of 64 bits each fit in 128 bits.
fn add_integers<T: ArrowPrimitiveType>(values: &PrimitiveArray<T>, weights: &Int64Array, groups: &Groups) -> Vec<i128>
where
    T::Native: Into<i128>,
{
    let mut sums = vec![0i128; groups.len()];
    for (row, group) in present_rows(values, groups) {
        sums[group] += values.value(row).into() * i128::from(weights.value(row));
    }
    sums
}

fn bigints(sums: Vec<i128>) -> Result<Sums, EvalError> {
    let changes = sums.iter().map(|sum| *sum != 0).collect();
    let fits = |sum: i128| i64::try_from(sum).map_err(|_| ValueError::out_of_range("bigint"));
    let column: Vec<i64> = sums.into_iter().map(fits).collect::<Result<_, _>>()?;
    Ok(Sums { column: Arc::new(Int64Array::from(column)), changes })
}

fn add_numerics(values: &StringArray, weights: &Int64Array, groups: &Groups) -> Result<Sums, EvalError> {
    let mut sums = vec![Decimal::zero(); groups.len()];
    for (row, group) in present_rows(values, groups) {
        let mut value = stored_decimal(values.value(row));
        if weights.value(row) != 1 {
            value.unscaled *= BigInt::from(weights.value(row));
        }
        add(&mut sums[group], value);
    }
    let changes = sums.iter().map(|sum| !sum.is_zero()).collect();
    let texts: Vec<String> =
        sums.into_iter().map(|sum| Ok(sum.checked()?.to_string())).collect::<Result<_, EvalError>>()?;
    Ok(Sums { column: Arc::new(StringArray::from(texts)), changes })
}

/// In place where both have one scale, as the values of one column mostly have.
fn add(sum: &mut Decimal, value: Decimal) {
    if sum.scale == value.scale { sum.unscaled += value.unscaled } else { *sum = &*sum + &value }
}

fn check_finite(infinite: bool, was_infinite: bool) -> Result<(), EvalError> {
    if infinite && !was_infinite { Err(ValueError::float_overflow()) } else { Ok(()) }
}
