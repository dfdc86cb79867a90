//! Keeps the newest row of every key of a Table, and tells which rows that retracts and inserts.

use super::{key_schema, key_types, table_schema, upsert::version_columns};
use crate::{
    changes::{Newest, Wants, Weighted, Write},
    keys::{KeyEncoder, key_map, take},
    records::{batch, concat_arrays},
    version::Version,
};
use arrow_array::{
    Array, ArrayRef, Int64Array, RecordBatch, UInt32Array,
    cast::AsArray,
    types::{Int32Type, Int64Type},
};
use arrow_schema::SchemaRef;
use millrace_contract::Table;

pub(crate) struct Latest {
    table: usize,
    name: String,
    schema: SchemaRef,
    key: Vec<usize>,
    key_schema: SchemaRef,
    encoder: KeyEncoder,
}

impl Latest {
    pub fn new(index: usize, table: &Table) -> Self {
        Latest {
            table: index,
            name: table.name.clone(),
            schema: table_schema(table),
            key: table.key.clone(),
            key_schema: key_schema(table),
            encoder: KeyEncoder::new(&key_types(table)),
        }
    }

    pub fn describe(&self) -> String {
        format!("keep the newest row of every key in {}", self.name)
    }

    /// The stored rows of the keys that changed.
    pub fn wants(&self, changes: &Newest) -> Option<Wants> {
        let count = changes.key_count();
        let keys = || changes.keys.iter().map(|column| column.slice(0, count)).collect();
        (count > 0).then(|| Wants {
            table: self.table,
            lookup: self.key.clone(),
            keys: batch(self.key_schema.clone(), keys(), count),
            deleted: true,
        })
    }

    /// What a newer record replaces is retracted as it was stored; a record that is not newer than the stored row
    /// changes nothing.
    pub fn apply(&self, changes: &Newest, state: Option<&RecordBatch>) -> (Weighted, Option<Write>) {
        let empty = RecordBatch::new_empty(self.schema.clone());
        let stored = Stored::new(state.unwrap_or(&empty), changes.keys.len());
        let old = self.stored_rows(changes, &stored);
        let mut new: Vec<Option<u32>> = vec![None; old.len()];
        for row in 0..changes.len() {
            let place = changes.places[row] as usize;
            let is_newer = |old: u32| changes.version(row).is_newer_than(stored.version(old as usize));
            if new[place].is_none() && old[place].is_none_or(is_newer) {
                new[place] = Some(row as u32);
            }
        }
        let replaced = old.iter().zip(&new).filter_map(|(old, new)| new.and(*old));
        let retracted = replaced.filter(|row| !stored.is_deleted(*row as usize)).collect();
        let written: Vec<u32> = new.into_iter().flatten().collect();
        let inserted = written.iter().copied().filter(|row| !changes.deleted.value(*row as usize)).collect();
        (weighted(&stored, retracted, changes, inserted), self.write(changes, written))
    }

    /// For every key of the first round its stored row.
    fn stored_rows(&self, changes: &Newest, stored: &Stored<'_>) -> Vec<Option<u32>> {
        let stored_keys = self.encoder.encode(stored.keys());
        let mut by_key = key_map(stored_keys.num_rows());
        for row in 0..stored_keys.num_rows() {
            by_key.insert(stored_keys.row(row), row as u32);
        }
        let keys = self.encoder.encode(&changes.keys);
        (0..changes.key_count()).map(|row| by_key.get(&keys.row(row)).copied()).collect()
    }

    fn write(&self, changes: &Newest, written: Vec<u32>) -> Option<Write> {
        let count = written.len();
        let indices = UInt32Array::from(written);
        let columns = changes.keys.iter().chain(&changes.columns).cloned().chain(version_columns(changes));
        let columns: Vec<ArrayRef> =
            columns.map(|column| if count == changes.len() { column } else { take(&column, &indices) }).collect();
        (count > 0).then(|| Write { table: self.table, rows: batch(self.schema.clone(), columns, count) })
    }
}

fn weighted(stored: &Stored<'_>, retracted: Vec<u32>, changes: &Newest, inserted: Vec<u32>) -> Weighted {
    let weights: Int64Array = retracted.iter().map(|_| Some(-1i64)).chain(inserted.iter().map(|_| Some(1))).collect();
    let (retracted, inserted) = (UInt32Array::from(retracted), UInt32Array::from(inserted));
    let columns = stored.values(changes.columns.len()).iter().zip(&changes.columns).map(|(old, new)| {
        let parts = [take(old, &retracted), take(new, &inserted)];
        concat_arrays(parts.iter().map(AsRef::as_ref))
    });
    Weighted { columns: columns.collect(), weights }
}

/// Rows of the state table: key columns, mapped columns, version columns.
struct Stored<'a> {
    columns: &'a [ArrayRef],
    keys: usize,
}

impl<'a> Stored<'a> {
    fn new(state: &'a RecordBatch, keys: usize) -> Self {
        Stored { columns: state.columns(), keys }
    }

    fn keys(&self) -> &'a [ArrayRef] {
        &self.columns[..self.keys]
    }

    fn values(&self, count: usize) -> &'a [ArrayRef] {
        &self.columns[self.keys..self.keys + count]
    }

    fn column_from_end(&self, position: usize) -> &'a dyn Array {
        &self.columns[self.columns.len() - position]
    }

    fn version(&self, row: usize) -> Version {
        Version {
            partition: self.column_from_end(4).as_primitive::<Int32Type>().value(row),
            offset: self.column_from_end(3).as_primitive::<Int64Type>().value(row),
            timestamp: self.column_from_end(2).as_primitive::<Int64Type>().value(row),
        }
    }

    fn is_deleted(&self, row: usize) -> bool {
        self.column_from_end(1).as_boolean().value(row)
    }
}
