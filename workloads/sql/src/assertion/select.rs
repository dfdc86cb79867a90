//! One SELECT of an assertion: its list, conditions and groups.

use super::printer::{Printer, qualified};
use crate::{
    error::{Refusal, Result},
    select_list::check_star,
    standard::{NO_POSTGRES, REMOVE, SelectParts, alone, refuse_if},
};
use sqlparser::ast::{Distinct, Select, SelectItem, SelectItemQualifiedWildcardKind};

impl Printer<'_> {
    pub fn select(&mut self, select: &Select) -> Result<()> {
        let SelectParts { distinct, projection, into, from, filter, groups, having, windows } =
            SelectParts::of(select, self.tokens)?;
        let at = |keyword: &str| self.tokens.keyword(keyword);
        refuse_if(into.is_some(), at("INTO"), "SELECT INTO", "an assertion writes nothing", REMOVE)?;
        let advice = "use an aggregate or a subquery";
        refuse_if(!windows.is_empty(), at("WINDOW"), "a WINDOW clause", "assertions have no windows", advice)?;
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
        if let Some(condition) = filter {
            self.write(" WHERE ");
            self.expression(condition)?;
        }
        if !groups.is_empty() {
            self.write(" GROUP BY ");
            self.list(groups, Self::expression)?;
        }
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
}
