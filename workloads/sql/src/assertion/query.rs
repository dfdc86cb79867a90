//! The queries of an assertion: WITH, set operations, order and limit around SELECTs.

use super::printer::Printer;
use crate::{
    error::{Refusal, Result},
    scope::{self, folded},
    standard::{FOREIGN, NO_POSTGRES, QueryParts, REMOVE, refuse_if},
};
use sqlparser::ast::{
    Cte, CteAsMaterialized, LimitClause, Offset, OrderBy, OrderByExpr, OrderByKind, OrderByOptions, OrderBySort, Query,
    SetExpr, SetOperator, SetQuantifier, With,
};

impl Printer<'_> {
    pub fn query(&mut self, query: &Query) -> Result<()> {
        let QueryParts { with, body, order_by, limit, fetch, locks } = QueryParts::of(query, self.tokens)?;
        let at = |keyword: &str| self.tokens.keyword(keyword);
        refuse_if(!locks.is_empty(), at("FOR"), "a locking clause (FOR …)", "an assertion locks nothing", REMOVE)?;
        refuse_if(fetch.is_some(), at("FETCH"), "FETCH", "an assertion has LIMIT for that", "write LIMIT")?;
        let known = self.named.len();
        if let Some(with) = with {
            self.with(with)?;
        }
        self.set(body)?;
        if let Some(order_by) = order_by {
            self.order(order_by)?;
        }
        if let Some(limit) = limit {
            self.limit(limit)?;
        }
        self.named.truncate(known);
        Ok(())
    }

    fn with(&mut self, with: &With) -> Result<()> {
        let With { with_token: _, recursive, cte_tables } = with;
        let recursive_at = self.tokens.keyword("RECURSIVE");
        let advice = "write a SELECT over the rows themselves";
        refuse_if(*recursive, recursive_at, "WITH RECURSIVE", "an assertion does not recurse", advice)?;
        self.write("WITH ");
        for (position, cte) in cte_tables.iter().enumerate() {
            let Cte { alias, query, from, materialized, closing_paren_token: _ } = cte;
            refuse_if(from.is_some(), scope::at(&alias.name), FOREIGN, NO_POSTGRES, REMOVE)?;
            if position > 0 {
                self.write(", ");
            }
            self.alias(alias)?;
            self.write(match materialized {
                None => " AS ",
                Some(CteAsMaterialized::Materialized) => " AS MATERIALIZED ",
                Some(CteAsMaterialized::NotMaterialized) => " AS NOT MATERIALIZED ",
            });
            self.parenthesised(|printer| printer.inside(|printer| printer.query(query)))?;
            // Known behind itself, and not inside.
            self.named.push(folded(&alias.name));
        }
        self.write(" ");
        Ok(())
    }

    fn set(&mut self, body: &SetExpr) -> Result<()> {
        let keyword = match body {
            SetExpr::Select(select) => return self.select(select),
            SetExpr::Query(query) => {
                return self.parenthesised(|printer| printer.inside(|printer| printer.query(query)));
            }
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                return self.operation(left, *op, *set_quantifier, right);
            }
            SetExpr::Values(_) => "VALUES",
            SetExpr::Insert(_) => "INSERT",
            SetExpr::Update(_) => "UPDATE",
            SetExpr::Delete(_) => "DELETE",
            SetExpr::Merge(_) => "MERGE",
            SetExpr::Table(_) => "TABLE",
        };
        Err(Refusal::new(self.tokens.keyword(keyword), keyword, "an assertion is made of SELECTs", "write SELECT"))
    }

    fn operation(
        &mut self,
        left: &SetExpr,
        operator: SetOperator,
        quantifier: SetQuantifier,
        right: &SetExpr,
    ) -> Result<()> {
        let all = match quantifier {
            SetQuantifier::None => Some(""),
            SetQuantifier::All => Some(" ALL"),
            SetQuantifier::Distinct => Some(" DISTINCT"),
            SetQuantifier::ByName | SetQuantifier::AllByName | SetQuantifier::DistinctByName => None,
        };
        let (Some(all), SetOperator::Union | SetOperator::Except | SetOperator::Intersect) = (all, operator) else {
            let at = self.tokens.keyword(&operator.to_string());
            return Err(Refusal::new(
                at,
                FOREIGN,
                NO_POSTGRES,
                "write UNION, EXCEPT or INTERSECT, with ALL or without",
            ));
        };
        self.inside(|printer| {
            printer.set(left)?;
            printer.write(&format!(" {operator}{all} "));
            printer.set(right)
        })
    }

    fn order(&mut self, order: &OrderBy) -> Result<()> {
        let OrderBy { kind, interpolate } = order;
        let at = self.tokens.keyword("ORDER");
        let refuse =
            || Err(Refusal::new(at, "ORDER BY in another form", "it takes expressions", "list the expressions"));
        let (OrderByKind::Expressions(expressions), None) = (kind, interpolate) else { return refuse() };
        self.write(" ORDER BY ");
        self.list(expressions, |printer, ordered| {
            let OrderByExpr { expr, options: OrderByOptions { sort, nulls_first }, with_fill } = ordered;
            printer.expression(expr)?;
            match (sort, with_fill) {
                (None, None) => {}
                (Some(OrderBySort::Asc), None) => printer.write(" ASC"),
                (Some(OrderBySort::Desc), None) => printer.write(" DESC"),
                (Some(OrderBySort::Using(_)), _) | (_, Some(_)) => return refuse(),
            }
            match nulls_first {
                None => {}
                Some(true) => printer.write(" NULLS FIRST"),
                Some(false) => printer.write(" NULLS LAST"),
            }
            Ok(())
        })
    }

    fn limit(&mut self, limit: &LimitClause) -> Result<()> {
        let LimitClause::LimitOffset { limit, offset, limit_by } = limit else {
            return Err(self.odd_limit());
        };
        if !limit_by.is_empty() {
            return Err(self.odd_limit());
        }
        if let Some(limit) = limit {
            self.write(" LIMIT ");
            self.expression(limit)?;
        }
        if let Some(Offset { value, rows: _ }) = offset {
            self.write(" OFFSET ");
            self.expression(value)?;
        }
        Ok(())
    }

    fn odd_limit(&self) -> Refusal {
        Refusal::new(self.tokens.keyword("LIMIT"), FOREIGN, NO_POSTGRES, "write LIMIT … OFFSET …")
    }
}
