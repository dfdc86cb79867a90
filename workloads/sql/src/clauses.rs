//! The clauses of a SELECT that views have; every other clause is refused here, by name.

use crate::{
    error::{At, Refusal, Result},
    from::From,
    tokens::Tokens,
};
use sqlparser::ast::{Distinct, Expr, GroupByExpr, Query, Select, SelectFlavor, SelectItem, SetExpr};

/// What is left of a query when everything else is refused.
pub(crate) struct Clauses {
    pub projection: Vec<SelectItem>,
    /// The rows of the result are told apart, and each is there once.
    pub distinct: bool,
    pub from: From,
    pub filter: Option<Expr>,
    pub groups: Vec<Expr>,
    pub having: Option<Expr>,
}

/// Refuses what is there, with a way round.
pub(crate) fn refuse_if(is_there: bool, at: At, found: &str, expected: &str, advice: &str) -> Result<()> {
    if is_there { Err(Refusal::new(at, found, expected, advice)) } else { Ok(()) }
}

const ORDERLESS: &str = "a view is a table, whose rows have no order";
pub(crate) const NO_POSTGRES: &str = "Postgres has no such clause";
pub(crate) const REMOVE: &str = "remove the clause";

impl Clauses {
    pub fn of(query: Query, tokens: &Tokens) -> Result<Clauses> {
        let at = |keyword: &str| tokens.keyword(keyword);
        let Query {
            with,
            body,
            order_by,
            limit_clause,
            fetch,
            locks,
            for_clause,
            settings,
            format_clause,
            pipe_operators,
        } = query;
        refuse_if(
            with.is_some(),
            at("WITH"),
            "a common table expression (WITH)",
            "a view reads its sources directly in this version",
            "write the inner query as a view of its own with its rows in Postgres, or fold it into the SELECT",
        )?;
        let sort = "sort when reading the view: SELECT … FROM the view ORDER BY …";
        refuse_if(order_by.is_some(), at("ORDER"), "ORDER BY", ORDERLESS, sort)?;
        let limit = "limit when reading the view: SELECT … FROM the view ORDER BY … LIMIT …";
        let limit_at = if limit_clause.is_some() { first(tokens, &["LIMIT", "OFFSET"]) } else { at("FETCH") };
        refuse_if(limit_clause.is_some() || fetch.is_some(), limit_at, "LIMIT or OFFSET", ORDERLESS, limit)?;
        refuse_if(!locks.is_empty(), at("FOR"), "a locking clause (FOR …)", "a view locks nothing", REMOVE)?;
        let foreign =
            for_clause.is_some() || settings.is_some() || format_clause.is_some() || !pipe_operators.is_empty();
        refuse_if(foreign, tokens.start(), "a clause of another database", NO_POSTGRES, REMOVE)?;
        match *body {
            SetExpr::Select(select) => Clauses::of_select(*select, tokens),
            SetExpr::Query(inner) => Clauses::of(*inner, tokens),
            SetExpr::SetOperation { op, .. } => Err(Refusal::new(
                at(&op.to_string()),
                op.to_string(),
                "a view reads one SELECT in this version",
                "write one view per SELECT, and combine them when reading",
            )),
            SetExpr::Values(_) => Err(Refusal::new(
                at("VALUES"),
                "VALUES",
                "a view reads a source",
                "write SELECT … FROM a source of the view",
            )),
            SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) | SetExpr::Table(_) => {
                Err(Refusal::new(
                    tokens.start(),
                    "a statement that is no SELECT",
                    "a view is one SELECT",
                    "write SELECT … FROM a source of the view",
                ))
            }
        }
    }

    fn of_select(select: Select, tokens: &Tokens) -> Result<Clauses> {
        let at = |keyword: &str| tokens.keyword(keyword);
        let Select {
            select_token: _,
            optimizer_hints,
            distinct,
            select_modifiers,
            top,
            top_before_distinct: _,
            projection,
            exclude,
            into,
            from,
            lateral_views,
            prewhere,
            selection,
            connect_by,
            group_by,
            cluster_by,
            distribute_by,
            sort_by,
            having,
            named_window,
            qualify,
            window_before_qualify: _,
            value_table_mode,
            flavor,
        } = select;
        let distinct = match distinct {
            None | Some(Distinct::All) => false,
            Some(Distinct::Distinct) => true,
            Some(Distinct::On(_)) => {
                return Err(Refusal::new(
                    at("DISTINCT"),
                    "SELECT DISTINCT ON",
                    "a view cannot keep the first row of an order in this version",
                    "declare the source as a Table with that key: it holds the newest record per key",
                ));
            }
        };
        refuse_if(into.is_some(), at("INTO"), "SELECT INTO", "spec.target names the table", REMOVE)?;
        let window = "compute it when reading the view";
        refuse_if(!named_window.is_empty(), at("WINDOW"), "a WINDOW clause", "window functions need an order", window)?;
        let foreign = top.is_some()
            || exclude.is_some()
            || !lateral_views.is_empty()
            || prewhere.is_some()
            || !connect_by.is_empty()
            || !cluster_by.is_empty()
            || !distribute_by.is_empty()
            || !sort_by.is_empty()
            || qualify.is_some()
            || value_table_mode.is_some()
            || select_modifiers.is_some()
            || flavor != SelectFlavor::Standard;
        refuse_if(foreign, tokens.start(), "a clause of another database", NO_POSTGRES, REMOVE)?;
        // A comment that looks like an optimiser's hint is a comment to Postgres.
        drop(optimizer_hints);
        let from = crate::from::from(from, tokens)?;
        Ok(Clauses { projection, distinct, from, filter: selection, groups: groups(group_by, tokens)?, having })
    }
}

/// The place of the first of several keywords that is there.
fn first(tokens: &Tokens, keywords: &[&str]) -> At {
    let start = tokens.start();
    keywords.iter().map(|keyword| tokens.keyword(keyword)).find(|at| *at != start).unwrap_or(start)
}

fn groups(group_by: GroupByExpr, tokens: &Tokens) -> Result<Vec<Expr>> {
    let at = tokens.keyword("GROUP");
    match group_by {
        GroupByExpr::Expressions(expressions, modifiers) if modifiers.is_empty() => Ok(expressions),
        GroupByExpr::Expressions(..) | GroupByExpr::All(_) => Err(Refusal::new(
            at,
            "GROUP BY with a modifier",
            "a view groups by a list of expressions",
            "list the expressions",
        )),
    }
}
