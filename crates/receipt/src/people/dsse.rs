//! DSSE v1.0.2 envelopes: signed bytes of any kind, with their type signed along.
//!
//! Stricter than the protocol where it leaves room: members that it does not name are refused, a key occurs once, base64 is
//! padded and canonical (in either alphabet), and everything is bounded. The payload comes out of a verified envelope only.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::encoding;
use crate::json::members::{Members, ShapeError};
use crate::json::{Json, JsonError, Object};
use crate::people::key::{PublicKey, Verified};
use crate::people::scheme::KeyId;
use crate::people::signature::{Extension, RawSignature, pae};

/// The longest envelope that is read, in bytes of JSON text. A decision is two kilobytes.
pub const MAX_ENVELOPE_LEN: usize = 256 * 1024;

/// The most signatures that an envelope may carry.
pub const MAX_SIGNATURES: usize = 16;

/// The longest `keyid` of a signature, in bytes. A digest in hexadecimal has 64.
pub const MAX_KEYID_LEN: usize = 256;

/// A payload of some type, and signatures over both. Nothing in it is known to be true before [`verify`](Self::verify).
// INVARIANT: 1 to MAX_SIGNATURES signatures, and at most MAX_ENVELOPE_LEN bytes of canonical text.
#[derive(Clone, PartialEq)]
pub struct Envelope {
    payload_type: String,
    payload: Vec<u8>,
    signatures: Vec<EnvelopeSignature>,
}

/// One signature of an envelope.
#[derive(Clone, Debug, PartialEq)]
pub struct EnvelopeSignature {
    /// The key to try first; may be empty. Not signed, and no decision rests on it.
    pub key_id: String,
    /// The signature itself.
    pub signature: RawSignature,
}

/// The signed payload. Only a verified envelope has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload<'e> {
    payload_type: &'e str,
    bytes: &'e [u8],
}

/// A payload, and the key that signed it.
pub(crate) struct VerifiedPayload<'e, K> {
    pub(crate) by: K,
    /// The assertion, if the key is a passkey.
    pub(crate) assertion: Verified,
    pub(crate) payload: Payload<'e>,
}

impl<'e> Payload<'e> {
    /// The signed type.
    pub fn payload_type(&self) -> &'e str {
        self.payload_type
    }

    /// The signed bytes.
    pub fn bytes(&self) -> &'e [u8] {
        self.bytes
    }
}

impl Envelope {
    /// An envelope around signatures over `pae(payload_type, payload)`, which are not checked here.
    pub fn new(
        payload_type: &str,
        payload: &[u8],
        signatures: Vec<EnvelopeSignature>,
    ) -> Result<Self, EnvelopeError> {
        let envelope =
            Self { payload_type: payload_type.to_owned(), payload: payload.to_owned(), signatures };
        envelope.bounded()
    }

    /// Reads an envelope's JSON text.
    pub fn parse(text: &str) -> Result<Self, EnvelopeError> {
        if text.len() > MAX_ENVELOPE_LEN {
            return Err(EnvelopeError::TooLong(text.len()));
        }
        Self::from_json(&Json::parse(text)?)
    }

    /// Reads an envelope that is part of a document.
    pub fn from_json(json: &Json) -> Result<Self, EnvelopeError> {
        let members = Members::of("envelope", json, &["payload", "payloadType", "signatures"], &[])?;
        let entries = members.array("signatures")?;
        if entries.len() > MAX_SIGNATURES {
            return Err(EnvelopeError::Signatures(entries.len()));
        }
        let envelope = Self {
            payload_type: members.str("payloadType")?.to_owned(),
            payload: bytes(members, "payload")?,
            signatures: entries.iter().map(read_signature).collect::<Result<_, _>>()?,
        };
        envelope.bounded()
    }

    /// The envelope as JSON. Its canonical text is what to store and to send.
    pub fn to_json(&self) -> Json {
        Json::object([
            ("payload", Json::from(encoding::base64(&self.payload))),
            ("payloadType", self.payload_type.as_str().into()),
            ("signatures", self.signatures.iter().map(write_signature).collect::<Vec<_>>().into()),
        ])
    }

    /// The claimed type, before anything was verified: for sorting, not for deciding.
    pub fn claimed_type(&self) -> &str {
        &self.payload_type
    }

    /// The payload without verification: for display, never for deciding.
    pub(crate) fn claimed_payload(&self) -> Payload<'_> {
        Payload { payload_type: &self.payload_type, bytes: &self.payload }
    }

    /// The signatures.
    pub fn signatures(&self) -> &[EnvelopeSignature] {
        &self.signatures
    }

    /// The envelope with the id of the key that verified its one signature, because the unsigned `keyid` could hold any
    /// text.
    pub(crate) fn naming(mut self, key_id: KeyId) -> Self {
        for signature in &mut self.signatures {
            signature.key_id = format!("{key_id}");
        }
        self
    }

    /// The bytes that its signatures sign.
    pub(crate) fn message(&self) -> Vec<u8> {
        pae(&self.payload_type, &self.payload)
    }

    /// The payload, if one of the signatures is by `key`.
    pub fn verify(&self, key: &PublicKey) -> Result<Payload<'_>, EnvelopeError> {
        let signer = self.signer([((), key)].into_iter());
        signer.map(|signed| signed.payload).ok_or_else(|| EnvelopeError::NotSigned(key.key_id()))
    }

    /// The first of `keys` that signed, and the payload. Key ids say which to try first; every key is tried.
    pub(crate) fn signer<'k, K>(
        &self,
        keys: impl Iterator<Item = (K, &'k PublicKey)> + Clone,
    ) -> Option<VerifiedPayload<'_, K>> {
        let message = self.message();
        let payload = Payload { payload_type: &self.payload_type, bytes: &self.payload };
        for EnvelopeSignature { key_id, signature } in &self.signatures {
            let hint = key_id.parse::<KeyId>().ok();
            let named = keys.clone().filter(|(_, key)| Some(key.key_id()) == hint);
            let others = keys.clone().filter(|(_, key)| Some(key.key_id()) != hint);
            let signed = |(by, key): (K, &PublicKey)| {
                let assertion = key.verify(&message, signature).ok()?;
                Some(VerifiedPayload { by, assertion, payload })
            };
            if let Some(signed) = named.chain(others).find_map(signed) {
                return Some(signed);
            }
        }
        None
    }

    fn bounded(self) -> Result<Self, EnvelopeError> {
        if !(1..=MAX_SIGNATURES).contains(&self.signatures.len()) {
            return Err(EnvelopeError::Signatures(self.signatures.len()));
        }
        if let Some(long) = self.signatures.iter().find(|entry| entry.key_id.len() > MAX_KEYID_LEN) {
            return Err(EnvelopeError::KeyId(long.key_id.len()));
        }
        let len = self.to_json().canonical().len();
        if len > MAX_ENVELOPE_LEN { Err(EnvelopeError::TooLong(len)) } else { Ok(self) }
    }
}

impl fmt::Debug for Envelope {
    /// Leaves out the payload, because it is not verified.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Envelope");
        out.field("payload_type", &self.payload_type).field("signatures", &self.signatures);
        out.finish_non_exhaustive()
    }
}

/// Why an envelope was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// Longer than [`MAX_ENVELOPE_LEN`].
    #[error("an envelope of {0} bytes, more than the {MAX_ENVELOPE_LEN} that are read")]
    TooLong(usize),
    /// The text is not JSON.
    #[error("the envelope is no JSON: {0}")]
    Json(#[from] JsonError),
    /// The JSON is not an envelope.
    #[error("not a DSSE envelope: {0}")]
    Shape(#[from] ShapeError),
    /// The envelope has no signature, or more than [`MAX_SIGNATURES`].
    #[error("an envelope with {0} signatures; there have to be 1 to {MAX_SIGNATURES}")]
    Signatures(usize),
    /// A `keyid` longer than [`MAX_KEYID_LEN`].
    #[error("a keyid of {0} bytes, more than the {MAX_KEYID_LEN} that a signature may name")]
    KeyId(usize),
    /// None of the signatures is by the required key.
    #[error("no signature in the envelope is by key {0}: it was changed, or another key signed it")]
    NotSigned(KeyId),
}

fn read_signature(json: &Json) -> Result<EnvelopeSignature, EnvelopeError> {
    let members = Members::of("signature", json, &["sig"], &["keyid", "extension"])?;
    let key_id = if members.has("keyid") { members.str("keyid")?.to_owned() } else { String::new() };
    let extension =
        if members.has("extension") { Some(read_extension(members.get("extension"))?) } else { None };
    Ok(EnvelopeSignature { key_id, signature: RawSignature { bytes: bytes(members, "sig")?, extension } })
}

fn read_extension(json: &Json) -> Result<Extension, ShapeError> {
    let members = Members::of("extension", json, &["kind", "ext"], &[])?;
    let ext = members.get("ext").as_object().ok_or_else(|| ShapeError::new("ext", "is not an object"))?;
    Ok(Extension { kind: members.str("kind")?.to_owned(), ext: ext.clone() })
}

fn write_signature(entry: &EnvelopeSignature) -> Json {
    let mut object = Object::new();
    object.insert("sig", encoding::base64(&entry.signature.bytes));
    if !entry.key_id.is_empty() {
        object.insert("keyid", entry.key_id.as_str());
    }
    if let Some(Extension { kind, ext }) = &entry.signature.extension {
        object.insert(
            "extension",
            Json::object([("kind", Json::from(kind.as_str())), ("ext", ext.clone().into())]),
        );
    }
    object.into()
}

fn bytes(members: Members<'_>, name: &str) -> Result<Vec<u8>, ShapeError> {
    let bytes = encoding::from_either_base64(members.str(name)?);
    bytes.ok_or_else(|| ShapeError::new(name, "is not base64, padded and canonical"))
}
