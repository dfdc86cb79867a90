//! What a query computes, bound and checked: rows of a source, or groups of them.

use crate::{
    bind::{AGGREGATES, AggregateCall, Binder, Clause},
    clauses::Clauses,
    error::{At, Refusal, Result},
    rewrite::map_children,
    scope::{Scope, folded},
    select_list::{Item, Shows, items},
    tokens::Tokens,
};
use chrono_tz::Tz;
use millrace_contract::Expr;
use sqlparser::ast;

/// A grouped expression names the group expression `n` as the column `GROUPS + n`.
pub(crate) const GROUPS: usize = 1 << 41;

pub(crate) struct Analysis {
    pub filter: Option<Expr>,
    pub outputs: Vec<Output>,
    pub grouping: Option<Grouping>,
}

/// A column of the result: over the source's columns, or, with a grouping, over `GROUPS` and `AGGREGATES`.
pub(crate) struct Output {
    pub name: String,
    pub at: At,
    pub expr: Expr,
}

pub(crate) struct Grouping {
    /// Over the source's columns.
    pub groups: Vec<Expr>,
    pub aggregates: Vec<AggregateCall>,
    /// Over `GROUPS` and `AGGREGATES`, and where it stands.
    pub having: Option<(Expr, At)>,
}

/// A bound expression with the columns that it names outside aggregates.
struct Bound {
    expr: Expr,
    references: Vec<(usize, At)>,
}

pub(crate) fn analyse(clauses: Clauses, scope: &Scope<'_>, tokens: &Tokens, zone: Tz) -> Result<Analysis> {
    let Clauses { projection, distinct, from: _, filter, groups, having } = clauses;
    let mut binder = Binder::new(scope, tokens, zone);
    let items = items(projection, scope, tokens)?;
    let filter = filter.as_ref().map(|filter| binder.condition(filter, Clause::Where)).transpose()?;
    let mut shown = Vec::new();
    for item in &items {
        shown.push(match &item.shows {
            Shows::Expression(expr) => bound(&mut binder, |binder| binder.expression(expr, Clause::SelectList))?,
            Shows::Column(index) => Bound { expr: scope.reference(*index), references: vec![(*index, item.at)] },
        });
    }
    let mut keys: Vec<Expr> = Vec::new();
    for group in flat(&groups) {
        let key = group_key(group, &items, &shown, &mut binder)?;
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let having_at = having.as_ref().map(|having| binder.at(having));
    let having = having
        .as_ref()
        .map(|having| bound(&mut binder, |binder| binder.condition(having, Clause::Having)))
        .transpose()?;
    let is_grouped = !groups.is_empty() || having.is_some() || !binder.aggregates.is_empty();
    let aggregates = std::mem::take(&mut binder.aggregates);
    if distinct && is_grouped {
        return Err(Refusal::new(
            tokens.keyword("DISTINCT"),
            "SELECT DISTINCT beside groups",
            "groups are different rows as a rule",
            "leave DISTINCT out, or group by what makes the rows different",
        ));
    }
    if distinct {
        // The same rows, each once, are groups without aggregates.
        shown.iter().for_each(|bound| {
            if !keys.contains(&bound.expr) {
                keys.push(bound.expr.clone());
            }
        });
    }
    let is_grouped = is_grouped || distinct;
    let mut outputs = Vec::new();
    for (item, bound) in items.into_iter().zip(shown) {
        let expr = if is_grouped { regroup(bound, &keys, scope)? } else { bound.expr };
        outputs.push(Output { name: item.name, at: item.at, expr });
    }
    let grouping = if is_grouped {
        let having = match (having, having_at) {
            (Some(having), Some(at)) => Some((regroup(having, &keys, scope)?, at)),
            _ => None,
        };
        Some(Grouping { groups: keys, aggregates, having })
    } else {
        None
    };
    Ok(Analysis { filter, outputs, grouping })
}

fn bound<'a>(binder: &mut Binder<'a>, bind: impl FnOnce(&mut Binder<'a>) -> Result<Expr>) -> Result<Bound> {
    binder.references.clear();
    let expr = bind(binder)?;
    Ok(Bound { expr, references: std::mem::take(&mut binder.references) })
}

/// `GROUP BY (a, b)` is `GROUP BY a, b`.
fn flat(groups: &[ast::Expr]) -> Vec<&ast::Expr> {
    let mut listed = Vec::new();
    for group in groups {
        match group {
            ast::Expr::Tuple(parts) => listed.extend(flat(parts)),
            ast::Expr::Nested(inner) => listed.extend(flat(std::slice::from_ref(inner))),
            other => listed.push(other),
        }
    }
    listed
}

/// What one entry of GROUP BY means: a source's column, the position or the name of a column of the select list, or
/// an expression.
fn group_key(group: &ast::Expr, items: &[Item], shown: &[Bound], binder: &mut Binder<'_>) -> Result<Expr> {
    let at = binder.at(group);
    let output = |index: usize| {
        let mut columns = std::collections::BTreeSet::new();
        shown[index].expr.collect_columns(&mut columns);
        if columns.iter().any(|column| *column >= AGGREGATES) {
            return Err(Refusal::new(
                at,
                format!("the aggregate {} in GROUP BY", items[index].name),
                "groups are made before aggregates",
                "group by columns of the source",
            ));
        }
        Ok(shown[index].expr.clone())
    };
    match group {
        ast::Expr::Identifier(name) if binder.scope.column(name).is_err() => {
            let wanted = folded(name);
            match items.iter().position(|item| item.name == wanted) {
                Some(index) => output(index),
                None => binder.expression(group, Clause::GroupBy),
            }
        }
        ast::Expr::Value(ast::ValueWithSpan { value, .. }) => {
            let position = match value {
                ast::Value::Number(digits, _) => digits.parse::<usize>().ok(),
                _ => None,
            };
            match position {
                Some(position) if (1..=items.len()).contains(&position) => output(position - 1),
                Some(position) => Err(Refusal::new(
                    at,
                    format!("the position {position} in GROUP BY"),
                    format!("the select list has {} columns", items.len()),
                    "write a column's name",
                )),
                None => Err(Refusal::new(
                    at,
                    format!("the constant {value} in GROUP BY"),
                    "a constant there is a position of the select list",
                    "write a column's name, or leave it out",
                )),
            }
        }
        _ => binder.expression(group, Clause::GroupBy),
    }
}

/// The expression over its groups and aggregates; a column that is neither has no one value per group.
fn regroup(bound: Bound, groups: &[Expr], scope: &Scope<'_>) -> Result<Expr> {
    let Bound { expr, references } = bound;
    replace_groups(expr, groups).map_err(|column| {
        let name = scope.name(column);
        let at = references.iter().find(|(index, _)| *index == column).map(|(_, at)| *at).unwrap_or_default();
        Refusal::new(
            at,
            format!("the column {name:?} beside groups"),
            "a column must appear in the GROUP BY clause or be used in an aggregate function",
            format!("add {name} to GROUP BY, or write min({name}) or max({name})"),
        )
    })
}

/// The error is the column that stands alone.
fn replace_groups(expr: Expr, groups: &[Expr]) -> std::result::Result<Expr, usize> {
    if let Some(index) = groups.iter().position(|group| *group == expr) {
        return Ok(Expr::Column { index: GROUPS + index, ty: expr.ty() });
    }
    match expr {
        Expr::Column { index, .. } if index < AGGREGATES => Err(index),
        other => map_children(other, &mut |part| replace_groups(part, groups)),
    }
}
