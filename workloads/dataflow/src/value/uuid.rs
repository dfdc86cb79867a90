//! uuid: 32 hex digits, a hyphen allowed after every fourth, braces around.

use super::ValueError;

/// Postgres's `uuid_in`; white space is not stripped.
pub fn parse_uuid(text: &str) -> Result<[u8; 16], ValueError> {
    parse(text.as_bytes()).ok_or_else(|| ValueError::syntax("uuid", text))
}

fn parse(text: &[u8]) -> Option<[u8; 16]> {
    let mut text = match text {
        [b'{', inner @ .., b'}'] => inner,
        other => other,
    };
    let mut bytes = [0u8; 16];
    for (index, byte) in bytes.iter_mut().enumerate() {
        let [high, low, rest @ ..] = text else { return None };
        *byte = digit(*high)? << 4 | digit(*low)?;
        text = rest;
        if index % 2 == 1
            && index < 15
            && let [b'-', rest @ ..] = text
        {
            text = rest;
        }
    }
    text.is_empty().then_some(bytes)
}

fn digit(byte: u8) -> Option<u8> {
    (byte as char).to_digit(16).map(|digit| digit as u8)
}

/// The 36 characters of the standard form.
pub fn print_uuid(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(36);
    for (index, &byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(DIGITS[usize::from(byte >> 4)] as char);
        text.push(DIGITS[usize::from(byte & 15)] as char);
    }
    text
}
