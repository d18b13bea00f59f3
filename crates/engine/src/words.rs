//! Bounds on what people say for the record. A host keeps it for good, and shows it to others.

use crate::Error;

/// The longest name of whoever says something, in bytes.
const NAME: usize = 128;

/// The longest reason, in bytes: as long as in a signed statement.
const REASON: usize = receipt::MAX_REASON_LEN;

/// The name of whoever has something done, and why.
pub(crate) fn check(by: &str, reason: Option<&str>) -> Result<(), Error> {
    bounded("name of who does this", by, NAME)?;
    reason.map_or(Ok(()), |reason| bounded("reason", reason, REASON))
}

/// A workflow's name.
pub(crate) fn check_workflow(name: &str) -> Result<(), Error> {
    bounded("workflow's name", name, receipt::MAX_NAME_LEN)
}

/// A public key or its id, as text.
pub(crate) fn check_key(text: &str) -> Result<(), Error> {
    bounded("key", text, receipt::MAX_NAME_LEN)
}

fn bounded(what: &'static str, text: &str, most: usize) -> Result<(), Error> {
    match text.len() {
        bytes if bytes > most => Err(Error::TooLong { what, bytes, most }),
        _ => Ok(()),
    }
}
