//! Sessions of people in a browser, and the challenges of sign-ins. Both are in memory: a server that begins anew has its people sign in anew.
//!
//! A session shows what a person may see, and carries what they have signed. It decides nothing: that takes an assertion of its own.

use crate::problem::Problem;
use crate::routes::Asked;
use axum::http::{StatusCode, header};
use engine::api::DeciderSession;
use receipt::{Digest, KeyId, PersonId};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The cookie: of this origin alone, whatever a neighbour sets.
const COOKIE: &str = "__Host-pp-session";

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

    fn person(&self, secret: &str) -> Option<(PersonId, KeyId)> {
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

impl Asked {
    /// The person who is signed in, as operators say now what they may do. None where they were removed since, or their key was revoked.
    pub(crate) fn session(&self) -> Result<Option<DeciderSession>, Problem> {
        let Some((person, key)) = self.cookie().and_then(|secret| self.state.sessions.person(&secret)) else {
            return Ok(None);
        };
        let trust = self.state.host.trust()?;
        let known = trust.deciders().person(&person).filter(|known| known.removed_at.is_none());
        let Some(known) = known else { return Ok(None) };
        if !trust.counts_still(&key.to_string()) {
            return Ok(None);
        }
        let tenants = known.tenants.iter().filter_map(|tenant| tenant.parse().ok()).collect();
        Ok(Some(DeciderSession { person, tenants }))
    }

    /// Ends the session, and says what takes its cookie away.
    pub(crate) fn end_session(&self) -> String {
        if let Some(secret) = self.cookie() {
            self.state.sessions.people.take(&secret);
        }
        format!("{COOKIE}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0")
    }

    fn cookie(&self) -> Option<String> {
        let cookies = self.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut values = cookies
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('=').map(str::to_owned));
        // Two of one name are not this server's doing.
        values.next().filter(|_| values.next().is_none())
    }

    /// The person who is signed in.
    pub(crate) fn signed_in(&self) -> Result<DeciderSession, Problem> {
        self.session()?.ok_or_else(|| {
            Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", "sign in first: the session is over")
        })
    }
}
