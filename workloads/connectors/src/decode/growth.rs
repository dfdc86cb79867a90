//! Numbers that are short where they are written and long where they are kept: an exponent costs nothing to write.

/// Digits that the numbers of a value may gain, besides so many for every byte of it. Every double is within it.
const DIGITS: u64 = 1_000;
const DIGITS_A_BYTE: u64 = 16;

/// Refuses a number, or the JSON of several, that would be far longer written out than it is written.
pub fn check(text: &str) -> Result<(), String> {
    let gained = gained(text.as_bytes());
    if gained > DIGITS + DIGITS_A_BYTE * text.len() as u64 {
        return Err(format!("without exponents its numbers are {gained} digits longer; expected {DIGITS} at most"));
    }
    Ok(())
}

/// The sum of all exponents outside of strings, signs left out.
fn gained(text: &[u8]) -> u64 {
    let (mut at, mut gained) = (0, 0u64);
    while let Some(next) = text[at..].iter().position(|byte| matches!(byte, b'"' | b'e' | b'E')) {
        at += next + 1;
        if text[at - 1] == b'"' {
            at = end_of_string(text, at);
        } else if at > 1 && matches!(text[at - 2], b'0'..=b'9' | b'.') {
            let sign = text[at..].iter().take_while(|byte| matches!(byte, b'+' | b'-' | b' ')).count();
            let digits = text[at + sign..].iter().take_while(|byte| byte.is_ascii_digit());
            let exponent =
                digits.fold(0u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
            gained = gained.saturating_add(exponent);
        }
    }
    gained
}

/// Where the text behind a string goes on; `at` is behind its first quote.
fn end_of_string(text: &[u8], mut at: usize) -> usize {
    while let Some(next) = text[at..].iter().position(|byte| matches!(byte, b'"' | b'\\')) {
        at += next + 1;
        if text[at - 1] == b'"' {
            return at;
        }
        at = (at + 1).min(text.len());
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_of_numbers_are_counted_and_texts_are_not() {
        for (text, digits) in [
            ("1e5", 5),
            ("-1.5E-20", 20),
            ("[1e5, 2.e+7, true, false, \"1e9\", \"\\\"1e9\", 3e1]", 13),
            ("\"1e9", 0),
            ("\"\\", 0),
            ("e9", 0),
            ("1e", 0),
            ("1e99999999999999999999999", u64::MAX),
        ] {
            assert_eq!(gained(text.as_bytes()), digits, "{text}");
        }
        assert_eq!(check("1.7976931348623157e308"), Ok(()));
        assert!(check("1e131071").is_err());
        assert!(check(&format!("[{}]", vec!["1e999"; 100].join(","))).is_err());
    }
}
