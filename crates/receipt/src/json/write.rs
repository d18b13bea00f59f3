//! `JSON.stringify`, character for character.

use alloc::string::String;
use core::fmt;
use core::fmt::Write;

use super::{Json, Object, Text};

impl Object {
    /// The canonical text.
    pub(crate) fn canonical(&self) -> String {
        to_text(|out| object(out, self))
    }

    /// Whether `text` is the canonical text of this object.
    pub(crate) fn is_canonical(&self, text: &str) -> bool {
        writes(text, |out| object(out, self))
    }
}

/// The text that `write` produces.
pub(crate) fn to_text(write: impl FnOnce(&mut String) -> fmt::Result) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut out);
    out
}

/// Whether `write` produces exactly `text`. Compares piece by piece, without allocating the whole text.
pub(crate) fn writes(text: &str, write: impl FnOnce(&mut Expected<'_>) -> fmt::Result) -> bool {
    let mut expected = Expected(text);
    write(&mut expected).is_ok() && expected.0.is_empty()
}

/// The part of the expected text that has not been written yet. Writing anything else fails.
pub(crate) struct Expected<'a>(&'a str);

impl Write for Expected<'_> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        self.0 = self.0.strip_prefix(piece).ok_or(fmt::Error)?;
        Ok(())
    }
}

/// Writes a value.
pub(crate) fn value(out: &mut impl Write, json: &Json) -> fmt::Result {
    match json {
        Json::Null => out.write_str("null"),
        Json::Bool(true) => out.write_str("true"),
        Json::Bool(false) => out.write_str("false"),
        Json::Number(number) if number.is_finite() => {
            out.write_str(ryu_js::Buffer::new().format_finite(*number))
        }
        Json::Number(_) => out.write_str("null"),
        Json::String(text) => string(out, text),
        Json::Array(elements) => array(out, elements),
        Json::Object(members) => object(out, members),
    }
}

/// Writes an object.
pub(crate) fn object(out: &mut impl Write, object: &Object) -> fmt::Result {
    let mut separator = "{";
    for (key, member) in object.iter() {
        out.write_str(separator)?;
        string(out, key)?;
        out.write_str(":")?;
        value(out, member)?;
        separator = ",";
    }
    out.write_str(if object.is_empty() { "{}" } else { "}" })
}

fn array(out: &mut impl Write, elements: &[Json]) -> fmt::Result {
    let mut separator = "[";
    for element in elements {
        out.write_str(separator)?;
        value(out, element)?;
        separator = ",";
    }
    out.write_str(if elements.is_empty() { "[]" } else { "]" })
}

/// Writes a value over several lines.
pub(crate) fn indented(out: &mut impl Write, json: &Json, level: usize) -> fmt::Result {
    match json {
        Json::Array(elements) if !elements.is_empty() => {
            let mut separator = "[";
            for element in elements {
                out.write_str(separator)?;
                new_line(out, level + 1)?;
                indented(out, element, level + 1)?;
                separator = ",";
            }
            new_line(out, level)?;
            out.write_str("]")
        }
        Json::Object(members) if !members.is_empty() => {
            let mut separator = "{";
            for (key, member) in members.iter() {
                out.write_str(separator)?;
                new_line(out, level + 1)?;
                string(out, key)?;
                out.write_str(": ")?;
                indented(out, member, level + 1)?;
                separator = ",";
            }
            new_line(out, level)?;
            out.write_str("}")
        }
        other => value(out, other),
    }
}

fn new_line(out: &mut impl Write, level: usize) -> fmt::Result {
    write!(out, "\n{:width$}", "", width = level * 2)
}

fn string(out: &mut impl Write, text: &Text) -> fmt::Result {
    out.write_str("\"")?;
    match text.units() {
        Ok(text) => escape(out, text)?,
        Err(units) => {
            for unit in char::decode_utf16(units.iter().copied()) {
                match unit {
                    Ok(c) => escape(out, c.encode_utf8(&mut [0; 4]))?,
                    Err(lone) => write!(out, "\\u{:04x}", lone.unpaired_surrogate())?,
                }
            }
        }
    }
    out.write_str("\"")
}

/// Copies runs of plain bytes together; only `"`, `\` and C0 controls are escaped.
fn escape(out: &mut impl Write, text: &str) -> fmt::Result {
    let mut rest = text;
    loop {
        let at = plain_len(rest.as_bytes());
        out.write_str(&rest[..at])?;
        let Some(special) = rest.as_bytes().get(at) else { return Ok(()) };
        match *special {
            b'"' => out.write_str("\\\"")?,
            b'\\' => out.write_str("\\\\")?,
            0x08 => out.write_str("\\b")?,
            0x09 => out.write_str("\\t")?,
            0x0A => out.write_str("\\n")?,
            0x0C => out.write_str("\\f")?,
            0x0D => out.write_str("\\r")?,
            control => write!(out, "\\u{control:04x}")?,
        }
        rest = &rest[at + 1..];
    }
}

/// The number of bytes from the start that a string literal can hold unescaped: up to the first quote, backslash or C0
/// control. The same bytes end a plain run when reading.
pub(super) fn plain_len(bytes: &[u8]) -> usize {
    let (words, _) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let special = special_bytes(u64::from_le_bytes(*word));
        if special != 0 {
            return index * 8 + special.trailing_zeros() as usize / 8;
        }
    }
    let start = words.len() * 8;
    let is_special = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
    bytes[start..].iter().position(is_special).map_or(bytes.len(), |at| start + at)
}

/// Sets the high bit of the special bytes among eight, which are read together.
///
/// A borrow can also set it for bytes above a special one, never below, so the lowest bit that is set is right.
const fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    const fn below(word: u64, bound: u8) -> u64 {
        word.wrapping_sub(ONES * bound as u64) & !word & HIGH
    }
    let (quote, backslash) = (ONES * b'"' as u64, ONES * b'\\' as u64);
    below(word, 0x20) | below(word ^ quote, 1) | below(word ^ backslash, 1)
}

#[cfg(test)]
mod tests {
    use super::plain_len;

    #[test]
    fn plain_runs_end_at_the_first_special_byte() {
        for len in 0..20 {
            for at in 0..len {
                for byte in 0..=255 {
                    for after in [b'a', b'"', 0, 0xFF] {
                        let mut bytes = alloc::vec![b'a'; len];
                        bytes[at] = byte;
                        bytes[at + 1..].fill(after);
                        let naive = bytes.iter().position(|byte| *byte < 0x20 || b"\"\\".contains(byte));
                        assert_eq!(plain_len(&bytes), naive.unwrap_or(len), "{bytes:?}");
                    }
                }
            }
        }
    }
}
