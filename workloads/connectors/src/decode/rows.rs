//! The rows of a batch under construction: one column builder a source column, and which rows are kept.

use super::{Reason, growth, rejected::shorten};
use crate::RawRecord;
use arrow_array::{ArrayRef, BooleanArray, Int32Array, Int64Array, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema};
use arrow_select::filter::filter_record_batch;
use chrono_tz::Tz;
use millrace_contract::{Source, SqlType};
use millrace_dataflow::{
    records::Records,
    value::{ColumnBuilder, arrow_type, comparator},
};
use std::sync::Arc;

pub struct Rows<'s> {
    source: &'s Source,
    builders: Vec<ColumnBuilder>,
    /// How many columns of the row under construction are filled.
    filled: usize,
    is_tombstone: bool,
    kept: Vec<bool>,
    records: Vec<u32>,
    tombstones: Vec<bool>,
    partitions: Vec<i32>,
    offsets: Vec<i64>,
    timestamps: Vec<i64>,
}

impl<'s> Rows<'s> {
    pub fn new(source: &'s Source, zone: Tz, capacity: usize) -> Rows<'s> {
        Rows {
            source,
            builders: source
                .columns
                .iter()
                .map(|column| ColumnBuilder::new(column.ty, capacity).in_zone(zone))
                .collect(),
            filled: 0,
            is_tombstone: false,
            kept: Vec::with_capacity(capacity),
            records: Vec::with_capacity(capacity),
            tombstones: Vec::with_capacity(capacity),
            partitions: Vec::with_capacity(capacity),
            offsets: Vec::with_capacity(capacity),
            timestamps: Vec::with_capacity(capacity),
        }
    }

    /// Appends the next column of the row under construction; columns come in their order.
    pub fn append(&mut self, index: usize, text: Option<&str>) -> Result<(), (Reason, String)> {
        debug_assert_eq!(index, self.filled);
        match text {
            None => self.builders[index].append_null(),
            Some(text) => self.append_text(index, text).map_err(|problem| {
                let column = &self.source.columns[index];
                let found = shorten(text);
                (Reason::Decode, format!("column {}: found {found:?}, expected {}: {problem}", column.name, column.ty))
            })?,
        }
        self.filled += 1;
        Ok(())
    }

    fn append_text(&mut self, index: usize, text: &str) -> Result<(), String> {
        let builder = &mut self.builders[index];
        if matches!(builder.ty(), SqlType::Numeric | SqlType::Jsonb) {
            growth::check(text)?;
        }
        builder.append_text(text).map_err(|error| error.to_string())
    }

    /// Compares a key column's text in the value with its text in the record key, as values of the column's type.
    pub fn expect_same(&self, index: usize, value: &str, key: &str) -> Result<(), (Reason, String)> {
        if value == key {
            return Ok(());
        }
        let column = &self.source.columns[index];
        let parse = |text: &str, place: &str| {
            one(column.ty, text).map_err(|error| {
                let found = shorten(text);
                (
                    Reason::Decode,
                    format!("key column {} in {place}: found {found:?}, expected {}: {error}", column.name, column.ty),
                )
            })
        };
        let (in_value, in_key) = (parse(value, "the value")?, parse(key, "the record key")?);
        if comparator(column.ty, &in_value, &in_key)(0, 0).is_eq() {
            return Ok(());
        }
        Err((
            Reason::KeyMismatch,
            format!(
                "key column {} is {:?} in the value and {:?} in the record key; expected the same",
                column.name,
                shorten(value),
                shorten(key)
            ),
        ))
    }

    pub fn tombstone(&mut self, is_tombstone: bool) {
        self.is_tombstone = is_tombstone;
    }

    /// Keeps the row under construction.
    pub fn accept(&mut self, index: u32, record: &RawRecord<'_>) {
        self.kept.push(true);
        self.records.push(index);
        self.tombstones.push(self.is_tombstone);
        self.partitions.push(record.partition);
        self.offsets.push(record.offset);
        self.timestamps.push(record.timestamp);
        self.filled = 0;
    }

    /// Drops the row under construction: it is filled up with nulls and filtered out at the end.
    pub fn abandon(&mut self) {
        if self.filled > 0 {
            for builder in &mut self.builders[self.filled..] {
                builder.append_null();
            }
            self.kept.push(false);
            self.filled = 0;
        }
    }

    /// The kept rows, and the raw record of each.
    pub fn finish(mut self) -> (Records, Vec<u32>) {
        let fields: Vec<Field> =
            self.source.columns.iter().map(|column| Field::new(&column.name, arrow_type(column.ty), true)).collect();
        let columns: Vec<ArrayRef> = self.builders.iter_mut().map(ColumnBuilder::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.kept.len()));
        let mut batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
            .expect("every builder has one entry a row and the type of its column");
        if self.kept.contains(&false) {
            batch = filter_record_batch(&batch, &BooleanArray::from(self.kept)).expect("one flag a row");
        }
        let records = Records {
            columns: batch,
            tombstones: BooleanArray::from(self.tombstones),
            partitions: Int32Array::from(self.partitions),
            offsets: Int64Array::from(self.offsets),
            timestamps: Int64Array::from(self.timestamps),
        };
        (records, self.records)
    }
}

/// A column of one value.
fn one(ty: SqlType, text: &str) -> Result<ArrayRef, millrace_dataflow::value::ValueError> {
    let mut builder = ColumnBuilder::new(ty, 1);
    builder.append_text(text)?;
    Ok(builder.finish())
}

/// Milliseconds since 1970 as Postgres reads a timestamptz.
pub fn instant(milliseconds: i64) -> String {
    match chrono::DateTime::from_timestamp_millis(milliseconds) {
        Some(at) => at.format("%Y-%m-%d %H:%M:%S%.3f+00").to_string(),
        None => "infinity".into(),
    }
}
