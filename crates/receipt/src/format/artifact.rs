//! The portable envelope of a receipt.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::encoding;
use crate::error::{VerifyError, malformed};
use crate::format::canonical::Canonicalization;
use crate::json::{Json, Object};

/// The envelope's inner object, with its published names.
///
/// Only `payload_bytes_b64` and `signature_b64` are authenticated. Everything else is a convenience copy; no decision
/// may rest on it. [`verify`](crate::verify) returns the content of the signed bytes instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// The receipt's id.
    pub receipt_id: String,
    /// Convenience copy of the decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Convenience copy of the version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_version: Option<u32>,
    /// Convenience copy of the canonicalization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canonicalization: Option<String>,
    /// The id of the key that signed.
    pub key_id: String,
    /// Always `ed25519`.
    pub alg: String,
    /// Lowercase hexadecimal SHA-256 of the payload bytes.
    pub signed_payload_hash: String,
    /// The 64-byte signature.
    pub signature_b64: String,
    /// The exact signed bytes.
    pub payload_bytes_b64: String,
    /// Convenience copy of the time of issue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_at: Option<String>,
    /// Convenience copy of the expiry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// Issuer state: when the approval was spent.
    #[serde(default)]
    pub redeemed_at: Option<String>,
}

impl Artifact {
    /// Reads `{ "artifact": { … } }`. Members that are not listed above are ignored; duplicate keys are refused.
    pub fn parse(text: &str) -> Result<Self, VerifyError> {
        let json = Json::parse(text)?;
        let Some(artifact) = json.get("artifact").and_then(Json::as_object) else {
            return Err(malformed(if looks_like_one(&json) {
                "a bare jcs_v1 object with its signature inside is a frozen fixture, not an issued receipt"
            } else {
                "no artifact object"
            }));
        };
        let envelope = Envelope { name: "artifact", object: artifact };
        Ok(Self {
            receipt_id: envelope.required("receipt_id")?,
            status: envelope.optional("status"),
            receipt_version: artifact
                .get("receipt_version")
                .and_then(Json::as_u64)
                .and_then(|n| n.try_into().ok()),
            canonicalization: envelope.optional("canonicalization"),
            key_id: envelope.required("key_id")?,
            alg: envelope.required("alg")?,
            signed_payload_hash: envelope.required("signed_payload_hash")?,
            signature_b64: envelope.required("signature_b64")?,
            payload_bytes_b64: envelope.required("payload_bytes_b64")?,
            issued_at: envelope.optional("issued_at"),
            expires_at: envelope.optional("expires_at"),
            redeemed_at: envelope.optional("redeemed_at"),
        })
    }

    /// The published shape: `{"artifact":{…}}`, canonical JSON.
    pub fn to_json(&self) -> String {
        let mut object = Object::new();
        let mut text = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                object.insert(name, value);
            }
        };
        text("receipt_id", Some(&self.receipt_id));
        text("status", self.status.as_deref());
        text("canonicalization", self.canonicalization.as_deref());
        text("key_id", Some(&self.key_id));
        text("alg", Some(&self.alg));
        text("signed_payload_hash", Some(&self.signed_payload_hash));
        text("signature_b64", Some(&self.signature_b64));
        text("payload_bytes_b64", Some(&self.payload_bytes_b64));
        text("issued_at", self.issued_at.as_deref());
        text("expires_at", self.expires_at.as_deref());
        if let Some(version) = self.receipt_version {
            object.insert("receipt_version", version);
        }
        object.insert("redeemed_at", self.redeemed_at.as_deref());
        Json::object([("artifact", Json::Object(object))]).canonical()
    }
}

/// A flat object that carries its own signature and calls itself `jcs_v1`.
pub(crate) fn looks_like_one(json: &Json) -> bool {
    let v1 = json.get("canonicalization").and_then(Json::as_str) == Some(Canonicalization::JcsV1.as_str());
    v1 && json.get("signatureValue").is_some()
}

/// The members of an envelope's inner object.
pub(crate) struct Envelope<'a> {
    pub(crate) name: &'static str,
    pub(crate) object: &'a Object,
}

impl Envelope<'_> {
    pub(crate) fn required(&self, member: &str) -> Result<String, VerifyError> {
        let text = self.object.get(member).and_then(Json::as_str);
        text.map(ToOwned::to_owned)
            .ok_or_else(|| malformed(format!("{}.{member} is not a string", self.name)))
    }

    pub(crate) fn optional(&self, member: &str) -> Option<String> {
        self.object.get(member).and_then(Json::as_str).map(ToOwned::to_owned)
    }
}

/// Signed bytes in an envelope: the part that receipts and attestations share.
pub(crate) struct Sealed<'a> {
    pub(crate) key_id: &'a str,
    pub(crate) alg: &'a str,
    pub(crate) signed_payload_hash: &'a str,
    pub(crate) payload_bytes_b64: &'a str,
}

/// Signed bytes that match their hash and name their key. Not authenticated yet.
pub(crate) struct Unsealed {
    pub(crate) text: String,
    pub(crate) payload: Object,
    pub(crate) digest: Digest,
}

impl Sealed<'_> {
    /// The first three steps of the procedure: the algorithm, the hash, the payload and its key id.
    pub(crate) fn unseal(&self) -> Result<Unsealed, VerifyError> {
        if self.alg != "ed25519" {
            return Err(malformed(format!("algorithm `{}` is not ed25519", self.alg)));
        }
        let Some(bytes) = encoding::from_base64(self.payload_bytes_b64) else {
            return Err(malformed("payload_bytes_b64 is not canonical base64"));
        };
        let digest = Digest::of(&bytes);
        if self.signed_payload_hash.parse() != Ok(digest) {
            return Err(VerifyError::PayloadHashMismatch);
        }
        let text = String::from_utf8(bytes).map_err(|_| malformed("the payload is not UTF-8"))?;
        let Json::Object(payload) = Json::parse(&text)? else {
            return Err(malformed("the payload is not a JSON object"));
        };
        if payload.get("signatureKeyId").and_then(Json::as_str) != Some(self.key_id) {
            return Err(malformed("key_id is not the signed signatureKeyId"));
        }
        Ok(Unsealed { text, payload, digest })
    }
}
