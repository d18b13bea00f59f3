//! The keys that people sign decisions with.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use ed25519_dalek::{Signature, VerifyingKey};

use crate::digest::Digest;
use crate::encoding;
use crate::issuer::ed25519::{is_signed, read_point};
use crate::json::Json;
use crate::people::passkey::{Assertion, Passkey, PasskeyError, PasskeyRecord};
use crate::people::scheme::{KeyId, PublicKeyError, Scheme};
use crate::people::signature::RawSignature;

/// The bytes before the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo.
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00];
const PEM_BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
/// Base64 characters in a line.
const PEM_LINE: usize = 64;
const PEM_END: &str = "-----END PUBLIC KEY-----";

/// A public key that statements are verified with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    key_id: KeyId,
    material: Material,
}

/// The material that a key verifies signatures with: one variant for each scheme.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Material {
    Ed25519(VerifyingKey),
    Passkey(Arc<Passkey>),
}

impl PublicKey {
    /// An Ed25519 key. Weak points and non-canonical encodings are refused.
    pub fn ed25519(bytes: &[u8; 32]) -> Result<Self, PublicKeyError> {
        let point = read_point(bytes).ok_or(PublicKeyError::Ed25519)?;
        Ok(Self { key_id: ed25519_key_id(bytes), material: Material::Ed25519(point) })
    }

    /// A passkey.
    pub fn passkey(passkey: Passkey) -> Self {
        Self { key_id: passkey_key_id(&passkey), material: Material::Passkey(Arc::new(passkey)) }
    }

    /// Reads the key of a scheme. For Ed25519: the base64 of its bytes, or a PEM block `PUBLIC KEY`. For a passkey: the
    /// base64 of its SubjectPublicKeyInfo, and its record, which no other scheme has.
    pub fn parse(scheme: Scheme, text: &str, record: Option<&PasskeyRecord>) -> Result<Self, PublicKeyError> {
        match (scheme, record) {
            (Scheme::Ed25519, None) => {
                let pem = text.starts_with("-----");
                let bytes = if pem { ed25519_from_pem(text) } else { encoding::array_from_base64(text) };
                Self::ed25519(&bytes.ok_or(PublicKeyError::Ed25519)?)
            }
            (Scheme::WebauthnEs256 | Scheme::WebauthnEdDsa | Scheme::WebauthnRs256, Some(record)) => {
                Passkey::read(scheme, text, record).map(Self::passkey)
            }
            (Scheme::WebauthnEs256 | Scheme::WebauthnEdDsa | Scheme::WebauthnRs256, None)
            | (Scheme::Ed25519, Some(_)) => Err(PublicKeyError::Record),
        }
    }

    /// The signature scheme.
    pub fn scheme(&self) -> Scheme {
        match &self.material {
            Material::Ed25519(_) => Scheme::Ed25519,
            Material::Passkey(passkey) => passkey.scheme(),
        }
    }

    /// The key's id, which follows from the key.
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

    /// The base64 of its bytes; of its SubjectPublicKeyInfo, if it is a passkey.
    pub fn to_base64(&self) -> String {
        match &self.material {
            Material::Ed25519(point) => encoding::base64(point.as_bytes()),
            Material::Passkey(passkey) => encoding::base64(&passkey.credential_key().to_spki()),
        }
    }

    /// The PEM block that `openssl` and others read.
    pub fn to_pem(&self) -> String {
        let der = match &self.material {
            Material::Ed25519(point) => [&SPKI_PREFIX[..], point.as_bytes()].concat(),
            Material::Passkey(passkey) => passkey.credential_key().to_spki(),
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

    /// Whether both are the same key, ignoring their records: the holder of one can sign as the other.
    pub(crate) fn is_same_key(&self, other: &Self) -> bool {
        self.point() == other.point()
    }

    fn point(&self) -> Vec<u8> {
        match &self.material {
            Material::Ed25519(point) => point.as_bytes().to_vec(),
            Material::Passkey(passkey) => passkey.credential_key().bytes(),
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

/// A good signature, and the assertion that it is if a passkey made it.
pub(crate) type Verified = Option<Assertion>;

/// Why a signature does not verify under a key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum NotVerified {
    Signature,
    Passkey(PasskeyError),
}

/// The id of a passkey covers everything that is compared with an assertion, and the key's origin: an operator who
/// confirms the id confirms all of it.
fn passkey_key_id(passkey: &Passkey) -> KeyId {
    let mut keyval = passkey.record().to_json();
    if let Json::Object(members) = &mut keyval {
        members.insert("public", encoding::base64(&passkey.credential_key().to_spki()));
    }
    let described = Json::object([
        ("keytype", Json::from("webauthn")),
        ("keyval", keyval),
        ("scheme", passkey.scheme().as_str().into()),
    ]);
    KeyId::of(&described.canonical())
}

fn ed25519_key_id(bytes: &[u8; 32]) -> KeyId {
    let public = Digest::from_bytes(*bytes);
    let described =
        alloc::format!(r#"{{"keytype":"ed25519","keyval":{{"public":"{public}"}},"scheme":"ed25519"}}"#);
    KeyId::of(&described)
}

/// The 44 bytes of the structure fit on one line of base64, and no tool writes them on two.
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
