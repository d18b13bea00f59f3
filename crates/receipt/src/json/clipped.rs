//! Texts of others in errors.

use alloc::string::String;

/// The first characters of a text, as many as an error has room for, with all characters escaped that a terminal could
/// take for a command.
pub(crate) fn clipped(text: &str) -> String {
    /// A tagged digest is 71 characters, and with this two of them fit on a wide line.
    const LONGEST: usize = 80;
    let mut out = String::new();
    for c in text.chars().take(LONGEST) {
        match c {
            // A second blank in a row could be the margin of another line, and a grave accent the end of a quotation.
            ' ' if out.ends_with(' ') => out.push_str("\\u{20}"),
            '`' => out.extend(c.escape_unicode()),
            other => out.extend(other.escape_debug()),
        }
    }
    if text.chars().nth(LONGEST).is_some() {
        out.push('…');
    }
    out
}
