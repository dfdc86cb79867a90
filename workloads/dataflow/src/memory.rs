//! A store in memory that obeys the write rules of tables as Postgres does: for tests and simulations.

mod stored;

use crate::{
    changes::{Wants, Write},
    function::EvalError,
    operator::table_schema,
    records::batch,
    value::ColumnBuilder,
};
use arrow_array::RecordBatch;
use millrace_contract::{Plan, SqlType, Table, plan::Output, table::WriteRule};
use std::collections::BTreeSet;
use stored::{Key, Stored, key_of, texts};

/// A row as text, null as none.
pub type TextRow = Vec<Option<String>>;

/// All tables of one revision.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    tables: Vec<Stored>,
    result: usize,
}

impl MemoryStore {
    /// Empty tables, but for the only row of a table without group columns.
    pub fn new(plan: &Plan) -> Self {
        let (Output::Append { rows } | Output::Upsert { rows } | Output::Aggregate { rows, .. }) = plan.output;
        MemoryStore { tables: plan.tables.iter().cloned().map(Stored::new).collect(), result: rows }
    }

    /// The rows of the wanted keys that exist, all columns.
    pub fn fetch(&self, wants: &Wants) -> RecordBatch {
        let stored = &self.tables[wants.table];
        let key_columns: Vec<usize> = (0..wants.keys.num_columns()).collect();
        let keys = texts(&wants.keys);
        let rows: Vec<&TextRow> =
            keys.iter().filter_map(|key| stored.rows.get(&key_of(key, &key_columns, &stored.key_types()))).collect();
        to_batch(&stored.table, &rows)
    }

    /// One transaction: all writes, then the extremes of the touched groups, then groups without rows go.
    /// An error leaves the store as it was.
    pub fn commit(&mut self, writes: &[Write]) -> Result<(), EvalError> {
        let mut tables = self.tables.clone();
        let mut touched: Vec<BTreeSet<Key>> = vec![BTreeSet::new(); tables.len()];
        for write in writes {
            touched[write.table].extend(tables[write.table].write(&write.rows)?);
        }
        let sources = tables.clone();
        for (stored, touched) in tables.iter_mut().zip(&touched) {
            if let WriteRule::Merge { keep_empty, extremes } = stored.table.write.clone() {
                for extreme in &extremes {
                    let values = sources.iter().find(|source| source.table.name == extreme.values);
                    let values = values.expect("a plan has the values tables that it names");
                    stored.derive(extreme, values, touched);
                }
                if !keep_empty {
                    stored.remove_empty(touched);
                }
            }
        }
        self.tables = tables;
        Ok(())
    }

    /// What readers see of the result table: rows that are not deleted, without the version columns, sorted.
    /// numeric and jsonb are shown by value: 1.0 as 1.
    pub fn result(&self) -> Vec<TextRow> {
        let stored = &self.tables[self.result];
        let shown = match stored.table.write {
            WriteRule::Versioned => stored.table.columns.len() - 4,
            WriteRule::Append | WriteRule::Merge { .. } => stored.table.columns.len(),
        };
        let deleted = |row: &&TextRow| {
            stored.table.write == WriteRule::Versioned && row.last().is_some_and(|last| last.as_deref() == Some("t"))
        };
        let types: Vec<SqlType> = stored.table.columns.iter().map(|column| column.ty).collect();
        let columns: Vec<usize> = (0..shown).collect();
        let mut rows: Vec<TextRow> =
            stored.rows.values().filter(|row| !deleted(row)).map(|row| key_of(row, &columns, &types)).collect();
        rows.sort();
        rows
    }

    /// The number of rows of a table, deleted ones included.
    pub fn row_count(&self, table: usize) -> usize {
        self.tables[table].rows.len()
    }
}

fn to_batch(table: &Table, rows: &[&TextRow]) -> RecordBatch {
    let columns = table.columns.iter().enumerate().map(|(index, column)| {
        let mut builder = ColumnBuilder::new(column.ty, rows.len());
        for row in rows {
            match &row[index] {
                None => builder.append_null(),
                Some(text) => builder.append_text(text).expect("what was printed is read back"),
            }
        }
        builder.finish()
    });
    batch(table_schema(table), columns.collect(), rows.len())
}
