//! The verify procedure of the specification, step by step.
//!
//! The order matters. The key and the signature come before any check that depends on the payload's claims, so a forged
//! payload that names an unknown version is a bad signature, and only a genuine one is "unverifiable here".

pub(crate) mod fixture;
pub(crate) mod opening;
pub(crate) mod verified;

use ed25519_dalek::{Signature, VerifyingKey};

use crate::encoding;
use crate::error::{VerifyError, malformed};
use crate::format::artifact::{Artifact, Sealed, Unsealed};
use crate::format::canonical::{Canonicalization, is_canonical};
use crate::format::decider::check_proof;
use crate::format::payload::Payload;
use crate::format::projection;
use crate::issuer::ed25519::is_signed;
use crate::issuer::keys::{KeySet, KeyStatus};
use crate::json::{Json, Object};
use crate::verify::opening::read_commitment;
use crate::verify::verified::{Commitment, VerifiedReceipt};

/// Verifies a receipt against pinned keys.
///
/// Success means that the holder of the named key signed exactly these bytes. It does not mean that the action was
/// approved (call [`VerifiedReceipt::approved`]), that the approval is unexpired or unspent, or that it covers a
/// particular action.
pub fn verify(artifact: &Artifact, keys: &KeySet) -> Result<VerifiedReceipt, VerifyError> {
    let unsealed = artifact.sealed().unseal()?;
    let key = resolve(&artifact.key_id, keys)?;
    check_signature(key, &unsealed, &artifact.signature_b64)?;
    let canonicalization = check_canonical(&unsealed)?;
    let (commitment, proof) = match canonicalization {
        Canonicalization::JcsV1 | Canonicalization::JcsV2 => (None, None),
        Canonicalization::JcsV3 => {
            let commitment = check_v3(&unsealed.payload)?;
            let payload = &unsealed.payload;
            (Some(commitment), check_proof(payload.get("deciderAuthMethod"), payload.get("deciderProof"))?)
        }
    };
    let payload = Payload::read(&unsealed.payload, canonicalization, proof)?;
    let Unsealed { text, digest, .. } = unsealed;
    Ok(VerifiedReceipt {
        key_id: artifact.key_id.clone(),
        canonicalization,
        payload,
        commitment,
        text,
        digest,
    })
}

impl Artifact {
    fn sealed(&self) -> Sealed<'_> {
        Sealed {
            key_id: &self.key_id,
            alg: &self.alg,
            signed_payload_hash: &self.signed_payload_hash,
            payload_bytes_b64: &self.payload_bytes_b64,
        }
    }
}

/// The named key, unless it is revoked.
pub(crate) fn resolve<'k>(key_id: &str, keys: &'k KeySet) -> Result<&'k VerifyingKey, VerifyError> {
    let pinned = keys.pinned(key_id).ok_or_else(|| VerifyError::KeyNotFound(key_id.into()))?;
    match pinned.key.status {
        KeyStatus::Active | KeyStatus::Rotated => Ok(&pinned.point),
        KeyStatus::Revoked => Err(VerifyError::KeyRevoked(key_id.into())),
    }
}

/// Ed25519 over the 32 bytes of the digest.
pub(crate) fn check_signature(
    key: &VerifyingKey,
    unsealed: &Unsealed,
    signature_b64: &str,
) -> Result<(), VerifyError> {
    let signature = read_signature(signature_b64)?;
    if is_signed(key, unsealed.digest.as_bytes(), &signature) {
        return Ok(());
    }
    let v1 = unsealed.payload.get("canonicalization").and_then(Json::as_str)
        == Some(Canonicalization::JcsV1.as_str());
    Err(VerifyError::SignatureInvalid(if v1 && is_signed(key, unsealed.text.as_bytes(), &signature) {
        "it is over the raw bytes, as the frozen v1 fixtures are and no issued receipt is".into()
    } else {
        "the bytes were changed, or were never signed by this key".into()
    }))
}

pub(crate) fn read_signature(signature_b64: &str) -> Result<Signature, VerifyError> {
    let bytes = encoding::array_from_base64(signature_b64);
    bytes
        .map(|bytes| Signature::from_bytes(&bytes))
        .ok_or_else(|| malformed("signature_b64 is not 64 bytes of base64"))
}

fn check_canonical(unsealed: &Unsealed) -> Result<Canonicalization, VerifyError> {
    let name = unsealed.payload.get("canonicalization").and_then(Json::as_str);
    let name = name.ok_or_else(|| malformed("the payload names no canonicalization"))?;
    let Some(canonicalization) = Canonicalization::from_signed(name) else {
        return Err(VerifyError::CanonicalizationUnsupported(name.into()));
    };
    if is_canonical(&unsealed.payload, canonicalization.fields(), &unsealed.text) {
        Ok(canonicalization)
    } else {
        Err(VerifyError::CanonicalMismatch)
    }
}

/// Section 6.7: checks that the payload is well-formed, and that its tag allows the projection.
fn check_v3(payload: &Object) -> Result<Commitment, VerifyError> {
    if payload.get("receiptVersion") != Some(&Json::from(Canonicalization::JcsV3.receipt_version())) {
        return Err(malformed("a jcs_v3 payload is of receiptVersion 3"));
    }
    let digest = read_commitment(payload.get("requestCommitment"))?;
    let projection = payload.get("publicProjectionJson").and_then(Json::as_str);
    let (tag, projection) =
        projection::check(projection.ok_or_else(|| malformed("no publicProjectionJson text"))?)?;
    Ok(Commitment { digest, tag, projection })
}

#[cfg(test)]
mod strict;
