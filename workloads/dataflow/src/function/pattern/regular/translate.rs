//! From Postgres's advanced regular expressions to the syntax of the `regex` crate.

use super::{brackets, invalid, unsupported};
use crate::function::EvalError;

pub(super) struct Translated {
    pub pattern: String,
    pub ignore_case: bool,
    /// `.` and `[^…]` stop at newlines, `^` and `$` match beside them.
    pub newline_sensitive: bool,
}

/// Where the translation stands.
pub(super) struct Scanner {
    pub characters: Vec<char>,
    pub at: usize,
    pub newline_sensitive: bool,
}

impl Scanner {
    pub fn peek(&self) -> Option<char> {
        self.characters.get(self.at).copied()
    }

    pub fn peek_at(&self, distance: usize) -> Option<char> {
        self.characters.get(self.at + distance).copied()
    }

    pub fn next(&mut self) -> Option<char> {
        let next = self.peek();
        self.at += usize::from(next.is_some());
        next
    }

    pub fn take(&mut self, expected: &str) -> bool {
        let found = expected.chars().enumerate().all(|(distance, character)| self.peek_at(distance) == Some(character));
        if found {
            self.at += expected.chars().count();
        }
        found
    }

    /// A number of hexadecimal or octal digits, between `least` and `most` of them.
    fn code(&mut self, radix: u32, least: usize, most: usize) -> Result<char, EvalError> {
        let start = self.at;
        let mut code: u32 = 0;
        while let Some(digit) = self.peek().and_then(|character| character.to_digit(radix)) {
            if self.at - start == most {
                break;
            }
            code = code.saturating_mul(radix).saturating_add(digit);
            self.at += 1;
        }
        let character = char::from_u32(code).filter(|_| self.at - start >= least);
        character.ok_or_else(|| invalid("invalid escape \\ sequence"))
    }
}

/// What stands before a quantifier decides whether one may follow.
#[derive(Clone, Copy, PartialEq)]
enum Before {
    Nothing,
    Atom,
    Constraint,
    Quantifier,
}

pub(super) fn translate(pattern: &str, ignore_case: bool) -> Result<Translated, EvalError> {
    let mut translated = Translated { pattern: String::new(), ignore_case, newline_sensitive: false };
    if let Some(literal) = pattern.strip_prefix("***=") {
        translated.pattern = regex::escape(literal);
        return Ok(translated);
    }
    let body = pattern.strip_prefix("***:").unwrap_or(pattern);
    if body.starts_with("***") {
        return Err(invalid("invalid regexp (reg version 0.8)"));
    }
    let mut scanner = Scanner { characters: body.chars().collect(), at: 0, newline_sensitive: false };
    options(&mut scanner, &mut translated)?;
    scanner.newline_sensitive = translated.newline_sensitive;
    let mut out = String::new();
    let mut before = Before::Nothing;
    let mut depth = 0usize;
    while let Some(character) = scanner.next() {
        before = match character {
            '(' => {
                let group = if scanner.take("?:") {
                    "(?:"
                } else if scanner.peek() == Some('?') {
                    return Err(unsupported("look-ahead and look-behind, (?...)"));
                } else {
                    "("
                };
                out.push_str(group);
                depth += 1;
                Before::Nothing
            }
            ')' => {
                depth = depth.checked_sub(1).ok_or_else(|| invalid("parentheses () not balanced"))?;
                out.push(')');
                Before::Atom
            }
            '|' => {
                out.push('|');
                Before::Nothing
            }
            '*' | '+' | '?' => quantifier(&mut scanner, &mut out, before, &character.to_string())?,
            '{' if scanner.peek().is_some_and(|next| next.is_ascii_digit()) => {
                let bounds = bounds(&mut scanner)?;
                quantifier(&mut scanner, &mut out, before, &bounds)?
            }
            '[' if scanner.take("[:<:]]") => {
                out.push_str("\\b{start}");
                Before::Constraint
            }
            '[' if scanner.take("[:>:]]") => {
                out.push_str("\\b{end}");
                Before::Constraint
            }
            '[' => {
                brackets::translate(&mut scanner, &mut out)?;
                Before::Atom
            }
            '^' | '$' => {
                out.push(character);
                Before::Constraint
            }
            '.' => {
                out.push('.');
                Before::Atom
            }
            '\\' => escape(&mut scanner, &mut out)?,
            literal => {
                out.push_str(&regex::escape(literal.encode_utf8(&mut [0; 4])));
                Before::Atom
            }
        };
    }
    if depth > 0 {
        return Err(invalid("parentheses () not balanced"));
    }
    translated.pattern = out;
    Ok(translated)
}

/// `(?i)` and the like, at the start only.
fn options(scanner: &mut Scanner, translated: &mut Translated) -> Result<(), EvalError> {
    let letters = scanner.peek_at(2).is_some_and(|letter| letter.is_ascii_lowercase());
    if !letters || !scanner.take("(?") {
        return Ok(());
    }
    loop {
        match scanner.next() {
            Some('i') => translated.ignore_case = true,
            Some('c') => translated.ignore_case = false,
            Some('n' | 'm') => translated.newline_sensitive = true,
            Some('s') => translated.newline_sensitive = false,
            Some('t') => {}
            Some(')') => return Ok(()),
            Some(other) => return Err(unsupported(&format!("embedded option {other}"))),
            None => return Err(invalid("invalid embedded option")),
        }
    }
}

fn quantifier(scanner: &mut Scanner, out: &mut String, before: Before, text: &str) -> Result<Before, EvalError> {
    if before != Before::Atom {
        return Err(invalid("quantifier operand invalid"));
    }
    out.push_str(text);
    if scanner.take("?") {
        out.push('?');
    }
    Ok(Before::Quantifier)
}

/// `m}`, `m,}` or `m,n}`, each at most 255.
fn bounds(scanner: &mut Scanner) -> Result<String, EvalError> {
    let number = |scanner: &mut Scanner| {
        let mut number = 0u32;
        let mut any = false;
        while let Some(digit) = scanner.peek().and_then(|character| character.to_digit(10)) {
            number = number.saturating_mul(10).saturating_add(digit);
            any = true;
            scanner.at += 1;
        }
        if number > 255 { Err(invalid("invalid repetition count(s)")) } else { Ok(any.then_some(number)) }
    };
    let least = number(scanner)?.unwrap_or(0);
    let most = if scanner.take(",") { number(scanner)? } else { Some(least) };
    if !scanner.take("}") || most.is_some_and(|most| most < least) {
        return Err(invalid("invalid repetition count(s)"));
    }
    Ok(most.map_or_else(|| format!("{{{least},}}"), |most| format!("{{{least},{most}}}")))
}

fn escape(scanner: &mut Scanner, out: &mut String) -> Result<Before, EvalError> {
    let constraint = match scanner.peek() {
        Some('A') => Some("\\A"),
        Some('Z') => Some("\\z"),
        Some('m') => Some("\\b{start}"),
        Some('M') => Some("\\b{end}"),
        Some('y') => Some("\\b"),
        Some('Y') => Some("\\B"),
        _ => None,
    };
    if let Some(constraint) = constraint {
        scanner.at += 1;
        out.push_str(constraint);
        return Ok(Before::Constraint);
    }
    if let Some(class) = scanner.peek().and_then(brackets::shorthand) {
        scanner.at += 1;
        out.push_str(&class);
        return Ok(Before::Atom);
    }
    let character = character_escape(scanner)?;
    out.push_str(&regex::escape(character.encode_utf8(&mut [0; 4])));
    Ok(Before::Atom)
}

/// The character that an escape stands for, behind its backslash.
pub(super) fn character_escape(scanner: &mut Scanner) -> Result<char, EvalError> {
    let Some(letter) = scanner.next() else { return Err(invalid("invalid escape \\ sequence")) };
    Ok(match letter {
        'a' => '\u{7}',
        'b' => '\u{8}',
        'B' => '\\',
        'c' => {
            let control = scanner.next().ok_or_else(|| invalid("invalid escape \\ sequence"))?;
            char::from_u32(control as u32 & 0x1f).unwrap_or('\0')
        }
        'e' => '\u{1b}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        'u' => scanner.code(16, 4, 4)?,
        'U' => scanner.code(16, 8, 8)?,
        'x' => scanner.code(16, 1, 255)?,
        '0' => scanner.code(8, 0, 2)?,
        '1'..='9' => return Err(unsupported("a back-reference")),
        letter if letter.is_ascii_alphanumeric() => return Err(invalid("invalid escape \\ sequence")),
        other => other,
    })
}
