//! Published key sets, pinned by the verifier.
//!
//! A key set that arrived together with a receipt proves nothing: a forger makes both. Obtain it
//! from the issuer once, read it, and keep your copy.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use ed25519_dalek::VerifyingKey;

use crate::encoding;
use crate::fields::vocabulary;
use crate::issuer::ed25519::read_point;
use crate::json::{Json, JsonError, Object};
use crate::timestamp::Timestamp;

/// The key id under which the hosted service's public demonstration signs.
pub const DEMO_KEY_ID: &str = "pp-demo-k1";

/// The prefix of the ids of this project's own demo keys.
pub const DEMO_KEY_PREFIX: &str = "pp_demo_";

/// Whether a key is a demonstration's, according to its id. Nothing that it signed counts in production, whatever scope
/// the signed bytes claim.
pub fn is_demo_key(key_id: &str) -> bool {
    key_id == DEMO_KEY_ID || key_id.starts_with(DEMO_KEY_PREFIX)
}

vocabulary! {
    /// The status of a key: the uses that it still has.
    KeyStatus {
        /// Signs new receipts.
        Active = "active",
        /// Signs no new receipts; those it signed remain valid.
        Rotated = "rotated",
        /// The key is revoked: no signature of it is accepted.
        Revoked = "revoked",
    }
}

/// One public key of an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// The id that receipts name.
    pub key_id: String,
    /// The raw Ed25519 public key.
    pub public_key: [u8; 32],
    /// The key's status: the uses that it still has.
    pub status: KeyStatus,
    /// When the key was made.
    pub created_at: Timestamp,
    /// When the key was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// An issuer's keys, in the shape of the published `keys.json`.
// INVARIANT: key ids are unique, and only a revoked key has a revocation time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySet {
    issuer: String,
    keys: Vec<PinnedKey>,
}

/// A key, and the curve point it encodes: decoding it costs as much as a tenth of a verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PinnedKey {
    pub(crate) key: Key,
    pub(crate) point: VerifyingKey,
}

impl KeySet {
    /// An issuer without keys.
    pub fn new(issuer: &str) -> Self {
        Self { issuer: issuer.to_owned(), keys: Vec::new() }
    }

    /// Reads a published key set. Keys of an algorithm other than Ed25519 are left out, so a receipt that names one
    /// finds no key. Any other unexpected content is an error: a key set that is read in part is worse than none.
    pub fn parse(text: &str) -> Result<Self, KeySetError> {
        let json = Json::parse(text)?;
        let issuer = json.get("issuer").and_then(Json::as_str).ok_or(KeySetError::Shape("issuer"))?;
        let mut set = Self::new(issuer);
        for entry in json.get("keys").and_then(Json::as_array).ok_or(KeySetError::Shape("keys"))? {
            if let Some(key) = read_key(entry)? {
                set.insert(key)?;
            }
        }
        Ok(set)
    }

    /// The issuer with these keys.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The keys, in the order they were added.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter().map(|pinned| &pinned.key)
    }

    /// The key with this id.
    pub fn get(&self, key_id: &str) -> Option<&Key> {
        self.pinned(key_id).map(|pinned| &pinned.key)
    }

    pub(crate) fn pinned(&self, key_id: &str) -> Option<&PinnedKey> {
        self.keys.iter().find(|pinned| pinned.key.key_id == key_id)
    }

    /// Adds a key.
    pub fn insert(&mut self, key: Key) -> Result<(), KeySetError> {
        if key.key_id.is_empty() {
            return Err(KeySetError::Shape("key_id"));
        }
        if self.get(&key.key_id).is_some() {
            return Err(KeySetError::DuplicateKeyId(key.key_id));
        }
        if key.revoked_at.is_some() && key.status != KeyStatus::Revoked {
            return Err(KeySetError::RevokedYetUsable(key.key_id));
        }
        let Some(point) = read_point(&key.public_key) else {
            return Err(KeySetError::PublicKey(key.key_id));
        };
        self.keys.push(PinnedKey { key, point });
        Ok(())
    }

    /// Puts `next` in the place of the active key `key_id`, whose receipts stay good.
    pub fn rotate(&mut self, key_id: &str, next: Key) -> Result<(), KeySetError> {
        let index = self.position(key_id)?;
        if self.keys[index].key.status != KeyStatus::Active {
            return Err(KeySetError::NotActive(key_id.to_owned()));
        }
        if next.status != KeyStatus::Active {
            return Err(KeySetError::NotActive(next.key_id));
        }
        self.insert(next)?;
        self.keys[index].key.status = KeyStatus::Rotated;
        Ok(())
    }

    /// Revokes `key_id`: from now on nothing it ever signed verifies. A second revocation keeps the first time.
    pub fn revoke(&mut self, key_id: &str, at: Timestamp) -> Result<(), KeySetError> {
        let index = self.position(key_id)?;
        let key = &mut self.keys[index].key;
        key.status = KeyStatus::Revoked;
        key.revoked_at.get_or_insert(at);
        Ok(())
    }

    /// The published shape, canonical JSON.
    pub fn to_json(&self) -> String {
        let keys = self.keys().map(write_key).collect::<Vec<_>>();
        Json::object([("issuer", Json::from(self.issuer.as_str())), ("keys", keys.into())]).canonical()
    }

    fn position(&self, key_id: &str) -> Result<usize, KeySetError> {
        let index = self.keys().position(|key| key.key_id == key_id);
        index.ok_or_else(|| KeySetError::NoSuchKey(key_id.to_owned()))
    }
}

/// Why a key set was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeySetError {
    /// The key set is not JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A member is missing or of the wrong type.
    #[error("the key set has no usable `{0}`")]
    Shape(&'static str),
    /// Two keys have one id.
    #[error("key id `{0}` occurs twice")]
    DuplicateKeyId(String),
    /// The key is not the base64 of 32 bytes, or not a public key that can verify anything.
    #[error("key `{0}`: public_key_b64 is not an Ed25519 public key in base64")]
    PublicKey(String),
    /// A status this crate does not know, which might mean anything.
    #[error("key `{key_id}`: status `{status}` is not active, rotated or revoked")]
    Status {
        /// The key.
        key_id: String,
        /// The status that the set states.
        status: String,
    },
    /// The key has a revocation time, but is not marked revoked.
    #[error("key `{0}` has a revoked_at and is not marked revoked")]
    RevokedYetUsable(String),
    /// The key set has no such key.
    #[error("no key `{0}` in the key set")]
    NoSuchKey(String),
    /// The key is not active: only active keys rotate, and only into active keys.
    #[error("key `{0}` is not active")]
    NotActive(String),
}

fn read_key(entry: &Json) -> Result<Option<Key>, KeySetError> {
    let text = |name: &'static str| entry.get(name).and_then(Json::as_str).ok_or(KeySetError::Shape(name));
    let instant = |name: &'static str| text(name)?.parse().map_err(|_| KeySetError::Shape(name));
    let key_id = text("key_id")?.to_owned();
    if text("alg")? != "ed25519" {
        return Ok(None);
    }
    let Some(public_key) = encoding::array_from_base64(text("public_key_b64")?) else {
        return Err(KeySetError::PublicKey(key_id));
    };
    let status = text("status")?;
    let Some(status) = KeyStatus::from_signed(status) else {
        return Err(KeySetError::Status { key_id, status: status.to_owned() });
    };
    let revoked_at = match entry.get("revoked_at") {
        None | Some(Json::Null) => None,
        Some(_) => Some(instant("revoked_at")?),
    };
    Ok(Some(Key { key_id, public_key, status, created_at: instant("created_at")?, revoked_at }))
}

fn write_key(key: &Key) -> Json {
    let instant = |at: Timestamp| Json::from(alloc::format!("{at}"));
    let mut entry = Object::new();
    entry.insert("key_id", key.key_id.as_str());
    entry.insert("alg", "ed25519");
    entry.insert("public_key_b64", encoding::base64(&key.public_key));
    entry.insert("status", key.status.as_str());
    entry.insert("created_at", instant(key.created_at));
    entry.insert("revoked_at", key.revoked_at.map(instant));
    entry.into()
}
