//! Words of a command line.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;

/// A word, quoted for a shell.
pub(crate) struct ShellQuoted<'a>(pub(crate) &'a OsStr);

impl fmt::Display for ShellQuoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0.as_bytes();
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(byte);
        match self.0.to_str() {
            Some(text) if !text.is_empty() && bytes.iter().all(is_plain) => f.write_str(text),
            Some(text) if text.chars().all(workflow::is_visible) => {
                write!(f, "'{}'", text.replace('\'', r"'\''"))
            }
            _ => {
                f.write_str("$'")?;
                bytes.iter().try_for_each(|byte| match byte {
                    b'\'' | b'\\' => write!(f, "\\{}", char::from(*byte)),
                    b' '..=b'~' => write!(f, "{}", char::from(*byte)),
                    byte => write!(f, "\\x{byte:02x}"),
                })?;
                f.write_str("'")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_one_word_to_a_shell() {
        let quoted = |word: &[u8]| ShellQuoted(OsStr::from_bytes(word)).to_string();
        assert_eq!(quoted(b"wf_1/a.b"), "wf_1/a.b");
        assert_eq!(quoted(b""), "''");
        assert_eq!(quoted(b"sp ace/d 1"), "'sp ace/d 1'");
        assert_eq!(quoted(b"it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quoted(b"a\x1b'\xff"), r"$'a\x1b\'\xff'");
        assert_eq!(quoted("a\u{202e}".as_bytes()), r"$'a\xe2\x80\xae'");
    }
}
