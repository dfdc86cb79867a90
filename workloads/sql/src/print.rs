//! A typed expression as SQL that means the same to every reader: names qualified, types written out.

use chrono_tz::Tz;
use millrace_contract::{
    Expr, SqlType,
    ident::{literal, quote},
};
use millrace_dataflow::function::{Function, Sql, function};

pub(crate) struct Printer<'a> {
    /// The time zone that timestamptz has its calendar from.
    pub zone: Tz,
    /// The SQL of a column.
    pub column: &'a dyn Fn(usize) -> &'a str,
}

impl Printer<'_> {
    /// The expression with exactly its type.
    pub fn typed(&self, expr: &Expr) -> String {
        format!("CAST({} AS {})", self.print(expr), expr.ty())
    }

    pub fn print(&self, expr: &Expr) -> String {
        match expr {
            Expr::Column { index, ty: _ } => (self.column)(*index).to_owned(),
            Expr::Literal { value: None, ty } => format!("CAST(NULL AS {ty})"),
            Expr::Literal { value: Some(value), ty } => format!("CAST({} AS {ty})", literal(value)),
            Expr::Call { function: name, arguments, ty: _ } => match function(name) {
                Some(function) => self.call(function, arguments),
                None => unreachable!("the compiler binds to functions of the table"),
            },
            Expr::Case { branches, otherwise, ty: _ } => {
                let mut sql = "CASE".to_owned();
                for (when, then) in branches {
                    sql.push_str(&format!(" WHEN {} THEN {}", self.print(when), self.print(then)));
                }
                if let Some(otherwise) = otherwise {
                    sql.push_str(&format!(" ELSE {}", self.print(otherwise)));
                }
                format!("{sql} END")
            }
            Expr::Coalesce { operands, ty: _ } => format!("COALESCE({})", self.list(operands, ", ")),
            Expr::And(operands) => format!("({})", self.list(operands, " AND ")),
            Expr::Or(operands) => format!("({})", self.list(operands, " OR ")),
            Expr::Not(operand) => format!("(NOT {})", self.print(operand)),
            Expr::IsNull(operand) => format!("({} IS NULL)", self.print(operand)),
            Expr::NotDistinct(left, right) => {
                format!("({} IS NOT DISTINCT FROM {})", self.print(left), self.print(right))
            }
        }
    }

    fn list(&self, operands: &[Expr], between: &str) -> String {
        operands.iter().map(|operand| self.print(operand)).collect::<Vec<_>>().join(between)
    }

    fn call(&self, function: &Function, arguments: &[Expr]) -> String {
        match function.sql {
            Sql::Operator(operator) => {
                let by_bytes = function.arguments[0] == SqlType::Text && matches!(operator, "<" | "<=" | ">" | ">=");
                let collate = if by_bytes { " COLLATE \"C\"" } else { "" };
                let (left, right) = (self.print(&arguments[0]), self.print(&arguments[1]));
                format!("({left}{collate} OPERATOR(pg_catalog.{operator}) {right})")
            }
            Sql::Prefix(operator) => format!("(OPERATOR(pg_catalog.{operator}) {})", self.print(&arguments[0])),
            // Not functions to Postgres, but words of its grammar.
            Sql::Function(name @ ("greatest" | "least" | "nullif")) => {
                let collate = if function.arguments[0] == SqlType::Text { " COLLATE \"C\"" } else { "" };
                let (first, rest) = (self.print(&arguments[0]), self.list(&arguments[1..], ", "));
                let comma = if rest.is_empty() { "" } else { ", " };
                format!("{name}({first}{collate}{comma}{rest})")
            }
            Sql::Function(name) => format!("pg_catalog.{}({})", quote(name), self.list(arguments, ", ")),
            Sql::Cast(_) => self.cast(&arguments[0], function.returns),
        }
    }

    /// Casts between timestamptz and calendar types name the view's time zone, not the reader's.
    fn cast(&self, operand: &Expr, to: SqlType) -> String {
        let value = self.print(operand);
        let zone = literal(self.zone.name());
        match (operand.ty(), to) {
            (SqlType::TimestampTz, SqlType::Date | SqlType::Time | SqlType::Timestamp) => {
                format!("CAST(pg_catalog.timezone({zone}, {value}) AS {to})")
            }
            (SqlType::Date | SqlType::Timestamp, SqlType::TimestampTz) => {
                format!("pg_catalog.timezone({zone}, CAST({value} AS timestamp))")
            }
            _ => format!("CAST({value} AS {to})"),
        }
    }
}
