//! Writes every row of a Stream under its partition and offset.

use super::table_schema;
use crate::{
    changes::{Inserts, Write},
    records::batch,
};
use arrow_array::ArrayRef;
use arrow_schema::SchemaRef;
use millrace_contract::Table;
use std::sync::Arc;

pub(crate) struct Append {
    table: usize,
    name: String,
    schema: SchemaRef,
}

impl Append {
    pub fn new(index: usize, table: &Table) -> Self {
        Append { table: index, name: table.name.clone(), schema: table_schema(table) }
    }

    pub fn describe(&self) -> String {
        format!("append to {}, keyed by partition and offset", self.name)
    }

    pub fn apply(&self, changes: &Inserts) -> Option<Write> {
        let count = changes.offsets.len();
        let position: [ArrayRef; 2] = [Arc::new(changes.partitions.clone()), Arc::new(changes.offsets.clone())];
        let columns = changes.columns.iter().cloned().chain(position).collect();
        (count > 0).then(|| Write { table: self.table, rows: batch(self.schema.clone(), columns, count) })
    }
}
