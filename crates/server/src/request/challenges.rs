//! The challenges of sign-ins. The caller keeps a challenge, and a code in it shows that this process made it: callers who ask for challenges
//! and never sign in use no memory.

use crate::problem::Problem;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use engine::NoEntropy;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The lifetime of a challenge.
const LASTS: Duration = Duration::from_secs(300);

/// The most sign-ins within the lifetime of a challenge.
const MOST: usize = 10_000;

/// The length of a nonce. It begins with the time of its end.
pub(crate) const NONCE: usize = 32;

/// The length of the time: milliseconds since the process started.
const END: usize = 8;

/// Makes challenges, and accepts each once.
#[derive(Debug)]
pub(crate) struct Challenges {
    began: Instant,
    /// A key as long as a block of the hash.
    key: [u8; 64],
    /// The nonces of sign-ins, with their ends.
    used: Mutex<HashMap<[u8; NONCE], u64>>,
}

impl Challenges {
    pub(crate) fn new() -> Result<Self, NoEntropy> {
        let mut key = [0; 64];
        for half in key.chunks_exact_mut(32) {
            half.copy_from_slice(&engine::random_bytes()?);
        }
        Ok(Self { began: Instant::now(), key, used: Mutex::default() })
    }

    /// A new nonce, and the same with its code as text for the caller.
    pub(crate) fn create(&self) -> Result<([u8; NONCE], String), Problem> {
        let mut nonce = engine::random_bytes().map_err(|error| Problem::internal(&error))?;
        nonce[..END].copy_from_slice(&(self.now() + millis(LASTS)).to_be_bytes());
        let code = self.code(&nonce).finalize().into_bytes();
        Ok((nonce, URL_SAFE_NO_PAD.encode([&nonce[..], &code[..]].concat())))
    }

    /// The nonce of a text that this process made, before its end.
    pub(crate) fn nonce(&self, text: &str) -> Result<[u8; NONCE], Problem> {
        let read = || {
            let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
            let (nonce, code) = bytes.split_first_chunk::<NONCE>()?;
            self.code(nonce).verify_slice(code).ok()?;
            (end(nonce) > self.now()).then_some(*nonce)
        };
        read().ok_or_else(refused)
    }

    /// Uses up the nonce of a sign-in. An error if it was used before.
    pub(crate) fn redeem(&self, nonce: [u8; NONCE]) -> Result<(), Problem> {
        let now = self.now();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if used.len() >= MOST {
            used.retain(|_, end| *end > now);
        }
        // Forgetting a nonce that is still valid would let it be used again.
        if used.len() >= MOST {
            let detail = "too many people sign in at once: try again in some minutes";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "limit", detail).retry_after(LASTS));
        }
        match end(&nonce) > now && used.insert(nonce, end(&nonce)).is_none() {
            true => Ok(()),
            false => Err(refused()),
        }
    }

    fn now(&self) -> u64 {
        millis(self.began.elapsed())
    }

    fn code(&self, nonce: &[u8; NONCE]) -> Hmac<Sha256> {
        let mut code = Hmac::<Sha256>::new(&self.key.into());
        code.update(nonce);
        code
    }
}

fn end(nonce: &[u8; NONCE]) -> u64 {
    nonce.first_chunk::<END>().map_or(0, |end| u64::from_be_bytes(*end))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn refused() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "challenge",
        "the sign-in took too long, or was tried before: try again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_accepted_once() {
        let challenges = Challenges::new().unwrap();
        let (nonce, text) = challenges.create().unwrap();
        assert_eq!(challenges.nonce(&text).unwrap(), nonce);
        assert_eq!(challenges.nonce(&text).unwrap(), nonce, "an attempt that fails does not use it up");
        for _ in 0..=MOST {
            challenges.create().unwrap();
        }
        challenges.redeem(nonce).unwrap();
        assert_eq!(challenges.redeem(nonce).unwrap_err().code, "challenge");
    }

    #[test]
    fn a_challenge_of_another_process_or_altered_or_late_is_refused() {
        let [mut challenges, other] = [Challenges::new().unwrap(), Challenges::new().unwrap()];
        let (nonce, text) = challenges.create().unwrap();
        assert!(other.nonce(&text).is_err());
        let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        for place in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[place] ^= 1;
            assert!(challenges.nonce(&URL_SAFE_NO_PAD.encode(altered)).is_err(), "byte {place}");
        }
        for short in ["", "%", &text[..20], &URL_SAFE_NO_PAD.encode(nonce)] {
            assert!(challenges.nonce(short).is_err(), "{short}");
        }
        challenges.began -= LASTS;
        assert!(challenges.nonce(&text).is_err());
        assert!(challenges.redeem(nonce).is_err());
    }
}
