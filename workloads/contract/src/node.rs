//! A step of a plan: rows in, rows out, and what is known of them.

use crate::{Expr, SqlType};
use serde::{Deserialize, Serialize};

/// One step. Its columns are what its operator says; inputs are named by their index in `Plan::nodes`, tables by theirs
/// in `Plan::tables`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Node {
    pub operator: Operator,
    pub columns: Vec<SqlType>,
    /// Columns that are unique together, where two nulls are equal. `None`: nobody asks for it.
    pub key: Option<Vec<usize>>,
    /// Rows are inserted and never taken back.
    pub append_only: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Operator {
    /// Rows of a source.
    Scan {
        source: usize,
        /// Evaluated once per record, before any state: what is stored and retracted later is what was computed then.
        map: Map,
        /// For a Table: key columns, the mapped columns, the version columns: what a newer record must retract.
        state: Option<usize>,
    },
    /// Filter and projection of another node's rows.
    Map { input: usize, map: Map },
    /// Keeps the rows of another node by their key, for others to read. `table`: its columns, `_count`.
    Keep { input: usize, table: usize },
    /// Rows of two nodes side by side, where their keys are equal and `condition`, over the columns of both, is true.
    Join { kind: JoinKind, left: Side, right: Side, condition: Option<Expr> },
}

/// Filter and projection over the columns of a source or a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Map {
    /// A row for which this is not true is no row of the query. For a Table it deletes the key's row.
    pub filter: Option<Expr>,
    /// Before `Upsert`: the first `source.key.len()` are the key columns. Before `Aggregate`: group expressions, then
    /// the arguments that `calls` refer to.
    pub columns: Vec<Expr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum JoinKind {
    Inner,
    /// A left row without a partner stands beside nulls.
    Left,
    /// A row without a partner stands beside nulls, whichever side it is of.
    Full,
    /// Left rows that have a partner, each once; their columns alone.
    Semi,
    /// Left rows that have none; their columns alone.
    Anti,
}

/// One side of a join, and where its rows are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Side {
    pub node: usize,
    pub table: usize,
    /// Where the node's columns stand in the table.
    pub columns: Vec<usize>,
    /// Columns of the node that must equal those of the other side, which have the same types. Null equals nothing.
    pub keys: Vec<usize>,
    /// Where the keys are looked up in the table.
    pub lookup: Vec<usize>,
}

impl Operator {
    /// The nodes that it reads.
    pub fn inputs(&self) -> Vec<usize> {
        match self {
            Operator::Scan { .. } => Vec::new(),
            Operator::Map { input, .. } | Operator::Keep { input, .. } => vec![*input],
            Operator::Join { left, right, .. } => vec![left.node, right.node],
        }
    }

    /// Whether it reads state that the workers of other tasks write, and so takes turns with them.
    pub fn takes_turns(&self) -> bool {
        match self {
            Operator::Scan { .. } | Operator::Map { .. } | Operator::Keep { .. } => false,
            Operator::Join { .. } => true,
        }
    }
}

impl JoinKind {
    /// Whether its rows have the right side's columns too.
    pub fn has_right(self) -> bool {
        match self {
            JoinKind::Inner | JoinKind::Left | JoinKind::Full => true,
            JoinKind::Semi | JoinKind::Anti => false,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            JoinKind::Inner => "inner",
            JoinKind::Left => "left",
            JoinKind::Full => "full",
            JoinKind::Semi => "semi",
            JoinKind::Anti => "anti",
        }
    }
}
