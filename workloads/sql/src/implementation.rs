//! Which of Postgres's operators, functions and casts the workers can compute, by argument types.

use millrace_contract::SqlType;
use millrace_dataflow::function::{Sql, functions};
use std::{collections::HashMap, sync::OnceLock};

/// An index over the workers' table of functions.
pub(crate) struct Implementations {
    operators: HashMap<&'static str, Vec<Signature>>,
    functions: HashMap<&'static str, Vec<Signature>>,
    casts: HashMap<(SqlType, SqlType), &'static str>,
}

pub(crate) struct Signature {
    pub name: &'static str,
    pub arguments: &'static [SqlType],
    /// The type of any number of further arguments.
    pub variadic: Option<SqlType>,
    pub returns: SqlType,
}

impl Implementations {
    /// The index, made once.
    pub fn get() -> &'static Implementations {
        static INDEX: OnceLock<Implementations> = OnceLock::new();
        INDEX.get_or_init(|| {
            let mut index =
                Implementations { operators: HashMap::new(), functions: HashMap::new(), casts: HashMap::new() };
            for function in functions() {
                let signature = Signature {
                    name: function.name,
                    arguments: function.arguments,
                    variadic: function.variadic,
                    returns: function.returns,
                };
                match function.sql {
                    Sql::Operator(name) | Sql::Prefix(name) => index.operators.entry(name).or_default().push(signature),
                    Sql::Function(name) => index.functions.entry(name).or_default().push(signature),
                    Sql::Cast(_) => {
                        index.casts.insert((function.arguments[0], function.returns), function.name);
                    }
                }
            }
            index
        })
    }

    /// A binary or prefix operator over exactly these types, and its result's type.
    pub fn operator(&self, name: &str, arguments: &[SqlType]) -> Option<(&'static str, SqlType)> {
        self.operators.get(name)?.iter().find(|signature| signature.takes(arguments)).map(Signature::chosen)
    }

    /// A function that takes exactly these types, and its result's type.
    pub fn function(&self, name: &str, arguments: &[SqlType]) -> Option<(&'static str, SqlType)> {
        self.functions.get(name)?.iter().find(|signature| signature.takes(arguments)).map(Signature::chosen)
    }

    pub fn has_operator(&self, name: &str) -> bool {
        self.operators.contains_key(name)
    }

    pub fn cast(&self, from: SqlType, to: SqlType) -> Option<&'static str> {
        self.casts.get(&(from, to)).copied()
    }

    /// The signatures of a function's name.
    pub fn signatures(&self, name: &str) -> &[Signature] {
        self.functions.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The names of all functions.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.functions.keys().copied()
    }
}

impl Signature {
    fn takes(&self, arguments: &[SqlType]) -> bool {
        match self.variadic {
            None => self.arguments == arguments,
            Some(further) => {
                arguments.starts_with(self.arguments)
                    && arguments[self.arguments.len()..].iter().all(|ty| *ty == further)
            }
        }
    }

    fn chosen(&self) -> (&'static str, SqlType) {
        (self.name, self.returns)
    }
}
