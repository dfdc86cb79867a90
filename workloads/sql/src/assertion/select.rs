//! One SELECT of an assertion: its list, conditions and groups.

use super::{
    printer::{Printer, alone, qualified},
    query::FOREIGN,
};
use crate::{
    clauses::{NO_POSTGRES, REMOVE, refuse_if},
    error::{Refusal, Result},
    select_list::check_star,
};
use sqlparser::ast::{Distinct, GroupByExpr, Select, SelectFlavor, SelectItem, SelectItemQualifiedWildcardKind};

impl Printer<'_> {
    pub fn select(&mut self, select: &Select) -> Result<()> {
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
        let at = |keyword: &str| self.tokens.keyword(keyword);
        refuse_if(into.is_some(), at("INTO"), "SELECT INTO", "an assertion writes nothing", REMOVE)?;
        let windows = "use an aggregate or a subquery";
        refuse_if(!named_window.is_empty(), at("WINDOW"), "a WINDOW clause", "assertions have no windows", windows)?;
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
        refuse_if(foreign, self.tokens.start(), FOREIGN, NO_POSTGRES, REMOVE)?;
        self.write("SELECT ");
        match distinct {
            None | Some(Distinct::All) => {}
            Some(Distinct::Distinct) => self.write("DISTINCT "),
            Some(Distinct::On(_)) => {
                let at = self.tokens.keyword("DISTINCT");
                return Err(Refusal::new(at, "DISTINCT ON", "assertions have DISTINCT without it", "use GROUP BY"));
            }
        }
        self.list(projection, Self::item)?;
        if !from.is_empty() {
            self.write(" FROM ");
            self.list(from, Self::joined)?;
        }
        if let Some(condition) = selection {
            self.write(" WHERE ");
            self.expression(condition)?;
        }
        self.groups(group_by)?;
        if let Some(condition) = having {
            self.write(" HAVING ");
            self.expression(condition)?;
        }
        Ok(())
    }

    fn item(&mut self, item: &SelectItem) -> Result<()> {
        let at = self.tokens.place(item);
        match item {
            SelectItem::UnnamedExpr(expr) => self.expression(expr),
            SelectItem::ExprWithAlias { expr, alias } => {
                self.expression(expr)?;
                self.write(" AS ");
                self.name(alias)
            }
            SelectItem::Wildcard(options) => {
                check_star(options, at)?;
                self.write("*");
                Ok(())
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                check_star(options, at)?;
                self.name(alone(name).ok_or_else(|| qualified(at))?)?;
                self.write(".*");
                Ok(())
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(_), _)
            | SelectItem::ExprWithAliases { .. } => {
                Err(Refusal::new(at, "a column of another database", NO_POSTGRES, "name the columns"))
            }
        }
    }

    fn groups(&mut self, groups: &GroupByExpr) -> Result<()> {
        match groups {
            GroupByExpr::Expressions(expressions, modifiers) if modifiers.is_empty() => {
                if !expressions.is_empty() {
                    self.write(" GROUP BY ");
                    self.list(expressions, Self::expression)?;
                }
                Ok(())
            }
            GroupByExpr::Expressions(..) | GroupByExpr::All(_) => {
                let at = self.tokens.keyword("GROUP");
                Err(Refusal::new(at, "GROUP BY with a modifier", NO_POSTGRES, "list the expressions"))
            }
        }
    }
}
