//! Lengths of time as people write them: `24h`, `90m`, `1h30m`, `30s`.

use std::time::Duration;

/// A text that is no length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no length of time: write hours, minutes and seconds in this order, such as 24h, 90m, 1h30m or 30s")]
pub struct InvalidDuration(pub String);

/// Reads a length of time: hours, minutes and seconds in this order, each at most once and at most 99999.
pub fn parse_duration(text: &str) -> Result<Duration, InvalidDuration> {
    let invalid = || InvalidDuration(text.to_string());
    let mut seconds = 0;
    let mut rest = text;
    for (unit, worth) in [('h', 3600), ('m', 60), ('s', 1)] {
        let Some((count, after)) = rest.split_once(unit) else { continue };
        if count.is_empty() || count.len() > 5 || !count.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid());
        }
        seconds += count.parse::<u64>().map_err(|_| invalid())? * worth;
        rest = after;
    }
    if text.is_empty() || !rest.is_empty() { Err(invalid()) } else { Ok(Duration::from_secs(seconds)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_minutes_and_seconds_are_read() {
        for (text, seconds) in
            [("24h", 86_400), ("90m", 5_400), ("30s", 30), ("1h30m", 5_400), ("1h1m1s", 3_661), ("0s", 0)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in ["", "24", "h", "30s1h", "1.5h", "-1h", "1d", "1h 30m", "100000h", "한시간", "1h1h"] {
            assert_eq!(parse_duration(text), Err(InvalidDuration(text.to_string())), "{text}");
        }
    }
}
