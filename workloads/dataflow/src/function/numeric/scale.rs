//! How many digits Postgres shows after the point of a result that has no end.
//!
//! Postgres counts in digits of base 10,000; these estimates follow its `numeric.c`, so that the same digits appear.

use super::{LEAST_DIGITS, MOST_SHOWN_SCALE};
use crate::value::Decimal;

/// A number in base 10,000: the power of its first digit, and its first digits (at most five).
pub(super) struct Leading {
    pub weight: i64,
    pub digits: Vec<i64>,
}

impl Leading {
    pub fn of(number: &Decimal) -> Self {
        if number.is_zero() {
            return Leading { weight: 0, digits: Vec::new() };
        }
        let text = number.unscaled.magnitude().to_string();
        let exponent = text.len() as i64 - i64::from(number.scale) - 1;
        let weight = exponent.div_euclid(4);
        let first = exponent.rem_euclid(4) as usize + 1;
        let digit = |start: usize, length: usize| {
            let digits = text.get(start..).unwrap_or_default();
            let known: String = digits.chars().take(length).collect();
            format!("{known:0<length$}").parse().unwrap_or(0)
        };
        let mut digits = vec![digit(0, first)];
        digits.extend((0..4).map(|index| digit(first + 4 * index, 4)));
        let used = text.trim_end_matches('0').len();
        digits.truncate(1 + used.saturating_sub(first).div_ceil(4));
        Leading { weight, digits }
    }

    fn first(&self) -> i64 {
        self.digits.first().copied().unwrap_or(0)
    }
}

/// Between the scales that the arguments have and the largest one shown.
pub(super) fn bounded(scale: i64, arguments: &[&Decimal]) -> u32 {
    let least = arguments.iter().map(|argument| i64::from(argument.scale)).max().unwrap_or(0);
    scale.max(least).clamp(0, MOST_SHOWN_SCALE) as u32
}

/// Postgres's `select_div_scale`.
pub(super) fn of_quotient(a: &Decimal, b: &Decimal) -> u32 {
    let (leading_a, leading_b) = (Leading::of(a), Leading::of(b));
    let mut weight = leading_a.weight - leading_b.weight;
    if leading_a.first() <= leading_b.first() {
        weight -= 1;
    }
    bounded(LEAST_DIGITS - weight * 4, &[a, b])
}

/// Postgres's `estimate_ln_dweight`: the decimal exponent of ln(number), roughly.
pub(super) fn ln_weight(number: &Decimal) -> i64 {
    if number.is_negative() || number.is_zero() {
        return 0;
    }
    let near_one = number.compare(&Decimal::new(9, 1)).is_ge() && number.compare(&Decimal::new(11, 1)).is_le();
    if near_one {
        let difference = Leading::of(&super::subtract(number, &Decimal::new(1, 0)));
        if difference.digits.is_empty() {
            return 0;
        }
        return difference.weight * 4 + (difference.first() as f64).log10() as i64;
    }
    let leading = Leading::of(number);
    let mut digits = leading.first();
    let mut weight = leading.weight * 4;
    if let Some(second) = leading.digits.get(1) {
        digits = digits * 10_000 + second;
        weight -= 4;
    }
    let logarithm = (digits as f64).ln() + weight as f64 * std::f64::consts::LN_10;
    logarithm.abs().log10() as i64
}

/// log10 of a number that is not zero, roughly, as Postgres's `power_var_int` estimates it.
pub(super) fn log10(number: &Decimal) -> f64 {
    let leading = Leading::of(number);
    let mut digits = leading.first() as f64;
    let mut weight = leading.weight * 4;
    for digit in leading.digits.iter().skip(1).take(3) {
        digits = digits * 10_000.0 + *digit as f64;
        weight -= 4;
    }
    digits.log10() + weight as f64
}
