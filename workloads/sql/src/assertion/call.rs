//! The functions of an assertion: those that views have, and aggregates; none of them reads or changes anything.

use super::printer::Printer;
use crate::{
    bind::{is_callable, is_special},
    error::{At, Refusal, Result, did_you_mean},
    implementation::Implementations,
    scope::folded,
    standard::alone,
};
use sqlparser::ast::{
    DuplicateTreatment, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments,
};

const AGGREGATES: [&str; 7] = ["count", "sum", "avg", "min", "max", "bool_and", "bool_or"];
const HAS: &str = "assertions have the functions of docs/sql.md, and count, sum, avg, min, max, bool_and and bool_or";

impl Printer<'_> {
    pub fn call(&mut self, function: &Function, at: At) -> Result<()> {
        let Function { name, uses_odbc_syntax, parameters, args, within_group, filter, null_treatment, over } =
            function;
        let Some(name) = alone(name).map(folded) else {
            let found = format!("the function {name}");
            return Err(Refusal::new(at, found, HAS, "write one of them, without a schema"));
        };
        let aggregate = AGGREGATES.contains(&name.as_str());
        if !aggregate && !is_computed(&name) {
            let names = Implementations::get().names().filter(|name| is_callable(name)).chain(AGGREGATES);
            let advice = format!("write one of them{}", did_you_mean(&name, names));
            return Err(Refusal::new(at, format!("the function {name:?}"), HAS, advice));
        }
        let refuse = |found: String| Err(Refusal::new(at, found, "assertions have no windows", "use a subquery"));
        if over.is_some() {
            return refuse(format!("{name}(…) OVER"));
        }
        let plain = !uses_odbc_syntax
            && *parameters == FunctionArguments::None
            && null_treatment.is_none()
            && within_group.is_empty();
        let list = match args {
            FunctionArguments::List(list) if plain => list,
            FunctionArguments::List(_) | FunctionArguments::None | FunctionArguments::Subquery(_) => {
                let found = format!("a call of {name} in another form");
                return Err(Refusal::new(at, found, "Postgres writes name(arguments)", "write it so"));
            }
        };
        let FunctionArgumentList { duplicate_treatment, args, clauses } = list;
        let distinct = *duplicate_treatment == Some(DuplicateTreatment::Distinct);
        if !clauses.is_empty() || (!aggregate && (distinct || filter.is_some())) {
            let found = format!("a clause inside or behind {name}(…)");
            return Err(Refusal::new(at, found, "aggregates have DISTINCT and FILTER", "remove the clause"));
        }
        // Words of the grammar are no functions of the schema.
        self.write(&if is_special(&name) { name.clone() } else { format!("pg_catalog.\"{name}\"") });
        self.write(if distinct { "(DISTINCT " } else { "(" });
        match &args[..] {
            [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] if name == "count" => self.write("*"),
            args => self.list(args, |printer, argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => printer.expression(expr),
                _ => Err(Refusal::new(
                    at,
                    format!("an argument of {name} that is no expression"),
                    "arguments are expressions",
                    "write a value",
                )),
            })?,
        }
        self.write(")");
        if let Some(condition) = filter {
            self.write(" FILTER (WHERE ");
            self.expression(condition)?;
            self.write(")");
        }
        Ok(())
    }
}

/// Whether views can compute it.
fn is_computed(name: &str) -> bool {
    is_special(name) || (is_callable(name) && !Implementations::get().signatures(name).is_empty())
}
