//! The issuer's key and the public key set, in the data folder.

mod pinned;

pub use pinned::KeyChange;

use crate::trust::scope_of;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use receipt::{Digest, Ed25519Signer, Key, KeySet, KeySetError, KeyStatus, Scope, Timestamp};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::{fs, io};
use store::files;
use store::ownership;

/// The public key set, in the shape that the specification publishes.
const PUBLIC: &str = "keys.json";

/// The `issuer` of the key set: this host has no address.
const ISSUER: &str = "pp-host";

/// The keys of a data folder.
pub struct Keyring {
    /// Signs demo decisions and their outcomes. `None` if the set has no active demo key.
    pub demo: Option<Ed25519Signer>,
    /// Signs production receipts and their attestations. `None` if the set has no active key for them.
    pub production: Option<Ed25519Signer>,
    /// The verification keys. The gate trusts these keys and no others.
    pub keys: KeySet,
}

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// Reading or writing.
    #[error("cannot use {}: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// Others can read the private key.
    #[error("the private key {} has mode {mode:04o}, so others can read it: chmod 600 it, and replace the key if another account may have read it", path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// The file's mode.
        mode: u32,
    },
    /// The file is not a private key.
    #[error("{} is not an Ed25519 private key in PKCS#8 PEM", .0.display())]
    NotAKey(PathBuf),
    /// The key that signs is gone.
    #[error("the private key {} is {problem}, and the key set names it as the one that signs: restore the folder keys/ from the same copy as the rest, or make new keys with pp-host keys rotate", path.display())]
    NoPrivateKey {
        /// The key's file.
        path: PathBuf,
        /// "missing" or "empty".
        problem: &'static str,
    },
    /// The file is not a key set.
    #[error("{} is not a key set: {error}", path.display())]
    KeySet {
        /// The file.
        path: PathBuf,
        /// The error.
        error: KeySetError,
    },
    /// The key set and the private key do not belong together.
    #[error("the private key in {} is not the {key_id} of the key set in the same folder: restore the pair from the same backup", path.display())]
    OtherKey {
        /// The private key's file.
        path: PathBuf,
        /// The id of the active key.
        key_id: String,
    },
    /// The folder has its own private keys, although another process's keys are to be used.
    #[error("{} has private keys of its own: a host whose authority is elsewhere starts in a new data folder (--data DIR)", .0.display())]
    OwnKeys(PathBuf),
    /// The authority is not the one whose keys are pinned.
    #[error(
        "the authority {problem} key {key_id}, which is pinned in {}: another authority answers, or its folder is an older copy; nothing was copied (restore the authority's folder, or start with a new one: --data DIR)", path.display()
    )]
    Pinned {
        /// The file with the pinned keys.
        path: PathBuf,
        /// The key's id.
        key_id: String,
        /// The difference in the authority's key set.
        problem: &'static str,
    },
}

impl Keyring {
    /// Reads the keys, and makes them if there are none. `seeds` is used only then.
    ///
    /// # Errors
    /// The keys cannot be read, are not safe, or do not belong together.
    pub fn open(folder: &Path, seeds: &[[u8; 32]; 2], now: Timestamp) -> Result<Self, KeyringError> {
        check_folder(folder)?;
        let public = folder.join(PUBLIC);
        let mut keys = match public.try_exists().map_err(|error| file(&public, error))? {
            true => Self::public(folder)?,
            false => KeySet::new(ISSUER),
        };
        let mut made = false;
        for (scope, seed) in SCOPES.into_iter().zip(seeds) {
            // A set in which a scope has keys and none that signs was made so on purpose.
            if !keys.keys().any(|key| scope_of(&key.key_id) == scope) {
                let key = make(folder, scope, seed, now)?;
                keys.insert(key).map_err(|error| KeyringError::KeySet { path: public.clone(), error })?;
                made = true;
            }
        }
        if made {
            save(folder, &keys)?;
        }
        Self::of(folder, keys)
    }

    /// Reads keys that there are.
    ///
    /// # Errors
    /// The keys cannot be read, are not safe, or do not belong together.
    pub fn read(folder: &Path) -> Result<Self, KeyringError> {
        check_folder(folder)?;
        Self::of(folder, Self::public(folder)?)
    }

    fn of(folder: &Path, keys: KeySet) -> Result<Self, KeyringError> {
        let [demo, production] = SCOPES.map(|scope| signer(folder, &keys, scope));
        Ok(Self { demo: demo?, production: production?, keys })
    }

    /// Pins the public keys of an authority in another process, or compares them with the pinned keys: none of these
    /// may be missing or differ, and retired keys must stay retired. New keys are added. Returns the changes, to be
    /// reported.
    ///
    /// # Errors
    /// The keys are not those of the authority whose keys are pinned, or cannot be written. The pinned keys are
    /// unchanged then.
    pub fn pin(folder: &Path, keys: &KeySet) -> Result<Vec<KeyChange>, KeyringError> {
        check_folder(folder)?;
        let own = fs::read_dir(folder).into_iter().flatten().flatten();
        if own
            .map(|file| file.path())
            .any(|path| path.extension().is_some_and(|extension| extension == "pem"))
        {
            return Err(KeyringError::OwnKeys(folder.to_owned()));
        }
        let path = folder.join(PUBLIC);
        let pinned = match path.try_exists().map_err(|error| file(&path, error))? {
            true => Self::public(folder)?,
            false => KeySet::new(keys.issuer()),
        };
        let changes = pinned::changes(&pinned, keys).map_err(|(key_id, problem)| KeyringError::Pinned {
            path,
            key_id,
            problem,
        })?;
        if !changes.is_empty() {
            save(folder, keys)?;
        }
        Ok(changes)
    }

    /// Reads the public key set alone.
    ///
    /// # Errors
    /// The key set is missing or invalid.
    pub fn public(folder: &Path) -> Result<KeySet, KeyringError> {
        let path = folder.join(PUBLIC);
        let text = ownership::read_to_string(&path).map_err(|error| file(&path, error))?;
        KeySet::parse(&text).map_err(|error| KeyringError::KeySet { path, error })
    }

    /// Makes a new key from `seed`, which from now on signs receipts of that scope. Signatures of the old key remain
    /// valid; its private half is deleted. Returns the new key's id.
    ///
    /// # Errors
    /// The keys cannot be read or written. The old key still signs then.
    pub fn rotate(
        folder: &Path,
        scope: Scope,
        seed: &[u8; 32],
        now: Timestamp,
    ) -> Result<String, KeyringError> {
        let mut keys = Self::public(folder)?;
        let next = make(folder, scope, seed, now)?;
        let id = next.key_id.clone();
        let old = active(&keys, scope).map(|key| key.key_id.clone());
        let rotated = match &old {
            Some(old) => keys.rotate(old, next),
            None => keys.insert(next),
        };
        rotated.map_err(|error| KeyringError::KeySet { path: folder.join(PUBLIC), error })?;
        save(folder, &keys)?;
        if let Some(path) = old.map(|old| private(folder, &old)) {
            files::remove(&path).map_err(|error| file(&path, error))?;
        }
        Ok(id)
    }

    /// Revokes a key: nothing that it ever signed verifies from now on.
    ///
    /// # Errors
    /// There is no such key, or the set cannot be written.
    pub fn revoke(folder: &Path, key_id: &str, now: Timestamp) -> Result<(), KeyringError> {
        let mut keys = Self::public(folder)?;
        keys.revoke(key_id, now)
            .map_err(|error| KeyringError::KeySet { path: folder.join(PUBLIC), error })?;
        save(folder, &keys)
    }
}

const SCOPES: [Scope; 2] = [Scope::Demo, Scope::Production];

/// Keys are trusted by their path: no other account may be able to replace them.
fn check_folder(folder: &Path) -> Result<(), KeyringError> {
    match fs::metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        found => found.and_then(|found| ownership::check_own(&found)).map_err(|error| file(folder, error)),
    }
}

fn active(keys: &KeySet, scope: Scope) -> Option<&Key> {
    keys.keys().find(|key| key.status == KeyStatus::Active && scope_of(&key.key_id) == scope)
}

/// The key that signs receipts of that scope, if there is one.
fn signer(folder: &Path, keys: &KeySet, scope: Scope) -> Result<Option<Ed25519Signer>, KeyringError> {
    let Some(active) = active(keys, scope) else { return Ok(None) };
    let path = private(folder, &active.key_id);
    let key = read_private(&path)?;
    match key.verifying_key().to_bytes() == active.public_key {
        true => Ok(Some(Ed25519Signer::from_seed(active.key_id.clone(), &key.to_bytes()))),
        false => Err(KeyringError::OtherKey { path, key_id: active.key_id.clone() }),
    }
}

/// An issuer's private key, PKCS#8 in PEM, readable by its owner only. Named by its id, so that which one signs is decided by the key set
/// alone, and changing it is one rename.
fn private(folder: &Path, key_id: &str) -> PathBuf {
    folder.join(format!("{key_id}.pem"))
}

/// Writes a private key, and returns its public half.
fn make(folder: &Path, scope: Scope, seed: &[u8; 32], now: Timestamp) -> Result<Key, KeyringError> {
    let key = SigningKey::from_bytes(seed);
    let public_key = key.verifying_key().to_bytes();
    // A demo key is recognised by its id, as in the specification.
    let prefix = match scope {
        Scope::Demo => receipt::DEMO_KEY_PREFIX,
        Scope::Production => "pp_",
    };
    let key_id = format!("{prefix}{}", &Digest::of(&public_key).to_string()[..16]);
    let path = private(folder, &key_id);
    let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|_| KeyringError::NotAKey(path.clone()))?;
    write(&path, pem.as_bytes(), 0o600)?;
    Ok(Key { key_id, public_key, status: KeyStatus::Active, created_at: now, revoked_at: None })
}

fn save(folder: &Path, keys: &KeySet) -> Result<(), KeyringError> {
    write(&folder.join(PUBLIC), keys.to_json().as_bytes(), 0o644)
}

fn read_private(path: &Path) -> Result<SigningKey, KeyringError> {
    // Metadata of the open file, so that the checked file is the file that is read.
    let lacks = |problem| KeyringError::NoPrivateKey { path: path.to_owned(), problem };
    let mut opened = fs::File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => lacks("missing"),
        _ => file(path, error),
    })?;
    let found = opened.metadata().map_err(|error| file(path, error))?;
    let mode = found.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyringError::Mode { path: path.to_owned(), mode });
    }
    ownership::check_own(&found).map_err(|error| file(path, error))?;
    let mut pem = String::new();
    opened.read_to_string(&mut pem).map_err(|error| file(path, error))?;
    if pem.is_empty() {
        return Err(lacks("empty"));
    }
    SigningKey::from_pkcs8_pem(&pem).map_err(|_| KeyringError::NotAKey(path.to_owned()))
}

fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), KeyringError> {
    files::replace(path, content, mode).map_err(|error| file(path, error))
}

fn file(path: &Path, error: io::Error) -> KeyringError {
    KeyringError::File { path: path.to_owned(), error }
}
