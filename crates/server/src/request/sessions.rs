//! Sessions of people in a browser. They are in memory: after a restart of the server, people sign in again.
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

/// The most sessions. A new one beyond that replaces the oldest.
const MOST: usize = 10_000;

/// The sessions, by the digest of their cookie's secret.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<Digest, Session>>);

/// A session.
#[derive(Debug)]
struct Session {
    person: PersonId,
    /// The key that they signed in with.
    key: KeyId,
    until: Instant,
}

impl Sessions {
    /// Begins a session of a person with the key that they signed in with, and returns its cookie.
    pub(crate) fn begin(&self, person: PersonId, key: KeyId) -> Result<String, Problem> {
        let secret = secret()?;
        let now = Instant::now();
        let mut kept = self.lock();
        if kept.len() >= MOST {
            kept.retain(|_, session| session.until > now);
        }
        if kept.len() >= MOST {
            let oldest = kept.iter().min_by_key(|(_, session)| session.until).map(|(digest, _)| *digest);
            oldest.and_then(|oldest| kept.remove(&oldest));
        }
        kept.insert(Digest::of(secret.as_bytes()), Session { person, key, until: now + LASTS });
        let age = LASTS.as_secs();
        Ok(format!("{COOKIE}={secret}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={age}"))
    }

    /// Ends the session of a cookie.
    pub(crate) fn end(&self, secret: &str) {
        self.lock().remove(&Digest::of(secret.as_bytes()));
    }

    /// The person of a session that has not expired, and their key.
    pub(crate) fn person(&self, secret: &str) -> Option<(PersonId, KeyId)> {
        let kept = self.lock();
        let session = kept.get(&Digest::of(secret.as_bytes()))?;
        (session.until > Instant::now()).then(|| (session.person.clone(), session.key))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn secret() -> Result<String, Problem> {
    let bytes = engine::random_bytes().map_err(|error| Problem::internal(&error))?;
    Ok(bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}
