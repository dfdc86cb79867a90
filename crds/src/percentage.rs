//! A share of the records, as people write it: `1%`, `0.5%`.

/// A share, exact to a thousandth of a percent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percentage {
    /// The share in hundred-thousandths: 1% is 1,000.
    pub hundred_thousandths: u32,
}

/// A text that is no percentage.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no percentage: write a number from 0 to 100 with at most three decimals and %, such as 1% or 0.5%")]
pub struct InvalidPercentage(pub String);

impl Percentage {
    /// Reads a percentage.
    pub fn parse(text: &str) -> Result<Percentage, InvalidPercentage> {
        let read = || {
            let number = text.strip_suffix('%')?;
            let (whole, decimals) = match number.split_once('.') {
                Some((_, "")) => return None,
                Some(parts) => parts,
                None => (number, ""),
            };
            let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
            if !(1..=3).contains(&whole.len()) || decimals.len() > 3 || !digits(whole) || !digits(decimals) {
                return None;
            }
            let hundred_thousandths = format!("{whole}{decimals:0<3}").parse().ok()?;
            (hundred_thousandths <= 100_000).then_some(Percentage { hundred_thousandths })
        };
        read().ok_or_else(|| InvalidPercentage(text.to_string()))
    }

    /// Whether `part` of `whole` is more than this share.
    pub fn is_exceeded_by(self, part: u64, whole: u64) -> bool {
        u128::from(part) * 100_000 > u128::from(whole) * u128::from(self.hundred_thousandths)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_are_read_exactly() {
        for (text, expected) in
            [("1%", 1_000), ("0.5%", 500), ("0.001%", 1), ("100%", 100_000), ("0%", 0), ("99.999%", 99_999)]
        {
            assert_eq!(Percentage::parse(text), Ok(Percentage { hundred_thousandths: expected }), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in ["", "%", "1", "1 %", "101%", "100.001%", "0.0001%", "-1%", ".5%", "1.%", "일%"] {
            assert_eq!(Percentage::parse(text), Err(InvalidPercentage(text.to_string())), "{text}");
        }
    }

    #[test]
    fn a_share_is_exceeded_only_by_more_than_itself() {
        let one_percent = Percentage { hundred_thousandths: 1_000 };
        assert!(!one_percent.is_exceeded_by(1, 100));
        assert!(one_percent.is_exceeded_by(2, 100));
        assert!(!one_percent.is_exceeded_by(u64::MAX / 100, u64::MAX));
    }
}
