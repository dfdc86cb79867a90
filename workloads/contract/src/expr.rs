//! A scalar expression, bound and typed: what the compiler made of the user's text and the workers evaluate.

use crate::SqlType;
use serde::{Deserialize, Serialize};

/// An expression over one row. Types are settled: every implicit cast is written out as a `Call`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Expr {
    /// Column `index` of the input row.
    Column {
        index: usize,
        ty: SqlType,
    },
    /// A constant in Postgres's text form; `None` is null.
    Literal {
        value: Option<String>,
        ty: SqlType,
    },
    /// A function, operator or cast, by the name of its implementation (`int8pl`, `lower`, `cast_text_bigint`).
    Call {
        function: String,
        arguments: Vec<Expr>,
        ty: SqlType,
    },
    /// The first branch whose condition is true; without one `otherwise`. Later branches are not evaluated for that row.
    Case {
        branches: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
        ty: SqlType,
    },
    /// The first operand that is not null. Later operands are not evaluated for that row.
    Coalesce {
        operands: Vec<Expr>,
        ty: SqlType,
    },
    /// Three-valued logic over all operands.
    And(Vec<Expr>),
    /// Three-valued logic over all operands.
    Or(Vec<Expr>),
    Not(Box<Expr>),
    IsNull(Box<Expr>),
    /// Equal, where two nulls are equal (`IS NOT DISTINCT FROM`); both sides have the same type.
    NotDistinct(Box<Expr>, Box<Expr>),
}

impl Expr {
    /// The type of the expression's value.
    pub fn ty(&self) -> SqlType {
        match self {
            Expr::Column { ty, .. }
            | Expr::Literal { ty, .. }
            | Expr::Call { ty, .. }
            | Expr::Case { ty, .. }
            | Expr::Coalesce { ty, .. } => *ty,
            Expr::And(_) | Expr::Or(_) | Expr::Not(_) | Expr::IsNull(_) | Expr::NotDistinct(..) => SqlType::Boolean,
        }
    }

    /// The expressions directly below this one, in order of evaluation.
    pub fn children(&self) -> Vec<&Expr> {
        match self {
            Expr::Column { .. } | Expr::Literal { .. } => Vec::new(),
            Expr::Call { arguments, .. } => arguments.iter().collect(),
            Expr::Case { branches, otherwise, .. } => {
                branches.iter().flat_map(|(when, then)| [when, then]).chain(otherwise.as_deref()).collect()
            }
            Expr::Coalesce { operands, .. } | Expr::And(operands) | Expr::Or(operands) => operands.iter().collect(),
            Expr::Not(operand) | Expr::IsNull(operand) => vec![operand],
            Expr::NotDistinct(left, right) => vec![left, right],
        }
    }

    /// Adds the indexes of all columns that the expression reads to `columns`.
    pub fn collect_columns(&self, columns: &mut std::collections::BTreeSet<usize>) {
        if let Expr::Column { index, .. } = self {
            columns.insert(*index);
        }
        for child in self.children() {
            child.collect_columns(columns);
        }
    }
}
