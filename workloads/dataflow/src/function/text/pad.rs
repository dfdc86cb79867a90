//! Trimming, padding and repeating.

use crate::function::{EvalError, Function, Sql, kernel::scalar};
use crate::value::ValueError;

/// Longer results are refused, so that one record cannot take the worker's memory.
const LONGEST: usize = 16 << 20;

pub(super) fn functions() -> Vec<Function> {
    vec![
        scalar!("btrim", Sql::Function("btrim"), [Text] -> Text, "Without spaces at both ends.", |_, text: &str| text.trim_matches(' ').to_owned()),
        scalar!("ltrim", Sql::Function("ltrim"), [Text] -> Text, "Without spaces at the start.", |_, text: &str| text.trim_start_matches(' ').to_owned()),
        scalar!("rtrim", Sql::Function("rtrim"), [Text] -> Text, "Without spaces at the end.", |_, text: &str| text.trim_end_matches(' ').to_owned()),
        scalar!("btrim_set", Sql::Function("btrim"), [Text, Text] -> Text, "Without the characters of the second text at both ends.", |_, text: &str, set: &str| text.trim_matches(|c| set.contains(c)).to_owned()),
        scalar!("ltrim_set", Sql::Function("ltrim"), [Text, Text] -> Text, "Without the characters of the second text at the start.", |_, text: &str, set: &str| text.trim_start_matches(|c| set.contains(c)).to_owned()),
        scalar!("rtrim_set", Sql::Function("rtrim"), [Text, Text] -> Text, "Without the characters of the second text at the end.", |_, text: &str, set: &str| text.trim_end_matches(|c| set.contains(c)).to_owned()),
        scalar!("lpad", Sql::Function("lpad"), [Text, Integer] -> Text, "Spaces before the text up to a length; a longer text is cut.", |_, text: &str, length| {
            pad(text, length, " ").map(|(text, padding)| padding + text)
        }),
        scalar!("rpad", Sql::Function("rpad"), [Text, Integer] -> Text, "Spaces after the text up to a length; a longer text is cut.", |_, text: &str, length| {
            pad(text, length, " ").map(|(text, padding)| text.to_owned() + &padding)
        }),
        scalar!("lpad_fill", Sql::Function("lpad"), [Text, Integer, Text] -> Text, "The third text before the first, up to a length; a longer text is cut.", |_, text: &str, length, fill: &str| {
            pad(text, length, fill).map(|(text, padding)| padding + text)
        }),
        scalar!("rpad_fill", Sql::Function("rpad"), [Text, Integer, Text] -> Text, "The third text after the first, up to a length; a longer text is cut.", |_, text: &str, length, fill: &str| {
            pad(text, length, fill).map(|(text, padding)| text.to_owned() + &padding)
        }),
        scalar!("repeat", Sql::Function("repeat"), [Text, Integer] -> Text, "The text so many times; results above 16 MiB are refused.", |_, text: &str, count: i32| {
            let count = usize::try_from(count).unwrap_or(0);
            check_length(text.len().saturating_mul(count))?;
            Ok::<_, EvalError>(text.repeat(count))
        }),
    ]
}

/// The text, cut to `length` characters, and what is missing of them.
fn pad<'a>(text: &'a str, length: i32, fill: &str) -> Result<(&'a str, String), EvalError> {
    let length = usize::try_from(length).unwrap_or(0);
    check_length(length)?;
    let missing = length.saturating_sub(text.chars().count());
    let padding = if fill.is_empty() { String::new() } else { fill.chars().cycle().take(missing).collect() };
    Ok((&text[..super::boundary(text, length)], padding))
}

fn check_length(length: usize) -> Result<(), EvalError> {
    if length > LONGEST { Err(ValueError::new("54000", "requested length too large")) } else { Ok(()) }
}
