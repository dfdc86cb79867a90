//! Regular expressions: Postgres's advanced syntax, translated to one that runs in linear time.
//!
//! Back-references and look-around have no linear time, and are refused.

mod brackets;
mod translate;

use crate::function::EvalError;
use crate::value::ValueError;
use regex::{Regex, RegexBuilder};

/// The expression that was compiled last: a pattern is mostly the same for all rows.
#[derive(Default)]
pub(super) struct Last {
    compiled: Option<(String, Regex)>,
}

impl Last {
    pub fn matches(&mut self, text: &str, pattern: &str, ignore_case: bool) -> Result<bool, EvalError> {
        match &self.compiled {
            Some((compiled, regex)) if compiled == pattern => Ok(regex.is_match(text)),
            _ => {
                let regex = compile(pattern, ignore_case)?;
                let matched = regex.is_match(text);
                self.compiled = Some((pattern.to_owned(), regex));
                Ok(matched)
            }
        }
    }
}

fn compile(pattern: &str, ignore_case: bool) -> Result<Regex, EvalError> {
    let translated = translate::translate(pattern, ignore_case)?;
    RegexBuilder::new(&translated.pattern)
        .case_insensitive(translated.ignore_case)
        .dot_matches_new_line(!translated.newline_sensitive)
        .multi_line(translated.newline_sensitive)
        .size_limit(1 << 20)
        .build()
        .map_err(|error| invalid(&error.to_string()))
}

fn invalid(what: &str) -> EvalError {
    ValueError::new("2201B", format!("invalid regular expression: {what}"))
}

fn unsupported(what: &str) -> EvalError {
    ValueError::new("0A000", format!("{what} in a regular expression is not supported"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_match_as_in_postgres() {
        for (text, pattern, expected) in [
            ("홍길동", "^홍.{2}$", true),
            ("a\nb", "a.b", true),
            ("a\nb", "^b", false),
            ("a{b", "a{b", true),
            ("x]y", "[]]", true),
            ("a&&b", "[&&]{2}", true),
            ("foo bar", "\\mbar\\M", true),
            ("foobar", "\\ybar", false),
            ("Ä", "(?i)ä", true),
            ("tab\there", "\\t", true),
            ("a.b", "***=a.b", true),
            ("axb", "***=a.b", false),
            ("7", "\\d", true),
            ("word_1", "^\\w+$", true),
        ] {
            assert_eq!(Last::default().matches(text, pattern, false), Ok(expected), "{text} ~ {pattern}");
        }
        for (pattern, sqlstate) in [
            ("(a", "2201B"),
            ("a**", "2201B"),
            ("*a", "2201B"),
            ("[a", "2201B"),
            ("(a)\\1", "0A000"),
            ("a(?=b)", "0A000"),
        ] {
            let error = Last::default().matches("a", pattern, false).expect_err(pattern);
            assert_eq!(error.sqlstate, sqlstate, "{pattern}");
        }
    }
}
