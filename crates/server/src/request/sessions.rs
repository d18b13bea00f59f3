//! Sessions of people in a browser, and the challenges of sign-ins. Both are in memory: after a restart of the server, people sign in again.
//!
//! A session lets a person view pages and submit signed statements. It decides nothing: each decision needs an assertion of its own.

use crate::problem::Problem;
use receipt::{Digest, KeyId, PersonId};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The cookie's name. The prefix `__Host-` keeps other subdomains from setting it.
pub(crate) const COOKIE: &str = "__Host-pp-session";

/// The length of a session: a working day.
const LASTS: Duration = Duration::from_secs(8 * 3_600);

/// The lifetime of a challenge.
const CHALLENGE_LASTS: Duration = Duration::from_secs(300);

/// The most sessions, and the most challenges. A new one beyond that replaces the oldest.
const MOST: usize = 10_000;

/// Values by the digest of a secret.
#[derive(Debug)]
struct Kept<T>(Mutex<HashMap<Digest, (T, Instant)>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Kept<T> {
    fn keep(&self, secret: &str, value: T, lasts: Duration) {
        let (now, mut kept) = (Instant::now(), self.lock());
        if kept.len() >= MOST {
            kept.retain(|_, (_, until)| *until > now);
        }
        if kept.len() >= MOST {
            let oldest = kept.iter().min_by_key(|(_, (_, until))| *until).map(|(digest, _)| *digest);
            oldest.and_then(|oldest| kept.remove(&oldest));
        }
        kept.insert(Digest::of(secret.as_bytes()), (value, now + lasts));
    }

    fn take(&self, secret: &str) -> Option<T> {
        let (value, until) = self.lock().remove(&Digest::of(secret.as_bytes()))?;
        (until > Instant::now()).then_some(value)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, (T, Instant)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The sessions, and the challenges of sign-ins.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    people: Kept<(PersonId, KeyId)>,
    challenges: Kept<[u8; 32]>,
}

impl Sessions {
    /// Makes a challenge that is valid once: the nonce's text for the browser, and its bytes.
    pub(crate) fn challenge(&self) -> Result<(String, [u8; 32]), Problem> {
        let (name, nonce) = (secret()?, random()?);
        self.challenges.keep(&name, nonce, CHALLENGE_LASTS);
        Ok((name, nonce))
    }

    /// Uses up a nonce, if this server made it and it is not used yet.
    pub(crate) fn redeem(&self, name: &str) -> Option<[u8; 32]> {
        self.challenges.take(name)
    }

    /// Begins a session of a person with the key that they signed in with, and returns its cookie.
    pub(crate) fn begin(&self, person: PersonId, key: KeyId) -> Result<String, Problem> {
        let secret = secret()?;
        self.people.keep(&secret, (person, key), LASTS);
        let age = LASTS.as_secs();
        Ok(format!("{COOKIE}={secret}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={age}"))
    }

    /// Ends the session of a cookie.
    pub(crate) fn end(&self, secret: &str) {
        self.people.take(secret);
    }

    /// The person of a session that has not expired, and their key.
    pub(crate) fn person(&self, secret: &str) -> Option<(PersonId, KeyId)> {
        let people = self.people.lock();
        let (person, until) = people.get(&Digest::of(secret.as_bytes()))?;
        (*until > Instant::now()).then(|| person.clone())
    }
}

fn random() -> Result<[u8; 32], Problem> {
    engine::random_bytes().map_err(|error| Problem::internal(&error))
}

fn secret() -> Result<String, Problem> {
    Ok(random()?.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}
