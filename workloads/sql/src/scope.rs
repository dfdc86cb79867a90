//! The names that a query may use: the columns of its one source.

use crate::{
    error::{At, Refusal, Result, did_you_mean},
    view_query::SourceDecl,
};
use millrace_contract::{Expr, source::SourceColumn};
use sqlparser::ast::Ident;

pub(crate) struct Scope<'a> {
    pub source: &'a SourceDecl,
    /// The name that qualifies columns: the alias hides the source's name.
    qualifier: Option<String>,
}

/// A name as Postgres takes it: without quotes the ASCII letters are small.
pub(crate) fn folded(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_ascii_lowercase(),
    }
}

pub(crate) fn at(ident: &Ident) -> At {
    ident.span.start.into()
}

impl<'a> Scope<'a> {
    /// The source that FROM names.
    pub fn of(sources: &'a [SourceDecl], name: &Ident, alias: Option<&Ident>) -> Result<Scope<'a>> {
        let wanted = folded(name);
        let Some(source) = sources.iter().find(|source| source.name == wanted) else {
            let names: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
            return Err(Refusal::new(
                at(name),
                format!("unknown source {wanted:?}"),
                format!("the view's sources are {}", names.join(", ")),
                format!("write one of them{}", did_you_mean(&wanted, names)),
            ));
        };
        Ok(Scope { source, qualifier: Some(alias.map_or(wanted, folded)) })
    }

    /// A source whose columns stand without a qualifier.
    pub fn alone(source: &'a SourceDecl) -> Scope<'a> {
        Scope { source, qualifier: None }
    }

    /// The index of a column.
    pub fn column(&self, name: &Ident) -> Result<usize> {
        let wanted = folded(name);
        if let Some(index) = self.source.columns.iter().position(|column| column.name == wanted) {
            return Ok(index);
        }
        let names: Vec<&str> = self.source.columns.iter().map(|column| column.name.as_str()).collect();
        let mut listed = names.iter().take(12).copied().collect::<Vec<_>>().join(", ");
        if names.len() > 12 {
            listed.push_str(", …");
        }
        let quotes = if name.quote_style == Some('"') && names.contains(&wanted.to_ascii_lowercase().as_str()) {
            format!(" (without the quotes {} is found)", wanted.to_ascii_lowercase())
        } else {
            did_you_mean(&wanted, names)
        };
        Err(Refusal::new(
            at(name),
            format!("unknown column {wanted:?}"),
            format!("the source {} has {listed}", self.source.name),
            format!("write one of them{quotes}"),
        ))
    }

    /// Checks the name in front of a column or of `.*`.
    pub fn check_qualifier(&self, name: &Ident) -> Result<()> {
        let wanted = folded(name);
        match &self.qualifier {
            Some(qualifier) if *qualifier == wanted => Ok(()),
            Some(qualifier) => Err(Refusal::new(
                at(name),
                format!("unknown table name {wanted:?}"),
                format!("the source is called {qualifier} in this query"),
                format!("write {qualifier}.column, or the column alone"),
            )),
            None => Err(Refusal::new(
                at(name),
                format!("the table name {wanted:?}"),
                "columns stand alone here",
                "write the column alone",
            )),
        }
    }

    pub fn is_relation(&self, name: &Ident) -> bool {
        self.qualifier.as_deref() == Some(&folded(name))
    }

    pub fn columns(&self) -> &'a [SourceColumn] {
        &self.source.columns
    }

    /// A reference to a column.
    pub fn reference(&self, index: usize) -> Expr {
        Expr::Column { index, ty: self.source.columns[index].ty }
    }
}
