//! Functions with words instead of commas, and the forms that views do not have.

use super::Binder;
use crate::{
    error::{At, Refusal, Result},
    operand::Operand,
    postgres::PgType,
};
use millrace_contract::{Expr, SqlType};
use sqlparser::ast::{self, CeilFloorKind, DateTimeField, TrimWhereField};

impl Binder<'_> {
    /// EXTRACT, POSITION, SUBSTRING, TRIM, OVERLAY, CEIL, FLOOR, AT TIME ZONE, COLLATE.
    pub fn form(&mut self, expr: &ast::Expr, at: At) -> Result<Operand> {
        use ast::Expr as E;
        match expr {
            E::Extract { field, syntax: _, expr } => {
                let field = field.to_string().trim_matches('\'').to_lowercase();
                let operands = vec![Operand::unknown(Some(field), at), self.bind(expr)?];
                self.call("extract", operands, at)
            }
            E::Ceil { expr, field } => self.rounded("ceil", expr, field, at),
            E::Floor { expr, field } => self.rounded("floor", expr, field, at),
            E::Position { expr, r#in } => {
                let part = self.bind(expr)?;
                let operands = vec![self.bind(r#in)?, part];
                self.call("position", operands, at)
            }
            E::Substring { expr, substring_from, substring_for, special: _, shorthand } => {
                let mut operands = vec![self.bind(expr)?];
                match (substring_from, substring_for) {
                    (Some(from), length) => {
                        operands.push(self.bind(from)?);
                        if let Some(length) = length {
                            operands.push(self.bind(length)?);
                        }
                    }
                    (None, Some(length)) => {
                        let one = Expr::Literal { value: Some("1".into()), ty: SqlType::Integer };
                        operands.push(Operand::known(one, at));
                        let length = self.bind(length)?;
                        let length = self.explicit_cast(length, SqlType::Integer)?;
                        operands.push(Operand::known(length, at));
                    }
                    (None, None) => {}
                }
                self.call(if *shorthand { "substr" } else { "substring" }, operands, at)
            }
            E::Trim { expr, trim_where, trim_what, trim_characters } => {
                let mut operands = vec![self.bind(expr)?];
                for what in trim_what.iter().map(AsRef::as_ref).chain(trim_characters.iter().flatten()) {
                    operands.push(self.bind(what)?);
                }
                let name = match trim_where {
                    None | Some(TrimWhereField::Both) => "btrim",
                    Some(TrimWhereField::Leading) => "ltrim",
                    Some(TrimWhereField::Trailing) => "rtrim",
                };
                self.call(name, operands, at)
            }
            E::Overlay { expr, overlay_what, overlay_from, overlay_for } => {
                let mut operands = vec![self.bind(expr)?, self.bind(overlay_what)?, self.bind(overlay_from)?];
                if let Some(length) = overlay_for {
                    operands.push(self.bind(length)?);
                }
                self.call("overlay", operands, at)
            }
            E::AtTimeZone { timestamp, time_zone } => {
                let timestamp = self.bind(timestamp)?;
                let operands = vec![self.bind(time_zone)?, timestamp];
                self.call("timezone", operands, at)
            }
            E::Collate { expr, collation } => {
                let operand = self.bind(expr)?;
                let place = self.between(expr);
                if !matches!(operand.ty(), PgType::UNKNOWN | PgType::TEXT) {
                    return Err(Refusal::new(
                        place,
                        format!("COLLATE behind a value of type {}", operand.ty()),
                        "only text is compared by a collation",
                        "leave it out",
                    ));
                }
                if collation.to_string().trim_matches('"') == "C" {
                    return Ok(operand);
                }
                Err(Refusal::new(
                    place,
                    format!("COLLATE {collation}"),
                    "views compare text by its bytes",
                    "leave it out, or write COLLATE \"C\"",
                ))
            }
            _ => Err(self.refuse_form(expr, at)),
        }
    }

    fn rounded(&mut self, name: &str, expr: &ast::Expr, field: &CeilFloorKind, at: At) -> Result<Operand> {
        let operand = self.bind(expr)?;
        match field {
            CeilFloorKind::DateTimeField(DateTimeField::NoDateTime) => self.call(name, vec![operand], at),
            CeilFloorKind::DateTimeField(_) | CeilFloorKind::Scale(_) => Err(Refusal::new(
                at,
                format!("{name} with a second part"),
                "Postgres rounds to whole numbers by it",
                "write date_trunc for times, round(value, digits) for numbers",
            )),
        }
    }

    /// What views do not have, with a way round.
    pub fn refuse_form(&self, expr: &ast::Expr, at: At) -> Refusal {
        use ast::Expr as E;
        let (found, expected, advice) = match expr {
            E::Subquery(_) | E::Exists { .. } | E::InSubquery { .. } => (
                "a subquery",
                "a view reads one source directly in this version",
                "make the inner query a view of its own and join when reading",
            ),
            E::AnyOp { .. } | E::AllOp { .. } | E::Array(_) | E::InUnnest { .. } => {
                ("an array", "views have no arrays in this version", "write IN (…), or conditions joined by OR")
            }
            E::CompoundFieldAccess { .. } | E::JsonAccess { .. } => (
                "a subscript",
                "views have no arrays and no subscripts in this version",
                "write -> or ->> with the field's name or the element's number",
            ),
            E::Interval(_) => (
                "an interval",
                "views have no intervals in this version",
                "add whole days to a date, or compute with extract(epoch from …)",
            ),
            E::GroupingSets(_) | E::Cube(_) | E::Rollup(_) => (
                "GROUPING SETS, CUBE or ROLLUP",
                "a view has one list of groups in this version",
                "write one view per grouping",
            ),
            E::Tuple(_) => ("a row of values", "a view's values are single", "compare the parts one by one"),
            E::SimilarTo { .. } => (
                "SIMILAR TO",
                "views have LIKE and POSIX regular expressions",
                "write a LIKE pattern, or ~ with a regular expression",
            ),
            E::IsNormalized { .. } | E::IsJson { .. } => {
                ("this test", "views cannot compute it yet", "use an operator of docs/sql.md")
            }
            E::Wildcard(_) | E::QualifiedWildcard(..) => {
                ("*", "it stands alone in the select list, or in count(*)", "name a column")
            }
            _ => {
                ("an expression of another database", "Postgres 15 has no such expression", "write it as Postgres does")
            }
        };
        Refusal::new(at, found, expected, advice)
    }
}
