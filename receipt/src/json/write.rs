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
    let mut plain = 0;
    for (index, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[plain..index]);
        plain = index + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            0x08 => out.push_str("\\b"),
            0x09 => out.push_str("\\t"),
            0x0A => out.push_str("\\n"),
            0x0C => out.push_str("\\f"),
            0x0D => out.push_str("\\r"),
            _ => write_unit(out, byte.into()),
        }
    }
    out.push_str(&text[plain..]);
}

fn write_unit(out: &mut String, unit: u16) {
    // Writing to a String cannot fail.
    let _ = write!(out, "\\u{unit:04x}");
}
