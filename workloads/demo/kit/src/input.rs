//! What a client sends, field by field: parsed once into values that a table accepts.

use serde_json::{Map, Value};

/// Answered as 400: the field, what was found, what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: found {found}; expected {expected}")]
pub struct Invalid {
    pub field: String,
    pub found: String,
    pub expected: String,
}

impl Invalid {
    pub fn new(field: &str, found: impl Into<String>, expected: impl Into<String>) -> Invalid {
        Invalid { field: field.to_owned(), found: found.into(), expected: expected.into() }
    }
}

/// A body that is one JSON object with none but these fields.
pub struct Object(Map<String, Value>);

impl Object {
    /// `expected` describes the whole body.
    pub fn parse(body: &[u8], fields: &[&str], expected: &str) -> Result<Object, Invalid> {
        let value: Value =
            serde_json::from_slice(body).map_err(|error| Invalid::new("body", format!("{error}"), expected))?;
        let Value::Object(object) = value else {
            return Err(Invalid::new("body", shown(&value), expected));
        };
        match object.keys().find(|field| !fields.contains(&field.as_str())) {
            Some(unknown) => Err(Invalid::new(unknown, "an unknown field", format!("only {}", fields.join(", ")))),
            None => Ok(Object(object)),
        }
    }

    pub fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field)
    }

    /// Text that a person can read, of at most so many characters.
    pub fn text(&self, field: &str, longest: usize) -> Result<String, Invalid> {
        let expected = || format!("text of 1 to {longest} characters, not blank, without control characters");
        let value = self.get(field).ok_or_else(|| Invalid::new(field, "nothing", expected()))?;
        let text = value.as_str().ok_or_else(|| Invalid::new(field, shown(value), expected()))?;
        let characters = text.chars().count();
        if characters > longest {
            return Err(Invalid::new(field, format!("{characters} characters"), expected()));
        }
        // Postgres stores no NUL, and nobody can read the others in a name.
        if text.trim().is_empty() || text.chars().any(char::is_control) {
            return Err(Invalid::new(field, shown(value), expected()));
        }
        Ok(text.to_owned())
    }

    /// A whole number from 1 to `most`.
    pub fn number(&self, field: &str, most: i64) -> Result<i64, Invalid> {
        let expected = || format!("a whole number from 1 to {most}");
        let value = self.get(field).ok_or_else(|| Invalid::new(field, "nothing", expected()))?;
        value
            .as_i64()
            .filter(|number| (1..=most).contains(number))
            .ok_or_else(|| Invalid::new(field, shown(value), expected()))
    }
}

/// An id as a path has it.
pub fn id(text: &str) -> Result<i64, Invalid> {
    let expected = "a positive whole number";
    text.parse().ok().filter(|id| *id > 0).ok_or_else(|| Invalid::new("id", format!("{text:?}"), expected))
}

/// The value as JSON, cut short: an answer never repeats a page that was sent.
pub fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_positive_whole_number() {
        assert_eq!(id("7").unwrap(), 7);
        for wrong in ["0", "-1", "7.5", "홍길동", "9223372036854775808"] {
            assert_eq!(id(wrong).unwrap_err().field, "id", "{wrong}");
        }
    }

    #[test]
    fn a_number_is_whole_and_within_its_bounds() {
        for (value, found) in
            [("7", None), ("0", Some("0")), ("11", Some("11")), ("1.5", Some("1.5")), ("\"칠\"", Some("\"칠\""))]
        {
            let object = Object::parse(format!("{{\"n\":{value}}}").as_bytes(), &["n"], "").unwrap();
            assert_eq!(object.number("n", 10).err().map(|invalid| invalid.found).as_deref(), found, "{value}");
        }
    }
}
