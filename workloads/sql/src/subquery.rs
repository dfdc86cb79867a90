//! Conditions that ask whether another query has rows, EXISTS and IN: joins that show the rows of one side alone.

use crate::{
    bind::{Binder, Clause},
    clauses::Clauses,
    error::{At, Refusal, Result},
    relation::{Relation, conjuncts, relation},
    scope::Scope,
    tokens::Tokens,
    view_query::SourceDecl,
};
use chrono_tz::Tz;
use millrace_contract::{SqlType, node::JoinKind};
use sqlparser::ast::{BinaryOperator, Expr, Query, SelectItem};

/// What a query is compiled with.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub sources: &'a [SourceDecl],
    pub tokens: &'a Tokens,
    pub zone: Tz,
}

/// One such condition.
pub(crate) struct Asked {
    query: Box<Query>,
    negated: bool,
    /// What is to be IN the query's column.
    member: Option<Box<Expr>>,
    at: At,
}

/// Takes the conditions that stand between the ANDs of a WHERE out of it.
pub(crate) fn split(filter: Option<Expr>, tokens: &Tokens) -> (Option<Expr>, Vec<Asked>) {
    let mut asked = Vec::new();
    let rest = filter.and_then(|filter| rest(filter, tokens, &mut asked));
    (rest, asked)
}

fn rest(filter: Expr, tokens: &Tokens, asked: &mut Vec<Asked>) -> Option<Expr> {
    let at = tokens.place(&filter);
    match filter {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            match (rest(*left, tokens, asked), rest(*right, tokens, asked)) {
                (Some(left), Some(right)) => {
                    Some(Expr::BinaryOp { left: Box::new(left), op: BinaryOperator::And, right: Box::new(right) })
                }
                (left, right) => left.or(right),
            }
        }
        Expr::Nested(inner) if is_asked(&inner) => rest(*inner, tokens, asked),
        Expr::Exists { subquery, negated } => {
            asked.push(Asked { query: subquery, negated, member: None, at });
            None
        }
        Expr::InSubquery { expr, subquery, negated } => {
            asked.push(Asked { query: subquery, negated, member: Some(expr), at });
            None
        }
        other => Some(other),
    }
}

fn is_asked(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_asked(inner),
        other => matches!(other, Expr::Exists { .. } | Expr::InSubquery { .. }),
    }
}

/// The rows of `left` for which the condition is true.
pub(crate) fn asked<'a>(
    left: Relation,
    asked: Asked,
    scope: &mut Scope<'a>,
    surroundings: Surroundings<'a>,
) -> Result<Relation> {
    let Surroundings { sources, tokens, zone } = surroundings;
    let Asked { query, negated, member, at } = asked;
    if negated && member.is_some() {
        return Err(Refusal::new(
            at,
            "NOT IN with a subquery",
            "it is null for every row as soon as the subquery has one null",
            "write NOT EXISTS (SELECT … WHERE inner.column = outer.column)",
        ));
    }
    let Clauses { projection, distinct: _, from, filter, groups, having } = Clauses::of(&query, tokens)?;
    if !groups.is_empty() || having.is_some() {
        return Err(Refusal::new(
            at,
            "a subquery with groups",
            "a condition asks for rows of sources in this version",
            "ask for the rows that the groups are made of",
        ));
    }
    let member = member.map(|member| operand(&member, scope, surroundings)).transpose()?;
    let first = scope.enter(sources, &from)?;
    scope.append_only = false;
    let mut right = relation(&from, first, &mut Binder::new(scope, tokens, zone))?;
    let (filter, inner) = split(filter, tokens);
    for inner in inner {
        right = self::asked(right, inner, scope, surroundings)?;
    }
    let mut binder = Binder::new(scope, tokens, zone);
    let mut on = match &filter {
        Some(filter) => conjuncts(binder.condition(filter, Clause::Where)?),
        None => Vec::new(),
    };
    if let Some(member) = member {
        let [SelectItem::UnnamedExpr(column) | SelectItem::ExprWithAlias { expr: column, .. }] = &projection[..] else {
            return Err(columns(at));
        };
        binder.clause = Clause::Where;
        let column = binder.bind(column)?;
        let equal = binder.operator("=", vec![member, column], at)?;
        on.push(binder.settle(equal, SqlType::Boolean)?);
    }
    scope.leave();
    let kind = if negated { JoinKind::Anti } else { JoinKind::Semi };
    Ok(Relation::join(kind, left, right, on, at))
}

fn operand(expr: &Expr, scope: &Scope<'_>, surroundings: Surroundings<'_>) -> Result<crate::operand::Operand> {
    let mut binder = Binder::new(scope, surroundings.tokens, surroundings.zone);
    binder.clause = Clause::Where;
    binder.bind(expr)
}

fn columns(at: At) -> Refusal {
    Refusal::new(
        at,
        "IN a query without exactly one column",
        "it is compared with one",
        "name one column in the subquery",
    )
}
