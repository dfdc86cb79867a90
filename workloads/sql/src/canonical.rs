//! The text of a query that its revision is named by: comments, white space and the case of unquoted words are gone.

use crate::tokens::Tokens;
use millrace_contract::ident::{literal, quote};
use sqlparser::tokenizer::Token;

pub(crate) fn canonical_query(tokens: &Tokens) -> String {
    let words: Vec<String> = tokens.words().map(|token| word(&token.token)).collect();
    let mut words = &words[..];
    while let [rest @ .., last] = words
        && last == ";"
    {
        words = rest;
    }
    words.join(" ")
}

fn word(token: &Token) -> String {
    match token {
        Token::Word(word) if word.quote_style.is_some() => quote(&word.value),
        Token::Word(word) => word.value.to_ascii_lowercase(),
        Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) | Token::UnicodeStringLiteral(text) => {
            literal(text)
        }
        Token::DollarQuotedString(text) => literal(&text.value),
        other => other.to_string(),
    }
}
