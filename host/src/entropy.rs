//! Names and secrets that nobody can guess.

use std::fmt::Write as _;
use std::str::FromStr;

/// The system has no random numbers to give.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers: {0}")]
pub struct NoEntropy(getrandom::Error);

/// 32 random bytes from the system.
///
/// # Errors
/// When the system has none.
pub fn random_bytes() -> Result<[u8; 32], NoEntropy> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(NoEntropy)?;
    Ok(bytes)
}

/// A fresh identifier: the prefix and 96 random bits, enough that no two ever meet.
pub(crate) fn id<T: FromStr<Err = workflow::InvalidId>>(prefix: &str) -> Result<T, crate::Error> {
    let mut text = prefix.to_owned();
    for byte in &random_bytes()?[..12] {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text.parse()?)
}
