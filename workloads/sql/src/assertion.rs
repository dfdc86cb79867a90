//! Assertions: questions about a revision's result, and about the live one's beside it, whose answer is yes or no.
//!
//! What a person wrote never reaches Postgres: it is parsed, and printed again from the tree. What the printer does not
//! know is refused.

mod call;
mod expression;
mod printer;
mod query;
mod relation;
mod select;

use crate::{
    CompileError,
    compile::on_a_long_stack,
    error::{Refusal, Result},
    parse::{Wanted, parse_query},
    tokens::Tokens,
};
use printer::{Piece, Printer};
use sqlparser::tokenizer::Token;

const WANTED: Wanted = Wanted {
    is: "an assertion is one SELECT",
    write: "write for example SELECT count(*) > 0 FROM {next}",
    apart: "write one assertion for each",
};
/// Of the text, as it is shown to people.
const LONGEST_SHOWN: usize = 200;

/// One SELECT over `{next}` and `{live}` that gives one boolean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assertion {
    text: String,
    pieces: Vec<Piece>,
}

impl Assertion {
    /// Reads the assertion that `field` of a manifest holds.
    pub fn parse(field: &str, text: &str) -> std::result::Result<Assertion, CompileError> {
        let pieces = on_a_long_stack(field, || read(text).map_err(|refusal| refusal.in_field(field)))?;
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let text = match line.char_indices().nth(LONGEST_SHOWN) {
            None => line,
            Some((end, _)) => format!("{}…", &line[..end]),
        };
        Ok(Assertion { text, pieces })
    }

    /// What was written, as one line for people.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The statement that asks it, with the SELECTs of both revisions in their places. None where it is about the live
    /// one and there is none.
    pub fn sql(&self, next: &str, live: Option<&str>) -> Option<String> {
        let mut sql = "SELECT (".to_owned();
        for piece in &self.pieces {
            sql.push_str(match piece {
                Piece::Sql(text) => text,
                Piece::Next => next,
                Piece::Live => live?,
            });
        }
        // Postgres refuses what is no boolean, has several columns, or several rows.
        sql.push_str(") AND true");
        Some(sql)
    }
}

fn read(text: &str) -> Result<Vec<Piece>> {
    let tokens = Tokens::read(text)?.with_relations(&["next", "live"]);
    if let Some(brace) = tokens.words().find(|token| matches!(token.token, Token::LBrace | Token::RBrace)) {
        return Err(Refusal::new(
            brace.span.start.into(),
            format!("the brace {}", brace.token),
            "an assertion reads {next} and {live}",
            "write one of them, without spaces",
        ));
    }
    let query = parse_query(&tokens, &WANTED)?;
    let mut printer = Printer::new(&tokens);
    printer.query(&query)?;
    let pieces = printer.pieces();
    if pieces.iter().any(|piece| matches!(piece, Piece::Sql(sql) if sql.contains('\0'))) {
        return Err(Refusal::new(
            tokens.start(),
            "a character with the code 0",
            "Postgres's text has none",
            "remove it",
        ));
    }
    Ok(pieces)
}
