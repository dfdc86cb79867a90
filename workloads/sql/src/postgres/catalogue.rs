//! The types, casts, operators and functions of Postgres 15, read from `catalogue.txt`.

use super::{CastContext, PgType};
use std::{collections::HashMap, sync::OnceLock};

/// Everything that resolution looks at.
pub struct Catalogue {
    types: HashMap<PgType, TypeRow>,
    casts: HashMap<(PgType, PgType), CastRow>,
    operators: HashMap<&'static str, Vec<Overload>>,
    functions: HashMap<&'static str, Vec<Overload>>,
}

/// Whether a computation depends on more than its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Volatility {
    Immutable,
    /// It depends on the session's settings (time zone, date style) or on the time.
    Stable,
    Volatile,
}

#[derive(Debug, Clone, Copy)]
pub struct TypeRow {
    pub category: char,
    pub preferred: bool,
    pub input: Volatility,
    pub output: Volatility,
}

#[derive(Debug, Clone, Copy)]
pub struct CastRow {
    pub context: CastContext,
    pub volatility: Volatility,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverloadKind {
    Scalar,
    Aggregate,
    Window,
}

/// One function or operator of a name. A prefix operator has one argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overload {
    pub kind: OverloadKind,
    pub arguments: Vec<PgType>,
    /// The type of each further argument; the last of `arguments` stands for the first of them.
    pub variadic: Option<PgType>,
    pub result: PgType,
    pub volatility: Volatility,
}

/// The catalogue, read once.
pub fn catalogue() -> &'static Catalogue {
    static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();
    CATALOGUE.get_or_init(|| Catalogue::read(include_str!("catalogue.txt")))
}

impl Catalogue {
    fn read(text: &'static str) -> Catalogue {
        let mut read = Catalogue {
            types: HashMap::new(),
            casts: HashMap::new(),
            operators: HashMap::new(),
            functions: HashMap::new(),
        };
        for line in text.lines() {
            let words: Vec<&'static str> = line.split(' ').collect();
            match words[..] {
                ["type", name, category, preferred, input, output] => {
                    let row = TypeRow {
                        category: category.chars().next().unwrap_or('X'),
                        preferred: preferred == "t",
                        input: volatility(input),
                        output: volatility(output),
                    };
                    read.types.insert(PgType(name), row);
                }
                ["cast", source, target, context, _method, changes] => {
                    let row = CastRow { context: cast_context(context), volatility: volatility(changes) };
                    read.casts.insert((PgType(source), PgType(target)), row);
                }
                ["operator", name, left, right, result, changes] => {
                    let arguments = [left, right].into_iter().filter(|name| *name != "-").map(PgType).collect();
                    read.operators.entry(name).or_default().push(Overload {
                        kind: OverloadKind::Scalar,
                        arguments,
                        variadic: None,
                        result: PgType(result),
                        volatility: volatility(changes),
                    });
                }
                ["function", kind, name, result, changes, variadic, ref arguments @ ..] => {
                    read.functions.entry(name).or_default().push(Overload {
                        kind: match kind {
                            "a" => OverloadKind::Aggregate,
                            "w" => OverloadKind::Window,
                            _ => OverloadKind::Scalar,
                        },
                        arguments: arguments.iter().copied().map(PgType).collect(),
                        variadic: (variadic != "-").then_some(PgType(variadic)),
                        result: PgType(result),
                        volatility: volatility(changes),
                    });
                }
                _ => unreachable!("catalogue.txt has a line of another form: {line}"),
            }
        }
        read
    }

    /// What is known of a type; of one that the catalogue leaves out, that it is like no other.
    pub fn type_row(&self, ty: PgType) -> TypeRow {
        let other =
            TypeRow { category: 'X', preferred: false, input: Volatility::Volatile, output: Volatility::Volatile };
        self.types.get(&ty).copied().unwrap_or(other)
    }

    pub fn cast(&self, source: PgType, target: PgType) -> Option<CastRow> {
        self.casts.get(&(source, target)).copied()
    }

    /// The binary (two arguments) or prefix (one argument) operators of a name.
    pub fn operators(&self, name: &str, arguments: usize) -> Vec<&Overload> {
        let named = self.operators.get(name).into_iter().flatten();
        named.filter(|operator| operator.arguments.len() == arguments).collect()
    }

    /// Every function of a name.
    pub fn functions(&self, name: &str) -> &[Overload] {
        self.functions.get(name).map(Vec::as_slice).unwrap_or_default()
    }
}

fn volatility(word: &str) -> Volatility {
    match word {
        "i" => Volatility::Immutable,
        "s" => Volatility::Stable,
        _ => Volatility::Volatile,
    }
}

fn cast_context(word: &str) -> CastContext {
    match word {
        "i" => CastContext::Implicit,
        "a" => CastContext::Assignment,
        _ => CastContext::Explicit,
    }
}
