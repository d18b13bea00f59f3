//! Signature schemes, key ids, and why a text is not a key.

use core::fmt;
use core::str::FromStr;

use crate::digest::{Digest, ParseDigestError};
use crate::fields::vocabulary;

vocabulary! {
    /// A key's signature scheme.
    ///
    /// Passkeys sign a value derived from the message. Their signatures' extension carries the rest of the signed data.
    #[non_exhaustive]
    Scheme {
        /// Ed25519 over the message itself, without an extension.
        Ed25519 = "ed25519",
        /// A passkey's assertion, with ECDSA over P-256 and SHA-256.
        WebauthnEs256 = "webauthn-es256",
        /// A passkey's assertion, with Ed25519.
        WebauthnEdDsa = "webauthn-eddsa",
        /// A passkey's assertion, with RSASSA-PKCS1-v1_5 and SHA-256. Verified with the feature `rs256` only.
        WebauthnRs256 = "webauthn-rs256",
    }
}

/// The id of a key, as securesystemslib and TUF compute it: the SHA-256 of the key's canonical description.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Digest);

impl KeyId {
    /// The id of the key with this description.
    pub(crate) fn of(description: &str) -> Self {
        Self(Digest::of(description.as_bytes()))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl FromStr for KeyId {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        text.parse().map(Self)
    }
}

/// A text that is no public key of the scheme, or is a weak key, which verifies signatures that were never made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// The key is not an Ed25519 key.
    #[error("not an Ed25519 public key: 32 bytes in base64, or a PEM block `PUBLIC KEY`, are expected")]
    Ed25519,
    /// The key is not a passkey.
    #[error("not a passkey: {0}")]
    Passkey(&'static str),
    /// A passkey without its record, or another key with one.
    #[error("a passkey comes with its record (credential, rpId, origins), and another key with none")]
    Record,
}
