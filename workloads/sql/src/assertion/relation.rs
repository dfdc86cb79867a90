//! What an assertion reads: the two revisions, subqueries, and what WITH has named. Nothing else in the database has a
//! name here.

use super::printer::{Piece, Printer, qualified};
use crate::{
    error::{Refusal, Result},
    scope::{self, folded},
    standard::{FOREIGN, NO_POSTGRES, alone, refuse_if},
};
use sqlparser::ast::{Ident, Join, JoinConstraint, JoinOperator, TableAlias, TableFactor, TableWithJoins};

const READS: &str = "an assertion reads {next} and {live}";
const WRITE_ONE: &str = "write FROM {next}, FROM {live}, or FROM a subquery over them";

impl Printer<'_> {
    pub fn joined(&mut self, relations: &TableWithJoins) -> Result<()> {
        let TableWithJoins { relation, joins } = relations;
        self.relation(relation)?;
        joins.iter().try_for_each(|join| self.join(join))
    }

    fn join(&mut self, join: &Join) -> Result<()> {
        use JoinOperator as J;
        let Join { relation, global, join_operator } = join;
        let known = match join_operator {
            J::Join(constraint) | J::Inner(constraint) => Some((" JOIN ", constraint)),
            J::Left(constraint) | J::LeftOuter(constraint) => Some((" LEFT JOIN ", constraint)),
            J::Right(constraint) | J::RightOuter(constraint) => Some((" RIGHT JOIN ", constraint)),
            J::FullOuter(constraint) => Some((" FULL JOIN ", constraint)),
            J::CrossJoin(constraint) => Some((" CROSS JOIN ", constraint)),
            _ => None,
        };
        let Some((operator, constraint)) = known.filter(|_| !global) else {
            return Err(Refusal::new(self.tokens.place(relation), FOREIGN, NO_POSTGRES, "write JOIN … ON …"));
        };
        if *constraint == JoinConstraint::Natural {
            self.write(" NATURAL");
        }
        self.write(operator);
        self.relation(relation)?;
        match constraint {
            JoinConstraint::On(condition) => {
                self.write(" ON ");
                self.expression(condition)
            }
            JoinConstraint::Using(columns) => {
                self.write(" USING ");
                self.parenthesised(|printer| {
                    printer.list(columns, |printer, column| {
                        printer.name(alone(column).ok_or_else(|| qualified(printer.tokens.place(column)))?)
                    })
                })
            }
            JoinConstraint::Natural | JoinConstraint::None => Ok(()),
        }
    }

    fn relation(&mut self, relation: &TableFactor) -> Result<()> {
        let at = self.tokens.place(relation);
        let refuse = |found: &str| Err(Refusal::new(at, found, READS, WRITE_ONE));
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
                let odd = !with_hints.is_empty()
                    || version.is_some()
                    || *with_ordinality
                    || !partitions.is_empty()
                    || json_path.is_some()
                    || sample.is_some()
                    || !index_hints.is_empty();
                if args.is_some() {
                    return refuse("a function in FROM");
                }
                if odd {
                    return refuse("a table with options");
                }
                match alone(name) {
                    Some(name) => self.table(name, alias.as_ref()),
                    None => refuse("a qualified table name"),
                }
            }
            TableFactor::Derived { lateral: true, .. } => refuse("LATERAL"),
            TableFactor::Derived { lateral: false, subquery, alias: Some(alias), sample: None } => {
                self.parenthesised(|printer| printer.inside(|printer| printer.query(subquery)))?;
                self.write(" AS ");
                self.alias(alias)
            }
            TableFactor::Derived { lateral: false, sample: Some(_), .. } => refuse("TABLESAMPLE"),
            TableFactor::Derived { lateral: false, subquery: _, alias: None, sample: None } => Err(Refusal::new(
                at,
                "a subquery in FROM without a name",
                "Postgres 15 wants one",
                "write (SELECT …) AS and a name",
            )),
            TableFactor::NestedJoin { table_with_joins, alias } => {
                self.parenthesised(|printer| printer.inside(|printer| printer.joined(table_with_joins)))?;
                match alias {
                    None => Ok(()),
                    Some(alias) => {
                        self.write(" AS ");
                        self.alias(alias)
                    }
                }
            }
            _ => refuse("a function in FROM"),
        }
    }

    /// A relation by its name: one of the two revisions, or what WITH has named.
    fn table(&mut self, name: &Ident, alias: Option<&TableAlias>) -> Result<()> {
        let own = match (name.quote_style, name.value.as_str()) {
            (None, "{next}") => {
                self.revision(Piece::Next);
                " AS \"next\""
            }
            (None, "{live}") => {
                self.revision(Piece::Live);
                " AS \"live\""
            }
            _ if self.named.contains(&folded(name)) => {
                self.name(name)?;
                ""
            }
            _ => {
                let found = format!("the relation {:?}", folded(name));
                return Err(Refusal::new(scope::at(name), found, READS, WRITE_ONE));
            }
        };
        match alias {
            None => {
                self.write(own);
                Ok(())
            }
            Some(alias) => {
                self.write(" AS ");
                self.alias(alias)
            }
        }
    }

    pub fn alias(&mut self, alias: &TableAlias) -> Result<()> {
        let TableAlias { explicit: _, name, columns, at } = alias;
        let typed = at.is_some() || columns.iter().any(|column| column.data_type.is_some());
        refuse_if(
            typed,
            scope::at(name),
            "a name of another form",
            NO_POSTGRES,
            "write AS name, or AS name (columns)",
        )?;
        self.name(name)?;
        if columns.is_empty() {
            return Ok(());
        }
        self.write(" ");
        self.parenthesised(|printer| printer.list(columns, |printer, column| printer.name(&column.name)))
    }
}
