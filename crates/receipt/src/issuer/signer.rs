//! Signers: the holder of a private key signs a digest.

use alloc::string::String;
use core::fmt;

use ed25519_dalek::{Signer as _, SigningKey};

use crate::digest::Digest;

/// Signs digests with one Ed25519 key, which may be in a file, an agent, a hardware key or a key service.
pub trait Signer {
    /// The id under which the public key is published.
    fn key_id(&self) -> &str;

    /// The raw public key.
    fn public_key(&self) -> [u8; 32];

    /// The Ed25519 signature whose message is the 32 bytes of `digest`.
    fn sign(&self, digest: &Digest) -> Result<[u8; 64], SignError>;
}

/// A signer could not sign. The receipt or attestation does not exist then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signer failed: {0}")]
pub struct SignError(pub String);

/// A key held in memory. Wiped when dropped; `Debug` shows the key id only.
pub struct Ed25519Signer {
    key_id: String,
    key: SigningKey,
}

impl Ed25519Signer {
    /// A signer from the 32-byte seed of RFC 8032. The caller wipes its own copy of the seed.
    pub fn from_seed(key_id: impl Into<String>, seed: &[u8; 32]) -> Self {
        Self { key_id: key_id.into(), key: SigningKey::from_bytes(seed) }
    }
}

impl Signer for Ed25519Signer {
    fn key_id(&self) -> &str {
        &self.key_id
    }

    fn public_key(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    fn sign(&self, digest: &Digest) -> Result<[u8; 64], SignError> {
        Ok(self.key.sign(digest.as_bytes()).to_bytes())
    }
}

impl fmt::Debug for Ed25519Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ed25519Signer").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}
