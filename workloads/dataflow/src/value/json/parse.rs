//! JSON text as Postgres's `jsonb_in` reads it.

use super::{Json, ValueError};
use crate::value::Decimal;

/// Deeper documents are refused, so that a record cannot exhaust the stack.
const DEEPEST: usize = 256;

/// Reads one whole document.
pub fn parse_json(text: &str) -> Result<Json, ValueError> {
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(0)?;
    parser.space();
    if parser.at < text.len() {
        return Err(parser.syntax());
    }
    Ok(value)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn syntax(&self) -> ValueError {
        ValueError::new("22P02", format!("invalid input syntax for type json at byte {}", self.at))
    }

    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == byte;
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), ValueError> {
        if self.take(byte) { Ok(()) } else { Err(self.syntax()) }
    }

    fn value(&mut self, depth: usize) -> Result<Json, ValueError> {
        if depth > DEEPEST {
            return Err(ValueError::new("54001", format!("a JSON document nested deeper than {DEEPEST} levels")));
        }
        self.space();
        match self.peek() {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => Ok(Json::String(self.string()?)),
            b'-' | b'0'..=b'9' => self.number(),
            _ => self.word(),
        }
    }

    fn word(&mut self) -> Result<Json, ValueError> {
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let value = match &rest[..length] {
            b"true" => Json::Boolean(true),
            b"false" => Json::Boolean(false),
            b"null" => Json::Null,
            _ => return Err(self.syntax()),
        };
        self.at += length;
        Ok(value)
    }

    fn object(&mut self, depth: usize) -> Result<Json, ValueError> {
        self.at += 1;
        let mut pairs = Vec::new();
        self.space();
        if self.take(b'}') {
            return Ok(Json::Object(pairs));
        }
        loop {
            self.space();
            if self.peek() != b'"' {
                return Err(self.syntax());
            }
            let key = self.string()?;
            self.space();
            self.expect(b':')?;
            pairs.push((key, self.value(depth + 1)?));
            self.space();
            if !self.take(b',') {
                break;
            }
        }
        self.expect(b'}')?;
        Ok(Json::object(pairs))
    }

    fn array(&mut self, depth: usize) -> Result<Json, ValueError> {
        self.at += 1;
        let mut elements = Vec::new();
        self.space();
        if self.take(b']') {
            return Ok(Json::Array(elements));
        }
        loop {
            elements.push(self.value(depth + 1)?);
            self.space();
            if !self.take(b',') {
                break;
            }
        }
        self.expect(b']')?;
        Ok(Json::Array(elements))
    }

    fn digits(&mut self) -> Result<(), ValueError> {
        if !self.peek().is_ascii_digit() {
            return Err(self.syntax());
        }
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Json, ValueError> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            if !self.take(b'+') {
                self.take(b'-');
            }
            self.digits()?;
        }
        if self.peek().is_ascii_alphanumeric() {
            return Err(self.syntax());
        }
        Ok(Json::Number(Decimal::parse(&self.text[start..self.at])?))
    }

    fn string(&mut self) -> Result<String, ValueError> {
        self.at += 1;
        let mut value = String::new();
        loop {
            let start = self.at;
            while !matches!(self.peek(), b'"' | b'\\' | 0..0x20) {
                self.at += 1;
            }
            value.push_str(&self.text[start..self.at]);
            if self.take(b'"') {
                return Ok(value);
            }
            if !self.take(b'\\') {
                return Err(self.syntax());
            }
            let escape = self.peek();
            self.at += 1;
            value.push(match escape {
                b'"' => '"',
                b'\\' => '\\',
                b'/' => '/',
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'n' => '\n',
                b'r' => '\r',
                b't' => '\t',
                b'u' => self.unicode()?,
                _ => {
                    self.at -= 1;
                    return Err(self.syntax());
                }
            });
        }
    }

    fn unicode(&mut self) -> Result<char, ValueError> {
        let first = self.hexadecimal()?;
        if first == 0 {
            return Err(ValueError::new("22P05", "unsupported Unicode escape sequence: \\u0000 cannot be text"));
        }
        let code = if (0xd800..0xdc00).contains(&first) {
            self.expect(b'\\')?;
            self.expect(b'u')?;
            let second = self.hexadecimal()?;
            if !(0xdc00..0xe000).contains(&second) {
                return Err(self.syntax());
            }
            0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
        } else {
            first
        };
        char::from_u32(code).ok_or_else(|| self.syntax())
    }

    fn hexadecimal(&mut self) -> Result<u32, ValueError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = (self.peek() as char).to_digit(16).ok_or_else(|| self.syntax())?;
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }
}
