//! Figures as people read them: counts, lengths of time, ages.

use k8s_openapi::jiff::Timestamp;
use std::time::Duration;

/// `1,234,567`
pub fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The two greatest units of a length of time: `45s`, `12m30s`, `3h5m`, `4d2h`.
pub fn length(seconds: i64) -> String {
    let mut rest = seconds.max(0);
    let mut parts = Vec::new();
    for (unit, worth) in [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)] {
        parts.push((rest / worth, unit));
        rest %= worth;
    }
    let first = parts.iter().position(|(number, _)| *number > 0).unwrap_or(3);
    let shown = parts.iter().skip(first).take(2).filter(|(number, unit)| *number > 0 || (first == 3 && *unit == "s"));
    shown.map(|(number, unit)| format!("{number}{unit}")).collect()
}

/// The same of a length of time that was typed.
pub fn duration(time: Duration) -> String {
    length(i64::try_from(time.as_secs()).unwrap_or(i64::MAX))
}

/// `120ms`, `1.5s`, and from ten seconds on a length of time.
pub fn milliseconds(number: i64) -> String {
    match number {
        ..1_000 => format!("{number}ms"),
        1_000..10_000 => format!("{}.{}s", number / 1_000, number % 1_000 / 100),
        10_000.. => length(number / 1_000),
    }
}

/// How long ago a moment was; `-` when it is not known.
pub fn age(moment: Option<Timestamp>, now: Timestamp) -> String {
    moment.map_or_else(|| "-".to_owned(), |moment| length(now.as_second() - moment.as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped_by_thousands() {
        let counts = [(0, "0"), (999, "999"), (1_000, "1,000"), (452_000, "452,000"), (-1_234_567, "-1,234,567")];
        for (number, text) in counts {
            assert_eq!(count(number), text);
        }
    }

    #[test]
    fn lengths_of_time_have_two_units_at_most() {
        let lengths = [
            (-5, "0s"),
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (750, "12m30s"),
            (3_605, "1h"),
            (11_100, "3h5m"),
            (86_400 * 4 + 7_200, "4d2h"),
        ];
        for (seconds, text) in lengths {
            assert_eq!(length(seconds), text, "{seconds}");
        }
        for (number, text) in [(0, "0ms"), (999, "999ms"), (1_580, "1.5s"), (9_999, "9.9s"), (90_000, "1m30s")] {
            assert_eq!(milliseconds(number), text, "{number}");
        }
    }
}
