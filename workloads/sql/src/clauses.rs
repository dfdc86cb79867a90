//! The clauses of a SELECT that views have; every other clause is refused here, by name.

use crate::{
    error::{At, Refusal, Result},
    standard::{QueryParts, REMOVE, SelectParts, alone, refuse_if},
    tokens::Tokens,
};
use sqlparser::ast::{
    Distinct, Expr, Ident, ObjectName, Query, Select, SelectItem, SetExpr, TableAlias, TableFactor, TableWithJoins,
};

/// What is left of a query when everything else is refused.
pub(crate) struct Clauses {
    pub projection: Vec<SelectItem>,
    pub source: Ident,
    pub alias: Option<Ident>,
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
            "a view reads one source directly in this version",
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
        match distinct {
            None | Some(Distinct::All) => {}
            Some(Distinct::Distinct) => {
                return Err(Refusal::new(
                    at("DISTINCT"),
                    "SELECT DISTINCT",
                    "a view keeps groups, not distinct rows, in this version",
                    "write GROUP BY with all the columns: the same rows, each once",
                ));
            }
            Some(Distinct::On(_)) => {
                return Err(Refusal::new(
                    at("DISTINCT"),
                    "SELECT DISTINCT ON",
                    "a view cannot keep the first row of an order in this version",
                    "declare the source as a Table with that key: it holds the newest record per key",
                ));
            }
        }
        refuse_if(into.is_some(), at("INTO"), "SELECT INTO", "spec.target names the table", REMOVE)?;
        let window = "compute it when reading the view";
        refuse_if(!windows.is_empty(), at("WINDOW"), "a WINDOW clause", "window functions need an order", window)?;
        let (source, alias) = relation(from, tokens)?;
        refuse_if(
            projection.is_empty(),
            at("SELECT"),
            "an empty select list",
            "a view has at least one column",
            "name the columns after SELECT",
        )?;
        Ok(Clauses {
            projection: projection.to_vec(),
            source,
            alias,
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

const ONE_SOURCE: &str = "a view reads one source in this version";

fn relation(from: &[TableWithJoins], tokens: &Tokens) -> Result<(Ident, Option<Ident>)> {
    let mut from = from.iter();
    let Some(TableWithJoins { relation, joins }) = from.next() else {
        return Err(Refusal::new(
            tokens.start(),
            "a SELECT without FROM",
            "a view reads a source",
            "write FROM and the name of a source of the view",
        ));
    };
    let apart = "write one view per source and join the views when reading";
    if !joins.is_empty() {
        return Err(Refusal::new(tokens.keyword("JOIN"), "a join", ONE_SOURCE, apart));
    }
    if let Some(second) = from.next() {
        let place = sqlparser::ast::Spanned::span(&second.relation).start.into();
        return Err(Refusal::new(place, "a second source in FROM (a join)", ONE_SOURCE, apart));
    }
    let place: At = sqlparser::ast::Spanned::span(relation).start.into();
    let from_at = tokens.keyword("FROM");
    match relation {
        TableFactor::Table {
            name,
            alias,
            args,
            with_hints,
            version,
            with_ordinality,
            partitions,
            json_path,
            sample,
            index_hints,
        } => {
            let odd = args.is_some()
                || !with_hints.is_empty()
                || version.is_some()
                || *with_ordinality
                || !partitions.is_empty()
                || json_path.is_some()
                || sample.is_some()
                || !index_hints.is_empty();
            let advice = "write FROM and the bare name of a source of the view";
            refuse_if(odd, place, "a table with arguments or options", "a source stands alone in FROM", advice)?;
            Ok((source_name(name, place)?, alias.as_ref().map(|alias| alias_name(alias, place)).transpose()?))
        }
        TableFactor::Derived { .. } => Err(Refusal::new(
            from_at,
            "a subquery in FROM",
            "a view reads one source directly in this version",
            "fold the inner SELECT into the outer one, or make it a view of its own",
        )),
        TableFactor::NestedJoin { .. } => Err(Refusal::new(from_at, "a join", ONE_SOURCE, apart)),
        TableFactor::TableFunction { .. }
        | TableFactor::Function { .. }
        | TableFactor::UNNEST { .. }
        | TableFactor::JsonTable { .. }
        | TableFactor::OpenJsonTable { .. }
        | TableFactor::Pivot { .. }
        | TableFactor::Unpivot { .. }
        | TableFactor::UnpivotExpr { .. }
        | TableFactor::MatchRecognize { .. }
        | TableFactor::XmlTable { .. }
        | TableFactor::SemanticView { .. } => Err(Refusal::new(
            from_at,
            "a function in FROM",
            ONE_SOURCE,
            "write FROM and the name of a source of the view",
        )),
    }
}

fn source_name(name: &ObjectName, place: At) -> Result<Ident> {
    alone(name).cloned().ok_or_else(|| {
        Refusal::new(
            place,
            "a qualified table name",
            "a source has a name of one part",
            "write the name that spec.sources gives it",
        )
    })
}

fn alias_name(alias: &TableAlias, place: At) -> Result<Ident> {
    let TableAlias { explicit: _, name, columns, at } = alias;
    let renamed = !columns.is_empty() || at.is_some();
    let advice = "write FROM source AS alias, and rename columns in the select list";
    refuse_if(renamed, place, "column names behind the table alias", "a source keeps its column names", advice)?;
    Ok(name.clone())
}
