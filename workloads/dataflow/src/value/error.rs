//! Why a text has no value of a type, or a computation no result: what Postgres would say.

use std::fmt;

/// An SQLSTATE and Postgres's sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueError {
    pub sqlstate: &'static str,
    pub message: String,
}

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ValueError {}

impl ValueError {
    pub fn new(sqlstate: &'static str, message: impl Into<String>) -> Self {
        ValueError { sqlstate, message: message.into() }
    }

    /// 22P02: the text is none of the type's.
    pub fn syntax(ty: &str, text: &str) -> Self {
        ValueError::new("22P02", format!("invalid input syntax for type {ty}: \"{}\"", excerpt(text)))
    }

    /// 22003: the text is a number that the type cannot hold.
    pub fn text_out_of_range(ty: &str, text: &str) -> Self {
        ValueError::new("22003", format!("value \"{}\" is out of range for type {ty}", excerpt(text)))
    }

    /// 22003: a result that the type cannot hold.
    pub fn out_of_range(ty: &str) -> Self {
        ValueError::new("22003", format!("{ty} out of range"))
    }

    /// 22007: the text is no date or time.
    pub fn datetime_syntax(ty: &str, text: &str) -> Self {
        ValueError::new("22007", format!("invalid input syntax for type {ty}: \"{}\"", excerpt(text)))
    }

    /// 22008: a month 13, a second 61, a date before 4713 BC.
    pub fn datetime_field(text: &str) -> Self {
        ValueError::new("22008", format!("date/time field value out of range: \"{}\"", excerpt(text)))
    }

    /// 22008: a date or timestamp that the type cannot hold.
    pub fn datetime_out_of_range(ty: &str) -> Self {
        ValueError::new("22008", format!("{ty} out of range"))
    }

    /// 22012.
    pub fn division_by_zero() -> Self {
        ValueError::new("22012", "division by zero")
    }

    /// 22023.
    pub fn parameter(message: impl Into<String>) -> Self {
        ValueError::new("22023", message)
    }

    /// 22003: a float that left the finite numbers.
    pub fn float_overflow() -> Self {
        ValueError::new("22003", "value out of range: overflow")
    }

    /// 22003: a float that became zero.
    pub fn float_underflow() -> Self {
        ValueError::new("22003", "value out of range: underflow")
    }
}

/// A message stays readable (and a dead letter small) whatever the value is.
fn excerpt(text: &str) -> String {
    const LONGEST: usize = 200;
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
