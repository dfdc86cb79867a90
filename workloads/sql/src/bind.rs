//! Syntax tree to typed expression: every name resolved, every implicit cast written out.

mod aggregate;
mod call;
mod case;
mod cast;
mod forms;
mod literal;
mod operator;

pub(crate) use aggregate::{AGGREGATES, AggregateCall, AggregateKind};
pub(crate) use call::{is_callable, is_special};
pub(crate) use cast::sql_type;

use crate::{
    error::{At, Refusal, Result},
    operand::{Operand, Value},
    postgres::PgType,
    scope::{self, Scope},
    tokens::Tokens,
};
use chrono_tz::Tz;
use millrace_contract::{Expr, SqlType};
use sqlparser::ast::{self, Spanned};

/// Expressions inside each other: what the compiler and the workers follow on their stacks.
const DEEPEST: usize = 60;

/// The clause that an expression stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clause {
    SelectList,
    Having,
    Where,
    On,
    GroupBy,
    DeleteWhen,
    AggregateArgument,
    AggregateFilter,
}

impl Clause {
    pub fn name(self) -> &'static str {
        match self {
            Clause::SelectList => "the select list",
            Clause::Having => "HAVING",
            Clause::Where => "WHERE",
            Clause::On => "ON",
            Clause::GroupBy => "GROUP BY",
            Clause::DeleteWhen => "deleteWhen",
            Clause::AggregateArgument => "an aggregate's argument",
            Clause::AggregateFilter => "FILTER",
        }
    }
}

pub(crate) struct Binder<'a> {
    pub scope: &'a Scope<'a>,
    pub tokens: &'a Tokens,
    pub zone: Tz,
    pub clause: Clause,
    /// The aggregates met so far, each once. An expression names them as columns from `AGGREGATES` on.
    pub aggregates: Vec<AggregateCall>,
    /// Every column outside an aggregate, where it stands.
    pub references: Vec<(usize, At)>,
    depth: usize,
}

impl<'a> Binder<'a> {
    pub fn new(scope: &'a Scope<'a>, tokens: &'a Tokens, zone: Tz) -> Binder<'a> {
        Binder { scope, tokens, zone, clause: Clause::Where, aggregates: Vec::new(), references: Vec::new(), depth: 0 }
    }

    /// An expression whose type is settled: an open one is text.
    pub fn expression(&mut self, expr: &ast::Expr, clause: Clause) -> Result<Expr> {
        self.clause = clause;
        let operand = self.bind(expr)?;
        self.settle(operand, SqlType::Text)
    }

    /// A condition.
    pub fn condition(&mut self, expr: &ast::Expr, clause: Clause) -> Result<Expr> {
        self.clause = clause;
        self.boolean(expr, clause.name())
    }

    /// Where an expression begins.
    pub fn at(&self, expr: &ast::Expr) -> At {
        self.tokens.place(expr)
    }

    /// The place of the operator between two operands.
    pub fn between(&self, left: &ast::Expr) -> At {
        self.tokens.operator_after(left.span().end)
    }

    pub fn bind(&mut self, expr: &ast::Expr) -> Result<Operand> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Refusal::new(
                self.at(expr),
                format!("more than {DEEPEST} expressions inside each other"),
                "workers follow that many",
                "put parentheses around halves of a long chain, or compute parts of it in the producer",
            ));
        }
        let bound = self.bind_one(expr);
        self.depth -= 1;
        bound
    }

    fn bind_one(&mut self, expr: &ast::Expr) -> Result<Operand> {
        use ast::Expr as E;
        let at = self.at(expr);
        if let Some(first) = first_operand(expr) {
            self.check_chain(expr, first)?;
        }
        match expr {
            E::Identifier(name) => self.column(name),
            E::CompoundIdentifier(names) => self.qualified_column(names, at),
            E::Nested(inner) => self.bind(inner),
            E::Value(value) => self.literal(value, at),
            E::TypedString(ast::TypedString { data_type, value, uses_odbc_syntax: _ }) => {
                self.typed_literal(data_type, value, at)
            }
            E::BinaryOp { left, op, right } => self.binary(expr, left, op, right),
            E::UnaryOp { op, expr } => self.unary(*op, expr),
            E::IsNull(operand) => self.is_null(operand, false),
            E::IsNotNull(operand) => self.is_null(operand, true),
            E::IsTrue(operand) => self.is_truth(operand, Some(true), false),
            E::IsNotTrue(operand) => self.is_truth(operand, Some(true), true),
            E::IsFalse(operand) => self.is_truth(operand, Some(false), false),
            E::IsNotFalse(operand) => self.is_truth(operand, Some(false), true),
            E::IsUnknown(operand) => self.is_truth(operand, None, false),
            E::IsNotUnknown(operand) => self.is_truth(operand, None, true),
            E::IsDistinctFrom(left, right) => self.distinct(left, right, true),
            E::IsNotDistinctFrom(left, right) => self.distinct(left, right, false),
            E::InList { expr, list, negated } => self.in_list(expr, list, *negated),
            E::Between { expr, negated, low, high } => self.within(expr, low, high, *negated),
            E::Like { negated, any, expr, pattern, escape_char } => {
                let name = if *negated { "!~~" } else { "~~" };
                self.like(name, *any, expr, pattern, escape_char.as_deref())
            }
            E::ILike { negated, any, expr, pattern, escape_char } => {
                let name = if *negated { "!~~*" } else { "~~*" };
                self.like(name, *any, expr, pattern, escape_char.as_deref())
            }
            E::Cast { kind, expr, data_type, format } => self.cast_to(kind, expr, data_type, format.is_some()),
            E::Case { case_token: _, end_token: _, operand, conditions, else_result } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref(), at)
            }
            E::Function(function) => self.function(function, at),
            E::Extract { .. }
            | E::Ceil { .. }
            | E::Floor { .. }
            | E::Position { .. }
            | E::Substring { .. }
            | E::Trim { .. }
            | E::Overlay { .. }
            | E::AtTimeZone { .. }
            | E::Collate { .. } => self.form(expr, at),
            _ => Err(self.refuse_form(expr, at)),
        }
    }

    fn column(&mut self, name: &ast::Ident) -> Result<Operand> {
        let at = scope::at(name);
        let index = match self.scope.column(name) {
            Ok(index) => index,
            Err(_) if self.scope.is_relation(name) => {
                return Err(Refusal::new(
                    at,
                    format!("the whole row {}", name.value),
                    "a view's columns have plain types",
                    "name the columns",
                ));
            }
            Err(refusal) => return Err(refusal),
        };
        self.references.push((index, at));
        Ok(Operand::known(self.scope.reference(index), at))
    }

    fn qualified_column(&mut self, names: &[ast::Ident], at: At) -> Result<Operand> {
        match names {
            [qualifier, name] => {
                let index = self.scope.qualified_column(qualifier, name)?;
                self.references.push((index, at));
                Ok(Operand::known(self.scope.reference(index), at))
            }
            _ => Err(Refusal::new(
                at,
                "a name of more than two parts",
                "a column is written column, or source.column",
                "leave out the schema",
            )),
        }
    }

    /// A condition inside an expression; `place` is for the message.
    pub fn boolean(&mut self, expr: &ast::Expr, place: &str) -> Result<Expr> {
        let operand = self.bind(expr)?;
        match &operand.value {
            Value::Unknown(_) => self.settle(operand, SqlType::Boolean),
            Value::Known(known) if known.ty() == SqlType::Boolean => self.settle(operand, SqlType::Boolean),
            Value::Known(known) => Err(Refusal::new(
                operand.at,
                format!("a value of type {} in {place}", PgType::of(known.ty())),
                "a condition is boolean",
                "compare the value with another one",
            )),
        }
    }

    /// The operand as an expression; an open type becomes `open`.
    pub fn settle(&self, operand: Operand, open: SqlType) -> Result<Expr> {
        match operand.value {
            Value::Known(expr) => Ok(expr),
            Value::Unknown(text) => self.constant(text, open, operand.at),
        }
    }
}

/// The left operand of a test.
fn first_operand(expr: &ast::Expr) -> Option<&ast::Expr> {
    use ast::Expr as E;
    match expr {
        E::IsNull(operand) | E::IsNotNull(operand) | E::IsTrue(operand) | E::IsNotTrue(operand) => Some(operand),
        E::IsFalse(operand) | E::IsNotFalse(operand) | E::IsUnknown(operand) | E::IsNotUnknown(operand) => {
            Some(operand)
        }
        E::IsDistinctFrom(left, _) | E::IsNotDistinctFrom(left, _) => Some(left),
        E::Like { expr, .. } | E::ILike { expr, .. } | E::InList { expr, .. } | E::Between { expr, .. } => Some(expr),
        _ => None,
    }
}
