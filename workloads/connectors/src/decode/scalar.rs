//! A JSON value as text, the way jsonb's `#>>` prints it.

use super::growth;
use millrace_dataflow::value::{Decimal, ValueError, canonical_json};
use std::borrow::Cow;

/// Readers of one JSON value that is known to be well-formed.
pub struct Scalar;

impl Scalar {
    /// `value #>> '{}'`: a string unescaped, other scalars as their text, objects and arrays as canonical jsonb text,
    /// null as null.
    pub fn text(json: &str) -> Result<Option<Cow<'_, str>>, String> {
        match json.as_bytes().first() {
            Some(b'n') | None => Ok(None),
            Some(b't' | b'f') => Ok(Some(Cow::Borrowed(json))),
            Some(b'"') => string(json).map(Some),
            Some(b'{' | b'[') => {
                growth::check(json)?;
                canonical_json(json).map(|text| Some(Cow::Owned(text))).map_err(sentence)
            }
            Some(_) => number(json).map(Some),
        }
    }

    /// `value #> '{}'`: the value itself, where JSON null is null.
    pub fn jsonb(json: &str) -> Result<Option<Cow<'_, str>>, String> {
        Ok((json != "null").then_some(Cow::Borrowed(json)))
    }
}

/// The text of a JSON string with its quotes.
fn string(json: &str) -> Result<Cow<'_, str>, String> {
    let inner = &json[1..json.len() - 1];
    let text = if inner.contains('\\') {
        Cow::Owned(serde_json::from_str::<String>(json).map_err(|error| error.to_string())?)
    } else {
        Cow::Borrowed(inner)
    };
    if text.contains('\0') {
        return Err("\\u0000 cannot be converted to text".into());
    }
    Ok(text)
}

/// A JSON number as numeric prints it: `1e2` is `100`, `-0` is `0`, `1.50` stays `1.50`.
fn number(json: &str) -> Result<Cow<'_, str>, String> {
    let bytes = json.as_bytes();
    let plain = !bytes.iter().any(|byte| matches!(byte, b'e' | b'E'));
    if plain && (bytes[0] != b'-' || bytes.iter().any(|byte| matches!(byte, b'1'..=b'9'))) {
        return Ok(Cow::Borrowed(json));
    }
    growth::check(json)?;
    Decimal::parse(json).map(|number| Cow::Owned(number.to_string())).map_err(sentence)
}

fn sentence(error: ValueError) -> String {
    error.to_string()
}
