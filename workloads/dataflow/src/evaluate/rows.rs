//! The rows that an expression is evaluated over: all of a batch, or those that reached a branch.

use arrow_array::{ArrayRef, BooleanArray, RecordBatch};
use arrow_select::filter::FilterBuilder;
use millrace_contract::Expr;
use std::collections::BTreeSet;

pub(super) struct Rows {
    /// A column that no expression below reads is left out.
    columns: Vec<Option<ArrayRef>>,
    pub count: usize,
}

impl Rows {
    pub fn of(batch: &RecordBatch) -> Self {
        Rows { columns: batch.columns().iter().cloned().map(Some).collect(), count: batch.num_rows() }
    }

    pub fn column(&self, index: usize) -> ArrayRef {
        self.columns[index].clone().expect("every column that an expression reads was selected for it")
    }

    /// The rows where `mask` is set, with the columns that `reader` reads.
    pub fn select(&self, mask: &BooleanArray, count: usize, reader: &Expr) -> Self {
        if count == self.count {
            return Rows { columns: self.columns.clone(), count };
        }
        let mut read = BTreeSet::new();
        reader.collect_columns(&mut read);
        let predicate = FilterBuilder::new(mask).optimize().build();
        let columns = self.columns.iter().enumerate().map(|(index, column)| {
            let column = column.as_ref().filter(|_| read.contains(&index))?;
            Some(predicate.filter(column).expect("the mask has one value a row"))
        });
        Rows { columns: columns.collect(), count }
    }
}
