//! text: any characters but NUL.

use super::ValueError;

/// Postgres's text cannot hold the character NUL.
pub fn check_text(text: &str) -> Result<&str, ValueError> {
    if text.as_bytes().contains(&0) {
        return Err(ValueError::new("22021", "invalid byte sequence for encoding \"UTF8\": 0x00"));
    }
    Ok(text)
}

/// C's `isspace`, which every input function strips.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(|character: char| character.is_ascii() && is_space(character as u8))
}
