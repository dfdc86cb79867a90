//! `docs/sql.md`: what views can compute, written from the table of functions.

use crate::bind::is_callable;
use millrace_contract::SqlType;
use millrace_dataflow::function::{CastContext, Function, Sql, functions};
use std::{collections::BTreeMap, fmt::Write};

const HEAD: &str = include_str!("documentation.md");

/// The page as Markdown.
pub fn documentation() -> String {
    let mut page = HEAD.to_owned();
    section(&mut page, "Operators", |sql| match sql {
        Sql::Operator(name) | Sql::Prefix(name) => Some(name),
        Sql::Function(_) | Sql::Cast(_) => None,
    });
    section(&mut page, "Functions", |sql| match sql {
        Sql::Function(name) => is_callable(name).then_some(name),
        Sql::Operator(_) | Sql::Prefix(_) | Sql::Cast(_) => None,
    });
    casts(&mut page);
    page
}

fn section(page: &mut String, title: &str, name_of: impl Fn(Sql) -> Option<&'static str>) {
    let mut by_name: BTreeMap<&str, Vec<&Function>> = BTreeMap::new();
    for function in functions() {
        if let Some(name) = name_of(function.sql) {
            by_name.entry(name).or_default().push(function);
        }
    }
    // Writing to a String does not fail.
    let _ = write!(page, "\n## {title}\n\n| name | forms | meaning |\n|---|---|---|\n");
    for (name, forms) in by_name {
        let mut meanings: Vec<&str> = forms.iter().map(|form| form.doc).collect();
        meanings.dedup();
        let forms: Vec<String> = forms.into_iter().map(form).collect();
        let cell = |text: &str| text.replace('|', "\\|");
        let _ = writeln!(page, "| `{}` | {} | {} |", cell(name), cell(&forms.join("<br>")), cell(&meanings.join(" ")));
    }
}

fn form(function: &Function) -> String {
    let types: Vec<&str> = function.arguments.iter().map(|ty| ty.name()).collect();
    let returns = function.returns;
    match function.sql {
        Sql::Operator(name) => format!("{} `{name}` {} → {returns}", types[0], types[1]),
        Sql::Prefix(name) => format!("`{name}` {} → {returns}", types[0]),
        Sql::Function(name) => {
            let mut listed = types.join(", ");
            if let Some(further) = function.variadic {
                let comma = if listed.is_empty() { "" } else { ", " };
                listed.push_str(&format!("{comma}{further} …"));
            }
            format!("`{name}`({listed}) → {returns}")
        }
        Sql::Cast(_) => format!("{} → {returns}", types[0]),
    }
}

fn casts(page: &mut String) {
    let _ = write!(page, "\n## Casts\n\n| from | without being written | by CAST or `::` |\n|---|---|---|\n");
    for from in SqlType::ALL {
        let to = |implicit: bool| {
            let fits = |function: &&Function| match function.sql {
                Sql::Cast(context) => function.arguments == [from] && (context == CastContext::Implicit) == implicit,
                Sql::Operator(_) | Sql::Prefix(_) | Sql::Function(_) => false,
            };
            let names: Vec<&str> = functions().iter().filter(fits).map(|function| function.returns.name()).collect();
            names.join(", ")
        };
        let _ = writeln!(page, "| {from} | {} | {} |", to(true), to(false));
    }
}
