//! The operators of a dataflow: pure, one a file. What they keep between epochs is nothing.
//!
//! Each says what it does (`describe`), where it reads state which rows (`wants`), and turns changes into changes or
//! writes (`apply`).

pub(crate) mod aggregate;
pub(crate) mod append;
pub(crate) mod latest;
pub(crate) mod map;
pub(crate) mod upsert;

use crate::records::schema;
use arrow_schema::SchemaRef;
use millrace_contract::{SqlType, Table};

/// The Arrow schema of a whole table.
pub(crate) fn table_schema(table: &Table) -> SchemaRef {
    schema(table.columns.iter().map(|column| (column.name.as_str(), column.ty)))
}

/// The Arrow schema of a table's key.
pub(crate) fn key_schema(table: &Table) -> SchemaRef {
    let key = table.key.iter().map(|&index| &table.columns[index]);
    schema(key.map(|column| (column.name.as_str(), column.ty)))
}

pub(crate) fn key_types(table: &Table) -> Vec<SqlType> {
    table.key.iter().map(|&index| table.columns[index].ty).collect()
}
