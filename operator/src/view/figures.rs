//! Figures for people: counts, bytes and times.

/// To two significant digits: it stays the same while what it is a figure of moves a little.
pub fn two_digits(number: i64) -> i64 {
    let mut unit = 1;
    while number / unit >= 100 {
        unit *= 10;
    }
    number.saturating_add(unit / 2) / unit * unit
}

/// With a comma before every third digit from the end.
pub fn count(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in the largest unit of which there is one, to two digits.
pub fn size(bytes: i64) -> String {
    let bytes = two_digits(bytes);
    let (mut unit, mut name) = (1, "B");
    for larger in ["kB", "MB", "GB", "TB", "PB", "EB"] {
        if bytes / unit >= 1_000 {
            (unit, name) = (unit * 1_000, larger);
        }
    }
    let amount = bytes as f64 / unit as f64;
    let decimals = usize::from(bytes % unit != 0 && amount < 10.0);
    format!("{amount:.decimals$} {name}")
}

/// A time in the largest unit of which there are two, rounded up.
pub fn time(seconds: i64) -> String {
    let (unit, name) = match seconds {
        ..120 => (1, "s"),
        120..7_200 => (60, "min"),
        7_200..172_800 => (3_600, "h"),
        172_800.. => (86_400, "days"),
    };
    format!("{} {name}", count(seconds / unit + i64::from(seconds % unit > 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_digits_are_kept() {
        for (number, rounded) in
            [(0, 0), (99, 99), (100, 100), (104, 100), (105, 110), (996, 1_000), (123_456, 120_000)]
        {
            assert_eq!(two_digits(number), rounded, "{number}");
        }
        assert_eq!(two_digits(i64::MAX), 9_200_000_000_000_000_000);
    }

    #[test]
    fn figures_are_as_people_write_them() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
        for (bytes, text) in [
            (0, "0 B"),
            (999, "1 kB"),
            (8_192, "8.2 kB"),
            (12_345_678, "12 MB"),
            (1_000_000_000, "1 GB"),
            (i64::MAX, "9.2 EB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        for (seconds, text) in
            [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7_141, "120 min"), (7_201, "3 h"), (400_000, "5 days")]
        {
            assert_eq!(time(seconds), text);
        }
    }
}
