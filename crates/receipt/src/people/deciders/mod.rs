//! The people who decide, and their keys: pinned by the verifier, like an issuer's key set.
//!
//! A set that came along with a receipt proves nothing. No entry is ever deleted from a set: a person is removed, and a
//! key revoked, *at a time*, so that earlier decisions can still be verified. For the same reason a person's earlier roles
//! and tenants are kept.

pub(crate) mod grants;
mod text;

pub use grants::{Grants, MAX_CHANGES};

use alloc::string::String;
use alloc::vec::Vec;

use crate::format::names::{PersonId, Role};
use crate::json::JsonError;
use crate::json::members::ShapeError;
use crate::people::dsse::{Envelope, VerifiedPayload};
use crate::people::key::PublicKey;
use crate::people::scheme::{KeyId, PublicKeyError};
use crate::timestamp::Timestamp;

/// The most people in a set. Their names are looked through one by one.
pub const MAX_PEOPLE: usize = 512;

/// The most keys in a set, old ones included: a signature that names no key is tried with each, some 50 µs a time.
pub const MAX_KEYS: usize = 1024;

/// The most roles a person has.
pub const MAX_ROLES: usize = 32;

/// The most tenants a person is confined to. A person who decides for more tenants decides for all.
pub const MAX_TENANTS: usize = 1024;

/// The people who decide.
// INVARIANT: every person's id occurs once, every key belongs to one person, and everything is bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeciderSet {
    people: Vec<Person>,
}

/// A person who decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The person's identifier.
    pub id: PersonId,
    /// The person's present roles.
    pub roles: Vec<Role>,
    /// The tenants that the person decides for at present; empty for all tenants.
    pub tenants: Vec<String>,
    /// The roles and tenants that they had before, in the order of time.
    pub earlier: Vec<Grants>,
    /// The time from which the person's signatures do not count.
    pub removed_at: Option<Timestamp>,
    /// The person's keys.
    pub keys: Vec<DeciderKey>,
}

/// A person's key, and the time in which its signatures count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeciderKey {
    /// The key.
    pub key: PublicKey,
    /// The first moment at which it may sign.
    pub valid_from: Timestamp,
    /// The first moment at which the key may no longer sign. Earlier signatures remain valid.
    pub valid_until: Option<Timestamp>,
    /// When the key was withdrawn. An approval by the key that is not used yet lapses at that moment.
    pub revoked_at: Option<Timestamp>,
    /// The time since which another person may have had it.
    pub compromised_at: Option<Timestamp>,
}

/// A key on record, and the person who holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyHolder<'s> {
    /// The person whose key it is.
    pub person: &'s Person,
    /// The key.
    pub key: &'s DeciderKey,
}

impl Person {
    /// Whether the person has this role at present.
    pub fn has_role(&self, role: &Role) -> bool {
        self.roles.contains(role)
    }

    /// Whether the person decides for this tenant at present.
    pub fn decides_for(&self, tenant: &str) -> bool {
        grants::cover(&self.tenants, tenant)
    }
}

impl DeciderKey {
    /// A key that is valid from a given time.
    pub fn new(key: PublicKey, valid_from: Timestamp) -> Self {
        Self { key, valid_from, valid_until: None, revoked_at: None, compromised_at: None }
    }
}

impl DeciderSet {
    /// An empty set.
    pub const fn new() -> Self {
        Self { people: Vec::new() }
    }

    /// Reads a set's JSON text, in the shape that [`to_json`](Self::to_json) writes. Anything odd is an error: half a set
    /// is worse than none.
    pub fn parse(text: &str) -> Result<Self, DeciderSetError> {
        text::read(text)
    }

    /// The portable, public form, canonical JSON.
    pub fn to_json(&self) -> String {
        text::write(self)
    }

    /// The people, in the order they were added, including removed ones.
    pub fn people(&self) -> &[Person] {
        &self.people
    }

    /// The person of that name.
    pub fn person(&self, id: &PersonId) -> Option<&Person> {
        self.people.iter().find(|person| person.id == *id)
    }

    /// The person whose key that is, and the key.
    pub fn key(&self, id: KeyId) -> Option<KeyHolder<'_>> {
        self.keys().find(|holder| holder.key.key.key_id() == id)
    }

    /// Adds a person.
    pub fn insert(&mut self, person: Person) -> Result<(), DeciderSetError> {
        if self.people.len() == MAX_PEOPLE {
            return Err(DeciderSetError::TooMany { what: "people", most: MAX_PEOPLE });
        }
        if self.person(&person.id).is_some() {
            return Err(DeciderSetError::DuplicatePerson(person.id));
        }
        grants::check(&person)?;
        for (index, key) in person.keys.iter().enumerate() {
            self.check_key(key, &person.keys[..index], &person.id)?;
        }
        self.people.push(person);
        Ok(())
    }

    /// Gives a person another key.
    pub fn add_key(&mut self, id: &PersonId, key: DeciderKey) -> Result<(), DeciderSetError> {
        self.check_key(&key, &[], id)?;
        self.person_mut(id)?.keys.push(key);
        Ok(())
    }

    /// Withdraws a key. A second time keeps the earlier moment.
    pub fn revoke_key(&mut self, id: KeyId, at: Timestamp) -> Result<(), DeciderSetError> {
        earlier(&mut self.key_mut(id)?.revoked_at, at);
        Ok(())
    }

    /// Records that another person may have had a key since `at`. A second time keeps the earlier moment.
    pub fn mark_compromised(&mut self, id: KeyId, at: Timestamp) -> Result<(), DeciderSetError> {
        earlier(&mut self.key_mut(id)?.compromised_at, at);
        Ok(())
    }

    /// Removes a person: signatures from `at` on do not count. A second removal keeps the earlier time.
    pub fn remove(&mut self, id: &PersonId, at: Timestamp) -> Result<(), DeciderSetError> {
        earlier(&mut self.person_mut(id)?.removed_at, at);
        Ok(())
    }

    /// **As it was decided**: whether a signature that a key made at `decided_at` counted at that moment. Ignores what
    /// happened to the key or the person later: the auditor's question about the past.
    pub fn counted_as_decided(&self, id: KeyId, decided_at: Timestamp) -> Result<KeyHolder<'_>, NotCounted> {
        self.counted_as_known(id, decided_at, decided_at)
    }

    /// **As it is known now**: whether a signature that a key made at `decided_at` still counts at `now`. Signatures of
    /// a key that has been revoked or compromised by `now`, or whose person has been removed, do not count, whenever
    /// they were made.
    pub fn counted_as_known(
        &self,
        id: KeyId,
        decided_at: Timestamp,
        now: Timestamp,
    ) -> Result<KeyHolder<'_>, NotCounted> {
        let holder = self.key(id).ok_or(NotCounted::UnknownKey(id))?;
        let DeciderKey { valid_from, valid_until, revoked_at, compromised_at, .. } = *holder.key;
        let by_now = |at: &Timestamp| *at <= now;
        if decided_at < valid_from {
            return Err(NotCounted::NotYetValid(valid_from));
        }
        if let Some(until) = valid_until.filter(|until| decided_at >= *until) {
            return Err(NotCounted::NoLongerValid(until));
        }
        if let Some(at) = compromised_at.filter(by_now) {
            return Err(NotCounted::Compromised(at));
        }
        if let Some(at) = revoked_at.filter(by_now) {
            return Err(NotCounted::Revoked(at));
        }
        match holder.person.removed_at.filter(by_now) {
            Some(at) => Err(NotCounted::Removed { person: holder.person.id.clone(), at }),
            None => Ok(holder),
        }
    }

    /// The key of the set that signed an envelope, whatever its status, and the signed payload.
    pub(crate) fn signer<'e>(&self, envelope: &'e Envelope) -> Option<VerifiedPayload<'e, KeyHolder<'_>>> {
        envelope.signer(self.keys().map(|holder| (holder, &holder.key.key)))
    }

    /// The person with that key, including revoked keys.
    pub fn holder(&self, key: &PublicKey) -> Option<KeyHolder<'_>> {
        self.keys().find(|holder| holder.key.key.is_same_key(key))
    }

    fn keys(&self) -> impl Iterator<Item = KeyHolder<'_>> + Clone {
        self.people.iter().flat_map(|person| person.keys.iter().map(move |key| KeyHolder { person, key }))
    }

    fn person_mut(&mut self, id: &PersonId) -> Result<&mut Person, DeciderSetError> {
        let person = self.people.iter_mut().find(|person| person.id == *id);
        person.ok_or_else(|| DeciderSetError::NoSuchPerson(id.clone()))
    }

    fn key_mut(&mut self, id: KeyId) -> Result<&mut DeciderKey, DeciderSetError> {
        let mut keys = self.people.iter_mut().flat_map(|person| &mut person.keys);
        keys.find(|key| key.key.key_id() == id).ok_or(DeciderSetError::NoSuchKey(id))
    }

    /// `before` are the keys that come in together with this one.
    fn check_key(
        &self,
        key: &DeciderKey,
        before: &[DeciderKey],
        person: &PersonId,
    ) -> Result<(), DeciderSetError> {
        let id = key.key.key_id();
        if self.keys().count() + before.len() >= MAX_KEYS {
            return Err(DeciderSetError::TooMany { what: "keys", most: MAX_KEYS });
        }
        // Looks the key up by its key material: the same key with a different record belongs to the same person.
        let same = |other: &PublicKey| other.is_same_key(&key.key);
        if before.iter().any(|other| same(&other.key)) {
            return Err(DeciderSetError::DuplicateKey { key: id, person: person.clone() });
        }
        if let Some(KeyHolder { person, .. }) = self.holder(&key.key) {
            return Err(DeciderSetError::DuplicateKey { key: id, person: person.id.clone() });
        }
        match key.valid_until {
            Some(until) if until <= key.valid_from => Err(DeciderSetError::NeverValid(id)),
            _ => Ok(()),
        }
    }
}

/// Why a signature by a key does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotCounted {
    /// The set has no such key.
    #[error("key {0} belongs to no pinned decider")]
    UnknownKey(KeyId),
    /// Signed before the key was valid.
    #[error("the key was not valid before {0}")]
    NotYetValid(Timestamp),
    /// Signed when the key was no longer valid.
    #[error("the key was valid until {0}")]
    NoLongerValid(Timestamp),
    /// The key was withdrawn.
    #[error("the key was revoked at {0}")]
    Revoked(Timestamp),
    /// Another person may have had the key.
    #[error("the key may have been in other hands since {0}")]
    Compromised(Timestamp),
    /// The person no longer decides.
    #[error("{person} was removed from the deciders at {at}")]
    Removed {
        /// The person.
        person: PersonId,
        /// The time of the removal.
        at: Timestamp,
    },
}

/// Why a set of deciders was refused, or a change of one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeciderSetError {
    /// The text is not JSON.
    #[error("the deciders are no JSON: {0}")]
    Json(#[from] JsonError),
    /// The JSON is not a set of deciders.
    #[error("not a set of deciders: {0}")]
    Shape(#[from] ShapeError),
    /// The set's version is not known.
    #[error("a set of deciders of another version than 1 and 2")]
    Version,
    /// Two people of one name.
    #[error("{0} occurs twice; a person has one entry, with all roles and keys")]
    DuplicatePerson(PersonId),
    /// A key that another person has already.
    #[error("key {key} belongs to {person} already; a key is one person's, once")]
    DuplicateKey {
        /// The key.
        key: KeyId,
        /// The person who has the key.
        person: PersonId,
    },
    /// A role or a tenant occurs twice.
    #[error("{person}: `{name}` occurs twice")]
    Repeated {
        /// The person of the entry.
        person: PersonId,
        /// The repeated name.
        name: String,
    },
    /// The stated id of the key is not the id that follows from the key.
    #[error("the entry of key {0} states another keyid")]
    WrongKeyId(KeyId),
    /// The text is not a public key.
    #[error("{person}: {error}")]
    PublicKey {
        /// The person of the entry.
        person: PersonId,
        /// The fault.
        error: PublicKeyError,
    },
    /// Earlier roles and tenants whose times are not in order.
    #[error("{0}: an entry of `earlier` is not later than the one before it")]
    Order(PersonId),
    /// The key's validity ends before it begins.
    #[error("key {0} is valid at no time: validUntil is not after validFrom")]
    NeverValid(KeyId),
    /// More than are looked through.
    #[error("more than {most} {what}")]
    TooMany {
        /// The things that are too many.
        what: &'static str,
        /// The bound.
        most: usize,
    },
    /// The set has no such person.
    #[error("no decider {0}")]
    NoSuchPerson(PersonId),
    /// The set has no such key.
    #[error("no decider's key {0}")]
    NoSuchKey(KeyId),
}

fn earlier(moment: &mut Option<Timestamp>, at: Timestamp) {
    *moment = Some(moment.map_or(at, |before| before.min(at)));
}
