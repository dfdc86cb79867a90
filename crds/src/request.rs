//! A request: what a person asks of a view by an annotation. An id acts once.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::GROUP;

/// What can be asked for by an annotation.
// The id of Promote is the name of a revision, or that and more after a dot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    Abort,
    Rollback,
    Retry,
    Promote,
    Verify,
}

impl Verb {
    pub const ALL: [Verb; 5] = [Verb::Abort, Verb::Rollback, Verb::Retry, Verb::Promote, Verb::Verify];

    pub const fn name(self) -> &'static str {
        match self {
            Verb::Abort => "abort",
            Verb::Rollback => "rollback",
            Verb::Retry => "retry",
            Verb::Promote => "promote",
            Verb::Verify => "verify",
        }
    }

    pub fn from_name(name: &str) -> Option<Verb> {
        Verb::ALL.into_iter().find(|verb| verb.name() == name)
    }

    pub fn annotation(self) -> String {
        format!("{GROUP}/{}", self.name())
    }
}

/// A request, with the name that was chosen for it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Request {
    pub verb: Verb,
    pub id: String,
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb.name(), self.id)
    }
}

/// Whether `text` can be the name of something that is asked for once.
pub fn is_id(text: &str) -> bool {
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    let inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    bytes.len() <= 63 && ends(bytes.first()) && ends(bytes.last()) && bytes.iter().all(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verb_is_written_as_its_annotation_names_it() {
        for verb in Verb::ALL {
            assert_eq!(serde_json::to_value(verb).expect("a word"), verb.name());
            assert_eq!(Verb::from_name(verb.name()), Some(verb));
        }
        assert_eq!(Verb::Promote.annotation(), "millrace.dev/promote");
    }

    #[test]
    fn an_id_begins_and_ends_with_a_letter_or_a_digit() {
        let longest = "a".repeat(63);
        for id in ["1", "after-bugfix-42", "1a2b3c4d.2", "A_b", &longest] {
            assert!(is_id(id), "{id}");
        }
        for text in ["", "-a", "a.", "a b", "다시", "a/b", &format!("{longest}a")] {
            assert!(!is_id(text), "{text}");
        }
    }
}
