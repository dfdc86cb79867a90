//! jsonb: looking into documents, and casts of their scalars.

use super::{CastContext, EvalError, Function, Sql, kernel::scalar};
use crate::value::{Decimal, Json, ValueError, parse_double, parse_real, stored_json};
use num_traits::ToPrimitive;

const EXPLICIT: Sql = Sql::Cast(CastContext::Explicit);

pub(super) fn functions() -> Vec<Function> {
    let mut functions = vec![
        scalar!("jsonb_object_field", Sql::Operator("->"), [Jsonb, Text] -> Jsonb, "The value of a key; null if there is none.", |_, document, name: &str| {
            stored_json(document).field(name).map(Json::to_string)
        }),
        scalar!("jsonb_object_field_text", Sql::Operator("->>"), [Jsonb, Text] -> Text, "The value of a key as text; null if there is none, or JSON null.", |_, document, name: &str| {
            stored_json(document).field(name).cloned().and_then(Json::into_text)
        }),
        scalar!("jsonb_array_element", Sql::Operator("->"), [Jsonb, Integer] -> Jsonb, "An element of an array, counted from 0, from the end when negative.", |_, document, index: i32| {
            stored_json(document).element(i64::from(index)).map(Json::to_string)
        }),
        scalar!("jsonb_array_element_text", Sql::Operator("->>"), [Jsonb, Integer] -> Text, "An element of an array as text.", |_, document, index: i32| {
            stored_json(document).element(i64::from(index)).cloned().and_then(Json::into_text)
        }),
        scalar!("jsonb_extract_path", Sql::Operator("#>"), [Jsonb, Text] -> Jsonb, "The value at a path, written '{a,0,b}'.", |_, document, path: &str| {
            Ok::<_, EvalError>(at_path(&stored_json(document), &read_path(path)?).map(Json::to_string))
        }),
        scalar!("jsonb_extract_path_text", Sql::Operator("#>>"), [Jsonb, Text] -> Text, "The value at a path, written '{a,0,b}', as text.", |_, document, path: &str| {
            Ok::<_, EvalError>(at_path(&stored_json(document), &read_path(path)?).cloned().and_then(Json::into_text))
        }),
        scalar!("jsonb_typeof", Sql::Function("jsonb_typeof"), [Jsonb] -> Text, "object, array, string, number, boolean or null.", |_, document| {
            stored_json(document).type_name().to_owned()
        }),
        scalar!("jsonb_array_length", Sql::Function("jsonb_array_length"), [Jsonb] -> Integer, "The number of elements of an array.", |_, document| {
            match stored_json(document) {
                Json::Array(elements) => Ok(elements.len() as i32),
                Json::Object(_) => Err(ValueError::parameter("cannot get array length of a non-array")),
                _ => Err(ValueError::parameter("cannot get array length of a scalar")),
            }
        }),
    ];
    functions.extend([
        scalar!("cast_jsonb_boolean", EXPLICIT, [Jsonb] -> Boolean, "The truth value that the document is.", |_, document| {
            match stored_json(document) {
                Json::Boolean(value) => Ok(value),
                other => Err(no_cast(&other, "boolean")),
            }
        }),
        scalar!("cast_jsonb_numeric", EXPLICIT, [Jsonb] -> Numeric, "The number that the document is.", |_, document| number(document, "numeric")),
        scalar!("cast_jsonb_smallint", EXPLICIT, [Jsonb] -> SmallInt, "The number that the document is, rounded.", |_, document| {
            number(document, "smallint")?.round_to_integer().to_i16().ok_or_else(|| ValueError::out_of_range("smallint"))
        }),
        scalar!("cast_jsonb_integer", EXPLICIT, [Jsonb] -> Integer, "The number that the document is, rounded.", |_, document| {
            number(document, "integer")?.round_to_integer().to_i32().ok_or_else(|| ValueError::out_of_range("integer"))
        }),
        scalar!("cast_jsonb_bigint", EXPLICIT, [Jsonb] -> BigInt, "The number that the document is, rounded.", |_, document| {
            number(document, "bigint")?.round_to_integer().to_i64().ok_or_else(|| ValueError::out_of_range("bigint"))
        }),
        scalar!("cast_jsonb_real", EXPLICIT, [Jsonb] -> Real, "The real nearest to the number that the document is.", |_, document| {
            parse_real(&number(document, "real")?.to_string())
        }),
        scalar!("cast_jsonb_double", EXPLICIT, [Jsonb] -> DoublePrecision, "The double precision nearest to the number that the document is.", |_, document| {
            parse_double(&number(document, "double precision")?.to_string())
        }),
    ]);
    functions
}

fn number(document: &str, ty: &'static str) -> Result<Decimal, EvalError> {
    match stored_json(document) {
        Json::Number(number) => Ok(number),
        other => Err(no_cast(&other, ty)),
    }
}

fn no_cast(document: &Json, ty: &'static str) -> EvalError {
    let name = match document {
        Json::Number(_) => "numeric",
        Json::Array(_) | Json::Object(_) => "array or object",
        Json::Null | Json::Boolean(_) | Json::String(_) => document.type_name(),
    };
    ValueError::parameter(format!("cannot cast jsonb {name} to type {ty}"))
}

/// Follows field names and array indexes; a name that is no index finds nothing in an array.
fn at_path<'a>(document: &'a Json, path: &[Option<String>]) -> Option<&'a Json> {
    path.iter().try_fold(document, |value, step| {
        let step = step.as_deref()?;
        match value {
            Json::Object(_) => value.field(step),
            Json::Array(_) => value.element(step.trim_start_matches(char::is_whitespace).parse().ok()?),
            _ => None,
        }
    })
}

/// The text form of a one-dimensional text[]: `{a,0,"with, comma"}`.
fn read_path(text: &str) -> Result<Vec<Option<String>>, EvalError> {
    let malformed = || ValueError::new("22P02", format!("malformed array literal: \"{text}\""));
    let inner = text.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).ok_or_else(malformed)?;
    if inner.trim().is_empty() {
        return Ok(Vec::new());
    }
    let mut steps = Vec::new();
    let mut characters = inner.chars().peekable();
    loop {
        while characters.next_if(|character| character.is_ascii_whitespace()).is_some() {}
        let mut step = String::new();
        let quoted = characters.next_if_eq(&'"').is_some();
        // White space at the end belongs to an unquoted step only when it is escaped.
        let mut kept = 0;
        loop {
            match characters.peek() {
                None if quoted => return Err(malformed()),
                None => break,
                Some('"') if quoted => {
                    characters.next();
                    kept = step.len();
                    while characters.next_if(|character| character.is_ascii_whitespace()).is_some() {}
                    break;
                }
                Some('"' | '{' | '}') if !quoted => return Err(malformed()),
                Some(',') if !quoted => break,
                Some('\\') => {
                    characters.next();
                    step.push(characters.next().ok_or_else(malformed)?);
                    kept = step.len();
                }
                Some(&other) => {
                    characters.next();
                    step.push(other);
                    if quoted || !other.is_ascii_whitespace() {
                        kept = step.len();
                    }
                }
            }
        }
        step.truncate(kept);
        if step.is_empty() && !quoted {
            return Err(malformed());
        }
        steps.push(if !quoted && step.eq_ignore_ascii_case("null") { None } else { Some(step) });
        match characters.next() {
            None => return Ok(steps),
            Some(',') => {}
            Some(_) => return Err(malformed()),
        }
    }
}
