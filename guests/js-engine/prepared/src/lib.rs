//! The form in which prepared modules come from the component that prepares them to the engine.
//!
//! ```text
//! magic (8) ‖ main ‖ count (u32) ‖ module…        a text or a run of bytes is its length (u32, little endian) and itself
//! module = name ‖ kind (u8) ‖ code ‖ source map
//! ```
//!
//! The host keeps it under a seal and does not look into it. The engine reads what the host has sealed, or what was prepared just now.

mod paths;
pub mod resolve;

/// What the bytes begin with. It changes with the form, and with what the bytecode means.
pub const MAGIC: &[u8; 8] = b"ppjs0001";

/// What a prepared module is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Bytecode of a module.
    Code = 0,
    /// JSON text.
    Json = 1,
    /// Text.
    Text = 2,
    /// Bytes.
    Data = 3,
}

/// A prepared module.
#[derive(Debug, Clone, Copy)]
pub struct Module<'a> {
    /// Its name in the bundle.
    pub name: &'a str,
    /// What it is.
    pub kind: Kind,
    /// The bytecode, or the content.
    pub content: &'a [u8],
    /// Where its lines come from: [`Positions`], empty where they are the source's own.
    pub positions: &'a [u8],
}

/// All prepared modules of a bundle.
#[derive(Debug)]
pub struct Prepared<'a> {
    /// The name of the main module.
    pub main: &'a str,
    /// The modules.
    pub modules: Vec<Module<'a>>,
}

impl<'a> Prepared<'a> {
    /// Reads the form. `None` where the bytes are not of it.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(MAGIC)?;
        let main = std::str::from_utf8(take(&mut rest)?).ok()?;
        let count = take_u32(&mut rest)?;
        let mut modules = Vec::new();
        for _ in 0..count {
            let name = std::str::from_utf8(take(&mut rest)?).ok()?;
            let (kind, after) = rest.split_first()?;
            rest = after;
            let kind = match kind {
                0 => Kind::Code,
                1 => Kind::Json,
                2 => Kind::Text,
                3 => Kind::Data,
                _ => return None,
            };
            modules.push(Module { name, kind, content: take(&mut rest)?, positions: take(&mut rest)? });
        }
        rest.is_empty().then_some(Self { main, modules })
    }

    /// Writes the form.
    #[must_use]
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        put(&mut bytes, self.main.as_bytes());
        bytes.extend_from_slice(&(self.modules.len() as u32).to_le_bytes());
        for Module { name, kind, content, positions } in &self.modules {
            put(&mut bytes, name.as_bytes());
            bytes.push(*kind as u8);
            put(&mut bytes, content);
            put(&mut bytes, positions);
        }
        bytes
    }
}

fn put(bytes: &mut Vec<u8>, content: &[u8]) {
    bytes.extend_from_slice(&(content.len() as u32).to_le_bytes());
    bytes.extend_from_slice(content);
}

fn take_u32(rest: &mut &[u8]) -> Option<u32> {
    let (length, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    Some(u32::from_le_bytes(*length))
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_u32(rest)? as usize;
    let (content, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(content)
}

/// Bytes of an entry of [`Positions`].
const ENTRY: usize = 16;

/// Where places of generated code are in the source.
///
/// Each entry is four numbers, little endian: line and column of the code, line and column of the source. Lines and columns begin with 1
/// and are counted in characters of UTF-16; the entries are in the order of the code.
pub struct Positions<'a>(pub &'a [u8]);

impl Positions<'_> {
    /// Appends an entry.
    pub fn push(bytes: &mut Vec<u8>, code: (u32, u32), source: (u32, u32)) {
        for number in [code.0, code.1, source.0, source.1] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
    }

    /// The place in the source of a place in the code: that of the last entry at or before it on the same line.
    #[must_use]
    pub fn source(&self, line: u32, column: u32) -> Option<(u32, u32)> {
        let (mut from, mut to) = (0, self.0.len() / ENTRY);
        while from < to {
            let middle = from + (to - from) / 2;
            match self.entry(middle)?.0 <= (line, column) {
                true => from = middle + 1,
                false => to = middle,
            }
        }
        let (code, source) = self.entry(from.checked_sub(1)?)?;
        (code.0 == line).then_some(source)
    }

    fn entry(&self, index: usize) -> Option<((u32, u32), (u32, u32))> {
        let number = |place: usize| {
            let start = index * ENTRY + place;
            Some(u32::from_le_bytes(self.0.get(start..start + 4)?.try_into().ok()?))
        };
        Some(((number(0)?, number(4)?), (number(8)?, number(12)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let module = Module { name: "a.ts", kind: Kind::Code, content: b"code", positions: b"" };
        let bytes = Prepared { main: "a.ts", modules: vec![module] }.write();
        let read = Prepared::read(&bytes).unwrap();
        assert_eq!((read.main, read.modules[0].content), ("a.ts", &b"code"[..]));
        for cut in 0..bytes.len() {
            assert!(Prepared::read(&bytes[..cut]).is_none(), "{cut}");
        }
    }

    #[test]
    fn a_place_is_found_by_the_last_entry_before_it() {
        let mut bytes = Vec::new();
        Positions::push(&mut bytes, (1, 1), (5, 1));
        Positions::push(&mut bytes, (2, 3), (6, 9));
        let positions = Positions(&bytes);
        assert_eq!(positions.source(1, 40), Some((5, 1)));
        assert_eq!(positions.source(2, 2), None);
        assert_eq!(positions.source(2, 3), Some((6, 9)));
        assert_eq!(positions.source(3, 1), None);
    }
}
