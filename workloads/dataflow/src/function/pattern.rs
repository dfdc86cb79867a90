//! LIKE and regular expressions.

mod like;
mod regular;

use super::{EvalError, Function, Sql, kernel::scalar, text::case as text_case};

pub(super) fn functions() -> Vec<Function> {
    vec![
        scalar!("textlike", Sql::Operator("~~"), [Text, Text] -> Boolean, "LIKE: % is any text, _ any character, \\ takes the next one literally.", |_, text: &str, pattern: &str| like::matches(text, pattern)),
        scalar!("textnlike", Sql::Operator("!~~"), [Text, Text] -> Boolean, "NOT LIKE.", |_, text: &str, pattern: &str| negated(like::matches(text, pattern))),
        scalar!("texticlike", Sql::Operator("~~*"), [Text, Text] -> Boolean, "ILIKE: LIKE without regard to case.", |_, text: &str, pattern: &str| {
            like::matches(&text_case::lower(text), &text_case::lower(pattern))
        }),
        scalar!("texticnlike", Sql::Operator("!~~*"), [Text, Text] -> Boolean, "NOT ILIKE.", |_, text: &str, pattern: &str| {
            negated(like::matches(&text_case::lower(text), &text_case::lower(pattern)))
        }),
        scalar!("like_escape", Sql::Function("like_escape"), [Text, Text] -> Text, "The pattern of LIKE ... ESCAPE with \\ as its escape character.", |_, pattern: &str, escape: &str| like::escape(pattern, escape)),
        scalar!("textregexeq", Sql::Operator("~"), [Text, Text] -> Boolean, "Whether a regular expression matches anywhere in the text.", {
            let mut last = regular::Last::default();
            move |_, text: &str, pattern: &str| last.matches(text, pattern, false)
        }),
        scalar!("textregexne", Sql::Operator("!~"), [Text, Text] -> Boolean, "Whether a regular expression matches nowhere in the text.", {
            let mut last = regular::Last::default();
            move |_, text: &str, pattern: &str| negated(last.matches(text, pattern, false))
        }),
        scalar!("texticregexeq", Sql::Operator("~*"), [Text, Text] -> Boolean, "Whether a regular expression matches, without regard to case.", {
            let mut last = regular::Last::default();
            move |_, text: &str, pattern: &str| last.matches(text, pattern, true)
        }),
        scalar!("texticregexne", Sql::Operator("!~*"), [Text, Text] -> Boolean, "Whether a regular expression matches nowhere, without regard to case.", {
            let mut last = regular::Last::default();
            move |_, text: &str, pattern: &str| negated(last.matches(text, pattern, true))
        }),
    ]
}

fn negated(result: Result<bool, EvalError>) -> Result<bool, EvalError> {
    result.map(|matched| !matched)
}
