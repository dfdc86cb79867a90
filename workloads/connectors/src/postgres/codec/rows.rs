//! Rows of a binary result as Arrow columns. numeric and jsonb are selected as text.

use super::{DAYS_TO_2000, MICROSECONDS_TO_2000};
use arrow_array::{
    ArrayRef, RecordBatch, RecordBatchOptions,
    builder::{
        BooleanBuilder, Date32Builder, FixedSizeBinaryBuilder, Float32Builder, Float64Builder, Int16Builder,
        Int32Builder, Int64Builder, StringBuilder, Time64MicrosecondBuilder, TimestampMicrosecondBuilder,
    },
};
use arrow_schema::{Field, Schema};
use millrace_contract::{SqlType, table::Column};
use millrace_dataflow::value::arrow_type;
use sqlx::{Row, ValueRef, postgres::PgRow};
use std::sync::Arc;

/// The rows of a result whose columns are `columns`.
pub fn read_rows(rows: &[PgRow], columns: &[&Column]) -> Result<RecordBatch, sqlx::Error> {
    let mut fields = Vec::with_capacity(columns.len());
    let mut arrays = Vec::with_capacity(columns.len());
    for (index, column) in columns.iter().enumerate() {
        fields.push(Field::new(&column.name, arrow_type(column.ty), true));
        arrays.push(read_column(rows, index, column.ty)?);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(|error| sqlx::Error::Decode(error.into()))
}

fn read_column(rows: &[PgRow], index: usize, ty: SqlType) -> Result<ArrayRef, sqlx::Error> {
    macro_rules! build {
        ($builder:expr, $read:expr) => {{
            let mut builder = $builder;
            for row in rows {
                let value = row.try_get_raw(index)?;
                if value.is_null() {
                    builder.append_null();
                } else {
                    let bytes = value.as_bytes().map_err(sqlx::Error::Decode)?;
                    builder.append_value($read(bytes)?);
                }
            }
            Arc::new(builder.finish())
        }};
    }
    let rows_count = rows.len();
    Ok(match ty {
        SqlType::Boolean => {
            build!(BooleanBuilder::with_capacity(rows_count), |bytes| fixed::<1>(bytes).map(|b| b[0] != 0))
        }
        SqlType::SmallInt => {
            build!(Int16Builder::with_capacity(rows_count), |bytes| fixed(bytes).map(i16::from_be_bytes))
        }
        SqlType::Integer => {
            build!(Int32Builder::with_capacity(rows_count), |bytes| fixed(bytes).map(i32::from_be_bytes))
        }
        SqlType::BigInt => {
            build!(Int64Builder::with_capacity(rows_count), |bytes| fixed(bytes).map(i64::from_be_bytes))
        }
        SqlType::Real => {
            build!(Float32Builder::with_capacity(rows_count), |bytes| fixed(bytes).map(f32::from_be_bytes))
        }
        SqlType::DoublePrecision => {
            build!(Float64Builder::with_capacity(rows_count), |bytes| fixed(bytes).map(f64::from_be_bytes))
        }
        SqlType::Date => build!(Date32Builder::with_capacity(rows_count), |bytes| fixed(bytes).map(date)),
        SqlType::Time => {
            build!(Time64MicrosecondBuilder::with_capacity(rows_count), |bytes| fixed(bytes).map(i64::from_be_bytes))
        }
        SqlType::Timestamp | SqlType::TimestampTz => {
            build!(TimestampMicrosecondBuilder::with_capacity(rows_count).with_data_type(arrow_type(ty)), |bytes| {
                fixed(bytes).map(timestamp)
            })
        }
        SqlType::Numeric | SqlType::Text | SqlType::Jsonb => {
            build!(StringBuilder::with_capacity(rows_count, rows_count * 16), |bytes| {
                std::str::from_utf8(bytes).map_err(|error| sqlx::Error::Decode(error.into()))
            })
        }
        SqlType::Uuid => {
            let mut builder = FixedSizeBinaryBuilder::with_capacity(rows_count, 16);
            for row in rows {
                let value = row.try_get_raw(index)?;
                if value.is_null() {
                    builder.append_null();
                } else {
                    let bytes: [u8; 16] = fixed(value.as_bytes().map_err(sqlx::Error::Decode)?)?;
                    builder.append_value(bytes).map_err(|error| sqlx::Error::Decode(error.into()))?;
                }
            }
            Arc::new(builder.finish())
        }
    })
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], sqlx::Error> {
    bytes.try_into().map_err(|_| sqlx::Error::Decode(format!("a value has {} bytes, expected {N}", bytes.len()).into()))
}

fn date(bytes: [u8; 4]) -> i32 {
    let days = i32::from_be_bytes(bytes);
    if days == i32::MAX || days == i32::MIN { days } else { days + DAYS_TO_2000 }
}

fn timestamp(bytes: [u8; 8]) -> i64 {
    let at = i64::from_be_bytes(bytes);
    if at == i64::MAX || at == i64::MIN { at } else { at + MICROSECONDS_TO_2000 }
}
