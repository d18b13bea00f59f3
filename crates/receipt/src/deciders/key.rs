//! The keys that people sign decisions with.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use alloc::sync::Arc;

use ed25519_dalek::{Signature, VerifyingKey};

use crate::digest::{Digest, ParseDigestError};
use crate::dsse::RawSignature;
use crate::encoding;
use crate::fields::vocabulary;
use crate::json::Json;
use crate::keys::read_point;
use crate::passkey::{Assertion, Passkey, PasskeyError, PasskeyRecord};
use crate::verify::is_signed;

/// What stands in front of the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00];
const PEM_BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
/// How many characters of base64 stand on a line.
const PEM_LINE: usize = 64;
const PEM_END: &str = "-----END PUBLIC KEY-----";

vocabulary! {
    /// How a key signs.
    ///
    /// Passkeys sign something derived from the message. What they sign besides comes in their signatures' extension.
    #[non_exhaustive]
    Scheme {
        /// Ed25519 over the message itself, without an extension.
        Ed25519 = "ed25519",
        /// A passkey's assertion, with ECDSA over P-256 and SHA-256.
        WebauthnEs256 = "webauthn-es256",
        /// A passkey's assertion, with Ed25519.
        WebauthnEdDsa = "webauthn-eddsa",
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    key_id: KeyId,
    material: Material,
}

/// One variant a scheme, with whatever that scheme verifies by.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Material {
    Ed25519(VerifyingKey),
    Passkey(Arc<Passkey>),
}

impl PublicKey {
    /// An Ed25519 key. Weak points and second encodings of a point are none.
    pub fn ed25519(bytes: &[u8; 32]) -> Result<Self, PublicKeyError> {
        let point = read_point(bytes).ok_or(PublicKeyError::Ed25519)?;
        Ok(Self { key_id: ed25519_key_id(bytes), material: Material::Ed25519(point) })
    }

    /// A passkey.
    pub fn passkey(passkey: Passkey) -> Self {
        Self { key_id: passkey_key_id(&passkey), material: Material::Passkey(Arc::new(passkey)) }
    }

    /// Reads the key of a scheme. An Ed25519 key: the base64 of its bytes, or a PEM block `PUBLIC KEY`. A passkey: the base64 of its
    /// SubjectPublicKeyInfo, and its record, which goes with a passkey and with nothing else.
    pub fn parse(scheme: Scheme, text: &str, record: Option<&PasskeyRecord>) -> Result<Self, PublicKeyError> {
        match (scheme, record) {
            (Scheme::Ed25519, None) => {
                let pem = text.starts_with("-----");
                let bytes = if pem { ed25519_from_pem(text) } else { encoding::array_from_base64(text) };
                Self::ed25519(&bytes.ok_or(PublicKeyError::Ed25519)?)
            }
            (Scheme::WebauthnEs256 | Scheme::WebauthnEdDsa, Some(record)) => {
                Passkey::read(scheme, text, record).map(Self::passkey)
            }
            (Scheme::WebauthnEs256 | Scheme::WebauthnEdDsa, None) | (Scheme::Ed25519, Some(_)) => {
                Err(PublicKeyError::Record)
            }
        }
    }

    /// How it signs.
    pub fn scheme(&self) -> Scheme {
        match &self.material {
            Material::Ed25519(_) => Scheme::Ed25519,
            Material::Passkey(passkey) => passkey.scheme(),
        }
    }

    /// Its id, which follows from the key.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The passkey that it is.
    pub fn as_passkey(&self) -> Option<&Passkey> {
        match &self.material {
            Material::Ed25519(_) => None,
            Material::Passkey(passkey) => Some(passkey),
        }
    }

    /// The base64 of its bytes; of its SubjectPublicKeyInfo, where it is a passkey.
    pub fn to_base64(&self) -> String {
        match &self.material {
            Material::Ed25519(point) => encoding::base64(point.as_bytes()),
            Material::Passkey(passkey) => encoding::base64(&passkey.point().to_spki()),
        }
    }

    /// The PEM block that `openssl` and others read.
    pub fn to_pem(&self) -> String {
        let der = match &self.material {
            Material::Ed25519(point) => [&SPKI_PREFIX[..], point.as_bytes()].concat(),
            Material::Passkey(passkey) => passkey.point().to_spki(),
        };
        let mut pem = String::from(PEM_BEGIN);
        for (at, digit) in encoding::base64(&der).chars().enumerate() {
            if at % PEM_LINE == 0 {
                pem.push('\n');
            }
            pem.push(digit);
        }
        pem + "\n" + PEM_END + "\n"
    }

    /// Whether both are the same key, whatever their records say: the holder of the one can sign as the other.
    pub(crate) fn is_same_key(&self, other: &Self) -> bool {
        self.point() == other.point()
    }

    fn point(&self) -> Vec<u8> {
        match &self.material {
            Material::Ed25519(point) => point.as_bytes().to_vec(),
            Material::Passkey(passkey) => passkey.point().bytes(),
        }
    }

    /// Verifies that `signature` is this key's over `message`. An extension that the scheme does not know is a no.
    pub(crate) fn verify(&self, message: &[u8], signature: &RawSignature) -> Result<Verified, NotVerified> {
        match (&self.material, &signature.extension) {
            (Material::Ed25519(point), None) => {
                let bytes =
                    <&[u8; 64]>::try_from(signature.bytes.as_slice()).map_err(|_| NotVerified::Signature)?;
                match is_signed(point, message, &Signature::from_bytes(bytes)) {
                    true => Ok(None),
                    false => Err(NotVerified::Signature),
                }
            }
            (Material::Ed25519(_), Some(_)) => Err(NotVerified::Signature),
            (Material::Passkey(passkey), _) => {
                Ok(Some(passkey.verify_signature(message, signature).map_err(NotVerified::Passkey)?))
            }
        }
    }
}

/// A text that is no public key of the scheme, or is one that would verify what nobody signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// Not an Ed25519 key.
    #[error("not an Ed25519 public key: 32 bytes in base64, or a PEM block `PUBLIC KEY`, are expected")]
    Ed25519,
    /// Not a passkey.
    #[error("not a passkey: {0}")]
    Passkey(&'static str),
    /// A passkey without its record, or another key with one.
    #[error("a passkey comes with its record (credential, rpId, origins), and another key with none")]
    Record,
}

/// A good signature, and the assertion that it is where a passkey made it.
pub(crate) type Verified = Option<Assertion>;

/// Why a signature is not a key's.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum NotVerified {
    Signature,
    Passkey(PasskeyError),
}

/// Of everything that is compared with an assertion, and of where the key came from: whoever confirms the id confirms all of it.
fn passkey_key_id(passkey: &Passkey) -> KeyId {
    let mut keyval = passkey.record().to_json();
    if let Json::Object(members) = &mut keyval {
        members.insert("public", encoding::base64(&passkey.point().to_spki()));
    }
    let described = Json::object([
        ("keytype", Json::from("webauthn")),
        ("keyval", keyval),
        ("scheme", passkey.scheme().as_str().into()),
    ]);
    KeyId(Digest::of(described.canonical().as_bytes()))
}

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
