//! A table that a revision keeps in its own schema, and how writes to it combine with what is there.

use crate::{SqlType, ident::quote};
use serde::{Deserialize, Serialize};

/// The name of a revision's result table.
pub const ROWS: &str = "rows";
/// Version columns of a `Versioned` table: the record that a row's content comes from.
pub const PARTITION: &str = "_partition";
pub const OFFSET: &str = "_offset";
/// The greatest timestamp that its partition had for the key until then, milliseconds since 1970, bigint.
pub const TIMESTAMP: &str = "_timestamp";
/// True for a key that is absent: its version is kept so that an older record read later does not bring it back.
pub const DELETED: &str = "_deleted";
/// The number of input rows of a group, or of a value.
pub const COUNT: &str = "_count";
/// The key of the only row of a table without group columns.
pub const SINGLE: &str = "_single";

/// A table of a revision. Column order is the order of every batch written to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Table {
    pub name: String,
    pub columns: Vec<Column>,
    /// Indexes into `columns`: unique, where two nulls are equal.
    pub key: Vec<usize>,
    pub write: WriteRule,
    /// Columns that rows are looked up by, besides the key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub indexes: Vec<Vec<usize>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Column {
    pub name: String,
    pub ty: SqlType,
    pub nullable: bool,
    /// How a written value combines with the one that is there (`WriteRule::Merge` only; `Replace` elsewhere).
    pub merge: Merge,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Merge {
    Replace,
    /// `old + new`. Never null.
    Add,
    /// `least(old, new)`, nulls ignored.
    Least,
    /// `greatest(old, new)`, nulls ignored.
    Greatest,
    /// Not written by the batch (null there): recomputed from `Extreme` after the batch.
    Derived,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WriteRule {
    /// Insert; a key is never written twice. Ends with `_partition`, `_offset`, which are the key.
    Append,
    /// The newer version wins: same partition, the higher offset; another partition, the higher timestamp, then the
    /// higher partition. The winner's `_timestamp` is the greater of the two.
    /// Ends with `_partition integer, _offset bigint, _timestamp bigint, _deleted boolean`.
    /// A deleted row has null in all columns but the key and these four.
    Versioned,
    /// Columns combine by their `merge`; a row whose `_count` (always the last column) reaches 0 is deleted, unless
    /// `keep_empty`.
    Merge { keep_empty: bool, extremes: Vec<Extreme> },
    /// The written row takes the place of the one that is there. A row whose `_count` (always the last column) is 0 is
    /// deleted; in it all other columns but the key are null. Only a worker whose turn it is writes a key.
    Keyed,
}

/// A column of a merged table that is the smallest or the largest value of another merged table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Extreme {
    /// Index of the `Derived` column.
    pub column: usize,
    /// A table of the same key columns, one value column, and `_count`.
    pub values: String,
    pub largest: bool,
}

impl Table {
    /// The statements that create the table in `schema`, in order. Text is compared by its bytes ("C") wherever
    /// Millrace orders it.
    pub fn create(&self, schema: &str) -> Vec<String> {
        let name = format!("{}.{}", quote(schema), quote(&self.name));
        let columns: Vec<String> = self
            .columns
            .iter()
            .map(|column| {
                let collate = if column.ty == SqlType::Text { " COLLATE \"C\"" } else { "" };
                let null = if column.nullable { "" } else { " NOT NULL" };
                format!("{} {}{collate}{null}", quote(&column.name), column.ty)
            })
            .collect();
        // A low fillfactor lets updates stay on their page (heap-only tuples); appended rows are never updated.
        let storage = match self.write {
            WriteRule::Append => "autovacuum_vacuum_insert_scale_factor = 0.2",
            WriteRule::Versioned | WriteRule::Keyed => "fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05",
            WriteRule::Merge { .. } => "fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02",
        };
        let mut statements = vec![format!("CREATE TABLE {name} ({}) WITH ({storage})", columns.join(", "))];
        let key: Vec<String> = self.key.iter().map(|&index| quote(&self.columns[index].name)).collect();
        let nullable = self.key.iter().any(|&index| self.columns[index].nullable);
        statements.push(if nullable {
            format!("CREATE UNIQUE INDEX ON {name} ({}) NULLS NOT DISTINCT", key.join(", "))
        } else {
            format!("ALTER TABLE {name} ADD PRIMARY KEY ({})", key.join(", "))
        });
        if self.write == WriteRule::Versioned {
            // Finds the versions that are to go. Not over the timestamp: an update that changes an indexed column
            // cannot stay on its page (heap-only tuples).
            statements.push(format!("CREATE INDEX ON {name} ({0}) WHERE {0}", quote(DELETED)));
        }
        for index in &self.indexes {
            let columns: Vec<String> = index.iter().map(|&index| quote(&self.columns[index].name)).collect();
            let present = if self.write == WriteRule::Versioned {
                format!(" WHERE NOT {}", quote(DELETED))
            } else {
                String::new()
            };
            statements.push(format!("CREATE INDEX ON {name} ({}){present}", columns.join(", ")));
        }
        if let WriteRule::Merge { keep_empty: true, .. } = self.write {
            statements.push(self.first_row(&name));
        }
        statements
    }

    /// The row that a table without group columns has from its start.
    fn first_row(&self, name: &str) -> String {
        let values: Vec<&str> = self
            .columns
            .iter()
            .map(|column| {
                if column.nullable {
                    "NULL"
                } else if column.ty == SqlType::Boolean {
                    "true"
                } else {
                    "0"
                }
            })
            .collect();
        format!("INSERT INTO {name} VALUES ({})", values.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, ty: SqlType, nullable: bool) -> Column {
        Column { name: name.into(), ty, nullable, merge: Merge::Replace }
    }

    #[test]
    fn a_nullable_key_is_a_unique_index_that_treats_nulls_as_equal() {
        let table = Table {
            name: ROWS.into(),
            columns: vec![column("부서", SqlType::Text, true), column(COUNT, SqlType::BigInt, false)],
            key: vec![0],
            write: WriteRule::Merge { keep_empty: false, extremes: vec![] },
            indexes: vec![],
        };
        assert_eq!(
            table.create("s"),
            [
                r#"CREATE TABLE "s"."rows" ("부서" text COLLATE "C", "_count" bigint NOT NULL) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02)"#,
                r#"CREATE UNIQUE INDEX ON "s"."rows" ("부서") NULLS NOT DISTINCT"#,
            ]
        );
    }
}
