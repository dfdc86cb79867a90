//! A store in memory that obeys the write rules of tables as Postgres does: for tests and simulations.

mod stored;

use crate::{
    changes::{Request, Wants, Write},
    function::EvalError,
    operator::table_schema,
    records::batch,
    value::ColumnBuilder,
};
use arrow_array::RecordBatch;
use millrace_contract::{Plan, SqlType, Table, table::WriteRule};
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
        MemoryStore { tables: plan.tables.iter().cloned().map(Stored::new).collect(), result: plan.output.rows() }
    }

    /// Answers a request: for every want the rows that exist, all columns.
    pub fn fetch(&self, request: &Request) -> Vec<RecordBatch> {
        request.wants.iter().map(|wants| self.rows_of(wants)).collect()
    }

    fn rows_of(&self, wants: &Wants) -> RecordBatch {
        let stored = &self.tables[wants.table];
        let types: Vec<SqlType> = wants.lookup.iter().map(|&index| stored.table.columns[index].ty).collect();
        let key_columns: Vec<usize> = (0..wants.keys.num_columns()).collect();
        let keys: BTreeSet<Key> = texts(&wants.keys).iter().map(|key| key_of(key, &key_columns, &types)).collect();
        let rows: Vec<&TextRow> = if wants.lookup == stored.table.key {
            keys.iter().filter_map(|key| stored.rows.get(key)).collect()
        } else {
            stored.rows.values().filter(|row| keys.contains(&key_of(row, &wants.lookup, &types))).collect()
        };
        let rows: Vec<&TextRow> = rows.into_iter().filter(|row| wants.deleted || !stored.is_deleted(row)).collect();
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
            if stored.table.write == WriteRule::Keyed {
                stored.remove_empty(touched);
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
            WriteRule::Append | WriteRule::Merge { .. } | WriteRule::Keyed => stored.table.columns.len(),
        };
        let deleted = |row: &&TextRow| stored.is_deleted(row);
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
