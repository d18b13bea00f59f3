//! Sessions of people in a browser, and the challenges of sign-ins. Both are in memory: a server that begins anew has its people sign in anew.
//!
//! A session shows what a person may see, and carries what they have signed. It decides nothing: that takes an assertion of its own.

use crate::problem::Problem;
use receipt::{Digest, KeyId, PersonId};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The cookie: of this origin alone, whatever a neighbour sets.
pub(crate) const COOKIE: &str = "__Host-pp-session";

/// How long a session lasts: a working day.
const LASTS: Duration = Duration::from_secs(8 * 3_600);

/// How long a challenge waits for its assertion.
const CHALLENGE_LASTS: Duration = Duration::from_secs(300);

/// Sessions, and challenges, so many of each. The oldest make room.
const MOST: usize = 10_000;

/// What is kept by the digest of a secret.
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

/// Who is signed in, and who is about to be.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    people: Kept<(PersonId, KeyId)>,
    challenges: Kept<[u8; 32]>,
}

impl Sessions {
    /// The nonce of a new challenge, good once: its name for the browser, and its bytes.
    pub(crate) fn challenge(&self) -> Result<(String, [u8; 32]), Problem> {
        let (name, nonce) = (secret()?, random()?);
        self.challenges.keep(&name, nonce, CHALLENGE_LASTS);
        Ok((name, nonce))
    }

    /// Takes a nonce back, if it was given out and not used yet.
    pub(crate) fn redeem(&self, name: &str) -> Option<[u8; 32]> {
        self.challenges.take(name)
    }

    /// Begins a session of a person with the key that they signed in with, and says which cookie stands for it.
    pub(crate) fn begin(&self, person: PersonId, key: KeyId) -> Result<String, Problem> {
        let secret = secret()?;
        self.people.keep(&secret, (person, key), LASTS);
        let age = LASTS.as_secs();
        Ok(format!("{COOKIE}={secret}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={age}"))
    }

    /// Ends the session that a cookie stands for.
    pub(crate) fn end(&self, secret: &str) {
        self.people.take(secret);
    }

    /// The person of a session that is not over, and their key.
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
