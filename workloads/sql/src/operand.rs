//! A bound expression whose type may still be open: a string literal or NULL takes the type of its surroundings.

use crate::{error::At, postgres::PgType};
use millrace_contract::Expr;

#[derive(Debug, Clone)]
pub(crate) struct Operand {
    pub at: At,
    pub value: Value,
}

#[derive(Debug, Clone)]
pub(crate) enum Value {
    /// A string literal, or NULL.
    Unknown(Option<String>),
    Known(Expr),
}

impl Operand {
    pub fn known(expr: Expr, at: At) -> Operand {
        Operand { at, value: Value::Known(expr) }
    }

    pub fn unknown(text: Option<String>, at: At) -> Operand {
        Operand { at, value: Value::Unknown(text) }
    }

    pub fn ty(&self) -> PgType {
        match &self.value {
            Value::Unknown(_) => PgType::UNKNOWN,
            Value::Known(expr) => PgType::of(expr.ty()),
        }
    }
}
