//! The types of the function table as Rust types, so that a function is a closure over plain values.

use crate::value::{Decimal, arrow_type, stored_decimal};
use arrow_array::{
    Array, ArrayRef, BooleanArray, StringArray,
    builder::{BooleanBuilder, PrimitiveBuilder, StringBuilder},
    types::{
        Date32Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, Time64MicrosecondType,
        TimestampMicrosecondType,
    },
};
use millrace_contract::SqlType;
use std::sync::Arc;

/// How a column of one type is read and built.
pub(super) trait Kind {
    type Array: Array + 'static;
    type Builder;
    /// A row's value as functions see it.
    type Value<'a>;
    /// What functions return.
    type Result;

    fn value(array: &Self::Array, row: usize) -> Self::Value<'_>;
    fn builder(rows: usize) -> Self::Builder;
    fn append(builder: &mut Self::Builder, value: Option<Self::Result>);
    fn finish(builder: Self::Builder) -> ArrayRef;
}

macro_rules! primitive {
    ($($name:ident $arrow:ty, $native:ty;)*) => {$(
        pub(super) struct $name;

        impl Kind for $name {
            type Array = arrow_array::PrimitiveArray<$arrow>;
            type Builder = PrimitiveBuilder<$arrow>;
            type Value<'a> = $native;
            type Result = $native;

            fn value(array: &Self::Array, row: usize) -> $native {
                array.value(row)
            }

            fn builder(rows: usize) -> Self::Builder {
                PrimitiveBuilder::with_capacity(rows).with_data_type(arrow_type(SqlType::$name))
            }

            fn append(builder: &mut Self::Builder, value: Option<$native>) {
                builder.append_option(value);
            }

            fn finish(mut builder: Self::Builder) -> ArrayRef {
                Arc::new(builder.finish())
            }
        }
    )*};
}

primitive! {
    SmallInt Int16Type, i16;
    Integer Int32Type, i32;
    BigInt Int64Type, i64;
    Real Float32Type, f32;
    DoublePrecision Float64Type, f64;
    Date Date32Type, i32;
    Time Time64MicrosecondType, i64;
    Timestamp TimestampMicrosecondType, i64;
    TimestampTz TimestampMicrosecondType, i64;
}

pub(super) struct Boolean;

impl Kind for Boolean {
    type Array = BooleanArray;
    type Builder = BooleanBuilder;
    type Value<'a> = bool;
    type Result = bool;

    fn value(array: &BooleanArray, row: usize) -> bool {
        array.value(row)
    }

    fn builder(rows: usize) -> BooleanBuilder {
        BooleanBuilder::with_capacity(rows)
    }

    fn append(builder: &mut BooleanBuilder, value: Option<bool>) {
        builder.append_option(value);
    }

    fn finish(mut builder: BooleanBuilder) -> ArrayRef {
        Arc::new(builder.finish())
    }
}

macro_rules! textual {
    ($($name:ident<$life:lifetime> $value:ty, $result:ty, $read:expr;)*) => {$(
        pub(super) struct $name;

        impl Kind for $name {
            type Array = StringArray;
            type Builder = StringBuilder;
            type Value<$life> = $value;
            type Result = $result;

            fn value(array: &StringArray, row: usize) -> Self::Value<'_> {
                $read(array.value(row))
            }

            fn builder(rows: usize) -> StringBuilder {
                StringBuilder::with_capacity(rows, rows * 16)
            }

            fn append(builder: &mut StringBuilder, value: Option<$result>) {
                builder.append_option(value.map(|value| value.to_string()));
            }

            fn finish(mut builder: StringBuilder) -> ArrayRef {
                Arc::new(builder.finish())
            }
        }
    )*};
}

textual! {
    Text<'a> &'a str, String, |text| text;
    Numeric<'a> Decimal, Decimal, stored_decimal;
    Jsonb<'a> &'a str, String, |text| text;
}
