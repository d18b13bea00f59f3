//! A JavaScript string: usually Unicode, sometimes not.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

/// A string as JSON text can spell it. Ordered by UTF-16 code unit, like JavaScript's strings.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Text(Repr);

// INVARIANT: `Units` holds at least one surrogate without its partner. A well-formed string is always `Unicode`, so
// that equal strings have equal representations.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Repr {
    Unicode(String),
    Units(Vec<u16>),
}

impl Text {
    /// The string with these UTF-16 code units.
    pub fn from_units(units: Vec<u16>) -> Self {
        match String::from_utf16(&units) {
            Ok(text) => Self(Repr::Unicode(text)),
            Err(_) => Self(Repr::Units(units)),
        }
    }

    /// The string, unless it holds a lone surrogate.
    pub fn as_str(&self) -> Option<&str> {
        self.units().ok()
    }

    /// The string, or its code units when there is a lone surrogate among them.
    pub(super) fn units(&self) -> Result<&str, &[u16]> {
        match &self.0 {
            Repr::Unicode(text) => Ok(text),
            Repr::Units(units) => Err(units),
        }
    }

    /// The string for people to read: lone surrogates become U+FFFD.
    pub fn to_string_lossy(&self) -> String {
        match &self.0 {
            Repr::Unicode(text) => text.clone(),
            Repr::Units(units) => String::from_utf16_lossy(units),
        }
    }

    /// Compares with a Rust string, by code unit.
    fn cmp_str(&self, other: &str) -> Ordering {
        match &self.0 {
            Repr::Unicode(text) => cmp_utf16(text, other),
            Repr::Units(units) => units.iter().copied().cmp(other.encode_utf16()),
        }
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (_, Repr::Unicode(other)) => self.cmp_str(other),
            (Repr::Unicode(text), Repr::Units(units)) => text.encode_utf16().cmp(units.iter().copied()),
            (Repr::Units(a), Repr::Units(b)) => a.cmp(b),
        }
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(Repr::Unicode(text.to_owned()))
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(Repr::Unicode(text))
    }
}

/// UTF-16 order, read off the UTF-8 bytes.
///
/// The two orders differ in one place only: U+E000–U+FFFF (lead bytes EE and EF) sort above the surrogate pairs of
/// the astral characters (lead bytes F0–F4). Lifting those two lead bytes above F4 makes the first differing byte decide.
fn cmp_utf16(a: &str, b: &str) -> Ordering {
    fn rank(byte: u8) -> u8 {
        if matches!(byte, 0xEE | 0xEF) { byte + 0x10 } else { byte }
    }
    // Nearly every key is ASCII, and comparing the bytes suffices.
    if b.is_ascii() {
        return a.as_bytes().cmp(b.as_bytes());
    }
    let (a, b) = (a.as_bytes(), b.as_bytes());
    match a.iter().zip(b).find(|(x, y)| x != y) {
        Some((x, y)) => rank(*x).cmp(&rank(*y)),
        None => a.len().cmp(&b.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_by_utf16_code_unit() {
        let ordered =
            ["", "A", "a", "\u{7f}", "é", "\u{d7ff}", "\u{10000}", "\u{10ffff}", "\u{e000}", "\u{ffff}"];
        for (i, a) in ordered.iter().enumerate() {
            for (j, b) in ordered.iter().enumerate() {
                assert_eq!(cmp_utf16(a, b), i.cmp(&j), "{a:?} {b:?}");
                assert_eq!(cmp_utf16(a, b), a.encode_utf16().cmp(b.encode_utf16()));
            }
        }
    }

    #[test]
    fn lone_surrogates_sort_among_the_rest() {
        let lone = Text::from_units(alloc::vec![0xD800]);
        assert!(Text::from("\u{d7ff}") < lone);
        assert!(lone < Text::from("\u{10000}"));
        assert!(lone < Text::from("\u{e000}"));
        assert!(lone < Text::from_units(alloc::vec![0xD800, 0xD800]));
        assert_eq!(lone.as_str(), None);
    }

    #[test]
    fn a_complete_pair_is_unicode() {
        assert_eq!(Text::from_units(alloc::vec![0xD83D, 0xDE00]), Text::from("😀"));
    }
}
