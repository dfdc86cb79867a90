//! CAST, `::`, and the implicit conversions of operands.

use super::Binder;
use crate::{
    constant::canonical,
    error::{At, Refusal, Result},
    implementation::Implementations,
    operand::{Operand, Value},
    postgres::{CastContext, Coercion, PgType, coercion},
};
use millrace_contract::{Expr, SqlType};
use sqlparser::ast::{self, CastKind};

const TYPES: &str = "boolean, smallint, integer, bigint, real, double precision, numeric, text, date, time, timestamp, \
                     timestamptz, uuid and jsonb";

/// The type that a type name means. Lengths and precisions are refused with the function that does the same.
pub(crate) fn sql_type(data_type: &ast::DataType, at: At) -> Result<SqlType> {
    let written = data_type.to_string().to_lowercase();
    Ok(match written.as_str() {
        "boolean" | "bool" => SqlType::Boolean,
        "smallint" | "int2" => SqlType::SmallInt,
        "integer" | "int" | "int4" => SqlType::Integer,
        "bigint" | "int8" => SqlType::BigInt,
        "real" | "float4" => SqlType::Real,
        "double precision" | "float8" | "float" => SqlType::DoublePrecision,
        "numeric" | "decimal" | "dec" => SqlType::Numeric,
        "text" | "varchar" | "character varying" | "char varying" => SqlType::Text,
        "date" => SqlType::Date,
        "time" | "time without time zone" => SqlType::Time,
        "timestamp" | "timestamp without time zone" => SqlType::Timestamp,
        "timestamptz" | "timestamp with time zone" => SqlType::TimestampTz,
        "uuid" => SqlType::Uuid,
        "jsonb" => SqlType::Jsonb,
        _ => {
            let base = written.split('(').next().unwrap_or_default();
            let advice = match base {
                "numeric" | "decimal" | "dec" => "write numeric, and round(value, digits) where digits must go",
                "varchar" | "character varying" | "char varying" | "char" | "character" => {
                    "write text, and left(value, length) where characters must go"
                }
                "timestamp" | "timestamptz" | "time" => "write the type without a precision",
                "json" => "write jsonb",
                "string" => "write text",
                "datetime" => "write timestamp",
                _ => "write one of them",
            };
            return Err(Refusal::new(at, format!("the type {written}"), format!("views know {TYPES}"), advice));
        }
    })
}

impl Binder<'_> {
    pub fn cast_to(
        &mut self,
        kind: &CastKind,
        expr: &ast::Expr,
        data_type: &ast::DataType,
        has_format: bool,
    ) -> Result<Operand> {
        let at = self.at(expr);
        if matches!(kind, CastKind::TryCast | CastKind::SafeCast) || has_format {
            return Err(Refusal::new(
                at,
                "a cast of another database",
                "Postgres has CAST(value AS type) and value::type",
                "test the text in a CASE before the cast; a record whose cast fails is a dead letter",
            ));
        }
        let ty = sql_type(data_type, at)?;
        let operand = self.bind(expr)?;
        Ok(Operand::known(self.explicit_cast(operand, ty)?, at))
    }

    /// `CAST(operand AS ty)`.
    pub fn explicit_cast(&self, operand: Operand, ty: SqlType) -> Result<Expr> {
        self.coerce(operand, ty, CastContext::Explicit)
    }

    /// The operand as a value of `ty`. What may be done depends on the context; resolution asked for it before.
    pub fn coerce(&self, operand: Operand, ty: SqlType, context: CastContext) -> Result<Expr> {
        let at = operand.at;
        let expr = match operand.value {
            Value::Unknown(text) => return self.constant(text, ty, at),
            Value::Known(expr) => expr,
        };
        let (from, to) = (PgType::of(expr.ty()), PgType::of(ty));
        match coercion(from, to, context) {
            Some(Coercion::None) => return Ok(expr),
            Some(Coercion::Cast(_) | Coercion::Text(_)) => {}
            None => {
                return Err(Refusal::new(
                    at,
                    format!("a value of type {from} where {to} is wanted"),
                    format!("Postgres has no cast from {from} to {to}"),
                    format!("write an expression of type {to}"),
                ));
            }
        }
        if let Some(constant) = self.widened(&expr, ty) {
            return Ok(constant);
        }
        match Implementations::get().cast(expr.ty(), ty) {
            Some(function) => Ok(Expr::Call { function: function.into(), arguments: vec![expr], ty }),
            None => Err(Refusal::new(
                at,
                format!("a cast from {from} to {to}"),
                "views cannot compute it yet",
                "cast by way of text, or write an expression of that type",
            )),
        }
    }

    /// A number constant as the same number of a wider type: it need not be cast for every record.
    fn widened(&self, expr: &Expr, ty: SqlType) -> Option<Expr> {
        use SqlType as T;
        let Expr::Literal { value, ty: from } = expr else { return None };
        let widens = match ty {
            T::Integer => matches!(from, T::SmallInt),
            T::BigInt => matches!(from, T::SmallInt | T::Integer),
            T::Numeric => matches!(from, T::SmallInt | T::Integer | T::BigInt),
            T::DoublePrecision => matches!(from, T::SmallInt | T::Integer | T::BigInt | T::Numeric),
            _ => false,
        };
        match value {
            None => Some(Expr::Literal { value: None, ty }),
            Some(text) if widens => Some(Expr::Literal { value: Some(canonical(text, ty, self.zone).ok()?), ty }),
            Some(_) => None,
        }
    }
}
