//! Keeps rows by their key, for readers or for other operators, and lets their changes through.

use super::{Operator, table_schema};
use crate::{
    changes::{Weighted, Write},
    evaluate::EvalError,
    keys::{KeyEncoder, key_map, sorted_by_key, take},
    records::batch,
};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, UInt32Array};
use arrow_schema::SchemaRef;
use millrace_contract::{Node, Table};
use std::sync::Arc;

pub(crate) struct Keep {
    table: usize,
    name: String,
    schema: SchemaRef,
    /// The columns that are the key.
    key: Vec<usize>,
    encoder: KeyEncoder,
}

impl Keep {
    pub fn new(index: usize, table: &Table, input: &Node) -> Self {
        let key = input.key.clone().unwrap_or_default();
        let types: Vec<_> = key.iter().map(|&column| input.columns[column]).collect();
        Keep {
            table: index,
            name: table.name.clone(),
            schema: table_schema(table),
            encoder: KeyEncoder::new(&types),
            key,
        }
    }

    /// The row that a key has from now on, or none. Of several rows of one key in an epoch one is left at the end.
    pub fn write(&self, changes: &Weighted) -> Option<Write> {
        let key: Vec<ArrayRef> = self.key.iter().map(|&column| changes.columns[column].clone()).collect();
        let encoded = self.encoder.encode(&key);
        let mut last = key_map(changes.len());
        for row in 0..changes.len() {
            let kept = last.entry(encoded.row(row)).or_insert(row as u32);
            if changes.weights.value(row) > 0 {
                *kept = row as u32;
            }
        }
        let rows = sorted_by_key(&encoded, last.into_values());
        let counts: Int64Array = rows.iter().map(|row| Some(changes.weights.value(*row as usize).max(0))).collect();
        let all: UInt32Array = rows.iter().copied().collect();
        let present: UInt32Array =
            rows.iter().map(|row| (changes.weights.value(*row as usize) > 0).then_some(*row)).collect();
        let columns = changes
            .columns
            .iter()
            .enumerate()
            .map(|(index, column)| take(column, if self.key.contains(&index) { &all } else { &present }));
        let columns = columns.chain([Arc::new(counts) as ArrayRef]).collect();
        let count = rows.len();
        (count > 0).then(|| Write { table: self.table, rows: batch(self.schema.clone(), columns, count) })
    }
}

impl Operator for Keep {
    fn describe(&self) -> String {
        format!("keep rows by key in {}", self.name)
    }

    fn apply(&self, inputs: &[&Weighted], _: &[RecordBatch], writes: &mut Vec<Write>) -> Result<Weighted, EvalError> {
        writes.extend(self.write(inputs[0]));
        Ok(inputs[0].clone())
    }
}
