//! The keys that people sign decisions with.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use ed25519_dalek::{Signature, VerifyingKey};

use crate::digest::{Digest, ParseDigestError};
use crate::dsse::RawSignature;
use crate::encoding;
use crate::fields::vocabulary;
use crate::keys::read_point;
use crate::verify::is_signed;

/// What stands in front of the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00];
const PEM_BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const PEM_END: &str = "-----END PUBLIC KEY-----";

vocabulary! {
    /// How a key signs.
    ///
    /// Security keys and passkeys sign something derived from the message. They will be further schemes here, each with the
    /// extension that its signatures need.
    #[non_exhaustive]
    Scheme {
        /// Ed25519 over the message itself, without an extension.
        Ed25519 = "ed25519",
    }
}

/// The id of a key, as securesystemslib and TUF compute it: the SHA-256 of the key's canonical description.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Digest);

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

/// A public key that statements are verified with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey {
    key_id: KeyId,
    material: Material,
}

/// One variant a scheme, with whatever that scheme verifies by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Material {
    Ed25519(VerifyingKey),
}

impl PublicKey {
    /// An Ed25519 key. Weak points and second encodings of a point are none.
    pub fn ed25519(bytes: &[u8; 32]) -> Result<Self, PublicKeyError> {
        let point = read_point(bytes).ok_or(PublicKeyError)?;
        Ok(Self { key_id: ed25519_key_id(bytes), material: Material::Ed25519(point) })
    }

    /// Reads the key of a scheme: the base64 of its bytes, or a PEM block `PUBLIC KEY`.
    pub fn parse(scheme: Scheme, text: &str) -> Result<Self, PublicKeyError> {
        match scheme {
            Scheme::Ed25519 => {
                let pem = text.starts_with("-----");
                let bytes = if pem { ed25519_from_pem(text) } else { encoding::array_from_base64(text) };
                Self::ed25519(&bytes.ok_or(PublicKeyError)?)
            }
        }
    }

    /// How it signs.
    pub fn scheme(&self) -> Scheme {
        match self.material {
            Material::Ed25519(_) => Scheme::Ed25519,
        }
    }

    /// Its id, which follows from the key.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The base64 of its bytes.
    pub fn to_base64(&self) -> String {
        match &self.material {
            Material::Ed25519(point) => encoding::base64(point.as_bytes()),
        }
    }

    /// The PEM block that `openssl` and others read.
    pub fn to_pem(&self) -> String {
        match &self.material {
            Material::Ed25519(point) => {
                let der = [&SPKI_PREFIX[..], point.as_bytes()].concat();
                alloc::format!("{PEM_BEGIN}\n{}\n{PEM_END}\n", encoding::base64(&der))
            }
        }
    }

    /// Whether `signature` is this key's over `message`. An extension that the scheme does not know is a no.
    pub(crate) fn verifies(&self, message: &[u8], signature: &RawSignature) -> bool {
        match (&self.material, &signature.extension) {
            (Material::Ed25519(point), None) => {
                let bytes = <&[u8; 64]>::try_from(signature.bytes.as_slice());
                bytes.is_ok_and(|bytes| is_signed(point, message, &Signature::from_bytes(bytes)))
            }
            (Material::Ed25519(_), Some(_)) => false,
        }
    }
}

/// A text that is no public key of the scheme, or is one that would verify what nobody signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 public key: 32 bytes in base64, or a PEM block `PUBLIC KEY`, are expected")]
pub struct PublicKeyError;

fn ed25519_key_id(bytes: &[u8; 32]) -> KeyId {
    let public = Digest::from_bytes(*bytes);
    let described =
        alloc::format!(r#"{{"keytype":"ed25519","keyval":{{"public":"{public}"}},"scheme":"ed25519"}}"#);
    KeyId(Digest::of(described.as_bytes()))
}

/// The 44 bytes of the structure fit on one line of base64, and nobody writes them on two.
fn ed25519_from_pem(pem: &str) -> Option<[u8; 32]> {
    let mut lines = pem.trim_end().lines();
    let (Some(PEM_BEGIN), Some(body), Some(PEM_END), None) =
        (lines.next(), lines.next(), lines.next(), lines.next())
    else {
        return None;
    };
    let der: [u8; 44] = encoding::array_from_base64(body)?;
    der.strip_prefix(&SPKI_PREFIX)?.try_into().ok()
}
