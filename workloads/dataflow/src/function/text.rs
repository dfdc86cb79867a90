//! text: characters are Unicode code points, counted from 1; the order is that of the bytes.

pub(super) mod case;
mod pad;

use super::{Context, EvalError, Function, Sql, kernel::column, kernel::scalar, kind};
use crate::value::{ValueError, print_any};
use arrow_array::{Array, ArrayRef, StringArray};
use millrace_contract::SqlType;
use std::sync::Arc;

pub(super) fn functions() -> Vec<Function> {
    let mut functions = vec![
        scalar!("textcat", Sql::Operator("||"), [Text, Text] -> Text, "Both texts, one after the other.", |_, a: &str, b: &str| format!("{a}{b}")),
        scalar!("length", Sql::Function("length"), [Text] -> Integer, "The number of characters.", |_, text: &str| text.chars().count() as i32),
        scalar!("char_length", Sql::Function("char_length"), [Text] -> Integer, "The number of characters.", |_, text: &str| text.chars().count() as i32),
        scalar!("character_length", Sql::Function("character_length"), [Text] -> Integer, "The number of characters.", |_, text: &str| text.chars().count() as i32),
        scalar!("octet_length", Sql::Function("octet_length"), [Text] -> Integer, "The number of bytes in UTF-8.", |_, text: &str| text.len() as i32),
        scalar!("lower", Sql::Function("lower"), [Text] -> Text, "In lower case, one character for one.", |_, text: &str| case::lower(text)),
        scalar!("upper", Sql::Function("upper"), [Text] -> Text, "In upper case, one character for one.", |_, text: &str| case::upper(text)),
        scalar!("initcap", Sql::Function("initcap"), [Text] -> Text, "The first letter of every word in upper case, the others in lower case.", |_, text: &str| case::initcap(text)),
        scalar!("strpos", Sql::Function("strpos"), [Text, Text] -> Integer, "Where the second text begins in the first; 0 if nowhere.", |_, text: &str, part: &str| position(text, part)),
        scalar!("position", Sql::Function("position"), [Text, Text] -> Integer, "Where the second text begins in the first (`position(part IN text)`); 0 if nowhere.", |_, text: &str, part: &str| position(text, part)),
        scalar!("substr", Sql::Function("substr"), [Text, Integer] -> Text, "The characters from a position on.", |_, text: &str, start| substring(text, start, None)),
        scalar!("substr_length", Sql::Function("substr"), [Text, Integer, Integer] -> Text, "So many characters from a position on.", |_, text: &str, start, length| substring(text, start, Some(length))),
        scalar!("substring", Sql::Function("substring"), [Text, Integer] -> Text, "The characters from a position on.", |_, text: &str, start| substring(text, start, None)),
        scalar!("substring_length", Sql::Function("substring"), [Text, Integer, Integer] -> Text, "So many characters from a position on.", |_, text: &str, start, length| substring(text, start, Some(length))),
        scalar!("left", Sql::Function("left"), [Text, Integer] -> Text, "The first characters; all but the last ones when negative.", |_, text: &str, count: i32| {
            text[..boundary(text, from_start(text, count))].to_owned()
        }),
        scalar!("right", Sql::Function("right"), [Text, Integer] -> Text, "The last characters; all but the first ones when negative.", |_, text: &str, count: i32| {
            let length = text.chars().count();
            let skipped = if count >= 0 { length.saturating_sub(count as usize) } else { count.unsigned_abs() as usize };
            text[boundary(text, skipped)..].to_owned()
        }),
        scalar!("replace", Sql::Function("replace"), [Text, Text, Text] -> Text, "Every occurrence of the second text replaced by the third.", |_, text: &str, from: &str, to: &str| {
            if from.is_empty() { text.to_owned() } else { text.replace(from, to) }
        }),
        scalar!("translate", Sql::Function("translate"), [Text, Text, Text] -> Text, "Every character of the second text replaced by the one at its place in the third, or left out.", |_, text: &str, from: &str, to: &str| translate(text, from, to)),
        scalar!("reverse", Sql::Function("reverse"), [Text] -> Text, "The characters in reverse order.", |_, text: &str| text.chars().rev().collect::<String>()),
        scalar!("split_part", Sql::Function("split_part"), [Text, Text, Integer] -> Text, "The n-th part between separators, from the end when negative.", |_, text: &str, separator: &str, number| split_part(text, separator, number)),
        scalar!("starts_with", Sql::Function("starts_with"), [Text, Text] -> Boolean, "Whether the first text begins with the second.", |_, text: &str, prefix: &str| text.starts_with(prefix)),
        scalar!("text_starts_with", Sql::Operator("^@"), [Text, Text] -> Boolean, "Whether the first text begins with the second.", |_, text: &str, prefix: &str| text.starts_with(prefix)),
        scalar!("ascii", Sql::Function("ascii"), [Text] -> Integer, "The code point of the first character; 0 for an empty text.", |_, text: &str| text.chars().next().map_or(0, |first| first as i32)),
        scalar!("chr", Sql::Function("chr"), [Integer] -> Text, "The character with a code point.", |_, code| character(code)),
        scalar!("to_hex32", Sql::Function("to_hex"), [Integer] -> Text, "In hexadecimal digits, two's complement.", |_, value: i32| format!("{value:x}")),
        scalar!("to_hex64", Sql::Function("to_hex"), [BigInt] -> Text, "In hexadecimal digits, two's complement.", |_, value: i64| format!("{value:x}")),
        scalar!("boolean_output", Sql::Function("boolout"), [Boolean] -> Text, "t or f, as concat prints a boolean.", |_, value| {
            if value { "t" } else { "f" }.to_owned()
        }),
        Function {
            name: "concat",
            sql: Sql::Function("concat"),
            arguments: &[],
            variadic: Some(SqlType::Text),
            returns: SqlType::Text,
            strict: false,
            evaluate: concat,
            doc: "All arguments that are not null, one after the other; each is printed by its type's output function.",
        },
        Function {
            name: "concat_ws",
            sql: Sql::Function("concat_ws"),
            arguments: &[SqlType::Text],
            variadic: Some(SqlType::Text),
            returns: SqlType::Text,
            strict: false,
            evaluate: concat_ws,
            doc: "All further arguments that are not null, with the first one between them; null if that is null.",
        },
    ];
    functions.extend(pad::functions());
    functions
}

/// Byte index at which the character number `count` (from 0) begins; the end if there are fewer.
fn boundary(text: &str, count: usize) -> usize {
    if count >= text.len() {
        return text.len();
    }
    text.char_indices().nth(count).map_or(text.len(), |(index, _)| index)
}

fn from_start(text: &str, count: i32) -> usize {
    if count >= 0 { count as usize } else { text.chars().count().saturating_sub(count.unsigned_abs() as usize) }
}

fn position(text: &str, part: &str) -> i32 {
    text.find(part).map_or(0, |index| text[..index].chars().count() as i32 + 1)
}

/// SQL's substring: positions before the text count, they just hold nothing.
fn substring(text: &str, start: i32, length: Option<i32>) -> Result<String, EvalError> {
    let first = i64::from(start).max(1) - 1;
    let end = match length {
        None => i64::MAX,
        Some(length) if length < 0 => {
            return Err(ValueError::new("22011", "negative substring length not allowed"));
        }
        Some(length) => start.checked_add(length).map_or(i64::MAX, |end| i64::from(end) - 1),
    };
    if end <= first {
        return Ok(String::new());
    }
    let rest = &text[boundary(text, first as usize)..];
    Ok(rest[..boundary(rest, usize::try_from(end - first).unwrap_or(usize::MAX))].to_owned())
}

fn translate(text: &str, from: &str, to: &str) -> String {
    text.chars()
        .filter_map(|character| match from.chars().position(|candidate| candidate == character) {
            None => Some(character),
            Some(place) => to.chars().nth(place),
        })
        .collect()
}

fn split_part(text: &str, separator: &str, number: i32) -> Result<String, EvalError> {
    if number == 0 {
        return Err(ValueError::parameter("field position must not be zero"));
    }
    let place = number.unsigned_abs() as usize - 1;
    let part = if separator.is_empty() {
        (place == 0).then_some(text)
    } else if number > 0 {
        text.split(separator).nth(place)
    } else {
        let parts: Vec<&str> = text.split(separator).collect();
        parts.len().checked_sub(place + 1).map(|index| parts[index])
    };
    Ok(part.unwrap_or_default().to_owned())
}

fn character(code: i32) -> Result<String, EvalError> {
    if code < 0 {
        return Err(ValueError::parameter("character number must be positive"));
    }
    if code == 0 {
        return Err(ValueError::new("54000", "null character not permitted"));
    }
    let character = char::from_u32(code as u32)
        .ok_or_else(|| ValueError::new("54000", format!("requested character not valid for encoding: {code}")))?;
    Ok(character.to_string())
}

fn concat(context: &Context, arguments: &[ArrayRef], rows: usize) -> Result<ArrayRef, EvalError> {
    let join = |row| arguments.iter().filter_map(|argument| print_any(argument, row, context.zone)).collect::<String>();
    Ok(Arc::new(StringArray::from_iter_values((0..rows).map(join))))
}

fn concat_ws(context: &Context, arguments: &[ArrayRef], rows: usize) -> Result<ArrayRef, EvalError> {
    let separators = column::<kind::Text>(arguments, 0);
    let join = |row| {
        let parts: Vec<String> =
            arguments[1..].iter().filter_map(|argument| print_any(argument, row, context.zone)).collect();
        separators.is_valid(row).then(|| parts.join(separators.value(row)))
    };
    Ok(Arc::new((0..rows).map(join).collect::<StringArray>()))
}
