//! What is printed of an assertion: SQL with places for the two revisions, every name quoted.

use crate::{
    error::{At, Refusal, Result},
    scope::{self, folded},
    tokens::Tokens,
};
use millrace_contract::ident::quote;
use sqlparser::ast::Ident;

/// Expressions and queries inside each other.
const DEEPEST: usize = 500;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Sql(String),
    /// The SELECT of the revision that is built.
    Next,
    /// The SELECT of the live one.
    Live,
}

pub(super) struct Printer<'a> {
    pub tokens: &'a Tokens,
    pieces: Vec<Piece>,
    /// What WITH has named, as far as it is known in the query that is printed.
    pub named: Vec<String>,
    depth: usize,
}

impl<'a> Printer<'a> {
    pub fn new(tokens: &'a Tokens) -> Printer<'a> {
        Printer { tokens, pieces: Vec::new(), named: Vec::new(), depth: 0 }
    }

    pub fn pieces(self) -> Vec<Piece> {
        self.pieces
    }

    pub fn write(&mut self, sql: &str) {
        match self.pieces.last_mut() {
            Some(Piece::Sql(text)) => text.push_str(sql),
            Some(Piece::Next | Piece::Live) | None => self.pieces.push(Piece::Sql(sql.to_owned())),
        }
    }

    /// A revision's SELECT, in parentheses.
    pub fn revision(&mut self, revision: Piece) {
        self.write("(");
        self.pieces.push(revision);
        self.write(")");
    }

    /// A name that stays one whatever is in it.
    pub fn name(&mut self, ident: &Ident) -> Result<()> {
        if ident.quote_style.is_none() && ident.value.starts_with('{') {
            return Err(Refusal::new(
                scope::at(ident),
                format!("{} outside FROM", ident.value),
                "it is a relation",
                "write FROM before it, and name its columns here",
            ));
        }
        if ident.quote_style == Some('\'') {
            return Err(Refusal::new(
                scope::at(ident),
                format!("the string '{}' where a name stands", ident.value),
                "a name stands in double quotes",
                "write it so, or || between strings",
            ));
        }
        self.write(&quote(&folded(ident)));
        Ok(())
    }

    /// `items` with commas between them.
    pub fn list<T>(&mut self, items: &[T], print: impl Fn(&mut Self, &T) -> Result<()>) -> Result<()> {
        for (position, item) in items.iter().enumerate() {
            if position > 0 {
                self.write(", ");
            }
            print(self, item)?;
        }
        Ok(())
    }

    pub fn parenthesised(&mut self, print: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        self.write("(");
        print(self)?;
        self.write(")");
        Ok(())
    }

    /// What stands inside something else, as deep as is followed.
    pub fn inside(&mut self, print: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Refusal::new(
                self.tokens.start(),
                format!("more than {DEEPEST} expressions inside each other"),
                "an assertion has at most so many",
                "write several assertions",
            ));
        }
        print(self)?;
        self.depth -= 1;
        Ok(())
    }
}

/// A name with a schema: nothing that an assertion reads is in one.
pub(super) fn qualified(at: At) -> Refusal {
    Refusal::new(at, "a name with a schema", "a column is written column, or relation.column", "leave out the schema")
}
