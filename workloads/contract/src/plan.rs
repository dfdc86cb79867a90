//! The plan of a view: a dataflow as data, compiled once, stored with its revision and never recompiled.
//!
//! A record's way: decode by `source`, evaluate `map`, keep the newest version per key where the source is a Table,
//! fold groups where there is an `aggregate`, write to `tables[rows]`.

use crate::{Expr, Source, SqlType, Table};
use serde::{Deserialize, Serialize};

/// The version of this format. Workers read it and the one before.
pub const PLAN_FORMAT: u32 = 1;

/// Raised by hand when the same query over the same records gives other rows than before.
pub const SEMANTICS_VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    pub format: u32,
    pub semantics_version: u32,
    /// IANA name; what turns a timestamptz into a calendar.
    pub time_zone: String,
    pub source: Source,
    pub map: Map,
    pub output: Output,
    /// Every table of the revision; the result is the one called `rows`.
    pub tables: Vec<Table>,
    pub result: ResultView,
}

/// Filter and projection over the source's columns, evaluated once per record, before any state: what is stored and
/// retracted later is what was computed then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Map {
    /// A row for which this is not true is no row of the query. For a Table it deletes the key's row.
    pub filter: Option<Expr>,
    /// For `Upsert`: the first `source.key.len()` are the key columns. For `Aggregate`: group expressions, then the
    /// arguments that `calls` refer to.
    pub columns: Vec<Expr>,
}

/// What becomes of the mapped rows. Tables are named by their index in `Plan::tables`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Output {
    /// A Stream without groups. `rows`: the mapped columns, `_partition`, `_offset`.
    Append { rows: usize },
    /// A Table without groups. `rows`: the mapped columns (key first), then the version columns. It is its own state:
    /// one write a key, nothing is read.
    Upsert { rows: usize },
    /// Groups.
    Aggregate {
        /// For a Table: key columns, the mapped columns, the version columns: what a newer record must retract.
        state: Option<usize>,
        /// The first `groups` mapped columns are the group.
        groups: usize,
        calls: Vec<Call>,
        /// Group columns (or `_single smallint` = 0 when there are none), the columns of `calls`, `_count`.
        rows: usize,
    },
}

/// One aggregate. Where `argument` (an index into the mapped columns) is null the row does not count.
/// A FILTER is in the argument: it is null where the filter is not true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Call {
    /// One column: bigint, `Add`. `None` counts rows.
    Count { argument: Option<usize>, column: usize },
    /// Two columns: the sum (bigint for smallint and integer, numeric for bigint and numeric, the same type for
    /// floats; `Add`) and the number of non-null inputs (bigint, `Add`). `avg` is the one by the other.
    Sum { argument: usize, column: usize, count: usize },
    /// min or max. Over a Stream one `Least` or `Greatest` column. Over a Table a `Derived` column, and `values`: the
    /// table (group columns or `_single`, `_value`, `_count`) that counts every value of every group.
    Extreme { argument: usize, column: usize, largest: bool, values: Option<usize> },
}

/// The columns that readers see, as SQL over the alias `r` of the table `rows`, printed by the compiler from its tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResultView {
    pub columns: Vec<ResultColumn>,
    /// What makes a stored row visible (not deleted, HAVING).
    pub condition: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResultColumn {
    pub name: String,
    pub ty: SqlType,
    pub sql: String,
}

/// A stored plan that this program cannot read.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("the stored plan is not readable: {0}")]
    Unreadable(#[from] serde_json::Error),
    #[error("the stored plan has format {found}, this program reads {PLAN_FORMAT}; run the worker image that wrote it")]
    Format { found: u32 },
}

impl Plan {
    /// The stored text of the plan.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a plan holds no map with non-text keys and no float")
    }

    /// Reads a stored plan; its format is looked at before anything else.
    pub fn from_json(text: &str) -> Result<Plan, PlanError> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let Head { format } = serde_json::from_str(text)?;
        if format != PLAN_FORMAT {
            return Err(PlanError::Format { found: format });
        }
        Ok(serde_json::from_str(text)?)
    }

    /// The result table.
    pub fn rows(&self) -> &Table {
        let (Output::Append { rows } | Output::Upsert { rows } | Output::Aggregate { rows, .. }) = self.output;
        &self.tables[rows]
    }

    /// `SELECT … FROM schema.rows`, without a final semicolon: what the name that readers query shows of this revision.
    /// `guard` is ANDed to the condition.
    pub fn select(&self, schema: &str, guard: Option<&str>) -> String {
        use crate::ident::quote;
        let columns: Vec<String> =
            self.result.columns.iter().map(|column| format!("{} AS {}", column.sql, quote(&column.name))).collect();
        let conditions: Vec<String> =
            self.result.condition.as_deref().into_iter().chain(guard).map(|sql| format!("({sql})")).collect();
        let mut sql = format!("SELECT {} FROM {}.{} AS r", columns.join(", "), quote(schema), quote(&self.rows().name));
        if !conditions.is_empty() {
            sql.push_str(" WHERE ");
            sql.push_str(&conditions.join(" AND "));
        }
        sql
    }
}
