//! Words of others, for terminals.

/// A comment is usually a name and a host, which fit.
const CHARS_MAX: usize = 64;

/// Foreign text as printable ASCII: other characters are escaped, and a long text is cut.
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
