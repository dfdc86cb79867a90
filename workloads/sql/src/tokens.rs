//! The words of a text with their places, and what is refused before there is a syntax tree.

use crate::error::{At, Refusal, Result};
use sqlparser::{
    ast::Spanned,
    dialect::PostgreSqlDialect,
    keywords::Keyword,
    tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer, Word},
};

/// The longest text that is compiled, in bytes.
pub(crate) const LONGEST_TEXT: usize = 100_000;
/// The most words of a text that is compiled.
const MOST_TOKENS: usize = 20_000;

pub(crate) struct Tokens {
    tokens: Vec<TokenWithSpan>,
}

impl From<Location> for At {
    fn from(location: Location) -> At {
        At { line: location.line, column: location.column }
    }
}

impl Tokens {
    pub fn read(text: &str) -> Result<Tokens> {
        if text.len() > LONGEST_TEXT {
            return Err(Refusal::new(
                At::default(),
                format!("a text of {} bytes", text.len()),
                format!("at most {LONGEST_TEXT} bytes are compiled"),
                "split the view into several, or move fixed lists into a topic",
            ));
        }
        let tokens = Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location().map_err(|error| {
            Refusal::new(
                error.location.into(),
                "a character sequence that is no SQL",
                error.message.to_lowercase(),
                "close the quote or the comment, or remove the character",
            )
        })?;
        let words = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).count();
        if words > MOST_TOKENS {
            return Err(Refusal::new(
                At::default(),
                format!("a text of {words} words"),
                format!("at most {MOST_TOKENS} are compiled"),
                "split the view into several, or move fixed lists into a topic",
            ));
        }
        let tokens = Tokens { tokens };
        tokens.check()?;
        Ok(tokens)
    }

    /// With `{name}` as one word for each of `names`: no name that SQL has looks like it.
    pub fn with_relations(self, names: &[&str]) -> Tokens {
        let mut tokens: Vec<TokenWithSpan> = Vec::with_capacity(self.tokens.len());
        for token in self.tokens {
            let relation = match (&tokens[..], &token.token) {
                ([.., open, TokenWithSpan { token: Token::Word(word), .. }], Token::RBrace)
                    if open.token == Token::LBrace && names.contains(&word.value.as_str()) =>
                {
                    let value = format!("{{{}}}", word.value);
                    let word = Word { value, quote_style: None, keyword: Keyword::NoKeyword };
                    Some(TokenWithSpan::new(Token::Word(word), Span::new(open.span.start, token.span.end)))
                }
                _ => None,
            };
            if relation.is_some() {
                tokens.truncate(tokens.len() - 2);
            }
            tokens.push(relation.unwrap_or(token));
        }
        Tokens { tokens }
    }

    /// The tokens as the parser takes them.
    pub fn for_parser(&self) -> Vec<TokenWithSpan> {
        self.tokens.clone()
    }

    /// Where the text begins.
    pub fn start(&self) -> At {
        self.words().next().map(|token| token.span.start.into()).unwrap_or(At { line: 1, column: 1 })
    }

    /// Where the text ends.
    pub fn end(&self) -> At {
        self.words().last().map(|token| token.span.end.into()).unwrap_or(At { line: 1, column: 1 })
    }

    /// Where a part of the tree begins; at the start of the text, where the parser does not say.
    pub fn place(&self, part: &impl Spanned) -> At {
        let place = At::from(part.span().start);
        if place.line == 0 { self.start() } else { place }
    }

    /// Where a keyword first stands.
    pub fn keyword(&self, keyword: &str) -> At {
        let is_it = |token: &&TokenWithSpan| match &token.token {
            Token::Word(word) => word.quote_style.is_none() && word.value.eq_ignore_ascii_case(keyword),
            other => other.to_string() == keyword,
        };
        self.words().find(is_it).map(|token| token.span.start.into()).unwrap_or_else(|| self.start())
    }

    /// The place of the operator whose left operand ends at `end`.
    pub fn operator_after(&self, end: Location) -> At {
        let mut after = self.words().filter(|token| token.span.start >= end);
        after.find(|token| token.token != Token::RParen).map(|token| token.span.start.into()).unwrap_or(end.into())
    }

    pub fn words(&self) -> impl Iterator<Item = &TokenWithSpan> {
        self.tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF))
    }

    /// What the parser reads in another way than Postgres does.
    fn check(&self) -> Result<()> {
        for pair in self.tokens.windows(2) {
            let at: At = pair[0].span.start.into();
            match (&pair[0].token, &pair[1].token) {
                (Token::Placeholder(name), _) => {
                    return Err(Refusal::new(
                        at,
                        format!("the parameter {name}"),
                        "the text is complete",
                        "write the value",
                    ));
                }
                (Token::Number(digits, long), _) if *long || digits.contains('_') => {
                    return Err(Refusal::new(
                        at,
                        format!("the number {digits}{}", if *long { "L" } else { "" }),
                        "Postgres 15 writes numbers with digits, a point and an exponent only",
                        "write the digits without letters and underscores",
                    ));
                }
                (Token::Number(digits, _), Token::Word(word)) if word.quote_style.is_none() => {
                    return Err(Refusal::new(
                        at,
                        format!("the number {digits} with {} directly behind it", word.value),
                        "a number ends before a name begins",
                        "put a space or an operator between them",
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
