//! Values of every type: Postgres's input and output syntax over Arrow arrays.

mod boolean;
mod builder;
mod calendar;
mod date;
mod datetime;
mod error;
mod float;
mod integer;
mod json;
mod numeric;
mod order;
mod print;
mod text;
mod time;
mod timestamp;
mod uuid;
mod zone;

pub use boolean::parse_boolean;
pub use builder::ColumnBuilder;
pub(crate) use calendar::days_in_month;
pub use calendar::{civil_from_days, days_from_civil};
pub use date::{DATE_INFINITY, DATE_NEGATIVE_INFINITY, check_date, parse_date, print_date};
pub use error::ValueError;
pub use float::{parse_double, parse_real, print_double, print_real};
pub use integer::{parse_bigint, parse_integer, parse_smallint};
pub use json::{Json, canonical_json, parse_json};
pub use numeric::Decimal;
pub(crate) use numeric::{divide_rounded, overflow, ten_to};
pub use order::{Comparator, canonical_keys, comparator};
pub(crate) use order::{compare_doubles, stored_decimal, stored_json};
pub use print::{print, print_any};
pub use text::check_text;
pub use time::{DAY, parse_time, print_time};
pub use timestamp::{
    INFINITY, NEGATIVE_INFINITY, check_timestamp, parse_timestamp, parse_timestamptz, print_timestamp,
    print_timestamptz,
};
pub use uuid::{parse_uuid, print_uuid};
pub use zone::{local_from_utc, offset_of, utc_from_local, zone_named};

use arrow_schema::{DataType, TimeUnit};
use millrace_contract::SqlType;

/// The Arrow type of a column of type `ty`. numeric and jsonb are their canonical text; `infinity` of date and
/// timestamps is the largest number, `-infinity` the smallest.
pub fn arrow_type(ty: SqlType) -> DataType {
    match ty {
        SqlType::Boolean => DataType::Boolean,
        SqlType::SmallInt => DataType::Int16,
        SqlType::Integer => DataType::Int32,
        SqlType::BigInt => DataType::Int64,
        SqlType::Real => DataType::Float32,
        SqlType::DoublePrecision => DataType::Float64,
        SqlType::Numeric | SqlType::Text | SqlType::Jsonb => DataType::Utf8,
        SqlType::Date => DataType::Date32,
        SqlType::Time => DataType::Time64(TimeUnit::Microsecond),
        SqlType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        SqlType::TimestampTz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        SqlType::Uuid => DataType::FixedSizeBinary(16),
    }
}
