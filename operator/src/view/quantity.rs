//! Amounts of cores and memory, as Kubernetes writes them: the API server answers 1Gi to 1024Mi.

/// Whether the two texts are the same amount; those that are no amounts, the same text.
pub fn same(a: &str, b: &str) -> bool {
    a == b || thousandths(a).is_some_and(|amount| thousandths(b) == Some(amount))
}

/// The amount in thousandths, rounded up as the API server does; none where the text is no amount, or too much.
fn thousandths(text: &str) -> Option<i128> {
    let number = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(number);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let (base, exponent) = scale(suffix)?;
    // Thousandths, and not the digits after the point.
    let tens = exponent.checked_add(3)?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let amount = digits.checked_mul(base)?;
    let shift = 10_i128.checked_pow(tens.unsigned_abs())?;
    if tens >= 0 { amount.checked_mul(shift) } else { Some(amount / shift + i128::from(amount % shift > 0)) }
}

/// What a suffix multiplies by: a power of two, and ten to the second.
fn scale(suffix: &str) -> Option<(i128, i32)> {
    Some(match suffix {
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "" => (1, 0),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        "Ki" => (1 << 10, 0),
        "Mi" => (1 << 20, 0),
        "Gi" => (1 << 30, 0),
        "Ti" => (1 << 40, 0),
        "Pi" => (1 << 50, 0),
        "Ei" => (1 << 60, 0),
        _ => (1, suffix.strip_prefix(['e', 'E'])?.parse().ok()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_compared_by_value() {
        for (a, b) in [
            ("1024Mi", "1Gi"),
            ("0.5", "500m"),
            ("1000m", "1"),
            ("1.5Gi", "1536Mi"),
            ("1e3", "1k"),
            ("5E-1", "500m"),
            ("2E", "2000P"),
            ("0.0001", "1m"),
            (".5", "0.50"),
            ("what", "what"),
        ] {
            assert!(same(a, b), "{a} and {b}");
        }
        for (a, b) in [("1Gi", "1G"), ("1", "1m"), ("1Mi", "1Ki"), ("what", "1"), ("", "0"), ("what", "that")] {
            assert!(!same(a, b), "{a} and {b}");
        }
        assert!(!same("99999999999999999999999999Ei", "99999999999999999999999998Ei"), "too much to be counted");
    }
}
