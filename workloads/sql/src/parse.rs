//! Text to syntax tree: one SELECT, or one expression.

use crate::{
    error::{At, Refusal, Result},
    tokens::Tokens,
};
use sqlparser::{
    ast,
    dialect::PostgreSqlDialect,
    parser::{Parser, ParserError},
};

/// Parentheses, CASE and function calls inside each other.
const DEEPEST: usize = 200;

/// What a text is to be, in the sentences that refuse another one.
pub(crate) struct Wanted {
    pub is: &'static str,
    pub write: &'static str,
    /// What to do with a second statement.
    pub apart: &'static str,
}

/// The one statement of a text, when it is a query.
pub(crate) fn parse_query(tokens: &Tokens, wanted: &Wanted) -> Result<ast::Query> {
    let statements = Parser::new(&PostgreSqlDialect {})
        .with_recursion_limit(DEEPEST)
        .with_tokens_with_locations(tokens.for_parser())
        .parse_statements()
        .map_err(|error| refusal(error, tokens))?;
    let mut statements = statements.into_iter();
    let refuse = |found: &str| Err(Refusal::new(tokens.start(), found, wanted.is, wanted.write));
    match (statements.next(), statements.next()) {
        (None, _) => refuse("no statement"),
        (Some(ast::Statement::Query(query)), None) => Ok(*query),
        (Some(ast::Statement::Query(_)), Some(_)) => {
            Err(Refusal::new(tokens.keyword(";"), "a second statement", wanted.is, wanted.apart))
        }
        (Some(_), _) => refuse("a statement that is no SELECT"),
    }
}

/// A text that is one expression.
pub(crate) fn parse_expression(tokens: &Tokens) -> Result<ast::Expr> {
    let mut parser = Parser::new(&PostgreSqlDialect {})
        .with_recursion_limit(DEEPEST)
        .with_tokens_with_locations(tokens.for_parser());
    let expression = parser.parse_expr().map_err(|error| refusal(error, tokens))?;
    let next = parser.peek_token();
    if next.token == sqlparser::tokenizer::Token::EOF {
        return Ok(expression);
    }
    Err(Refusal::new(
        next.span.start.into(),
        format!("{} after the expression", next.token),
        "one expression stands here",
        "remove what follows, or join conditions by AND or OR",
    ))
}

fn refusal(error: ParserError, tokens: &Tokens) -> Refusal {
    let message = match error {
        ParserError::RecursionLimitExceeded => {
            return Refusal::new(
                tokens.start(),
                format!("more than {DEEPEST} expressions inside each other"),
                "the compiler follows that many",
                "flatten the expression",
            );
        }
        ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
    };
    // The parser names no place when the text is over.
    let (sentence, at) = split_place(&message).unwrap_or((&message, tokens.end()));
    match sentence.strip_prefix("Expected: ").and_then(|rest| rest.split_once(", found: ")) {
        Some((expected, found)) => Refusal::new(
            at,
            if found == "EOF" { "the end of the text".to_owned() } else { found.to_owned() },
            format!("{expected} was expected"),
            "correct the SQL; Postgres's grammar is meant",
        ),
        None => Refusal::new(at, "SQL that cannot be read", sentence, "correct the SQL; Postgres's grammar is meant"),
    }
}

/// The parser writes places at the end of its sentences.
fn split_place(message: &str) -> Option<(&str, At)> {
    let (sentence, place) = message.rsplit_once(" at Line: ")?;
    let (line, column) = place.split_once(", Column: ")?;
    Some((sentence, At { line: line.trim().parse().ok()?, column: column.trim().parse().ok()? }))
}
