//! The select list: what it shows, and under which names.

use crate::{
    column_name::column_name,
    error::{At, Refusal, Result},
    scope::{self, Scope, folded},
    tokens::Tokens,
};
use sqlparser::ast::{self, SelectItem, SelectItemQualifiedWildcardKind, WildcardAdditionalOptions};
use std::collections::HashSet;

const MOST_COLUMNS: usize = 100;
/// Postgres cuts longer names.
const LONGEST_NAME: usize = 63;

/// One column of the result.
pub(crate) struct Item {
    pub name: String,
    pub at: At,
    pub shows: Shows,
}

pub(crate) enum Shows {
    Expression(Box<ast::Expr>),
    /// A column that `*` stands for.
    Column(usize),
}

/// The result's columns: `*` written out, every name settled and fit for a table.
pub(crate) fn items(projection: Vec<SelectItem>, scope: &Scope<'_>, tokens: &Tokens) -> Result<Vec<Item>> {
    if projection.is_empty() {
        return Err(Refusal::new(
            tokens.keyword("SELECT"),
            "an empty select list",
            "a view has at least one column",
            "name the columns after SELECT",
        ));
    }
    let mut items = Vec::new();
    for item in projection {
        let at = tokens.place(&item);
        match item {
            SelectItem::UnnamedExpr(expr) => {
                let Some(name) = column_name(&expr) else {
                    return Err(Refusal::new(
                        at,
                        "an expression without a name",
                        "every column of a view has one",
                        "write AS and a name behind it",
                    ));
                };
                items.push(Item { name, at, shows: Shows::Expression(Box::new(expr)) });
            }
            SelectItem::ExprWithAlias { alias, .. } if alias.quote_style == Some('\'') => {
                return Err(Refusal::new(
                    at,
                    format!("the string '{}' behind an expression", alias.value),
                    "a name stands in double quotes, and strings side by side are not joined",
                    "write AS \"name\", or || between strings",
                ));
            }
            SelectItem::ExprWithAlias { expr, alias } => {
                items.push(Item {
                    name: folded(&alias),
                    at: scope::at(&alias),
                    shows: Shows::Expression(Box::new(expr)),
                });
            }
            SelectItem::Wildcard(options) => {
                check_star(&options, at)?;
                items.extend(star(scope, scope.columns(), at));
            }
            SelectItem::QualifiedWildcard(kind, options) => {
                check_star(&options, at)?;
                let name = match &kind {
                    SelectItemQualifiedWildcardKind::ObjectName(name) => match &name.0[..] {
                        [part] => part.as_ident(),
                        _ => None,
                    },
                    SelectItemQualifiedWildcardKind::Expr(_) => None,
                };
                let Some(name) = name else {
                    return Err(Refusal::new(
                        at,
                        "* behind an expression",
                        "* stands for a source",
                        "name the columns",
                    ));
                };
                items.extend(star(scope, scope.relation(name)?.columns(), at));
            }
            SelectItem::ExprWithAliases { .. } => {
                return Err(Refusal::new(
                    at,
                    "several names for one column",
                    "a column has one",
                    "write AS and a name",
                ));
            }
        }
    }
    check(&items)?;
    Ok(items)
}

pub(crate) fn check_star(options: &WildcardAdditionalOptions, at: At) -> Result<()> {
    let WildcardAdditionalOptions {
        wildcard_token: _,
        opt_ilike,
        opt_exclude,
        opt_except,
        opt_replace,
        opt_rename,
        opt_alias,
    } = options;
    let plain = opt_ilike.is_none()
        && opt_exclude.is_none()
        && opt_except.is_none()
        && opt_replace.is_none()
        && opt_rename.is_none()
        && opt_alias.is_none();
    if plain { Ok(()) } else { Err(Refusal::new(at, "* with options", "Postgres has a bare *", "name the columns")) }
}

fn star(scope: &Scope<'_>, columns: impl Iterator<Item = usize>, at: At) -> Vec<Item> {
    columns.map(|column| Item { name: scope.name(column).to_owned(), at, shows: Shows::Column(column) }).collect()
}

fn check(items: &[Item]) -> Result<()> {
    if let Some(item) = items.get(MOST_COLUMNS) {
        return Err(Refusal::new(
            item.at,
            format!("{} columns", items.len()),
            format!("a view has at most {MOST_COLUMNS}"),
            "split the view into several with the same key",
        ));
    }
    let mut seen = HashSet::new();
    for Item { name, at, shows: _ } in items {
        let refuse = |expected: &str, advice: &str| {
            Err(Refusal::new(*at, format!("the column name {name:?}"), expected, advice))
        };
        if name.starts_with('_') {
            return refuse("names that begin with an underscore are Millrace's own", "write AS and another name");
        }
        if name.len() > LONGEST_NAME {
            return refuse("Postgres keeps 63 bytes of a name", "write AS and a shorter name");
        }
        if name.is_empty() || name.contains('\0') {
            return refuse("Postgres has no such name", "write AS and another name");
        }
        if !seen.insert(name.as_str()) {
            return refuse("a view has every name once, and this one is there twice", "write AS and another name");
        }
    }
    Ok(())
}
