//! Constants: numbers typed by their size, strings typed by their surroundings and checked when compiled.

use super::Binder;
use crate::{
    constant::canonical,
    error::{At, Refusal, Result},
    operand::Operand,
    postgres::PgType,
};
use millrace_contract::{Expr, SqlType};
use sqlparser::ast;

impl Binder<'_> {
    pub fn literal(&self, value: &ast::ValueWithSpan, at: At) -> Result<Operand> {
        use ast::Value as V;
        match &value.value {
            V::Number(digits, _) => Ok(Operand::known(number(digits, at)?, at)),
            V::SingleQuotedString(text) | V::EscapedStringLiteral(text) | V::UnicodeStringLiteral(text) => {
                Ok(Operand::unknown(Some(text.clone()), at))
            }
            V::DollarQuotedString(text) => Ok(Operand::unknown(Some(text.value.clone()), at)),
            V::Null => Ok(Operand::unknown(None, at)),
            V::Boolean(truth) => {
                let text = if *truth { "t" } else { "f" };
                Ok(Operand::known(Expr::Literal { value: Some(text.into()), ty: SqlType::Boolean }, at))
            }
            V::Placeholder(name) => {
                Err(Refusal::new(at, format!("the parameter {name}"), "a view's query is complete", "write the value"))
            }
            other => Err(Refusal::new(
                at,
                format!("the constant {other}"),
                "views have no bit strings, byte strings or national strings",
                "write a string in single quotes",
            )),
        }
    }

    /// `DATE '2026-01-01'`.
    pub fn typed_literal(&self, data_type: &ast::DataType, value: &ast::ValueWithSpan, at: At) -> Result<Operand> {
        let ty = super::cast::sql_type(data_type, at)?;
        match self.literal(value, at)?.value {
            crate::operand::Value::Unknown(Some(text)) => Ok(Operand::known(self.constant(Some(text), ty, at)?, at)),
            _ => Err(Refusal::new(
                at,
                format!("{data_type} before something other than a string"),
                "a typed constant is a type name and a string",
                format!("write {data_type} '…'"),
            )),
        }
    }

    /// A string literal or NULL as a constant of a type; the text must be one of the type's.
    pub fn constant(&self, text: Option<String>, ty: SqlType, at: At) -> Result<Expr> {
        let Some(text) = text else { return Ok(Expr::Literal { value: None, ty }) };
        match canonical(&text, ty, self.zone) {
            Ok(value) => Ok(Expr::Literal { value: Some(value), ty }),
            Err(reason) => Err(Refusal::new(
                at,
                format!("the string '{}' as {}", shortened(&text), PgType::of(ty)),
                reason,
                format!("write a constant of type {}", PgType::of(ty)),
            )),
        }
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(60) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// A number takes the smallest of integer, bigint and numeric that holds it; one with a point or exponent is numeric.
pub(super) fn number(digits: &str, at: At) -> Result<Expr> {
    let literal = |value: String, ty| Ok(Expr::Literal { value: Some(value), ty });
    if let Ok(value) = digits.parse::<i32>() {
        return literal(value.to_string(), SqlType::Integer);
    }
    if let Ok(value) = digits.parse::<i64>() {
        return literal(value.to_string(), SqlType::BigInt);
    }
    match canonical(digits, SqlType::Numeric, chrono_tz::Tz::UTC) {
        Ok(value) => literal(value, SqlType::Numeric),
        Err(reason) => Err(Refusal::new(
            at,
            format!("the number {}", shortened(digits)),
            reason,
            "write a number that numeric can hold",
        )),
    }
}
