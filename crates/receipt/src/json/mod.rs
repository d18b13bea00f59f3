//! JSON values that behave like JavaScript's, because the format's bytes are defined by what `JSON.parse` and
//! `JSON.stringify` do.
//!
//! - Objects are kept sorted by UTF-16 code unit, the order of `Array.prototype.sort`. It differs from UTF-8 order
//!   as soon as a key holds a character beyond the basic plane.
//! - Numbers are 64-bit floats and are written as `JSON.stringify` writes them: `-0` is `0`, `1e21` stays `1e+21`,
//!   and a number too large for a float becomes `null`.
//! - A lone surrogate (`"\ud800"`) is legal in JSON text and in JavaScript strings, and cannot be a Rust `str`. It
//!   survives here, inside [`Text`], and is written back as the escape it was.
//!
//! Three things are stricter than JavaScript, so that no two readers can see two different documents: a duplicate
//! key is refused, nesting is bounded by [`MAX_DEPTH`], and a text by [`MAX_LEN`].
//!
//! One known difference in order: a JavaScript object lists keys that look like array indices (`"9"`, `"10"`) first and
//! by value, regardless of insertion order. The specification says sorted keys, so here they sort as text. No key of a
//! signed payload or of a projection is such a key.

mod clipped;
pub(crate) mod members;
mod number;
mod object;
mod parse;
mod text;
mod write;

use alloc::string::String;
use alloc::vec::Vec;

pub(crate) use clipped::clipped;
use number::Numbers;
pub use object::Object;
pub use text::Text;

/// The greatest nesting of arrays and objects. A committed request has a handful of levels; 128 leaves room for an
/// agent's parameters and keeps the recursive parser far from the end of any stack.
pub const MAX_DEPTH: usize = 128;

/// The longest text that is parsed, in bytes (4 MiB). A receipt is a few kilobytes; a request with 64 KiB of evidence
/// and a long import list is still far below.
pub const MAX_LEN: usize = 4 * 1024 * 1024;

/// The largest integer that a JavaScript number holds exactly: 2^53 − 1.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number. Anything that is not finite is written as `null`, as `JSON.stringify` does.
    Number(f64),
    /// A string, lone surrogates included.
    String(Text),
    /// An array.
    Array(Vec<Json>),
    /// An object, sorted.
    Object(Object),
}

/// Why a text is not JSON that this crate reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonError {
    /// The text breaks the grammar of RFC 8259.
    #[error("not JSON at byte {at}: expected {expected}")]
    Syntax {
        /// Offset of the offending byte.
        at: usize,
        /// What the grammar expects at this offset.
        expected: &'static str,
    },
    /// An object names a key twice, so two readers could see two documents.
    #[error("duplicate key `{key}` before byte {at}")]
    DuplicateKey {
        /// The key, escaped and cut.
        key: String,
        /// Offset of the end of the object.
        at: usize,
    },
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH} levels at byte {at}")]
    TooDeep {
        /// Offset of the bracket that exceeds the depth.
        at: usize,
    },
    /// Longer than [`MAX_LEN`].
    #[error("{len} bytes of JSON, more than the {MAX_LEN} that are read")]
    TooLong {
        /// Length of the text.
        len: usize,
    },
    /// A number that no 64-bit float is equal to, in a text that has to come back as it was written.
    #[error(
        "the number {number} at byte {at} comes back as {kept}; write it as a string, or so that a 64-bit float holds it"
    )]
    Inexact {
        /// The number as it is written, escaped and cut.
        number: String,
        /// The text of the nearest float.
        kept: String,
        /// Offset of its first byte.
        at: usize,
    },
}

/// An integer that a JavaScript number cannot hold exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is beyond the integers a JSON number holds exactly (2^53 - 1); write it as a string")]
pub struct UnsafeInteger(pub u64);

impl Json {
    /// Reads one JSON text: RFC 8259, no byte order mark, no duplicate keys, bounded.
    pub fn parse(text: &str) -> Result<Self, JsonError> {
        parse::parse(text, Numbers::Nearest)
    }

    /// [`parse`](Self::parse), but refuses a number that [`canonical`](Self::canonical) would not write back as the
    /// same value: `9007199254740993`, `1e400`. For a text that one person writes and another signs.
    pub fn parse_exact(text: &str) -> Result<Self, JsonError> {
        parse::parse(text, Numbers::Exact)
    }

    /// An object from its members; a later member replaces an earlier one of the same name.
    pub fn object<K: Into<Text>>(members: impl IntoIterator<Item = (K, Json)>) -> Self {
        Self::Object(members.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// An array from its elements.
    pub fn array(elements: impl IntoIterator<Item = impl Into<Json>>) -> Self {
        Self::Array(elements.into_iter().map(Into::into).collect())
    }

    /// The canonical text: keys sorted recursively, no white space, `JSON.stringify` escapes and numbers.
    pub fn canonical(&self) -> String {
        write::to_text(|out| write::value(out, self))
    }

    /// The canonical text over several lines, indented by two spaces a level: for people. Strings and numbers are
    /// written as in [`canonical`](Self::canonical).
    pub fn indented(&self) -> String {
        write::to_text(|out| write::indented(out, self, 0))
    }

    /// Whether `text` is the canonical text of this value.
    pub(crate) fn is_canonical(&self, text: &str) -> bool {
        write::writes(text, |out| write::value(out, self))
    }

    /// Whether any key in this value looks like an array index. JavaScript orders those keys differently.
    pub(crate) fn has_index_keys(&self) -> bool {
        let is_index = |key: &Text| {
            let index = key.as_str().and_then(|text| text.parse::<u32>().ok().map(|index| (text, index)));
            index.is_some_and(|(text, index)| alloc::format!("{index}") == text)
        };
        match self {
            Self::Array(elements) => elements.iter().any(Self::has_index_keys),
            Self::Object(object) => object.iter().any(|(key, value)| is_index(key) || value.has_index_keys()),
            _ => false,
        }
    }

    /// The member `key`, when this is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.as_object()?.get(key)
    }

    /// Follows object keys: `pointer(["action", "parameters", "resource"])`.
    pub fn pointer<'k>(&self, keys: impl IntoIterator<Item = &'k str>) -> Option<&Json> {
        keys.into_iter().try_fold(self, |value, key| value.get(key))
    }

    /// The string, when this is one and it is well-formed Unicode.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => text.as_str(),
            _ => None,
        }
    }

    /// The boolean, when this is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The number, when this is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Number(value) => Some(*value),
            _ => None,
        }
    }

    /// The number as an integer from 0 to 2^53 − 1, when it is exactly that.
    pub fn as_u64(&self) -> Option<u64> {
        let value = self.as_f64()?;
        // The comparison back proves that nothing was lost.
        let integer = value as u64;
        (integer as f64 == value && integer <= MAX_SAFE_INTEGER).then_some(integer)
    }

    /// The elements, when this is an array.
    pub fn as_array(&self) -> Option<&[Json]> {
        match self {
            Self::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// The members, when this is an object.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// Whether this is neither an array nor an object.
    pub fn is_scalar(&self) -> bool {
        !matches!(self, Self::Array(_) | Self::Object(_))
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Json {
    fn from(value: &str) -> Self {
        Self::String(value.into())
    }
}

impl From<String> for Json {
    fn from(value: String) -> Self {
        Self::String(value.into())
    }
}

impl From<u32> for Json {
    fn from(value: u32) -> Self {
        Self::Number(value.into())
    }
}

impl From<i32> for Json {
    fn from(value: i32) -> Self {
        Self::Number(value.into())
    }
}

impl TryFrom<u64> for Json {
    type Error = UnsafeInteger;

    fn try_from(value: u64) -> Result<Self, UnsafeInteger> {
        if value > MAX_SAFE_INTEGER {
            return Err(UnsafeInteger(value));
        }
        Ok(Self::Number(value as f64))
    }
}

impl From<Vec<Json>> for Json {
    fn from(elements: Vec<Json>) -> Self {
        Self::Array(elements)
    }
}

impl From<Object> for Json {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

impl<T: Into<Json>> From<Option<T>> for Json {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
