//! Names and secrets that cannot be guessed.

use receipt::Timestamp;
use std::fmt::Write as _;
use std::str::FromStr;
use workflow::InvalidId;

/// The system has no random numbers to give.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no random numbers: {0}")]
pub struct NoEntropy(getrandom::Error);

/// Why no identifier was made.
#[derive(Debug, thiserror::Error)]
pub enum IdError {
    /// The system has no random numbers to give.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    /// The prefix does not begin an identifier of that kind.
    #[error(transparent)]
    Prefix(#[from] InvalidId),
}

/// 32 random bytes from the system.
///
/// # Errors
/// The system has no random numbers.
pub fn random_bytes() -> Result<[u8; 32], NoEntropy> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(NoEntropy)?;
    Ok(bytes)
}

/// A new identifier: the prefix, the time in steps of four milliseconds, and 56 random bits against collisions.
/// Identifiers sort by time, so that rows written at about the same time are neighbours in an index; at random places,
/// each would change a page of its own.
pub fn id<T: FromStr<Err = InvalidId>>(prefix: &str, at: Timestamp) -> Result<T, IdError> {
    // Forty bits, which last until the year 2109.
    let steps = at.as_millis().max(0) >> 2 & 0xff_ffff_ffff;
    let mut text = format!("{prefix}{steps:010x}");
    for byte in &random_bytes()?[..7] {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use workflow::RequestId;

    #[test]
    fn a_later_identifier_comes_later() {
        let of = |millis| id::<RequestId>("apr_", Timestamp::from_millis(millis)).unwrap();
        let ids = [i64::MIN, 4, 4_000, 1_796_000_000_000, 1_796_000_000_004].map(of);
        assert!(ids.is_sorted(), "{ids:?}");
        assert!(ids.iter().all(|id| id.as_str().len() == 4 + 24), "{ids:?}");
        assert_ne!(of(0), of(0));
    }
}
