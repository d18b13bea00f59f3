//! A strict RFC 8259 parser with bounds.

use alloc::string::String;
use alloc::vec::Vec;

use super::clipped::clipped;
use super::number::{Numbers, written_back};
use super::write::plain_len;
use super::{Json, JsonError, MAX_DEPTH, MAX_LEN, Object, Text};

pub(super) fn parse(text: &str, numbers: Numbers) -> Result<Json, JsonError> {
    if text.len() > MAX_LEN {
        return Err(JsonError::TooLong { len: text.len() });
    }
    let mut parser = Parser { text, numbers, at: 0, depth: 0 };
    parser.skip_space();
    let json = parser.value()?;
    parser.skip_space();
    if parser.at < text.len() {
        return Err(parser.expected("the end of the text"));
    }
    Ok(json)
}

// INVARIANT: `at` is a character boundary whenever `text` is sliced: it only ever stops on ASCII bytes or at the end.
struct Parser<'a> {
    text: &'a str,
    numbers: Numbers,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn value(&mut self) -> Result<Json, JsonError> {
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => Ok(Json::String(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            _ => Err(self.expected("a value")),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Json, JsonError>) -> Result<Json, JsonError> {
        if self.depth == MAX_DEPTH {
            return Err(JsonError::TooDeep { at: self.at });
        }
        self.depth += 1;
        self.at += 1;
        self.skip_space();
        let json = read(self)?;
        self.depth -= 1;
        Ok(json)
    }

    fn object(&mut self) -> Result<Json, JsonError> {
        let mut members: Vec<(Text, Json)> = Vec::new();
        if !self.eat(b'}') {
            loop {
                if self.peek() != Some(b'"') {
                    return Err(self.expected("a key"));
                }
                let key = self.string()?;
                self.skip_space();
                if !self.eat(b':') {
                    return Err(self.expected("a colon"));
                }
                self.skip_space();
                members.push((key, self.value()?));
                if !self.another(b'}', "a comma or the end of the object")? {
                    break;
                }
            }
        }
        let at = self.at;
        Object::from_members(members)
            .map(Json::Object)
            .map_err(|key| JsonError::DuplicateKey { key: clipped(&key.to_string_lossy()), at })
    }

    fn array(&mut self) -> Result<Json, JsonError> {
        let mut elements = Vec::new();
        if !self.eat(b']') {
            loop {
                elements.push(self.value()?);
                if !self.another(b']', "a comma or the end of the array")? {
                    break;
                }
            }
        }
        Ok(Json::Array(elements))
    }

    /// After a member: `true` on a comma, `false` on the closing bracket.
    fn another(&mut self, close: u8, expected: &'static str) -> Result<bool, JsonError> {
        self.skip_space();
        if self.eat(close) {
            return Ok(false);
        }
        if !self.eat(b',') {
            return Err(self.expected(expected));
        }
        self.skip_space();
        Ok(true)
    }

    fn word(&mut self, word: &'static str, json: Json) -> Result<Json, JsonError> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.expected(word));
        }
        self.at += word.len();
        Ok(json)
    }

    fn number(&mut self) -> Result<Json, JsonError> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            if !self.eat(b'+') {
                self.eat(b'-');
            }
            self.digits()?;
        }
        // The grammar above is a subset of what Rust reads, and both round to the nearest float.
        let written = &self.text[start..self.at];
        let number: f64 = written.parse().map_err(|_| self.expected("a number"))?;
        match self.numbers {
            Numbers::Nearest => Ok(Json::Number(number)),
            Numbers::Exact => match written_back(written, number) {
                Ok(()) => Ok(Json::Number(number)),
                Err(kept) => Err(JsonError::Inexact { number: clipped(written), kept, at: start }),
            },
        }
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.expected("a digit")) } else { Ok(()) }
    }

    fn string(&mut self) -> Result<Text, JsonError> {
        self.at += 1;
        let run = self.plain_run();
        // Most strings, and nearly all keys, have nothing to unescape.
        if self.eat(b'"') {
            return Ok(run.into());
        }
        // A string with one escape usually has many: JSON inside JSON.
        let mut builder = TextBuilder { unicode: String::with_capacity(run.len() + 64), units: None };
        builder.push_str(run);
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(builder.finish());
                }
                Some(b'\\') => {
                    self.at += 1;
                    self.escape(&mut builder)?;
                }
                Some(_) => return Err(self.expected("an escape instead of a control character")),
                None => return Err(self.expected("the end of the string")),
            }
            builder.push_str(self.plain_run());
        }
    }

    /// Everything up to the next quote, backslash or control character.
    fn plain_run(&mut self) -> &'a str {
        let start = self.at;
        let text = self.text;
        self.at += plain_len(&text.as_bytes()[start..]);
        &text[start..self.at]
    }

    fn escape(&mut self, builder: &mut TextBuilder) -> Result<(), JsonError> {
        let plain = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                let unit = self.hex4()?;
                return self.unit(builder, unit);
            }
            _ => return Err(self.expected("an escape")),
        };
        self.at += 1;
        builder.push(plain);
        Ok(())
    }

    /// One `\u` escape, joined with the next one when the two are a surrogate pair.
    fn unit(&mut self, builder: &mut TextBuilder, mut unit: u16) -> Result<(), JsonError> {
        while (0xD800..0xDC00).contains(&unit) && self.text[self.at..].starts_with("\\u") {
            self.at += 2;
            let next = self.hex4()?;
            if let Some(Ok(pair)) = char::decode_utf16([unit, next]).next() {
                builder.push(pair);
                return Ok(());
            }
            builder.push_unit(unit);
            unit = next;
        }
        builder.push_unit(unit);
        Ok(())
    }

    fn hex4(&mut self) -> Result<u16, JsonError> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else { return Err(self.expected("a hexadecimal digit")) };
            unit = unit << 4 | digit as u16;
            self.at += 1;
        }
        Ok(unit)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expected(&self, expected: &'static str) -> JsonError {
        JsonError::Syntax { at: self.at, expected }
    }
}

/// Collects Unicode as long as it can, and code units from the first lone surrogate on.
struct TextBuilder {
    unicode: String,
    units: Option<Vec<u16>>,
}

impl TextBuilder {
    fn push_str(&mut self, text: &str) {
        match &mut self.units {
            None => self.unicode.push_str(text),
            Some(units) => units.extend(text.encode_utf16()),
        }
    }

    fn push(&mut self, c: char) {
        match &mut self.units {
            None => self.unicode.push(c),
            Some(units) => units.extend_from_slice(c.encode_utf16(&mut [0; 2])),
        }
    }

    fn push_unit(&mut self, unit: u16) {
        match char::from_u32(unit.into()) {
            Some(c) => self.push(c),
            None => self.units.get_or_insert_with(|| self.unicode.encode_utf16().collect()).push(unit),
        }
    }

    fn finish(self) -> Text {
        match self.units {
            None => self.unicode.into(),
            Some(units) => Text::from_units(units),
        }
    }
}
