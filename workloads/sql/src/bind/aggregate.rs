//! Aggregate calls: count, sum, avg, min and max, each with FILTER.

use super::{Binder, Clause, call::Written};
use crate::{
    error::{At, Refusal, Result},
    operand::Operand,
    postgres::{CastContext, Choice, PgType, choose_function},
};
use millrace_contract::{Expr, SqlType};

/// An expression names the aggregate `n` as the column `AGGREGATES + n`.
pub(crate) const AGGREGATES: usize = 1 << 40;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AggregateKind {
    Count,
    Sum,
    Avg,
    Min,
    Max,
}

/// One aggregate of a query. A FILTER is in the argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AggregateCall {
    pub kind: AggregateKind,
    /// `None` counts rows.
    pub argument: Option<Expr>,
    pub ty: SqlType,
}

impl AggregateKind {
    pub const NAMES: [&'static str; 5] = ["count", "sum", "avg", "min", "max"];

    pub fn name(self) -> &'static str {
        match self {
            AggregateKind::Count => "count",
            AggregateKind::Sum => "sum",
            AggregateKind::Avg => "avg",
            AggregateKind::Min => "min",
            AggregateKind::Max => "max",
        }
    }

    pub fn named(name: &str) -> Option<AggregateKind> {
        use AggregateKind::{Avg, Count, Max, Min, Sum};
        [Count, Sum, Avg, Min, Max].into_iter().find(|kind| kind.name() == name)
    }
}

impl Binder<'_> {
    pub(super) fn aggregate(&mut self, kind: AggregateKind, written: &Written<'_>) -> Result<Operand> {
        let at = written.at;
        let clause = self.clause;
        if !matches!(clause, Clause::SelectList | Clause::Having) {
            return Err(Refusal::new(
                at,
                format!("the aggregate {} in {}", kind.name(), clause.name()),
                "aggregates stand in the select list and in HAVING",
                match clause {
                    Clause::Where => "move the condition to HAVING",
                    Clause::AggregateArgument => "aggregate once; an aggregate of aggregates is a second view",
                    _ => "remove it",
                },
            ));
        }
        let references = self.references.len();
        let argument = match &written.arguments {
            None if kind == AggregateKind::Count => None,
            Some(arguments) if arguments.len() == 1 => {
                self.clause = Clause::AggregateArgument;
                let argument = self.bind(arguments[0])?;
                Some(argument)
            }
            _ => {
                return Err(Refusal::new(
                    at,
                    format!("{} without exactly one argument", kind.name()),
                    "an aggregate takes one value per row",
                    if kind == AggregateKind::Count { "write count(*) to count rows" } else { "name one value" },
                ));
            }
        };
        let filter = match written.filter {
            None => None,
            Some(filter) => {
                self.clause = Clause::AggregateFilter;
                Some(self.boolean(filter, "FILTER")?)
            }
        };
        self.clause = clause;
        // What stands inside an aggregate needs no place in GROUP BY.
        self.references.truncate(references);
        let (argument, ty) = match argument {
            None => (None, SqlType::BigInt),
            Some(argument) => {
                let (argument, ty) = self.resolve(kind, argument, at)?;
                (Some(argument), ty)
            }
        };
        let argument = match (filter, argument) {
            (None, argument) => argument,
            (Some(filter), argument) => {
                let yes = Expr::Literal { value: Some("t".into()), ty: SqlType::Boolean };
                let value = argument.unwrap_or(yes);
                let ty = value.ty();
                Some(Expr::Case { branches: vec![(filter, value)], otherwise: None, ty })
            }
        };
        let call = AggregateCall { kind, argument, ty };
        let known = self.aggregates.iter().position(|known| *known == call);
        let index = known.unwrap_or_else(|| {
            self.aggregates.push(call);
            self.aggregates.len() - 1
        });
        Ok(Operand::known(Expr::Column { index: AGGREGATES + index, ty }, at))
    }

    /// The aggregate's argument as Postgres takes it, and the result's type.
    fn resolve(&self, kind: AggregateKind, argument: Operand, at: At) -> Result<(Expr, SqlType)> {
        if kind == AggregateKind::Count {
            return Ok((self.settle(argument, SqlType::Text)?, SqlType::BigInt));
        }
        let given = argument.ty();
        let refuse =
            |expected: &str, advice: &str| Refusal::new(at, format!("{}({given})", kind.name()), expected, advice);
        let chosen = match choose_function(kind.name(), &[given]) {
            Choice::One { overload, arguments } => arguments[0].sql_type().zip(overload.result.sql_type()),
            Choice::Ambiguous => {
                return Err(refuse("Postgres has several such aggregates that fit", "cast the argument"));
            }
            Choice::None => None,
        };
        let Some((declared, ty)) = chosen else {
            return Err(refuse(
                "Postgres has no such aggregate for this type",
                match kind {
                    AggregateKind::Min | AggregateKind::Max => {
                        "cast the argument to a type with an order, such as text"
                    }
                    _ => "cast the argument to a number",
                },
            ));
        };
        let is_float = matches!(declared, SqlType::Real | SqlType::DoublePrecision);
        let adds = matches!(kind, AggregateKind::Sum | AggregateKind::Avg);
        if is_float && adds && !self.scope.append_only {
            return Err(refuse(
                "rows of a Table are taken back when they change, and floats do not come back to what they were",
                "cast the argument to numeric",
            ));
        }
        // Postgres averages real in double precision.
        let declared = if kind == AggregateKind::Avg && is_float { SqlType::DoublePrecision } else { declared };
        debug_assert_ne!(PgType::of(declared), PgType::UNKNOWN);
        Ok((self.coerce(argument, declared, CastContext::Implicit)?, ty))
    }
}
