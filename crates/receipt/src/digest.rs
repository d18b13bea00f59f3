//! SHA-256 digests, and the salts that keep a digest from confirming a guess.

use alloc::format;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

use crate::encoding;

/// A SHA-256 digest. Prints and parses as 64 lowercase hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// A digest computed elsewhere.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// `sha256:` and the digits, the form of commitments and output hashes.
    pub fn tagged(&self) -> String {
        format!("sha256:{self}")
    }

    /// Reads the tagged form.
    pub fn from_tagged(text: &str) -> Result<Self, ParseDigestError> {
        text.strip_prefix("sha256:").ok_or(ParseDigestError)?.parse()
    }

    /// The commitment to `request`: the digest of the salt and the text.
    pub(crate) fn commitment(salt: &Salt, request: &str) -> Self {
        Self(Sha256::new().chain_update(salt.0).chain_update(request).finalize().into())
    }
}

/// A digest of bytes that come piece by piece.
#[derive(Clone, Default)]
pub struct Digester(Sha256);

impl Digester {
    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of everything so far.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        encoding::write_hex(f, &self.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        encoding::from_hex(text).map(Self).ok_or(ParseDigestError)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A text that is not a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a sha-256 digest: 64 lowercase hexadecimal digits are expected")]
pub struct ParseDigestError;

/// The 32 random bytes that hide a committed request.
///
/// Draw it fresh from a cryptographic generator for every receipt and keep it like the request itself: with the salt, a
/// guessed request can be confirmed. `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct Salt([u8; 32]);

impl Salt {
    /// A salt from 32 random bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Standard base64, the form of the owner field `request_commitment_salt_b64`.
    pub fn to_base64(&self) -> String {
        encoding::base64(&self.0)
    }

    /// Reads the base64 form; `None` unless it is exactly 32 bytes.
    pub fn from_base64(text: &str) -> Option<Self> {
        encoding::array_from_base64(text).map(Self)
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(..)")
    }
}

impl FromStr for Salt {
    type Err = ParseDigestError;

    /// Reads 64 hexadecimal digits of either case.
    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        encoding::from_hex(&text.to_ascii_lowercase()).map(Self).ok_or(ParseDigestError)
    }
}
