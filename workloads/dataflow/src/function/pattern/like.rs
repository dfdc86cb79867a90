//! LIKE, after Postgres's `MatchText`: a bad escape is an error only where matching gets to it.

use crate::function::EvalError;
use crate::value::ValueError;

/// A text and a pattern, or what is left of both.
type Pair<'a> = (&'a [char], &'a [char]);

pub(super) fn matches(text: &str, pattern: &str) -> Result<bool, EvalError> {
    let text: Vec<char> = text.chars().collect();
    let pattern: Vec<char> = pattern.chars().collect();
    let (mut text, mut pattern) = (text.as_slice(), pattern.as_slice());
    // What is behind the last `%`, and where in the text it was tried last. An earlier `%` never has to take more of
    // the text than it did: the last one can.
    let mut last: Option<Pair<'_>> = None;
    while !text.is_empty() {
        if let ['%', after @ ..] = pattern {
            match skip_any((text, after))? {
                None => return Ok(false),
                Some((_, [])) => return Ok(true),
                found => last = found,
            }
        } else if let Some(matched) = match_one((text, pattern))? {
            (text, pattern) = matched;
            continue;
        } else {
            last = last.map(|(tried, pattern)| (&tried[1..], pattern));
        }
        let Some(behind) = last else { return Ok(false) };
        (text, pattern) = behind;
    }
    Ok(pattern.iter().all(|sign| *sign == '%'))
}

/// What is left behind the first character and its sign; none where they do not match.
fn match_one((text, pattern): Pair<'_>) -> Result<Option<Pair<'_>>, EvalError> {
    let [first, text @ ..] = text else { return Ok(None) };
    Ok(match pattern {
        ['\\'] => return Err(unfinished()),
        ['\\', literal, pattern @ ..] if literal == first => Some((text, pattern)),
        ['\\', ..] => None,
        [sign, pattern @ ..] if *sign == '_' || sign == first => Some((text, pattern)),
        _ => None,
    })
}

/// What is left behind the `%` and `_` that follow a `%`; none where the text is too short for them.
fn skip_any((mut text, mut pattern): Pair<'_>) -> Result<Option<Pair<'_>>, EvalError> {
    while let [sign @ ('%' | '_'), after @ ..] = pattern {
        if *sign == '_' {
            let [_, rest @ ..] = text else { return Ok(None) };
            text = rest;
        }
        pattern = after;
    }
    if pattern == ['\\'] { Err(unfinished()) } else { Ok(Some((text, pattern))) }
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

    #[test]
    fn as_many_signs_as_a_text_can_have_need_no_deep_stack() {
        let (text, pattern) = ("a".repeat(20_000), "%a".repeat(20_000));
        let matched = std::thread::Builder::new().stack_size(256 * 1024).spawn(move || matches(&text, &pattern));
        assert_eq!(matched.expect("a thread starts").join().expect("the thread ends"), Ok(true));
    }
}
