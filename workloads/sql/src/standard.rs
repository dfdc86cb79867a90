//! The parts of a query that Postgres has. Those of other databases, which the parser knows too, are refused here, for
//! views and for assertions alike.

use crate::{
    error::{At, Refusal, Result},
    tokens::Tokens,
};
use sqlparser::ast::{
    Distinct, Expr, Fetch, GroupByExpr, Ident, LimitClause, LockClause, NamedWindowDefinition, ObjectName, OrderBy,
    Query, Select, SelectFlavor, SelectInto, SelectItem, SetExpr, TableWithJoins, With,
};

pub(crate) const FOREIGN: &str = "a clause of another database";
pub(crate) const NO_POSTGRES: &str = "Postgres has no such clause";
pub(crate) const REMOVE: &str = "remove the clause";

/// Refuses what is there, with a way round.
pub(crate) fn refuse_if(is_there: bool, at: At, found: &str, expected: &str, advice: &str) -> Result<()> {
    if is_there { Err(Refusal::new(at, found, expected, advice)) } else { Ok(()) }
}

/// The one part of a name without a schema.
pub(crate) fn alone(name: &ObjectName) -> Option<&Ident> {
    match &name.0[..] {
        [part] => part.as_ident(),
        _ => None,
    }
}

/// A query: what stands around its SELECTs.
pub(crate) struct QueryParts<'a> {
    pub with: Option<&'a With>,
    pub body: &'a SetExpr,
    pub order_by: Option<&'a OrderBy>,
    pub limit: Option<&'a LimitClause>,
    pub fetch: Option<&'a Fetch>,
    pub locks: &'a [LockClause],
}

impl<'a> QueryParts<'a> {
    pub fn of(query: &'a Query, tokens: &Tokens) -> Result<QueryParts<'a>> {
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
        let foreign =
            for_clause.is_some() || settings.is_some() || format_clause.is_some() || !pipe_operators.is_empty();
        refuse_if(foreign, tokens.start(), FOREIGN, NO_POSTGRES, REMOVE)?;
        Ok(QueryParts {
            with: with.as_ref(),
            body,
            order_by: order_by.as_ref(),
            limit: limit_clause.as_ref(),
            fetch: fetch.as_ref(),
            locks,
        })
    }
}

/// One SELECT.
pub(crate) struct SelectParts<'a> {
    pub distinct: Option<&'a Distinct>,
    pub projection: &'a [SelectItem],
    pub into: Option<&'a SelectInto>,
    pub from: &'a [TableWithJoins],
    pub filter: Option<&'a Expr>,
    pub groups: &'a [Expr],
    pub having: Option<&'a Expr>,
    pub windows: &'a [NamedWindowDefinition],
}

impl<'a> SelectParts<'a> {
    pub fn of(select: &'a Select, tokens: &Tokens) -> Result<SelectParts<'a>> {
        let Select {
            select_token: _,
            // A comment that looks like an optimiser's hint is a comment to Postgres.
            optimizer_hints: _,
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
            || *flavor != SelectFlavor::Standard;
        refuse_if(foreign, tokens.start(), FOREIGN, NO_POSTGRES, REMOVE)?;
        Ok(SelectParts {
            distinct: distinct.as_ref(),
            projection,
            into: into.as_ref(),
            from,
            filter: selection.as_ref(),
            groups: groups(group_by, tokens)?,
            having: having.as_ref(),
            windows: named_window,
        })
    }
}

fn groups<'a>(groups: &'a GroupByExpr, tokens: &Tokens) -> Result<&'a [Expr]> {
    match groups {
        GroupByExpr::Expressions(expressions, modifiers) if modifiers.is_empty() => Ok(expressions),
        GroupByExpr::Expressions(..) | GroupByExpr::All(_) => Err(Refusal::new(
            tokens.keyword("GROUP"),
            "GROUP BY with a modifier",
            "groups are made by a list of expressions",
            "list the expressions",
        )),
    }
}
