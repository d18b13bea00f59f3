//! PEM: the block that a text has, and the bytes in it.

use pkcs8::der::pem::Decoder;
use zeroize::Zeroizing;

/// A text without the byte order mark that some editors put before it.
pub(crate) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// The label of the first block.
pub(crate) fn label(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.trim_end().strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
}

/// The bytes in the only block. `None` is a text that is cut, or has something behind the block. Lines may have any length: ssh-keygen
/// breaks them at 70, openssl at 64.
pub(crate) fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    // Editors leave empty lines at the end, and ssh-keygen and openssl read such files.
    let mut decoder = Decoder::new_detect_wrap(text.trim_ascii_end().as_bytes()).ok()?;
    // The buffer has its final size from the start: a buffer that grows leaves copies behind.
    let mut bytes = Zeroizing::new(vec![0; decoder.remaining_len()]);
    decoder.decode(&mut bytes).ok()?;
    Some(bytes)
}
