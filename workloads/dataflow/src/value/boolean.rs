//! boolean: any unique prefix of true, false, yes, no, on, off, and 1, 0.

use super::ValueError;

/// Postgres's `boolin`.
pub fn parse_boolean(text: &str) -> Result<bool, ValueError> {
    let word = super::text::trim(text).to_ascii_lowercase();
    let prefix_of = |whole: &str, least: usize| word.len() >= least && whole.starts_with(&word);
    if prefix_of("true", 1) || prefix_of("yes", 1) || word == "on" || word == "1" {
        Ok(true)
    } else if prefix_of("false", 1) || prefix_of("no", 1) || prefix_of("off", 2) || word == "0" {
        Ok(false)
    } else {
        Err(ValueError::syntax("boolean", text))
    }
}
