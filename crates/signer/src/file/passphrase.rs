//! The passphrase of an encrypted key.

use std::{fmt, io};

use zeroize::Zeroizing;

/// A passphrase. Wiped when dropped; `Debug` does not show it.
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes ownership of the typed text.
    pub fn new(typed: String) -> Self {
        Self(Zeroizing::new(typed))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passphrase").finish_non_exhaustive()
    }
}

/// Asks on the terminal, even if standard input is redirected, without echo.
///
/// # Errors
/// When there is no terminal, or reading from it fails.
pub fn ask_on_terminal(prompt: &str) -> io::Result<Passphrase> {
    rpassword::prompt_password(prompt).map(Passphrase::new)
}
