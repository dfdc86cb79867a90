//! Values as text: Postgres's output syntax, DateStyle ISO, bytes of a text as they are.

use super::{print_date, print_double, print_real, print_time, print_timestamp, print_timestamptz, print_uuid};
use arrow_array::{
    Array,
    cast::AsArray,
    types::{
        Date32Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, Time64MicrosecondType,
        TimestampMicrosecondType,
    },
};
use arrow_schema::{DataType, TimeUnit};
use chrono_tz::Tz;
use millrace_contract::SqlType;

/// The text of one value; none for null. A timestamptz is printed on the wall clock of `zone`.
pub fn print(array: &dyn Array, ty: SqlType, row: usize, zone: Tz) -> Option<String> {
    debug_assert_eq!(*array.data_type(), super::arrow_type(ty));
    print_any(array, row, zone)
}

/// As [`print`]: every type has its own Arrow type, but for those that are stored as their text.
pub fn print_any(array: &dyn Array, row: usize, zone: Tz) -> Option<String> {
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Boolean => if array.as_boolean().value(row) { "t" } else { "f" }.to_owned(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).to_string(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float32 => print_real(array.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => print_double(array.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        DataType::Date32 => print_date(array.as_primitive::<Date32Type>().value(row)),
        DataType::Time64(TimeUnit::Microsecond) => print_time(array.as_primitive::<Time64MicrosecondType>().value(row)),
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            print_timestamp(array.as_primitive::<TimestampMicrosecondType>().value(row))
        }
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            print_timestamptz(array.as_primitive::<TimestampMicrosecondType>().value(row), zone)
        }
        DataType::FixedSizeBinary(16) => print_uuid(array.as_fixed_size_binary().value(row)),
        other => unreachable!("arrow_type makes no {other} column"),
    })
}
