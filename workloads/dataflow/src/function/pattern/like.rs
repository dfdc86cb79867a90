//! LIKE, after Postgres's `MatchText`: a bad escape is an error only where matching gets to it.

use crate::function::EvalError;
use crate::value::ValueError;

enum Match {
    Yes,
    No,
    /// No, and no later start can match either: the text ended first.
    Abort,
}

pub(super) fn matches(text: &str, pattern: &str) -> Result<bool, EvalError> {
    let text: Vec<char> = text.chars().collect();
    let pattern: Vec<char> = pattern.chars().collect();
    Ok(matches!(match_from(&text, &pattern)?, Match::Yes))
}

fn match_from(mut text: &[char], mut pattern: &[char]) -> Result<Match, EvalError> {
    if pattern == ['%'] {
        return Ok(Match::Yes);
    }
    while let ([first, rest @ ..], [sign, after @ ..]) = (text, pattern) {
        match sign {
            '\\' => {
                let [literal, after @ ..] = after else { return Err(unfinished()) };
                if literal != first {
                    return Ok(Match::No);
                }
                (text, pattern) = (rest, after);
            }
            '%' => return match_any(text, after),
            '_' => (text, pattern) = (rest, after),
            literal if literal != first => return Ok(Match::No),
            _ => (text, pattern) = (rest, after),
        }
    }
    if !text.is_empty() {
        return Ok(Match::No);
    }
    Ok(if pattern.iter().all(|sign| *sign == '%') { Match::Yes } else { Match::Abort })
}

/// The text behind a `%`.
fn match_any(mut text: &[char], mut pattern: &[char]) -> Result<Match, EvalError> {
    while let [sign @ ('%' | '_'), after @ ..] = pattern {
        if *sign == '_' {
            let [_, rest @ ..] = text else { return Ok(Match::Abort) };
            text = rest;
        }
        pattern = after;
    }
    let literal = match pattern {
        [] => return Ok(Match::Yes),
        ['\\'] => return Err(unfinished()),
        ['\\', literal, ..] | [literal, ..] => literal,
    };
    while let [first, rest @ ..] = text {
        if first == literal {
            match match_from(text, pattern)? {
                Match::No => {}
                decided => return Ok(decided),
            }
        }
        text = rest;
    }
    Ok(Match::Abort)
}

fn unfinished() -> EvalError {
    ValueError::new("22025", "LIKE pattern must not end with escape character")
}

/// Rewrites a pattern whose escape character is another than `\`, or none.
pub(super) fn escape(pattern: &str, escape: &str) -> Result<String, EvalError> {
    let mut characters = escape.chars();
    let escape = match (characters.next(), characters.next()) {
        (None, _) => return Ok(pattern.replace('\\', "\\\\")),
        (Some('\\'), None) => return Ok(pattern.to_owned()),
        (Some(escape), None) => escape,
        (Some(_), Some(_)) => return Err(ValueError::new("22025", "invalid escape string")),
    };
    let mut rewritten = String::with_capacity(pattern.len());
    let mut after_escape = false;
    for character in pattern.chars() {
        if character == escape && !after_escape {
            rewritten.push('\\');
            after_escape = true;
        } else if character == '\\' {
            rewritten.push('\\');
            if !after_escape {
                rewritten.push('\\');
            }
            after_escape = false;
        } else {
            rewritten.push(character);
            after_escape = false;
        }
    }
    Ok(rewritten)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_postgres() {
        for (text, pattern, expected) in [
            ("홍길동", "홍%", true),
            ("홍길동", "홍_", false),
            ("홍길동", "_길_", true),
            ("100%", "100\\%", true),
            ("abcabc", "%b%c", true),
            ("", "%", true),
            ("a", "", false),
        ] {
            assert_eq!(matches(text, pattern), Ok(expected), "{text} LIKE {pattern}");
        }
        assert_eq!(matches("a", "a\\"), Ok(false));
        assert_eq!(matches("ab", "a\\").expect_err("an escape of nothing").sqlstate, "22025");
    }
}
