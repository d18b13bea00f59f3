//! Words of others, for terminals.

/// A comment is a name and a host: that much is enough.
const CHARS_MAX: usize = 64;

/// Foreign text as ASCII that moves no cursor and hides nothing: the rest is escaped, and what is too long is cut.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut shown = String::new();
    for (index, char) in text.chars().enumerate() {
        match char {
            _ if index == CHARS_MAX => {
                shown.push_str("...");
                break;
            }
            ' '..='~' => shown.push(char),
            _ => shown.extend(char.escape_default()),
        }
    }
    shown
}
