//! Bracket expressions: every member is written so that nothing of the target's own bracket syntax applies.

use super::{
    invalid,
    translate::{Scanner, character_escape},
    unsupported,
};
use crate::function::EvalError;

/// The members of a class in the target's bracket syntax. White space is C.UTF-8's: no-break spaces are none.
fn class(name: &str) -> Option<&'static str> {
    Some(match name {
        "alpha" => r"\p{Alphabetic}",
        "digit" => "0-9",
        "alnum" => r"\p{Alphabetic}\p{Nd}",
        "word" => r"\p{Alphabetic}\p{Nd}_",
        "upper" => r"\p{Uppercase}",
        "lower" => r"\p{Lowercase}",
        "space" => r"\t-\r \x{1680}\x{2000}-\x{2006}\x{2008}-\x{200a}\x{2028}\x{2029}\x{205f}\x{3000}",
        "blank" => r"\t \x{1680}\x{2000}-\x{2006}\x{2008}-\x{200a}\x{205f}\x{3000}",
        "punct" => r"\p{P}\p{S}",
        "cntrl" => r"\p{Cc}\x{2028}\x{2029}",
        "xdigit" => "0-9A-Fa-f",
        _ => return None,
    })
}

/// `\d`, `\s`, `\w` and their opposites, as a whole bracket expression.
pub(super) fn shorthand(letter: char) -> Option<String> {
    let name = match letter.to_ascii_lowercase() {
        'd' => "digit",
        's' => "space",
        'w' => "word",
        _ => return None,
    };
    let negation = if letter.is_ascii_uppercase() { "^" } else { "" };
    class(name).map(|members| format!("[{negation}{members}]"))
}

/// Translates what follows a `[`, up to its `]`.
pub(super) fn translate(scanner: &mut Scanner, out: &mut String) -> Result<(), EvalError> {
    let unbalanced = || invalid("brackets [] not balanced");
    let negated = scanner.take("^");
    let mut members = String::new();
    let mut first = true;
    loop {
        if scanner.peek() == Some(']') && !first {
            scanner.at += 1;
            break;
        }
        first = false;
        if scanner.take("[:") {
            let mut name = String::new();
            while !scanner.take(":]") {
                name.push(scanner.next().ok_or_else(unbalanced)?);
            }
            members.push_str(class(&name).ok_or_else(|| invalid("invalid character class"))?);
            continue;
        }
        if scanner.peek() == Some('\\')
            && let Some(members_of) = scanner.peek_at(1).and_then(shorthand)
        {
            scanner.at += 2;
            if members_of.starts_with("[^") {
                return Err(invalid("invalid escape \\ sequence"));
            }
            members.push_str(&members_of[1..members_of.len() - 1]);
            continue;
        }
        let start = member(scanner)?;
        let is_range = scanner.peek() == Some('-') && scanner.peek_at(1).is_some_and(|next| next != ']');
        if is_range {
            scanner.at += 1;
            let end = member(scanner)?;
            if end < start {
                return Err(invalid("invalid character range"));
            }
            members.push_str(&format!("{}-{}", literal(start), literal(end)));
        } else {
            members.push_str(&literal(start));
        }
    }
    let newline = if negated && scanner.newline_sensitive { "\\n" } else { "" };
    out.push_str(&format!("[{}{members}{newline}]", if negated { "^" } else { "" }));
    Ok(())
}

fn member(scanner: &mut Scanner) -> Result<char, EvalError> {
    if matches!(scanner.peek(), Some('[')) && matches!(scanner.peek_at(1), Some('.' | '=')) {
        return Err(unsupported("a collating element, [. .] or [= =]"));
    }
    match scanner.next() {
        None => Err(invalid("brackets [] not balanced")),
        Some('\\') => character_escape(scanner),
        Some(character) => Ok(character),
    }
}

fn literal(character: char) -> String {
    format!("\\x{{{:x}}}", character as u32)
}
