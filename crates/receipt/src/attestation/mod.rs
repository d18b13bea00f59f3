//! Execution attestations: the outcome of an approved action, as the issuer observed it.

mod claims;

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

use crate::digest::Digest;
use crate::error::{VerifyError, malformed};
use crate::fields::Decision;
use crate::format::artifact::{Envelope, Sealed};
use crate::format::canonical::{ATTEST_V1, is_canonical};
use crate::issuer::keys::{KeySet, is_demo_key};
use crate::issuer::signer::Signer;
use crate::json::{Json, Object};
use crate::mint::error::MintError;
use crate::mint::{SealedPayload, key_set_of, seal};
use crate::timestamp::Timestamp;
use crate::verify::verified::VerifiedReceipt;
use crate::verify::{check_signature, resolve};

const CANONICALIZATION: &str = "attest_v1";

/// The length of an instant with a four-digit year, the only form that the published schema allows.
const INSTANT_LEN: usize = "2026-01-01T00:00:00.000Z".len();

/// The outcome of an approved action's execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecutionOutcome {
    /// The action's adapter returned.
    Succeeded {
        /// When the action was started.
        started_at: Timestamp,
        /// When the action returned.
        finished_at: Timestamp,
        /// Digest of the canonical JSON of the adapter's output. Unsalted: it confirms a guessed output.
        output_hash: Option<Digest>,
    },
    /// The action's adapter reported failure.
    Failed {
        /// When the action was started.
        started_at: Timestamp,
        /// When the action failed.
        finished_at: Timestamp,
        /// Digest of the canonical JSON of the adapter's output.
        output_hash: Option<Digest>,
    },
    /// The outcome is unknown, and the host does not repeat the action to find out.
    Unknown {
        /// When the action was started, if that is known.
        started_at: Option<Timestamp>,
    },
}

/// An outcome, about to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttestationDraft {
    /// The approved receipt that was acted on.
    pub receipt_id: String,
    /// The outcome.
    pub outcome: ExecutionOutcome,
    /// The adapter's own id of the call.
    pub tool_call_id: Option<String>,
    /// When the outcome was recorded.
    pub created_at: Timestamp,
}

/// The envelope of an attestation. Like a receipt's: only the signature and the payload bytes are authenticated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttestationArtifact {
    approval_receipt_id: String,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// The outcome was recorded without a signature.
    Unsigned,
    /// Signed, and not shown here.
    Withheld,
    /// A member is missing or of the wrong type. Reported after the receipt's own faults, in the order of the
    /// procedure.
    Malformed(VerifyError),
    Signed(SignedEnvelope),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct SignedEnvelope {
    key_id: String,
    alg: String,
    signed_payload_hash: String,
    signature_b64: String,
    payload_bytes_b64: String,
    outcome: Option<String>,
    issued_at: Option<String>,
}

/// A genuine, consistent attestation of a verified approval. Only [`verify_attestation`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedAttestation {
    receipt_id: String,
    outcome: ExecutionOutcome,
    tool_call_id: Option<String>,
    created_at: Timestamp,
    key_id: String,
    text: String,
    digest: Digest,
}

/// Signs the outcome of an execution. Fail closed, like [`mint`](crate::mint).
pub fn attest(draft: &AttestationDraft, signer: &dyn Signer) -> Result<AttestationArtifact, MintError> {
    if draft.receipt_id.is_empty() {
        return Err(MintError::EmptyField("receipt_id"));
    }
    let text = payload(draft, signer.key_id()).canonical();
    let SealedPayload { signed_payload_hash, signature_b64, payload_bytes_b64 } = seal(&text, signer)?;
    let artifact = AttestationArtifact {
        approval_receipt_id: draft.receipt_id.clone(),
        kind: Kind::Signed(SignedEnvelope {
            key_id: signer.key_id().into(),
            alg: "ed25519".into(),
            signed_payload_hash,
            signature_b64,
            payload_bytes_b64,
            outcome: Some(draft.outcome.as_str().into()),
            issued_at: Some(format!("{}", draft.created_at)),
        }),
    };
    artifact.verify_alone(&key_set_of(signer, draft.created_at)?)?;
    Ok(artifact)
}

/// Verifies an attestation of `receipt`, which has been verified already. Its key is of the same scope as the receipt's.
pub fn verify_attestation(
    attestation: &AttestationArtifact,
    receipt: &VerifiedReceipt,
    keys: &KeySet,
) -> Result<VerifiedAttestation, VerifyError> {
    if attestation.approval_receipt_id != receipt.id() {
        return Err(VerifyError::ReceiptMismatch(attestation.approval_receipt_id.clone()));
    }
    if receipt.decision() != Decision::Approved {
        return Err(VerifyError::ReceiptNotApproved);
    }
    let verified = attestation.verify_alone(keys)?;
    match is_demo_key(&verified.key_id) == is_demo_key(receipt.key_id()) {
        true => Ok(verified),
        false => Err(VerifyError::AttestationOtherScope(verified.key_id)),
    }
}

impl AttestationArtifact {
    /// Reads `{ "attestation_artifact": { … } }`. Duplicate keys are refused.
    pub fn parse(text: &str) -> Result<Self, VerifyError> {
        let json = Json::parse(text)?;
        let Some(object) = json.get("attestation_artifact").and_then(Json::as_object) else {
            return Err(malformed("no attestation_artifact object"));
        };
        let envelope = Envelope { name: "attestation_artifact", object };
        let approval_receipt_id = envelope.required("approval_receipt_id")?;
        let kind = if object.get("signed") == Some(&Json::Bool(false)) {
            Kind::Unsigned
        } else if object.get("payload_withheld") == Some(&Json::Bool(true)) {
            Kind::Withheld
        } else {
            SignedEnvelope::read(&envelope).map_or_else(Kind::Malformed, Kind::Signed)
        };
        Ok(Self { approval_receipt_id, kind })
    }

    /// The id of the receipt that the attestation claims to belong to. Not authenticated.
    pub fn approval_receipt_id(&self) -> &str {
        &self.approval_receipt_id
    }

    /// The published shape, canonical JSON. `None` unless it is signed and complete.
    pub fn to_json(&self) -> Option<String> {
        let Kind::Signed(signed) = &self.kind else { return None };
        let mut object = Object::new();
        object.insert("approval_receipt_id", self.approval_receipt_id.as_str());
        object.insert("attestation_version", 1_u32);
        object.insert("canonicalization", CANONICALIZATION);
        object.insert("key_id", signed.key_id.as_str());
        object.insert("alg", signed.alg.as_str());
        object.insert("signed_payload_hash", signed.signed_payload_hash.as_str());
        object.insert("signature_b64", signed.signature_b64.as_str());
        object.insert("payload_bytes_b64", signed.payload_bytes_b64.as_str());
        for (name, value) in [("outcome", &signed.outcome), ("issued_at", &signed.issued_at)] {
            if let Some(value) = value {
                object.insert(name, value.as_str());
            }
        }
        Some(Json::object([("attestation_artifact", Json::Object(object))]).canonical())
    }

    /// The specification's steps 2 to 6: all checks that do not need the receipt.
    fn verify_alone(&self, keys: &KeySet) -> Result<VerifiedAttestation, VerifyError> {
        let signed = match &self.kind {
            Kind::Unsigned => return Err(VerifyError::AttestationUnsigned),
            Kind::Withheld => return Err(VerifyError::PayloadWithheld),
            Kind::Malformed(error) => return Err(error.clone()),
            Kind::Signed(signed) => signed,
        };
        let unsealed = signed.sealed().unseal()?;
        let version = unsealed.payload.get("canonicalization").and_then(Json::as_str);
        let version = version.ok_or_else(|| malformed("the payload names no canonicalization"))?;
        let known = version == CANONICALIZATION;
        if known && !is_canonical(&unsealed.payload, &ATTEST_V1, &unsealed.text) {
            return Err(VerifyError::CanonicalMismatch);
        }
        let key = resolve(&signed.key_id, keys)?;
        check_signature(key, &unsealed, &signed.signature_b64)?;
        if !known {
            return Err(VerifyError::CanonicalizationUnsupported(version.to_owned()));
        }
        if unsealed.payload.get("approvalReceiptId").and_then(Json::as_str) != Some(&self.approval_receipt_id)
        {
            return Err(malformed("approval_receipt_id is not the signed approvalReceiptId"));
        }
        claims::read(unsealed)
    }
}

impl VerifiedAttestation {
    /// The receipt that was acted on.
    pub fn receipt_id(&self) -> &str {
        &self.receipt_id
    }

    /// The outcome.
    pub fn outcome(&self) -> ExecutionOutcome {
        self.outcome
    }

    /// The adapter's own id of the call.
    pub fn tool_call_id(&self) -> Option<&str> {
        self.tool_call_id.as_deref()
    }

    /// When the outcome was recorded.
    pub fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// The key that signed.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The digest that was signed.
    pub fn payload_digest(&self) -> Digest {
        self.digest
    }

    /// The signed text.
    pub fn payload_json(&self) -> &str {
        &self.text
    }
}

impl ExecutionOutcome {
    /// The signed word: `succeeded`, `failed` or `unknown`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Succeeded { .. } => "succeeded",
            Self::Failed { .. } => "failed",
            Self::Unknown { .. } => "unknown",
        }
    }
}

impl SignedEnvelope {
    fn read(envelope: &Envelope<'_>) -> Result<Self, VerifyError> {
        Ok(Self {
            key_id: envelope.required("key_id")?,
            alg: envelope.required("alg")?,
            signed_payload_hash: envelope.required("signed_payload_hash")?,
            signature_b64: envelope.required("signature_b64")?,
            payload_bytes_b64: envelope.required("payload_bytes_b64")?,
            outcome: envelope.optional("outcome"),
            issued_at: envelope.optional("issued_at"),
        })
    }

    fn sealed(&self) -> Sealed<'_> {
        Sealed {
            key_id: &self.key_id,
            alg: &self.alg,
            signed_payload_hash: &self.signed_payload_hash,
            payload_bytes_b64: &self.payload_bytes_b64,
        }
    }
}

fn payload(draft: &AttestationDraft, key_id: &str) -> Object {
    let (started_at, finished_at, output_hash) = match draft.outcome {
        ExecutionOutcome::Succeeded { started_at, finished_at, output_hash }
        | ExecutionOutcome::Failed { started_at, finished_at, output_hash } => {
            (Some(started_at), Some(finished_at), output_hash)
        }
        ExecutionOutcome::Unknown { started_at } => (started_at, None, None),
    };
    let mut payload = Object::new();
    let mut field = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            payload.insert(name, value);
        }
    };
    let instant = |at: Timestamp| format!("{at}");
    field("approvalReceiptId", Some(draft.receipt_id.clone()));
    field("outcome", Some(draft.outcome.as_str().into()));
    field("toolCallId", draft.tool_call_id.clone());
    field("outputHash", output_hash.map(|hash| hash.tagged()));
    field("startedAt", started_at.map(instant));
    field("finishedAt", finished_at.map(instant));
    field("canonicalization", Some(CANONICALIZATION.into()));
    field("signatureAlg", Some("ed25519".into()));
    field("signatureKeyId", Some(key_id.into()));
    field("createdAt", Some(instant(draft.created_at)));
    payload.insert("attestationVersion", 1_u32);
    payload
}
