//! The one table of functions, operators and casts: what the compiler binds to, what workers run, what the
//! documentation lists.

mod boolean;
mod cast;
mod choose;
mod compare;
mod float;
mod float_math;
mod integer;
mod jsonb;
mod kernel;
mod kind;
mod numeric;
mod pattern;
mod text;
mod time;

use crate::value::ValueError;
use arrow_array::ArrayRef;
use chrono_tz::Tz;
use millrace_contract::SqlType;
use std::{collections::HashMap, sync::LazyLock};

/// Why a row has no result: an SQLSTATE and Postgres's sentence.
pub type EvalError = ValueError;

/// What an evaluation depends on besides its row.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    pub zone: Tz,
}

/// One implementation, as Postgres's `pg_proc`, `pg_operator` and `pg_cast` name it.
pub struct Function {
    /// The implementation's own name, unique: `int8pl`, `cast_text_bigint`.
    pub name: &'static str,
    /// How SQL calls it.
    pub sql: Sql,
    pub arguments: &'static [SqlType],
    /// Any number of further arguments of this type.
    pub variadic: Option<SqlType>,
    pub returns: SqlType,
    /// Null when an argument is null.
    pub strict: bool,
    /// Computes a column from argument columns of as many rows as the last argument says.
    pub evaluate: fn(&Context, &[ArrayRef], usize) -> Result<ArrayRef, EvalError>,
    /// One sentence for the documentation.
    pub doc: &'static str,
}

/// How a function is called in SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sql {
    /// Between two arguments. `LIKE` is `~~`, `ILIKE` is `~~*`, as in Postgres.
    Operator(&'static str),
    /// Before its argument.
    Prefix(&'static str),
    Function(&'static str),
    Cast(CastContext),
}

/// Where a cast applies without being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CastContext {
    /// Everywhere.
    Implicit,
    /// When a value is assigned to a column; in an expression it is written.
    Assignment,
    /// It is always written.
    Explicit,
}

/// Every function, in the order of the documentation.
pub fn functions() -> &'static [Function] {
    static FUNCTIONS: LazyLock<Vec<Function>> = LazyLock::new(|| {
        [
            compare::functions(),
            choose::functions(),
            boolean::functions(),
            integer::functions(),
            numeric::functions(),
            float::functions(),
            float_math::functions(),
            text::functions(),
            pattern::functions(),
            time::functions(),
            jsonb::functions(),
            cast::functions(),
        ]
        .into_iter()
        .flatten()
        .collect()
    });
    &FUNCTIONS
}

/// The function whose implementation has this name.
pub fn function(name: &str) -> Option<&'static Function> {
    static BY_NAME: LazyLock<HashMap<&'static str, &'static Function>> =
        LazyLock::new(|| functions().iter().map(|function| (function.name, function)).collect());
    BY_NAME.get(name).copied()
}

/// The cast from one type to another, if there is one.
pub fn cast(from: SqlType, to: SqlType) -> Option<&'static Function> {
    functions()
        .iter()
        .find(|function| matches!(function.sql, Sql::Cast(_)) && function.arguments == [from] && function.returns == to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_function_has_a_name_of_its_own_and_a_sentence() {
        let mut names = HashSet::new();
        for function in functions() {
            assert!(names.insert(function.name), "{} is there twice", function.name);
            assert!(function.doc.ends_with('.'), "{}: {:?}", function.name, function.doc);
        }
    }

    #[test]
    fn no_two_functions_are_called_alike() {
        let mut calls = HashSet::new();
        for function in functions() {
            let result = matches!(function.sql, Sql::Cast(_)).then_some(function.returns);
            let call = (format!("{:?}", function.sql), function.arguments, function.variadic, result);
            assert!(calls.insert(call), "{}", function.name);
        }
    }
}
