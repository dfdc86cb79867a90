//! Function calls.

use super::Binder;
use crate::{
    error::{At, Refusal, Result, did_you_mean},
    implementation::Implementations,
    operand::{Operand, Value},
    postgres::{CastContext, Choice, Coercion, OverloadKind, PgType, Volatility, catalogue, choose_function, coercion},
    scope::folded,
};
use millrace_contract::{Expr, SqlType};
use sqlparser::ast::{self, DuplicateTreatment, FunctionArg, FunctionArgExpr, FunctionArguments};

/// What a call is made of when everything that views do not have is refused.
pub(super) struct Written<'a> {
    pub name: String,
    /// `None` is `count(*)`'s star.
    pub arguments: Option<Vec<&'a ast::Expr>>,
    pub filter: Option<&'a ast::Expr>,
    pub at: At,
}

impl Binder<'_> {
    pub fn function(&mut self, function: &ast::Function, at: At) -> Result<Operand> {
        let written = read_call(function, at)?;
        if let Some(kind) = super::AggregateKind::named(&written.name) {
            return self.aggregate(kind, &written);
        }
        let Written { name, arguments, filter, at } = written;
        let overloads = catalogue().functions(&name);
        if !is_special(&name) && overloads.is_empty() && type_named(&name).is_none() {
            let names =
                Implementations::get().names().filter(|name| is_callable(name)).chain(super::AggregateKind::NAMES);
            return Err(Refusal::new(
                at,
                format!("unknown function {name:?}"),
                "views have the functions of docs/sql.md",
                format!("write one of them{}", did_you_mean(&name, names)),
            ));
        }
        if overloads.iter().any(|overload| overload.kind != OverloadKind::Scalar) {
            return Err(Refusal::new(
                at,
                format!("the aggregate or window function {name}"),
                "views keep count, sum, avg, min and max in this version",
                "use one of them, or compute it when reading the view",
            ));
        }
        if filter.is_some() {
            return Err(Refusal::new(
                at,
                format!("FILTER behind {name}"),
                "only aggregates have a FILTER",
                "write CASE WHEN … THEN … END",
            ));
        }
        let Some(arguments) = arguments else {
            return Err(Refusal::new(at, format!("{name}(*)"), "only count takes *", "name the arguments"));
        };
        let operands: Vec<Operand> =
            arguments.into_iter().map(|argument| self.bind(argument)).collect::<Result<_>>()?;
        match (name.as_str(), operands.len()) {
            ("coalesce", 1..) => self.coalesce(operands, at),
            ("greatest" | "least", 1..) => self.extreme(&name, operands, at),
            ("nullif", 2) => {
                let mut operands = operands.into_iter();
                let (Some(left), Some(right)) = (operands.next(), operands.next()) else {
                    unreachable!("two operands were counted");
                };
                self.nullif(left, right, at)
            }
            ("coalesce" | "greatest" | "least" | "nullif", count) => Err(Refusal::new(
                at,
                format!("{name} with {count} arguments"),
                if name == "nullif" { "it takes two" } else { "it takes at least one" },
                "add or remove arguments",
            )),
            _ => self.call(&name, operands, at),
        }
    }

    /// The function that Postgres chooses for the operands.
    pub fn call(&mut self, name: &str, operands: Vec<Operand>, at: At) -> Result<Operand> {
        let types: Vec<PgType> = operands.iter().map(Operand::ty).collect();
        if let ([operand], Some(target)) = (&operands[..], type_named(name)) {
            // A function with a type's name is that cast.
            let casts = types[0] == PgType::UNKNOWN
                || matches!(
                    coercion(types[0], PgType::of(target), CastContext::Explicit),
                    Some(Coercion::None | Coercion::Cast(_) | Coercion::Text(_))
                );
            if casts {
                return Ok(Operand::known(self.explicit_cast(operand.clone(), target)?, at));
            }
        }
        let listed = types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let written = format!("{name}({listed})");
        let (overload, arguments) = match choose_function(name, &types) {
            Choice::One { overload, arguments } => (overload, arguments),
            Choice::None => {
                return Err(Refusal::new(
                    at,
                    written,
                    "Postgres has no such function for these types",
                    format!("cast the arguments{}", signatures(name)),
                ));
            }
            Choice::Ambiguous => {
                return Err(Refusal::new(
                    at,
                    written,
                    "Postgres has several such functions that fit equally well",
                    format!("cast an argument to the type that is meant{}", signatures(name)),
                ));
            }
        };
        let plain: Option<Vec<SqlType>> = arguments.iter().map(|ty| ty.sql_type()).collect();
        let implementation = match &plain {
            Some(types) => Implementations::get().function(name, types),
            None => None,
        };
        if let (Some(types), Some((function, returns))) = (plain, implementation) {
            let arguments: Result<Vec<Expr>> = operands
                .into_iter()
                .zip(types)
                .map(|(operand, ty)| self.coerce(operand, ty, CastContext::Implicit))
                .collect();
            return Ok(Operand::known(
                Expr::Call { function: function.into(), arguments: arguments?, ty: returns },
                at,
            ));
        }
        if arguments.iter().any(|ty| ty.is_any())
            && let Some(call) = self.call_over_anything(name, &operands, &arguments, at)?
        {
            return Ok(call);
        }
        if overload.volatility != Volatility::Immutable {
            return Err(Refusal::new(
                at,
                written,
                "its result depends on the time, the session or chance, so that the view would change without a record",
                "use a column of the record (one with from: Timestamp holds the record's time), or compute it when \
                 reading the view",
            ));
        }
        Err(Refusal::new(
            at,
            written,
            "Postgres has this function, but views cannot compute it yet",
            format!("use a function of docs/sql.md{}", signatures(name)),
        ))
    }

    /// A function that takes values of any type as their text (`concat`): every such argument is written as text.
    fn call_over_anything(
        &mut self,
        name: &str,
        operands: &[Operand],
        arguments: &[PgType],
        at: At,
    ) -> Result<Option<Operand>> {
        let types: Vec<SqlType> = arguments.iter().map(|ty| ty.sql_type().unwrap_or(SqlType::Text)).collect();
        let Some((function, returns)) = Implementations::get().function(name, &types) else { return Ok(None) };
        let mut texts = Vec::new();
        for ((operand, declared), ty) in operands.iter().zip(arguments).zip(types) {
            let is_boolean = matches!(&operand.value, Value::Known(expr) if expr.ty() == SqlType::Boolean);
            texts.push(if declared.is_any() && is_boolean {
                // The output of a boolean is t or f; its cast to text is true or false.
                let condition = self.settle(operand.clone(), SqlType::Boolean)?;
                let text = |letter: &str| Expr::Literal { value: Some(letter.into()), ty: SqlType::Text };
                let no = Expr::Not(Box::new(condition.clone()));
                Expr::Case {
                    branches: vec![(condition, text("t")), (no, text("f"))],
                    otherwise: None,
                    ty: SqlType::Text,
                }
            } else if declared.is_any() {
                self.explicit_cast(operand.clone(), ty)?
            } else {
                self.coerce(operand.clone(), ty, CastContext::Implicit)?
            });
        }
        Ok(Some(Operand::known(Expr::Call { function: function.into(), arguments: texts, ty: returns }, at)))
    }
}

/// Words of the grammar that are called like functions.
pub(crate) fn is_special(name: &str) -> bool {
    matches!(name, "coalesce" | "nullif" | "greatest" | "least")
}

/// Whether a query can call the function; some of the workers' functions only serve others.
pub(crate) fn is_callable(name: &str) -> bool {
    is_special(name) || !catalogue().functions(name).is_empty()
}

/// The type whose name a function call uses, when it is one that views know.
fn type_named(name: &str) -> Option<SqlType> {
    SqlType::ALL.into_iter().find(|ty| PgType::of(*ty).0 == name)
}

/// `; it takes (text, integer) or (text)`.
fn signatures(name: &str) -> String {
    let listed: Vec<String> = Implementations::get()
        .signatures(name)
        .iter()
        .take(6)
        .map(|signature| {
            let types: Vec<&str> = signature.arguments.iter().map(|ty| ty.name()).collect();
            format!("({})", types.join(", "))
        })
        .collect();
    if listed.is_empty() { String::new() } else { format!("; views compute it for {}", listed.join(" or ")) }
}

fn read_call(function: &ast::Function, at: At) -> Result<Written<'_>> {
    let ast::Function { name, uses_odbc_syntax, parameters, args, within_group, filter, null_treatment, over } =
        function;
    let parts: Option<Vec<String>> = name.0.iter().map(|part| part.as_ident().map(folded)).collect();
    let name = match parts.as_deref() {
        Some([name]) => name.clone(),
        Some([schema, name]) if schema == "pg_catalog" => name.clone(),
        _ => {
            return Err(Refusal::new(
                at,
                format!("the function {name}"),
                "views have Postgres's own functions only",
                "write a function of docs/sql.md, without a schema",
            ));
        }
    };
    let refuse = |found: String, expected: &str, advice: &str| Err(Refusal::new(at, found, expected, advice));
    if over.is_some() {
        let advice = "compute it when reading the view";
        return refuse(
            format!("the window function call {name}(…) OVER"),
            "views have no window functions in this version",
            advice,
        );
    }
    if !within_group.is_empty() {
        let advice = "compute it when reading the view";
        return refuse(
            format!("{name}(…) WITHIN GROUP"),
            "views keep count, sum, avg, min and max in this version",
            advice,
        );
    }
    if *uses_odbc_syntax || *parameters != FunctionArguments::None || null_treatment.is_some() {
        return refuse(
            format!("a call of {name} in the form of another database"),
            "Postgres writes name(arguments)",
            "write it so",
        );
    }
    let list = match args {
        FunctionArguments::List(list) => list,
        FunctionArguments::None => {
            return refuse(
                name,
                "its result depends on the time or the session, so that the view would change without a record",
                "use a column of the record (one with from: Timestamp holds the record's time), or compute it when \
                 reading the view",
            );
        }
        FunctionArguments::Subquery(_) => {
            return refuse("a subquery".into(), "a view reads one source directly in this version", "use a column");
        }
    };
    if list.duplicate_treatment == Some(DuplicateTreatment::Distinct) {
        return refuse(
            format!("{name}(DISTINCT …)"),
            "views count every row in this version",
            "group by the value in a view of its own and count its rows when reading",
        );
    }
    if !list.clauses.is_empty() {
        return refuse(format!("a clause inside {name}(…)"), "arguments stand alone", "remove the clause");
    }
    let mut arguments = Some(Vec::new());
    for argument in &list.args {
        match (argument, &mut arguments) {
            (FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)), Some(arguments)) => arguments.push(expr),
            (FunctionArg::Unnamed(FunctionArgExpr::Wildcard), _) if list.args.len() == 1 => arguments = None,
            _ => {
                return refuse(
                    format!("an argument of {name} that is no expression"),
                    "arguments are expressions",
                    "write a value",
                );
            }
        }
    }
    Ok(Written { name, arguments, filter: filter.as_deref(), at })
}
