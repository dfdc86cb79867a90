//! jsonb: a JSON document whose keys are unique and sorted and whose numbers are numeric.

mod compare;
mod parse;

pub use parse::parse_json;

use super::{Decimal, ValueError};
use std::fmt::{self, Write};

/// One document. Object keys are unique, sorted by length, then by bytes, as Postgres stores them.
#[derive(Debug, Clone)]
pub enum Json {
    Null,
    Boolean(bool),
    Number(Decimal),
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Postgres's `jsonb_in` and `jsonb_out`: the text that a jsonb column holds here.
pub fn canonical_json(text: &str) -> Result<String, ValueError> {
    Ok(parse_json(text)?.to_string())
}

impl Json {
    /// An object of `pairs`; of equal keys the last one stays.
    pub fn object(mut pairs: Vec<(String, Json)>) -> Self {
        pairs.sort_by(|(left, _), (right, _)| key_order(left, right));
        let mut unique: Vec<(String, Json)> = Vec::with_capacity(pairs.len());
        for pair in pairs {
            match unique.last_mut() {
                Some(last) if last.0 == pair.0 => *last = pair,
                _ => unique.push(pair),
            }
        }
        Json::Object(unique)
    }

    /// What `jsonb_typeof` says.
    pub fn type_name(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Boolean(_) => "boolean",
            Json::Number(_) => "number",
            Json::String(_) => "string",
            Json::Array(_) => "array",
            Json::Object(_) => "object",
        }
    }

    /// The value of a key of an object.
    pub fn field(&self, name: &str) -> Option<&Json> {
        let Json::Object(pairs) = self else { return None };
        let found = pairs.binary_search_by(|(key, _)| key_order(key, name)).ok()?;
        Some(&pairs[found].1)
    }

    /// An element of an array; a negative index counts from its end. A scalar is stored as an array of itself.
    pub fn element(&self, index: i64) -> Option<&Json> {
        let elements = match self {
            Json::Array(elements) => elements.as_slice(),
            Json::Object(_) => return None,
            scalar => std::slice::from_ref(scalar),
        };
        let index = if index < 0 { index + elements.len() as i64 } else { index };
        elements.get(usize::try_from(index).ok()?)
    }

    /// What `->>` gives: a string as it is, null as no value, the rest as text.
    pub fn into_text(self) -> Option<String> {
        match self {
            Json::Null => None,
            Json::String(text) => Some(text),
            other => Some(other.to_string()),
        }
    }

    /// The same document with one text for all that are equal: 1.0 and 1.00 are.
    pub(crate) fn normalized(self) -> Self {
        match self {
            Json::Number(number) => Json::Number(number.normalized()),
            Json::Array(elements) => Json::Array(elements.into_iter().map(Json::normalized).collect()),
            Json::Object(pairs) => {
                Json::Object(pairs.into_iter().map(|(key, value)| (key, value.normalized())).collect())
            }
            other => other,
        }
    }
}

fn key_order(left: &str, right: &str) -> std::cmp::Ordering {
    left.len().cmp(&right.len()).then_with(|| left.as_bytes().cmp(right.as_bytes()))
}

/// Postgres's `jsonb_out`.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Json::Null => f.write_str("null"),
            Json::Boolean(value) => write!(f, "{value}"),
            Json::Number(value) => write!(f, "{value}"),
            Json::String(value) => write_string(f, value),
            Json::Array(elements) => {
                f.write_char('[')?;
                for (index, element) in elements.iter().enumerate() {
                    f.write_str(if index > 0 { ", " } else { "" })?;
                    write!(f, "{element}")?;
                }
                f.write_char(']')
            }
            Json::Object(pairs) => {
                f.write_char('{')?;
                for (index, (key, value)) in pairs.iter().enumerate() {
                    f.write_str(if index > 0 { ", " } else { "" })?;
                    write_string(f, key)?;
                    write!(f, ": {value}")?;
                }
                f.write_char('}')
            }
        }
    }
}

fn write_string(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for character in text.chars() {
        match character {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\u{8}' => f.write_str("\\b")?,
            '\u{c}' => f.write_str("\\f")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            control if control < ' ' => write!(f, "\\u{:04x}", control as u32)?,
            other => f.write_char(other)?,
        }
    }
    f.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_one_text() {
        for (text, canonical) in [
            (r#" {"이름":"홍길동","id":7,"id":8} "#, r#"{"id": 8, "이름": "홍길동"}"#),
            (
                r#"[1.10,1e2,-0,true,null,"a\u00e9\ud83d\ude00\n\u0007"]"#,
                r#"[1.10, 100, 0, true, null, "aé😀\n\u0007"]"#,
            ),
            (r#"{"bb":1,"a":{},"c":[]}"#, r#"{"a": {}, "c": [], "bb": 1}"#),
        ] {
            assert_eq!(canonical_json(text).as_deref(), Ok(canonical));
        }
    }

    #[test]
    fn what_is_no_document_is_refused_with_its_class() {
        for text in ["", "{", "[1,]", "{\"a\" 1}", "01", "1.", "nul", "\"\u{1}\"", "\"\\x\"", "\"\\ud800\"", "1 2"] {
            assert_eq!(canonical_json(text).expect_err(text).sqlstate, "22P02", "{text}");
        }
        assert_eq!(canonical_json("\"\\u0000\"").expect_err("NUL").sqlstate, "22P05");
        let deep = "[".repeat(5000) + &"]".repeat(5000);
        assert_eq!(canonical_json(&deep).expect_err("too deep").sqlstate, "54001");
    }
}
