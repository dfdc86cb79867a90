//! Which expressions mean the same to every reader of a view, and how the others become groups.

use crate::{
    analysis::GROUPS,
    bind::AGGREGATES,
    postgres::{CastContext, Coercion, PgType, Volatility, catalogue, coercion},
    rewrite::{map_children, map_columns},
};
use millrace_contract::{Expr, SqlType};
use millrace_dataflow::function::{Function, Sql, function};
use std::{collections::BTreeSet, convert::Infallible};

/// Functions whose result depends on the collation of the reader's database.
const BY_COLLATION: [&str; 12] = [
    "lower",
    "upper",
    "initcap",
    "~",
    "!~",
    "~*",
    "!~*",
    "~~*",
    "!~~*",
    "regexp_replace",
    "regexp_like",
    "regexp_count",
];

/// Replaces what would depend on the reader's settings by a group of its own, computed by the workers, where it is
/// computed from groups only. Otherwise the name of the function that stands in the way.
pub(crate) fn make_readable(expr: &mut Expr, groups: &mut Vec<Expr>, has_groups: bool) -> Result<(), String> {
    if let Some(found) = unreadable(expr) {
        if has_groups && depends_on_groups_only(expr, groups) {
            let Ok(over_source) =
                map_columns(expr.clone(), &mut |index, _| Ok::<_, Infallible>(groups[index - GROUPS].clone()));
            let known = groups.iter().position(|group| *group == over_source);
            let index = known.unwrap_or_else(|| {
                groups.push(over_source);
                groups.len() - 1
            });
            *expr = Expr::Column { index: GROUPS + index, ty: expr.ty() };
            return Ok(());
        }
        if unreadable_itself(expr).is_some() {
            return Err(found);
        }
    }
    let old = std::mem::replace(expr, Expr::And(Vec::new()));
    *expr = map_children(old, &mut |mut part| make_readable(&mut part, groups, has_groups).map(|()| part))?;
    Ok(())
}

/// Equal groups must give equal results: of types with several forms of one value (1.0 and 1.00) they may not.
fn depends_on_groups_only(expr: &Expr, groups: &[Expr]) -> bool {
    let mut columns = BTreeSet::new();
    expr.collect_columns(&mut columns);
    columns.iter().all(|index| {
        *index >= GROUPS
            && !matches!(
                groups[index - GROUPS].ty(),
                SqlType::Numeric | SqlType::Real | SqlType::DoublePrecision | SqlType::Jsonb
            )
    })
}

/// The first function anywhere in the expression whose result depends on the reader.
fn unreadable(expr: &Expr) -> Option<String> {
    unreadable_itself(expr).or_else(|| expr.children().into_iter().find_map(unreadable))
}

fn unreadable_itself(expr: &Expr) -> Option<String> {
    let Expr::Call { function: name, .. } = expr else { return None };
    let function = function(name)?;
    (!is_readable(function)).then(|| match function.sql {
        Sql::Operator(name) | Sql::Prefix(name) | Sql::Function(name) => name.to_owned(),
        Sql::Cast(_) => format!("a cast from {} to {}", function.arguments[0], function.returns),
    })
}

fn is_readable(function: &Function) -> bool {
    let types: Vec<PgType> = function.arguments.iter().map(|ty| PgType::of(*ty)).collect();
    let immutable = |overloads: Vec<Volatility>| {
        !overloads.is_empty() && overloads.iter().all(|volatility| *volatility == Volatility::Immutable)
    };
    match function.sql {
        Sql::Operator(name) | Sql::Prefix(name) => {
            let exact = catalogue().operators(name, types.len()).into_iter().filter(|found| found.arguments == types);
            !BY_COLLATION.contains(&name) && immutable(exact.map(|found| found.volatility).collect())
        }
        Sql::Function("greatest" | "least" | "nullif") => true,
        Sql::Function(name) => {
            let overloads = catalogue().functions(name).iter();
            let exact = overloads.filter(|found| found.arguments == types && found.variadic.is_none());
            let is_pattern = name == "substring" && function.arguments.get(1) == Some(&SqlType::Text);
            !is_pattern && !BY_COLLATION.contains(&name) && immutable(exact.map(|found| found.volatility).collect())
        }
        Sql::Cast(_) => {
            let (from, to) = (function.arguments[0], function.returns);
            // The printer writes the view's time zone into these.
            let with_zone = matches!(
                (from, to),
                (SqlType::TimestampTz, SqlType::Date | SqlType::Time | SqlType::Timestamp)
                    | (SqlType::Date | SqlType::Timestamp, SqlType::TimestampTz)
            );
            match coercion(PgType::of(from), PgType::of(to), CastContext::Explicit) {
                Some(Coercion::None) => true,
                Some(Coercion::Cast(volatility) | Coercion::Text(volatility)) => {
                    with_zone || volatility == Volatility::Immutable
                }
                None => false,
            }
        }
    }
}

const _: () = assert!(AGGREGATES < GROUPS);
