//! The clauses of a SELECT that views have; every other clause is refused here, by name.

use crate::{
    error::{At, Refusal, Result},
    from::From,
    standard::{QueryParts, REMOVE, SelectParts, refuse_if},
    tokens::Tokens,
};
use sqlparser::ast::{Distinct, Expr, Query, Select, SelectItem, SetExpr};

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

const ORDERLESS: &str = "a view is a table, whose rows have no order";

impl Clauses {
    pub fn of(query: &Query, tokens: &Tokens) -> Result<Clauses> {
        let at = |keyword: &str| tokens.keyword(keyword);
        let QueryParts { with, body, order_by, limit, fetch, locks } = QueryParts::of(query, tokens)?;
        refuse_if(
            with.is_some(),
            at("WITH"),
            "a common table expression (WITH)",
            "a view reads its sources directly in this version",
            "write the inner query as a view of its own with its rows in Postgres, or fold it into the SELECT",
        )?;
        let sort = "sort when reading the view: SELECT … FROM the view ORDER BY …";
        refuse_if(order_by.is_some(), at("ORDER"), "ORDER BY", ORDERLESS, sort)?;
        let fewer = "limit when reading the view: SELECT … FROM the view ORDER BY … LIMIT …";
        let limit_at = if limit.is_some() { first(tokens, &["LIMIT", "OFFSET"]) } else { at("FETCH") };
        refuse_if(limit.is_some() || fetch.is_some(), limit_at, "LIMIT or OFFSET", ORDERLESS, fewer)?;
        refuse_if(!locks.is_empty(), at("FOR"), "a locking clause (FOR …)", "a view locks nothing", REMOVE)?;
        match body {
            SetExpr::Select(select) => Clauses::of_select(select, tokens),
            SetExpr::Query(inner) => Clauses::of(inner, tokens),
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

    fn of_select(select: &Select, tokens: &Tokens) -> Result<Clauses> {
        let at = |keyword: &str| tokens.keyword(keyword);
        let SelectParts { distinct, projection, into, from, filter, groups, having, windows } =
            SelectParts::of(select, tokens)?;
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
        refuse_if(!windows.is_empty(), at("WINDOW"), "a WINDOW clause", "window functions need an order", window)?;
        let from = crate::from::from(from, tokens)?;
        Ok(Clauses {
            projection: projection.to_vec(),
            distinct,
            from,
            filter: filter.cloned(),
            groups: groups.to_vec(),
            having: having.cloned(),
        })
    }
}

/// The place of the first of several keywords that is there.
fn first(tokens: &Tokens, keywords: &[&str]) -> At {
    let start = tokens.start();
    keywords.iter().map(|keyword| tokens.keyword(keyword)).find(|at| *at != start).unwrap_or(start)
}
