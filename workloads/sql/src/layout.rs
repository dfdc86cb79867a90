//! Where a query's columns are kept: the tables of a revision and what readers see of them.

mod groups;
mod rows;

pub(crate) use groups::groups;
pub(crate) use rows::rows;

use millrace_contract::{
    Expr, SqlType, Table,
    plan::{Output, ResultView},
    table::{Column, DELETED, Merge, OFFSET, PARTITION, TIMESTAMP},
};

pub(crate) struct Layout {
    /// `Map::columns`.
    pub columns: Vec<Expr>,
    pub output: Output,
    pub tables: Vec<Table>,
    pub result: ResultView,
}

fn column(name: impl Into<String>, ty: SqlType, nullable: bool) -> Column {
    Column { name: name.into(), ty, nullable, merge: Merge::Replace }
}

/// What a `Versioned` table ends with.
fn version_columns() -> [Column; 4] {
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
