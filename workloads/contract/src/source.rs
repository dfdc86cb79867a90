//! A topic as a view reads it: how a record becomes a row.

use crate::{Expr, SqlType};
use serde::{Deserialize, Serialize};

/// One source of a view.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// The table's name in the query.
    pub name: String,
    pub topic: String,
    pub kind: SourceKind,
    pub format: Format,
    pub key_format: KeyFormat,
    /// For a Table: indexes into `columns`, in the order of the record key's parts.
    pub key: Vec<usize>,
    /// A record for which this is true deletes its key's row, besides tombstones. Over `columns`.
    pub delete_when: Option<Expr>,
    pub columns: Vec<SourceColumn>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SourceKind {
    /// Every record is an insert.
    Stream,
    /// The newest record per key wins, a tombstone deletes.
    Table,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Format {
    /// The value is one JSON document.
    Json,
    /// The value is a Debezium envelope (`before`, `after`, `op`), bare or below `payload`; paths start at `after`.
    DebeziumJson,
}

/// How the record key is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeyFormat {
    /// The key's bytes are the text of the one key column.
    Text,
    /// The key is a JSON object with the key columns' names (a Debezium key may hold it below `payload`), or, for one key column, a JSON scalar.
    Json,
    /// The key is ignored; tombstones are dead letters.
    None,
}

/// A column of a source: `(value #>> path)::type` in Postgres's words, where JSON null and a missing field are null.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceColumn {
    pub name: String,
    pub ty: SqlType,
    pub origin: Origin,
}

/// Where in a record a column's value is found.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Origin {
    /// Field names from the document's top.
    Path(Vec<String>),
    /// The record key as text.
    Key,
    /// The last header of this name, as UTF-8 text.
    Header(String),
    /// The record's timestamp.
    Timestamp,
    Partition,
    Offset,
}
