//! A column that is built value by value, from Postgres's input syntax or from what is typed already.

use super::{
    Decimal, ValueError, canonical_json, check_text, parse_bigint, parse_boolean, parse_date, parse_double,
    parse_integer, parse_real, parse_smallint, parse_time, parse_timestamp, parse_timestamptz, parse_uuid,
};
use arrow_array::{
    ArrayRef,
    builder::{
        BooleanBuilder, Date32Builder, FixedSizeBinaryBuilder, Float32Builder, Float64Builder, Int16Builder,
        Int32Builder, Int64Builder, StringBuilder, Time64MicrosecondBuilder, TimestampMicrosecondBuilder,
    },
};
use chrono_tz::Tz;
use millrace_contract::SqlType;
use std::sync::Arc;

/// Builds one column. A text that is refused leaves the column as it was.
pub struct ColumnBuilder {
    ty: SqlType,
    zone: Tz,
    length: usize,
    values: Values,
}

enum Values {
    Boolean(BooleanBuilder),
    SmallInt(Int16Builder),
    Integer(Int32Builder),
    BigInt(Int64Builder),
    Real(Float32Builder),
    DoublePrecision(Float64Builder),
    Text(StringBuilder),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    Uuid(FixedSizeBinaryBuilder),
}

impl ColumnBuilder {
    /// A column whose timestamptz texts without a zone are UTC.
    pub fn new(ty: SqlType, capacity: usize) -> Self {
        let values = match ty {
            SqlType::Boolean => Values::Boolean(BooleanBuilder::with_capacity(capacity)),
            SqlType::SmallInt => Values::SmallInt(Int16Builder::with_capacity(capacity)),
            SqlType::Integer => Values::Integer(Int32Builder::with_capacity(capacity)),
            SqlType::BigInt => Values::BigInt(Int64Builder::with_capacity(capacity)),
            SqlType::Real => Values::Real(Float32Builder::with_capacity(capacity)),
            SqlType::DoublePrecision => Values::DoublePrecision(Float64Builder::with_capacity(capacity)),
            SqlType::Numeric | SqlType::Text | SqlType::Jsonb => {
                Values::Text(StringBuilder::with_capacity(capacity, capacity * 16))
            }
            SqlType::Date => Values::Date(Date32Builder::with_capacity(capacity)),
            SqlType::Time => Values::Time(Time64MicrosecondBuilder::with_capacity(capacity)),
            SqlType::Timestamp | SqlType::TimestampTz => Values::Timestamp(
                TimestampMicrosecondBuilder::with_capacity(capacity).with_data_type(super::arrow_type(ty)),
            ),
            SqlType::Uuid => Values::Uuid(FixedSizeBinaryBuilder::with_capacity(capacity, 16)),
        };
        ColumnBuilder { ty, zone: Tz::UTC, length: 0, values }
    }

    /// Timestamptz texts without a zone are of the wall clock of `zone`.
    pub fn in_zone(mut self, zone: Tz) -> Self {
        self.zone = zone;
        self
    }

    pub fn ty(&self) -> SqlType {
        self.ty
    }

    pub fn len(&self) -> usize {
        self.length
    }

    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub fn append_null(&mut self) {
        match &mut self.values {
            Values::Boolean(builder) => builder.append_null(),
            Values::SmallInt(builder) => builder.append_null(),
            Values::Integer(builder) => builder.append_null(),
            Values::BigInt(builder) => builder.append_null(),
            Values::Real(builder) => builder.append_null(),
            Values::DoublePrecision(builder) => builder.append_null(),
            Values::Text(builder) => builder.append_null(),
            Values::Date(builder) => builder.append_null(),
            Values::Time(builder) => builder.append_null(),
            Values::Timestamp(builder) => builder.append_null(),
            Values::Uuid(builder) => builder.append_null(),
        }
        self.length += 1;
    }

    /// Appends the value that Postgres's input function of the type makes of `text`.
    pub fn append_text(&mut self, text: &str) -> Result<(), ValueError> {
        match &mut self.values {
            Values::Boolean(builder) => builder.append_value(parse_boolean(text)?),
            Values::SmallInt(builder) => builder.append_value(parse_smallint(text)?),
            Values::Integer(builder) => builder.append_value(parse_integer(text)?),
            Values::BigInt(builder) => builder.append_value(parse_bigint(text)?),
            Values::Real(builder) => builder.append_value(parse_real(text)?),
            Values::DoublePrecision(builder) => builder.append_value(parse_double(text)?),
            Values::Text(builder) => match self.ty {
                SqlType::Numeric if is_canonical(text) => builder.append_value(text),
                SqlType::Numeric => builder.append_value(Decimal::parse(text)?.to_string()),
                SqlType::Jsonb => builder.append_value(canonical_json(text)?),
                _ => builder.append_value(check_text(text)?),
            },
            Values::Date(builder) => builder.append_value(parse_date(text)?),
            Values::Time(builder) => builder.append_value(parse_time(text)?),
            Values::Timestamp(builder) => builder.append_value(match self.ty {
                SqlType::Timestamp => parse_timestamp(text)?,
                _ => parse_timestamptz(text, self.zone)?,
            }),
            Values::Uuid(builder) => {
                builder.append_value(parse_uuid(text)?).expect("a uuid has the 16 bytes of its column")
            }
        }
        self.length += 1;
        Ok(())
    }

    /// Appends a truth value: as itself, or as its text (`true`, `false`).
    pub fn append_boolean(&mut self, value: bool) -> Result<(), ValueError> {
        if let Values::Boolean(builder) = &mut self.values {
            builder.append_value(value);
            self.length += 1;
            return Ok(());
        }
        self.append_text(if value { "true" } else { "false" })
    }

    /// Appends an integer: as itself where the column's type holds it, or as its text.
    pub fn append_integer(&mut self, value: i64) -> Result<(), ValueError> {
        let out_of_range = || ValueError::text_out_of_range(self.ty.name(), &value.to_string());
        match &mut self.values {
            Values::SmallInt(builder) => builder.append_value(i16::try_from(value).map_err(|_| out_of_range())?),
            Values::Integer(builder) => builder.append_value(i32::try_from(value).map_err(|_| out_of_range())?),
            Values::BigInt(builder) => builder.append_value(value),
            _ => return self.append_text(&value.to_string()),
        }
        self.length += 1;
        Ok(())
    }

    /// Appends a moment, microseconds since 1970: as itself, or as its text in the column's zone.
    pub fn append_timestamp(&mut self, micros: i64) -> Result<(), ValueError> {
        match &mut self.values {
            Values::Timestamp(builder) if self.ty == SqlType::TimestampTz => {
                builder.append_value(super::check_timestamp(micros)?);
                self.length += 1;
                Ok(())
            }
            _ => self.append_text(&super::print_timestamptz(super::check_timestamp(micros)?, self.zone)),
        }
    }

    /// Appends text that is canonical for the column's type already: what `print` gave, or what was parsed before.
    pub fn append_canonical(&mut self, text: &str) -> Result<(), ValueError> {
        match (&mut self.values, self.ty) {
            (Values::Text(builder), SqlType::Numeric | SqlType::Jsonb) => {
                builder.append_value(text);
                self.length += 1;
                Ok(())
            }
            _ => self.append_text(text),
        }
    }

    /// The column; the builder is empty again.
    pub fn finish(&mut self) -> ArrayRef {
        self.length = 0;
        match &mut self.values {
            Values::Boolean(builder) => Arc::new(builder.finish()),
            Values::SmallInt(builder) => Arc::new(builder.finish()),
            Values::Integer(builder) => Arc::new(builder.finish()),
            Values::BigInt(builder) => Arc::new(builder.finish()),
            Values::Real(builder) => Arc::new(builder.finish()),
            Values::DoublePrecision(builder) => Arc::new(builder.finish()),
            Values::Text(builder) => Arc::new(builder.finish()),
            Values::Date(builder) => Arc::new(builder.finish()),
            Values::Time(builder) => Arc::new(builder.finish()),
            Values::Timestamp(builder) => Arc::new(builder.finish()),
            Values::Uuid(builder) => Arc::new(builder.finish()),
        }
    }
}

/// Plain digits without a leading zero need no parsing: they are their own canonical text.
fn is_canonical(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    (1..=1000).contains(&digits.len()) && matches!(digits[0], b'1'..=b'9') && digits.iter().all(u8::is_ascii_digit)
}
