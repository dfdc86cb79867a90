//! An Arrow column as one binary array parameter: what `unnest` takes apart on the other side.

use super::{DAYS_TO_2000, MICROSECONDS_TO_2000};
use arrow_array::{
    Array, ArrayRef,
    cast::AsArray,
    types::{
        Date32Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, Time64MicrosecondType,
        TimestampMicrosecondType,
    },
};
use millrace_contract::SqlType;
use sqlx::{
    Encode, Postgres, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgTypeInfo, types::Oid},
};

/// A column of a type, bound as an array of it; numeric as text, to be cast.
pub struct Column<'a> {
    pub array: &'a ArrayRef,
    pub ty: SqlType,
}

/// Object ids of a type and of its array, as bound. Fixed in every Postgres (`pg_type.dat`).
const fn object_ids(ty: SqlType) -> (u32, u32) {
    match ty {
        SqlType::Boolean => (16, 1000),
        SqlType::SmallInt => (21, 1005),
        SqlType::Integer => (23, 1007),
        SqlType::BigInt => (20, 1016),
        SqlType::Real => (700, 1021),
        SqlType::DoublePrecision => (701, 1022),
        SqlType::Numeric | SqlType::Text => (25, 1009),
        SqlType::Date => (1082, 1182),
        SqlType::Time => (1083, 1183),
        SqlType::Timestamp => (1114, 1115),
        SqlType::TimestampTz => (1184, 1185),
        SqlType::Uuid => (2950, 2951),
        SqlType::Jsonb => (3802, 3807),
    }
}

impl Type<Postgres> for Column<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(object_ids(SqlType::Text).1))
    }
}

impl<'q> Encode<'q, Postgres> for Column<'_> {
    fn produces(&self) -> Option<PgTypeInfo> {
        Some(PgTypeInfo::with_oid(Oid(object_ids(self.ty).1)))
    }

    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        let (element, _) = object_ids(self.ty);
        let dimensions = i32::from(!self.array.is_empty());
        buffer.extend_from_slice(&dimensions.to_be_bytes());
        buffer.extend_from_slice(&i32::from(self.array.null_count() > 0).to_be_bytes());
        buffer.extend_from_slice(&element.to_be_bytes());
        if dimensions == 1 {
            buffer.extend_from_slice(&i32::try_from(self.array.len())?.to_be_bytes());
            buffer.extend_from_slice(&1_i32.to_be_bytes());
        }
        elements(self.array, self.ty, buffer);
        Ok(IsNull::No)
    }

    fn size_hint(&self) -> usize {
        20 + self.array.len() * 12
    }
}

/// Length and bytes of every element; −1 is null.
fn elements(array: &ArrayRef, ty: SqlType, out: &mut Vec<u8>) {
    macro_rules! fixed {
        ($values:expr, $convert:expr) => {{
            let values = $values;
            for row in 0..values.len() {
                if values.is_null(row) {
                    out.extend_from_slice(&(-1_i32).to_be_bytes());
                } else {
                    let bytes = $convert(values.value(row));
                    out.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
                    out.extend_from_slice(&bytes);
                }
            }
        }};
    }
    match ty {
        SqlType::Boolean => fixed!(array.as_boolean(), |value: bool| [u8::from(value)]),
        SqlType::SmallInt => fixed!(array.as_primitive::<Int16Type>(), i16::to_be_bytes),
        SqlType::Integer => fixed!(array.as_primitive::<Int32Type>(), i32::to_be_bytes),
        SqlType::BigInt => fixed!(array.as_primitive::<Int64Type>(), i64::to_be_bytes),
        SqlType::Real => fixed!(array.as_primitive::<Float32Type>(), f32::to_be_bytes),
        SqlType::DoublePrecision => fixed!(array.as_primitive::<Float64Type>(), f64::to_be_bytes),
        SqlType::Date => fixed!(array.as_primitive::<Date32Type>(), |days| date(days).to_be_bytes()),
        SqlType::Time => fixed!(array.as_primitive::<Time64MicrosecondType>(), i64::to_be_bytes),
        SqlType::Timestamp | SqlType::TimestampTz => {
            fixed!(array.as_primitive::<TimestampMicrosecondType>(), |at| timestamp(at).to_be_bytes())
        }
        SqlType::Uuid => {
            let values = array.as_fixed_size_binary();
            for row in 0..values.len() {
                text_element((!values.is_null(row)).then(|| values.value(row)), b"", out);
            }
        }
        SqlType::Numeric | SqlType::Text | SqlType::Jsonb => {
            // jsonb's binary format is a version, then its text.
            let prefix: &[u8] = if ty == SqlType::Jsonb { &[1] } else { &[] };
            let values = array.as_string::<i32>();
            for row in 0..values.len() {
                text_element((!values.is_null(row)).then(|| values.value(row).as_bytes()), prefix, out);
            }
        }
    }
}

fn text_element(bytes: Option<&[u8]>, prefix: &[u8], out: &mut Vec<u8>) {
    match bytes {
        None => out.extend_from_slice(&(-1_i32).to_be_bytes()),
        Some(bytes) => {
            out.extend_from_slice(&((prefix.len() + bytes.len()) as i32).to_be_bytes());
            out.extend_from_slice(prefix);
            out.extend_from_slice(bytes);
        }
    }
}

fn date(days: i32) -> i32 {
    if days == i32::MAX || days == i32::MIN { days } else { days - DAYS_TO_2000 }
}

fn timestamp(at: i64) -> i64 {
    if at == i64::MAX || at == i64::MIN { at } else { at - MICROSECONDS_TO_2000 }
}

/// The elements of every row of `columns` one after the other, given to `each` row by row: for hashing keys.
pub fn element_bytes(columns: &[(ArrayRef, SqlType)], mut each: impl FnMut(usize, &[u8])) {
    let rows = columns.first().map_or(0, |(array, _)| array.len());
    let mut bytes = Vec::new();
    for row in 0..rows {
        bytes.clear();
        for (array, ty) in columns {
            elements(&array.slice(row, 1), *ty, &mut bytes);
        }
        each(row, &bytes);
    }
}
