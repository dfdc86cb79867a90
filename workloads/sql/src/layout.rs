//! Where a query's columns are kept: the tables of a revision and what readers see of them.

mod groups;
mod keyed;
mod rows;

pub(crate) use groups::groups;
pub(crate) use keyed::keyed;
pub(crate) use rows::rows;

use millrace_contract::{
    Expr, Source, SqlType, Table,
    plan::{Output, ResultView},
    table::{Column, DELETED, Merge, OFFSET, PARTITION, TIMESTAMP, WriteRule},
};

pub(crate) struct Layout {
    /// The columns of the last node.
    pub columns: Vec<Expr>,
    /// What a scan of a Table keeps of them.
    pub state: Option<usize>,
    pub output: Output,
    pub tables: Vec<Table>,
    pub result: ResultView,
}

pub(crate) fn column(name: impl Into<String>, ty: SqlType, nullable: bool) -> Column {
    Column { name: name.into(), ty, nullable, merge: Merge::Replace }
}

/// What a `Versioned` table ends with.
pub(crate) fn version_columns() -> [Column; 4] {
    [
        column(PARTITION, SqlType::Integer, false),
        column(OFFSET, SqlType::BigInt, false),
        column(TIMESTAMP, SqlType::BigInt, false),
        column(DELETED, SqlType::Boolean, false),
    ]
}

/// A column of `rows` in the result's SQL.
fn stored(name: &str) -> String {
    format!("r.{}", millrace_contract::ident::quote(name))
}

/// What a newer record of a key takes back.
pub(crate) fn state_table(name: String, source: &Source, mapped: &[Expr]) -> Table {
    let mut columns: Vec<Column> = source
        .key
        .iter()
        .map(|index| &source.columns[*index])
        .map(|key| column(format!("_key_{}", key.name), key.ty, false))
        .collect();
    let key = (0..columns.len()).collect();
    columns.extend(mapped.iter().enumerate().map(|(index, expr)| column(format!("_m{index}"), expr.ty(), true)));
    columns.extend(version_columns());
    Table { name, columns, key, write: WriteRule::Versioned, indexes: Vec::new() }
}
