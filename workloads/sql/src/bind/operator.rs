//! Operators: logic, comparison, arithmetic, patterns, lists.

use super::Binder;
use crate::{
    error::{At, Refusal, Result},
    implementation::Implementations,
    operand::{Operand, Value},
    postgres::{CastContext, Choice, PgType, choose_operator, common_type},
};
use millrace_contract::{Expr, SqlType};
use sqlparser::ast::{self, BinaryOperator, UnaryOperator};

/// Operators of one precedence that do not associate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Comparison,
    Pattern,
    Test,
}

fn level(expr: &ast::Expr) -> Option<Level> {
    use ast::Expr as E;
    match expr {
        E::BinaryOp { op, .. } => COMPARISONS.contains(&op.to_string().as_str()).then_some(Level::Comparison),
        E::Like { .. } | E::ILike { .. } | E::InList { .. } | E::Between { .. } => Some(Level::Pattern),
        E::IsNull(_) | E::IsNotNull(_) | E::IsTrue(_) | E::IsNotTrue(_) | E::IsFalse(_) | E::IsNotFalse(_) => {
            Some(Level::Test)
        }
        E::IsUnknown(_) | E::IsNotUnknown(_) | E::IsDistinctFrom(..) | E::IsNotDistinctFrom(..) => Some(Level::Test),
        _ => None,
    }
}

fn ungrouped(name: &str, at: At) -> Refusal {
    Refusal::new(
        at,
        format!("{name} behind another operator"),
        "it is not clear which of them comes first",
        "put parentheses around one of them",
    )
}

const COMPARISONS: [&str; 7] = ["=", "<>", "!=", "<", ">", "<=", ">="];

impl Binder<'_> {
    pub fn binary(
        &mut self,
        whole: &ast::Expr,
        left: &ast::Expr,
        op: &BinaryOperator,
        right: &ast::Expr,
    ) -> Result<Operand> {
        let place = self.at(whole);
        match op {
            BinaryOperator::And => {
                let operands = self.chain(whole, &BinaryOperator::And, "AND")?;
                return Ok(Operand::known(Expr::And(operands), place));
            }
            BinaryOperator::Or => {
                let operands = self.chain(whole, &BinaryOperator::Or, "OR")?;
                return Ok(Operand::known(Expr::Or(operands), place));
            }
            _ => {}
        }
        let at = self.between(left);
        let name = match op {
            BinaryOperator::NotEq => "<>".to_owned(),
            BinaryOperator::PGCustomBinaryOperator(parts) if parts.first().is_some_and(|part| part == "pg_catalog") => {
                parts[1..].join(".")
            }
            other => other.to_string(),
        };
        self.check_grouping(left, &name, at)?;
        let operands = vec![self.bind(left)?, self.bind(right)?];
        self.operator(&name, operands, at)
    }

    /// All operands of a chain of one logical operator.
    fn chain(&mut self, whole: &ast::Expr, link: &BinaryOperator, name: &str) -> Result<Vec<Expr>> {
        let mut operands = Vec::new();
        let mut rest = whole;
        while let ast::Expr::BinaryOp { left, op, right } = rest {
            if op != link {
                break;
            }
            operands.push(right.as_ref());
            rest = left;
        }
        operands.push(rest);
        operands.iter().rev().map(|operand| self.boolean(operand, name)).collect()
    }

    /// Where the parser groups without parentheses in another way than Postgres, parentheses are asked for.
    fn check_grouping(&self, left: &ast::Expr, name: &str, at: At) -> Result<()> {
        let signs = [UnaryOperator::Plus, UnaryOperator::Minus, UnaryOperator::Not];
        let ambiguous = match left {
            ast::Expr::UnaryOp { op, .. } => !signs.contains(op) && matches!(name, "+" | "-"),
            _ => COMPARISONS.contains(&name) && level(left) == Some(Level::Comparison),
        };
        if ambiguous { Err(ungrouped(name, at)) } else { Ok(()) }
    }

    /// Comparisons, patterns and IS tests do not chain in Postgres.
    pub fn check_chain(&self, expr: &ast::Expr, left: &ast::Expr) -> Result<()> {
        match level(expr) {
            Some(chained @ (Level::Pattern | Level::Test)) if level(left) == Some(chained) => {
                Err(ungrouped("a test", self.at(expr)))
            }
            _ => Ok(()),
        }
    }

    pub fn unary(&mut self, op: UnaryOperator, expr: &ast::Expr) -> Result<Operand> {
        let at = self.at(expr);
        match op {
            UnaryOperator::Not => {
                let operand = self.boolean(expr, "NOT")?;
                return Ok(Operand::known(Expr::Not(Box::new(operand)), at));
            }
            UnaryOperator::Minus => {
                // Signs belong to a number: -2147483648 is an integer.
                let (mut inner, mut negative) = (expr, true);
                loop {
                    match inner {
                        ast::Expr::Nested(nested) => inner = nested,
                        ast::Expr::UnaryOp { op: UnaryOperator::Minus, expr } => {
                            inner = expr;
                            negative = !negative;
                        }
                        _ => break,
                    }
                }
                if let ast::Expr::Value(ast::ValueWithSpan { value: ast::Value::Number(digits, _), .. }) = inner {
                    let sign = if negative { "-" } else { "" };
                    return Ok(Operand::known(super::literal::number(&format!("{sign}{digits}"), at)?, at));
                }
            }
            _ => {}
        }
        // A sign binds tighter than ^ in Postgres, but not in the parser.
        if let ast::Expr::BinaryOp { op: BinaryOperator::PGExp, .. } = expr {
            return Err(Refusal::new(
                at,
                "a sign before a power",
                "it is not clear which of them comes first",
                "put parentheses around one of them",
            ));
        }
        let operand = self.bind(expr)?;
        self.operator(&op.to_string(), vec![operand], at)
    }

    /// The operator that Postgres chooses for the operands.
    pub fn operator(&mut self, name: &str, operands: Vec<Operand>, at: At) -> Result<Operand> {
        let name = if name == "!=" { "<>" } else { name };
        let types: Vec<PgType> = operands.iter().map(Operand::ty).collect();
        let written = match &types[..] {
            [operand] => format!("{name} {operand}"),
            _ => types.iter().map(ToString::to_string).collect::<Vec<_>>().join(&format!(" {name} ")),
        };
        let (result, arguments) = match choose_operator(name, &types) {
            Choice::One { overload, arguments } => (overload.result, arguments),
            Choice::None => {
                return Err(Refusal::new(
                    at,
                    written,
                    "Postgres has no such operator for these types",
                    "cast one side to the type of the other",
                ));
            }
            Choice::Ambiguous => {
                return Err(Refusal::new(
                    at,
                    written,
                    "Postgres has several such operators that fit equally well",
                    "cast an operand to the type that is meant",
                ));
            }
        };
        // Text beside any other value: the value is written as text.
        let wanted: Option<Vec<SqlType>> = arguments
            .iter()
            .zip(&operands)
            .map(|(ty, operand)| match ty.0 {
                _ if name == "||" && ty.is_any() => Some(SqlType::Text),
                "_text" if is_path(operand) => Some(SqlType::Text),
                _ => ty.sql_type(),
            })
            .collect();
        let Some((wanted, function, returns)) = wanted.and_then(|wanted| implementation(name, wanted, result)) else {
            let chosen: Vec<String> = arguments.iter().map(ToString::to_string).collect();
            return Err(Refusal::new(
                at,
                written,
                format!(
                    "Postgres computes it as {}, of type {result}, which views cannot compute yet",
                    chosen.join(&format!(" {name} "))
                ),
                "use an operator of docs/sql.md",
            ));
        };
        let context = |ty: &PgType| if ty.is_any() { CastContext::Explicit } else { CastContext::Implicit };
        let contexts: Vec<CastContext> = arguments.iter().map(context).collect();
        let operands: Result<Vec<Expr>> = operands
            .into_iter()
            .zip(wanted)
            .zip(contexts)
            .map(|((operand, ty), context)| self.coerce(operand, ty, context))
            .collect();
        Ok(Operand::known(Expr::Call { function: function.into(), arguments: operands?, ty: returns }, at))
    }

    /// A boolean expression over an operator.
    fn comparison(&mut self, name: &str, left: Operand, right: Operand, at: At) -> Result<Expr> {
        let compared = self.operator(name, vec![left, right], at)?;
        self.settle(compared, SqlType::Boolean)
    }

    pub fn is_null(&mut self, operand: &ast::Expr, negated: bool) -> Result<Operand> {
        let at = self.at(operand);
        let operand = self.bind(operand)?;
        let test = Expr::IsNull(Box::new(self.settle(operand, SqlType::Text)?));
        Ok(Operand::known(if negated { Expr::Not(Box::new(test)) } else { test }, at))
    }

    /// IS [NOT] TRUE, FALSE and UNKNOWN (`None`).
    pub fn is_truth(&mut self, operand: &ast::Expr, truth: Option<bool>, negated: bool) -> Result<Operand> {
        let at = self.at(operand);
        let operand = self.boolean(operand, "IS")?;
        let test = match truth {
            None => Expr::IsNull(Box::new(operand)),
            Some(truth) => {
                let value = Some(if truth { "t" } else { "f" }.to_owned());
                Expr::NotDistinct(Box::new(operand), Box::new(Expr::Literal { value, ty: SqlType::Boolean }))
            }
        };
        Ok(Operand::known(if negated { Expr::Not(Box::new(test)) } else { test }, at))
    }

    /// IS [NOT] DISTINCT FROM: the types are those of `=`.
    pub fn distinct(&mut self, left: &ast::Expr, right: &ast::Expr, distinct: bool) -> Result<Operand> {
        let at = self.between(left);
        let (left, right) = (self.bind(left)?, self.bind(right)?);
        let Expr::Call { arguments, .. } = self.comparison("=", left, right, at)? else {
            unreachable!("an operator is a call");
        };
        let types: Vec<PgType> = arguments.iter().map(|argument| PgType::of(argument.ty())).collect();
        // = over two types (integer and bigint) compares them as the wider one.
        let common = common_type(&types).ok().and_then(PgType::sql_type).unwrap_or(arguments[0].ty());
        let mut sides = arguments
            .into_iter()
            .map(|side| self.coerce(Operand::known(side, at), common, CastContext::Implicit).map(Box::new));
        let (Some(left), Some(right)) = (sides.next(), sides.next()) else {
            unreachable!("= has two operands");
        };
        let test = Expr::NotDistinct(left?, right?);
        Ok(Operand::known(if distinct { Expr::Not(Box::new(test)) } else { test }, at))
    }

    /// BETWEEN: two comparisons.
    pub fn within(&mut self, expr: &ast::Expr, low: &ast::Expr, high: &ast::Expr, negated: bool) -> Result<Operand> {
        let at = self.between(expr);
        let (value, low, high) = (self.bind(expr)?, self.bind(low)?, self.bind(high)?);
        let (above, below) = if negated { ("<", ">") } else { (">=", "<=") };
        let sides = vec![self.comparison(above, value.clone(), low, at)?, self.comparison(below, value, high, at)?];
        Ok(Operand::known(if negated { Expr::Or(sides) } else { Expr::And(sides) }, at))
    }

    /// `IN (…)`: two or more constants take one common type with the left side where there is one, and come first.
    pub fn in_list(&mut self, expr: &ast::Expr, list: &[ast::Expr], negated: bool) -> Result<Operand> {
        let at = self.between(expr);
        let value = self.bind(expr)?;
        let mut items = Vec::new();
        for item in list {
            let references = self.references.len();
            let bound = self.bind(item)?;
            items.push((bound, self.references.len() == references));
        }
        let constants = || items.iter().filter(|(_, is_constant)| *is_constant).map(|(item, _)| item.ty());
        let types: Vec<PgType> = std::iter::once(value.ty()).chain(constants()).collect();
        let common = common_type(&types).ok().and_then(PgType::sql_type).filter(|_| types.len() > 2);
        if let Some(common) = common {
            for (constant, _) in items.iter_mut().filter(|(_, is_constant)| *is_constant) {
                let expr = self.coerce(constant.clone(), common, CastContext::Implicit)?;
                constant.value = Value::Known(expr);
            }
            items.sort_by_key(|(_, is_constant)| !is_constant);
        }
        let name = if negated { "<>" } else { "=" };
        let tests: Result<Vec<Expr>> =
            items.into_iter().map(|(item, _)| self.comparison(name, value.clone(), item, at)).collect();
        Ok(Operand::known(if negated { Expr::And(tests?) } else { Expr::Or(tests?) }, at))
    }

    /// LIKE and ILIKE; ESCAPE rewrites the pattern.
    pub fn like(
        &mut self,
        name: &str,
        any: bool,
        expr: &ast::Expr,
        pattern: &ast::Expr,
        escape: Option<&ast::Expr>,
    ) -> Result<Operand> {
        let at = self.between(expr);
        if any {
            return Err(Refusal::new(at, "LIKE ANY", "views have no arrays", "join several LIKE conditions by OR"));
        }
        let value = self.bind(expr)?;
        let mut pattern = self.bind(pattern)?;
        if let Some(escape) = escape {
            let escape = self.bind(escape)?;
            pattern = self.call("like_escape", vec![pattern, escape], at)?;
        }
        self.operator(name, vec![value, pattern], at)
    }
}

/// Whether a literal is a path into jsonb, which Postgres takes as an array of text: `'{a,0}'`. Quoted parts are not.
fn is_path(operand: &Operand) -> bool {
    let Value::Unknown(Some(text)) = &operand.value else { return false };
    let Some(inner) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else { return false };
    let is_plain = |part: &str| !part.trim().is_empty() && !part.trim().eq_ignore_ascii_case("null");
    !inner.contains(['{', '}', '"', '\\']) && (inner.is_empty() || inner.split(',').all(is_plain))
}

/// What computes an operator. One over two related types (integer and bigint, date and timestamp) is computed over the
/// wider of them.
fn implementation(name: &str, wanted: Vec<SqlType>, result: PgType) -> Option<(Vec<SqlType>, &'static str, SqlType)> {
    let implementations = Implementations::get();
    if let Some((function, returns)) = implementations.operator(name, &wanted) {
        return Some((wanted, function, returns));
    }
    let types: Vec<PgType> = wanted.iter().map(|ty| PgType::of(*ty)).collect();
    let wider = common_type(&types).ok()?.sql_type()?;
    let both = vec![wider; wanted.len()];
    let (function, returns) = implementations.operator(name, &both)?;
    (PgType::of(returns) == result).then_some((both, function, returns))
}
