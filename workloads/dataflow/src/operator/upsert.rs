//! Writes the newest row of every key of a Table; the store keeps the newer version.

use super::table_schema;
use crate::{
    changes::{Newest, Write},
    records::batch,
};
use arrow_array::ArrayRef;
use arrow_schema::SchemaRef;
use millrace_contract::Table;
use std::sync::Arc;

pub(crate) struct Upsert {
    table: usize,
    name: String,
    schema: SchemaRef,
}

impl Upsert {
    pub fn new(index: usize, table: &Table) -> Self {
        Upsert { table: index, name: table.name.clone(), schema: table_schema(table) }
    }

    pub fn describe(&self) -> String {
        format!("upsert into {} by key, the newer version wins", self.name)
    }

    /// One write a round: no statement meets a key twice. The first mapped columns are the key, which a deleted row
    /// has too.
    pub fn apply(&self, changes: &Newest) -> Vec<Write> {
        let values = changes.columns.iter().skip(changes.keys.len());
        let columns = changes.keys.iter().chain(values).cloned().chain(version_columns(changes)).collect();
        let rows = batch(self.schema.clone(), columns, changes.len());
        let mut start = 0;
        let of_round = |length: &usize| {
            start += length;
            Write { table: self.table, rows: rows.slice(start - length, *length) }
        };
        changes.rounds.iter().map(of_round).collect()
    }
}

/// `_partition`, `_offset`, `_timestamp`, `_deleted`.
pub(super) fn version_columns(changes: &Newest) -> [ArrayRef; 4] {
    [
        Arc::new(changes.partitions.clone()),
        Arc::new(changes.offsets.clone()),
        Arc::new(changes.timestamps.clone()),
        Arc::new(changes.deleted.clone()),
    ]
}
