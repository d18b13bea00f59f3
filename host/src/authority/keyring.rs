//! The issuer's key and the public key set, in the data folder.

use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use ed25519_dalek::pkcs8::EncodePrivateKey as _;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use receipt::Digest;
use receipt::Ed25519Signer;
use receipt::Key;
use receipt::KeySet;
use receipt::KeySetError;
use receipt::KeyStatus;
use receipt::Timestamp;
use std::fs;
use std::io;
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;

/// The demo issuer's key, PKCS#8 in PEM, readable by its owner only.
const PRIVATE: &str = "issuer-demo.pem";

/// The public key set, in the shape that the specification publishes.
const PUBLIC: &str = "keys.json";

/// The `issuer` of the key set: this host has no address.
const ISSUER: &str = "pp-host";

/// The keys of a data folder.
pub struct Keyring {
    /// Signs demo receipts and their attestations.
    pub signer: Ed25519Signer,
    /// What verifies them. The gate trusts these keys and no others.
    pub keys: KeySet,
}

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// Reading or writing.
    #[error("cannot use {}: {error}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// Others can read the private key.
    #[error("the private key {} has mode {mode:04o}, so others can read it: chmod 600 it, and replace the key if somebody may have read it", path.display())]
    Mode {
        /// Which file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Not a key.
    #[error("{} is not an Ed25519 private key in PKCS#8 PEM", .0.display())]
    NotAKey(PathBuf),
    /// Not a key set.
    #[error("{} is not a key set: {error}", path.display())]
    KeySet {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: KeySetError,
    },
    /// The two files do not belong together.
    #[error("the private key in {} is not an active key of the key set beside it (its id would be {key_id}): restore the pair from the same backup", path.display())]
    Unknown {
        /// The private key's file.
        path: PathBuf,
        /// Its id.
        key_id: String,
    },
}

impl Keyring {
    /// Reads the keys, and makes them where there are none. `seed` is used only then.
    ///
    /// # Errors
    /// When they cannot be read, are not safe, or do not belong together.
    pub fn open(folder: &Path, seed: &[u8; 32], now: Timestamp) -> Result<Self, KeyringError> {
        let private = folder.join(PRIVATE);
        if !private.try_exists().map_err(|error| file(&private, error))? {
            create(folder, seed, now)?;
        }
        let key = read_private(&private)?;
        let keys = Self::public(folder)?;
        let key_id = key_id(&key);
        match keys.get(&key_id) {
            Some(known)
                if known.status == KeyStatus::Active
                    && known.public_key == key.verifying_key().to_bytes() =>
            {
                Ok(Self { signer: Ed25519Signer::from_seed(key_id, &key.to_bytes()), keys })
            }
            _ => Err(KeyringError::Unknown { path: private, key_id }),
        }
    }

    /// Reads the public key set alone.
    ///
    /// # Errors
    /// When there is none, or it is not one.
    pub fn public(folder: &Path) -> Result<KeySet, KeyringError> {
        let path = folder.join(PUBLIC);
        let text = fs::read_to_string(&path).map_err(|error| file(&path, error))?;
        KeySet::parse(&text).map_err(|error| KeyringError::KeySet { path, error })
    }
}

/// Writes the public half first: a private key that nobody can verify is never there.
fn create(folder: &Path, seed: &[u8; 32], now: Timestamp) -> Result<(), KeyringError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| file(folder, error))?;
    let key = SigningKey::from_bytes(seed);
    // Keys that are there already go on verifying what they signed, even where their private half is lost.
    let mut keys = match folder.join(PUBLIC).try_exists() {
        Ok(true) => Keyring::public(folder)?,
        _ => KeySet::new(ISSUER),
    };
    let entry = Key {
        key_id: key_id(&key),
        public_key: key.verifying_key().to_bytes(),
        status: KeyStatus::Active,
        created_at: now,
        revoked_at: None,
    };
    let public = folder.join(PUBLIC);
    keys.insert(entry).map_err(|error| KeyringError::KeySet { path: public.clone(), error })?;
    write(&public, keys.to_json().as_bytes(), 0o644)?;
    let private = folder.join(PRIVATE);
    let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(|_| KeyringError::NotAKey(private.clone()))?;
    write(&private, pem.as_bytes(), 0o600)
}

fn read_private(path: &Path) -> Result<SigningKey, KeyringError> {
    let mode = fs::metadata(path).map_err(|error| file(path, error))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyringError::Mode { path: path.to_owned(), mode });
    }
    let pem = fs::read_to_string(path).map_err(|error| file(path, error))?;
    SigningKey::from_pkcs8_pem(&pem).map_err(|_| KeyringError::NotAKey(path.to_owned()))
}

/// A demo key says so in its id, as the specification's does.
fn key_id(key: &SigningKey) -> String {
    let digest = Digest::of(key.verifying_key().as_bytes()).to_string();
    format!("pp_demo_{}", &digest[..16])
}

/// Writes a file in one piece, with its mode from the first moment.
fn write(path: &Path, content: &[u8], mode: u32) -> Result<(), KeyringError> {
    let temporary = path.with_extension("new");
    let written = fs::remove_file(&temporary).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    });
    let written = written
        .and_then(|()| fs::File::options().write(true).create_new(true).mode(mode).open(&temporary))
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path));
    written.map_err(|error| file(path, error))
}

fn file(path: &Path, error: io::Error) -> KeyringError {
    KeyringError::File { path: path.to_owned(), error }
}
