//! The plan of a view: a dataflow as data, compiled once, stored with its revision and never recompiled.
//!
//! A record's way: decode by its source, through the nodes that read it, in their order, and by `output` into
//! `tables[rows]`.

mod former;

use crate::{
    Source, SqlType, Table, Topics,
    node::{Node, Operator},
    source::SourceKind,
};
use serde::{Deserialize, Serialize};

/// The version of this format. Workers read it and the one before.
pub const PLAN_FORMAT: u32 = 2;

/// Raised by hand when the same query over the same records gives other rows than before.
pub const SEMANTICS_VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    pub format: u32,
    pub semantics_version: u32,
    /// IANA name; what turns a timestamptz into a calendar.
    pub time_zone: String,
    /// Each is a topic of its own.
    pub sources: Vec<Source>,
    /// In the order in which they run: a node stands behind its inputs. The last one's rows are the output's.
    pub nodes: Vec<Node>,
    pub output: Output,
    /// Every table of the revision; the result is the one called `rows`.
    pub tables: Vec<Table>,
    pub result: ResultView,
}

/// What becomes of the last node's rows. Tables are named by their index in `Plan::tables`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Output {
    /// The only node scans a Stream. `rows`: its columns, `_partition`, `_offset`.
    Append { rows: usize },
    /// The only node scans a Table, without state. `rows`: its columns (key first), then the version columns. It is
    /// its own state: one write a key, nothing is read.
    Upsert { rows: usize },
    /// Rows as they are, by the node's key. `rows`: the node's columns, `_count`.
    Keyed { rows: usize },
    /// Groups.
    Aggregate {
        /// The first `groups` columns are the group.
        groups: usize,
        calls: Vec<Call>,
        /// Group columns (or `_single smallint` = 0 when there are none), the columns of `calls`, `_count`.
        rows: usize,
    },
}

/// One aggregate. Where `argument` (an index into the node's columns) is null the row does not count.
/// A FILTER is in the argument: it is null where the filter is not true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Call {
    /// One column: bigint, `Add`. `None` counts rows.
    Count { argument: Option<usize>, column: usize },
    /// Two columns: the sum (bigint for smallint and integer, numeric for bigint and numeric, the same type for
    /// floats; `Add`) and the number of non-null inputs (bigint, `Add`). `avg` is the one by the other.
    Sum { argument: usize, column: usize, count: usize },
    /// min or max. Over rows that are only inserted one `Least` or `Greatest` column. Over others a `Derived` column,
    /// and `values`: the table (group columns or `_single`, `_value`, `_count`) that counts every value of every group.
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
    #[error(
        "the stored plan has format {found}, this program reads {} and {PLAN_FORMAT}; run the worker image that wrote it",
        former::PLAN_FORMAT
    )]
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
        match format {
            PLAN_FORMAT => Ok(serde_json::from_str(text)?),
            former::PLAN_FORMAT => Ok(serde_json::from_str::<former::Plan>(text)?.into()),
            found => Err(PlanError::Format { found }),
        }
    }

    /// The topics that are read, and the numbers of the tasks.
    pub fn topics(&self) -> Topics {
        Topics::new(self.sources.iter().map(|source| source.topic.clone()).collect())
    }

    /// Whether this topic is read as a Table.
    pub fn reads_table(&self, topic: &str) -> bool {
        self.sources.iter().any(|source| source.topic == topic && source.kind == SourceKind::Table)
    }

    /// The tables that keep the newest row of every key of a source.
    pub fn states(&self) -> impl Iterator<Item = usize> + '_ {
        self.nodes.iter().filter_map(|node| match node.operator {
            Operator::Scan { state, .. } => state,
            Operator::Map { .. } | Operator::Keep { .. } | Operator::Join { .. } => None,
        })
    }

    /// The result table.
    pub fn rows(&self) -> &Table {
        &self.tables[self.output.rows()]
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

impl Output {
    /// The index of the result table.
    pub fn rows(&self) -> usize {
        match self {
            Output::Append { rows }
            | Output::Upsert { rows }
            | Output::Keyed { rows }
            | Output::Aggregate { rows, .. } => *rows,
        }
    }
}
