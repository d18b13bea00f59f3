//! `JSON.stringify`, character for character.

use alloc::string::String;
use core::fmt::Write;

use super::{Json, Object, Text};

/// Appends the canonical text of `json`.
pub(crate) fn value(out: &mut String, json: &Json) {
    match json {
        Json::Null => out.push_str("null"),
        Json::Bool(true) => out.push_str("true"),
        Json::Bool(false) => out.push_str("false"),
        Json::Number(number) => write_number(out, *number),
        Json::String(text) => string(out, text),
        Json::Array(elements) => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                value(out, element);
            }
            out.push(']');
        }
        Json::Object(object) => write_object(out, object),
    }
}

/// Appends `text` as a string literal.
pub(crate) fn string(out: &mut String, text: &Text) {
    out.push('"');
    match (text.as_str(), text.ill_formed_units()) {
        (Some(text), _) => escape(out, text),
        (None, units) => {
            for unit in char::decode_utf16(units.unwrap_or_default().iter().copied()) {
                match unit {
                    Ok(c) => escape(out, c.encode_utf8(&mut [0; 4])),
                    Err(lone) => write_unit(out, lone.unpaired_surrogate()),
                }
            }
        }
    }
    out.push('"');
}

pub(crate) fn write_object(out: &mut String, object: &Object) {
    out.push('{');
    for (index, (key, member)) in object.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        string(out, key);
        out.push(':');
        value(out, member);
    }
    out.push('}');
}

fn write_number(out: &mut String, number: f64) {
    if number.is_finite() {
        out.push_str(ryu_js::Buffer::new().format_finite(number));
    } else {
        out.push_str("null");
    }
}

/// Copies runs of plain bytes at once; only `"`, `\` and C0 controls are escaped.
fn escape(out: &mut String, text: &str) {
    let mut rest = text;
    loop {
        let at = plain_len(rest.as_bytes());
        out.push_str(&rest[..at]);
        let Some(special) = rest.as_bytes().get(at) else { return };
        match *special {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            0x08 => out.push_str("\\b"),
            0x09 => out.push_str("\\t"),
            0x0A => out.push_str("\\n"),
            0x0C => out.push_str("\\f"),
            0x0D => out.push_str("\\r"),
            control => write_unit(out, control.into()),
        }
        rest = &rest[at + 1..];
    }
}

/// How many bytes from the start can stand in a string literal as they are: up to the first quote, backslash or C0
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

/// Sets the high bit of the special bytes among eight, read at once.
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

fn write_unit(out: &mut String, unit: u16) {
    // Writing to a String cannot fail.
    let _ = write!(out, "\\u{unit:04x}");
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
