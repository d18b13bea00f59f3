//! Bounds on people's words. A host keeps them permanently, and shows them to others.

/// A text for the record that is longer than the host keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the {what} has {bytes} bytes, and at most {most} are kept: shorten it")]
pub struct TooLong {
    /// The name of the text.
    pub what: &'static str,
    /// The length of the text in bytes.
    pub bytes: usize,
    /// The greatest length in bytes.
    pub most: usize,
}

/// The longest name of the person or account that acts, in bytes.
const NAME: usize = 128;

/// The longest reason, in bytes: as long as in a signed statement.
const REASON: usize = receipt::MAX_REASON_LEN;

/// The longest public key as text: an RSA key of 4096 bits.
const KEY: usize = 768;

/// The name of the account that acts, and its reason.
pub(crate) fn check(by: &str, reason: Option<&str>) -> Result<(), TooLong> {
    bounded("name of who does this", by, NAME)?;
    reason.map_or(Ok(()), |reason| bounded("reason", reason, REASON))
}

/// A workflow's name.
pub(crate) fn check_workflow(name: &str) -> Result<(), TooLong> {
    bounded("workflow's name", name, receipt::MAX_NAME_LEN)
}

/// A public key or its id, as text.
pub(crate) fn check_key(text: &str) -> Result<(), TooLong> {
    bounded("key", text, KEY)
}

fn bounded(what: &'static str, text: &str, most: usize) -> Result<(), TooLong> {
    match text.len() {
        bytes if bytes > most => Err(TooLong { what, bytes, most }),
        _ => Ok(()),
    }
}
