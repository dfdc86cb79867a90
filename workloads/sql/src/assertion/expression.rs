//! The expressions of an assertion, printed word for word: where no parentheses are, Postgres says what comes first.

use super::printer::{Printer, qualified};
use crate::{
    bind::sql_type,
    error::{At, Refusal, Result},
    implementation::Implementations,
};
use millrace_contract::ident::literal;
use sqlparser::ast::{self, CastKind, CeilFloorKind, DateTimeField, Expr, TrimWhereField, UnaryOperator, Value};

/// Of an expression that is refused, as it is shown.
const LONGEST_SHOWN: usize = 60;

impl Printer<'_> {
    pub fn expression(&mut self, expr: &Expr) -> Result<()> {
        self.inside(|printer| printer.one(expr))
    }

    fn one(&mut self, expr: &Expr) -> Result<()> {
        use Expr as E;
        match expr {
            E::Identifier(name) => self.name(name),
            E::CompoundIdentifier(names) => match &names[..] {
                [relation, column] => {
                    self.name(relation)?;
                    self.write(".");
                    self.name(column)
                }
                _ => Err(qualified(self.tokens.place(expr))),
            },
            E::Nested(inner) => self.parenthesised(|printer| printer.expression(inner)),
            E::Value(value) => self.constant(&value.value, self.tokens.place(expr)),
            E::TypedString(ast::TypedString { data_type, value, uses_odbc_syntax: _ }) => {
                let at = self.tokens.place(expr);
                self.write("CAST(");
                self.constant(&value.value, at)?;
                self.write(&format!(" AS {})", sql_type(data_type, at)?));
                Ok(())
            }
            E::BinaryOp { left, op, right } => {
                let name = op.to_string();
                if !matches!(name.as_str(), "AND" | "OR") && !Implementations::get().has_operator(&name) {
                    return Err(self.unknown(expr));
                }
                self.infix(left, &name, right)
            }
            E::UnaryOp { op, expr: operand } => {
                if !matches!(op, UnaryOperator::Plus | UnaryOperator::Minus | UnaryOperator::Not) {
                    return Err(self.unknown(expr));
                }
                self.write(&format!("{op} "));
                self.expression(operand)
            }
            E::IsNull(operand) => self.suffixed(operand, "IS NULL"),
            E::IsNotNull(operand) => self.suffixed(operand, "IS NOT NULL"),
            E::IsTrue(operand) => self.suffixed(operand, "IS TRUE"),
            E::IsNotTrue(operand) => self.suffixed(operand, "IS NOT TRUE"),
            E::IsFalse(operand) => self.suffixed(operand, "IS FALSE"),
            E::IsNotFalse(operand) => self.suffixed(operand, "IS NOT FALSE"),
            E::IsUnknown(operand) => self.suffixed(operand, "IS UNKNOWN"),
            E::IsNotUnknown(operand) => self.suffixed(operand, "IS NOT UNKNOWN"),
            E::IsDistinctFrom(left, right) => self.infix(left, "IS DISTINCT FROM", right),
            E::IsNotDistinctFrom(left, right) => self.infix(left, "IS NOT DISTINCT FROM", right),
            E::InList { expr, list, negated } => {
                self.suffixed(expr, not(*negated, "IN "))?;
                self.parenthesised(|printer| printer.list(list, Self::expression))
            }
            E::InSubquery { expr, subquery, negated } => {
                self.suffixed(expr, not(*negated, "IN "))?;
                self.subquery(subquery)
            }
            E::Between { expr, negated, low, high } => {
                self.infix(expr, not(*negated, "BETWEEN"), low)?;
                self.write(" AND ");
                self.expression(high)
            }
            E::Like { negated, any: false, expr, pattern, escape_char } => {
                self.like(expr, not(*negated, "LIKE"), pattern, escape_char.as_deref())
            }
            E::ILike { negated, any: false, expr, pattern, escape_char } => {
                self.like(expr, not(*negated, "ILIKE"), pattern, escape_char.as_deref())
            }
            E::Cast { kind, expr: operand, data_type, format: None } => {
                let ty = sql_type(data_type, self.tokens.place(expr))?;
                match kind {
                    CastKind::DoubleColon => {
                        self.expression(operand)?;
                        self.write(&format!("::{ty}"));
                    }
                    CastKind::Cast => {
                        self.write("CAST(");
                        self.expression(operand)?;
                        self.write(&format!(" AS {ty})"));
                    }
                    CastKind::TryCast | CastKind::SafeCast => return Err(self.unknown(expr)),
                }
                Ok(())
            }
            E::Case { case_token: _, end_token: _, operand, conditions, else_result } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref())
            }
            E::Exists { subquery, negated } => {
                self.write(not(*negated, "EXISTS "));
                self.subquery(subquery)
            }
            E::Subquery(subquery) => self.subquery(subquery),
            E::Function(function) => self.call(function, self.tokens.place(expr)),
            _ => self.form(expr),
        }
    }

    /// Functions that are called with words instead of commas.
    fn form(&mut self, expr: &Expr) -> Result<()> {
        use Expr as E;
        let whole = CeilFloorKind::DateTimeField(DateTimeField::NoDateTime);
        match expr {
            E::Extract { field, syntax: _, expr } => {
                let field = field.to_string().trim_matches('\'').to_lowercase();
                self.write(&format!("pg_catalog.\"extract\"({}, ", literal(&field)));
                self.expression(expr)?;
                self.write(")");
                Ok(())
            }
            E::Ceil { expr, field } if *field == whole => self.called("ceil", &[expr]),
            E::Floor { expr, field } if *field == whole => self.called("floor", &[expr]),
            E::Position { expr, r#in } => self.called("position", &[r#in, expr]),
            E::Substring { expr, substring_from: Some(from), substring_for, special: _, shorthand } => {
                let name = if *shorthand { "substr" } else { "substring" };
                match substring_for {
                    None => self.called(name, &[expr, from]),
                    Some(length) => self.called(name, &[expr, from, length]),
                }
            }
            E::Trim { expr: trimmed, trim_where, trim_what, trim_characters } => {
                let name = match trim_where {
                    None | Some(TrimWhereField::Both) => "btrim",
                    Some(TrimWhereField::Leading) => "ltrim",
                    Some(TrimWhereField::Trailing) => "rtrim",
                };
                match (trim_what, trim_characters.as_deref()) {
                    (None, None) => self.called(name, &[trimmed]),
                    (Some(what), None) => self.called(name, &[trimmed, what]),
                    (None, Some([what])) => self.called(name, &[trimmed, what]),
                    _ => Err(self.unknown(expr)),
                }
            }
            E::AtTimeZone { timestamp, time_zone } => self.called("timezone", &[time_zone, timestamp]),
            _ => Err(self.unknown(expr)),
        }
    }

    fn called(&mut self, name: &str, arguments: &[&Expr]) -> Result<()> {
        self.write(&format!("pg_catalog.\"{name}\""));
        self.parenthesised(|printer| printer.list(arguments, |printer, argument| printer.expression(argument)))
    }

    fn infix(&mut self, left: &Expr, operator: &str, right: &Expr) -> Result<()> {
        self.suffixed(left, operator)?;
        self.write(" ");
        self.expression(right)
    }

    fn suffixed(&mut self, operand: &Expr, suffix: &str) -> Result<()> {
        self.expression(operand)?;
        self.write(&format!(" {suffix}"));
        Ok(())
    }

    fn like(&mut self, text: &Expr, operator: &str, pattern: &Expr, escape: Option<&Expr>) -> Result<()> {
        self.infix(text, operator, pattern)?;
        match escape {
            None => Ok(()),
            Some(escape) => {
                self.write(" ESCAPE ");
                self.expression(escape)
            }
        }
    }

    fn subquery(&mut self, query: &ast::Query) -> Result<()> {
        self.parenthesised(|printer| printer.query(query))
    }

    fn case(&mut self, operand: Option<&Expr>, branches: &[ast::CaseWhen], otherwise: Option<&Expr>) -> Result<()> {
        self.write("CASE");
        if let Some(operand) = operand {
            self.write(" ");
            self.expression(operand)?;
        }
        for ast::CaseWhen { condition, result } in branches {
            self.write(" WHEN ");
            self.infix(condition, "THEN", result)?;
        }
        if let Some(otherwise) = otherwise {
            self.write(" ELSE ");
            self.expression(otherwise)?;
        }
        self.write(" END");
        Ok(())
    }

    fn constant(&mut self, value: &Value, at: At) -> Result<()> {
        let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
        match value {
            Value::Number(digits, false) if is_number(digits) => self.write(digits),
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) | Value::UnicodeStringLiteral(text) => {
                self.write(&literal(text));
            }
            Value::DollarQuotedString(text) => self.write(&literal(&text.value)),
            Value::Boolean(true) => self.write("true"),
            Value::Boolean(false) => self.write("false"),
            Value::Null => self.write("NULL"),
            other => {
                return Err(Refusal::new(
                    at,
                    format!("the constant {other}"),
                    "assertions have no bit strings, byte strings or national strings",
                    "write a string in single quotes",
                ));
            }
        }
        Ok(())
    }

    fn unknown(&self, expr: &Expr) -> Refusal {
        let text = expr.to_string();
        let shown = match text.char_indices().nth(LONGEST_SHOWN) {
            None => text,
            Some((end, _)) => format!("{}…", &text[..end]),
        };
        Refusal::new(
            self.tokens.place(expr),
            format!("the expression {shown}"),
            "assertions have columns, constants, the operators and functions of docs/sql.md, CASE, IN, EXISTS and subqueries",
            "write it with these",
        )
    }
}

fn not(negated: bool, word: &'static str) -> &'static str {
    match (negated, word) {
        (false, word) => word,
        (true, "IN ") => "NOT IN ",
        (true, "BETWEEN") => "NOT BETWEEN",
        (true, "LIKE") => "NOT LIKE",
        (true, "ILIKE") => "NOT ILIKE",
        (true, _) => "NOT EXISTS ",
    }
}
