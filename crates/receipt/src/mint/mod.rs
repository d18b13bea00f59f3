//! Minting: from a decision to a signed `jcs_v3` receipt and its opening.
//!
//! Fail closed: every receipt that [`mint`] returns has been verified and opened like any other receipt. If signing
//! fails, or the result does not verify, there is no receipt.

pub(crate) mod error;
pub(crate) mod revocation;
pub(crate) mod room;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::digest::{Digest, Salt};
use crate::encoding;
use crate::fields::{Attribution, AuthMethod, Decision, Resolution, RiskTier, Scope};
use crate::format::artifact::Artifact;
use crate::format::binding::{Binding, Stated, StatedBinding};
use crate::format::canonical::Canonicalization;
use crate::format::decider::Decider;
use crate::format::projection;
use crate::format::projection::Projection;
use crate::format::request::{APPROVALS_KEY, BINDING_KEY, SUMMARY_KEY};
use crate::issuer::keys::{Key, KeySet, KeyStatus, is_demo_key};
use crate::issuer::signer::Signer;
use crate::json::{Json, Object};
use crate::mint::error::MintError;
use crate::mint::room::check_committed;
use crate::people::approvals;
use crate::people::approvals::{ApprovalError, MAX_APPROVALS, VerifiedDecision};
use crate::people::statement::MAX_REASON_LEN;
use crate::timestamp::Timestamp;
use crate::verify::opening::{Opening, StatedDecision};
use crate::verify::verify;

/// A decision, about to be signed.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// The receipt's id, unique for this issuer.
    pub id: String,
    /// The acting agent.
    pub agent_id: String,
    /// The run, if there is one.
    pub run_id: Option<String>,
    /// The request, an object, without the reserved keys `receiptBinding`, `receiptSummary` and `approvals`.
    pub request: Json,
    /// The signed decisions that the receipt rests on. Committed, never public. In production, the decider must be
    /// among them unless it is an engine.
    pub approvals: Vec<VerifiedDecision>,
    /// The workspace and request that the receipt is bound to. Committed, never public.
    pub binding: Binding,
    /// The stated reason. Committed, never public.
    pub summary: Option<String>,
    /// The decision.
    pub decision: Decision,
    /// The decider.
    pub decider: Decider,
    /// Production or demo.
    pub scope: Scope,
    /// The action's risk tier.
    pub risk_tier: Option<RiskTier>,
    /// The policy that governed.
    pub policy_version: Option<String>,
    /// Reason codes. Public; not signed when empty.
    pub reason_codes: Vec<String>,
    /// The allowlist of the public projection: [`Projection::ExecuteV1`] or [`Projection::RevocationV1`].
    pub projection: Projection,
    /// When the decision was made.
    pub created_at: Timestamp,
    /// The time until which the receipt can be redeemed.
    pub expires_at: Timestamp,
    /// 32 fresh random bytes.
    pub salt: Salt,
}

/// A signed receipt, and what opens it.
#[derive(Clone, Debug, PartialEq)]
pub struct Minted {
    /// Public.
    pub artifact: Artifact,
    /// Confidential: the committed request, its salt, and the values committed with it.
    pub opening: Opening,
}

/// Signs a decision.
pub fn mint(draft: &Draft, signer: &dyn Signer) -> Result<Minted, MintError> {
    check_draft(draft, signer.key_id())?;
    let request = committed_request(draft)?;
    check_approvals(draft)?;
    let request_json = request.canonical();
    check_committed(&request, &request_json)?;
    let projection = projection::build(draft.projection, &request).ok_or(MintError::RequestNotObject)?;
    let commitment = Digest::commitment(&draft.salt, &request_json);
    let text = payload(draft, signer.key_id(), commitment, projection).canonical();
    let signed = seal(&text, signer)?;
    let minted =
        Minted { artifact: envelope(draft, signer.key_id(), signed), opening: opening(draft, request_json) };
    let receipt = verify(&minted.artifact, &key_set_of(signer, draft.created_at)?)?;
    receipt.open(&minted.opening)?;
    Ok(minted)
}

/// The parts of an envelope that depend on the signed bytes.
pub(crate) struct SealedPayload {
    pub(crate) signed_payload_hash: String,
    pub(crate) signature_b64: String,
    pub(crate) payload_bytes_b64: String,
}

pub(crate) fn seal(text: &str, signer: &dyn Signer) -> Result<SealedPayload, MintError> {
    let digest = Digest::of(text.as_bytes());
    let signature = signer.sign(&digest)?;
    Ok(SealedPayload {
        signed_payload_hash: format!("{digest}"),
        signature_b64: encoding::base64(&signature),
        payload_bytes_b64: encoding::base64(text.as_bytes()),
    })
}

/// The key set that a receipt fresh from `signer` must verify under.
pub(crate) fn key_set_of(signer: &dyn Signer, created_at: Timestamp) -> Result<KeySet, MintError> {
    let mut keys = KeySet::new("");
    let (key_id, public_key, status) = (signer.key_id().into(), signer.public_key(), KeyStatus::Active);
    let key = Key { key_id, public_key, status, created_at, revoked_at: None };
    keys.insert(key).map_err(MintError::SignerKey)?;
    Ok(keys)
}

/// Checks the rules that the published schema cannot express. Verifying the result catches the others.
fn check_draft(draft: &Draft, key_id: &str) -> Result<(), MintError> {
    match draft.projection {
        Projection::ExecuteV1 => {}
        Projection::RevocationV1 if draft.decision == Decision::Denied => {}
        Projection::RevocationV1 => return Err(MintError::Contradiction("a revocation is signed as DENIED")),
        tag => return Err(MintError::ProjectionNotIssued(tag.as_str())),
    }
    match (draft.decision, draft.decider.resolution) {
        (Decision::Approved, Some(Resolution::Deny)) => {
            return Err(MintError::Contradiction("APPROVED, resolved as deny"));
        }
        (Decision::Denied, Some(Resolution::AllowOnce | Resolution::AllowAlways)) => {
            return Err(MintError::Contradiction("DENIED, resolved as allow"));
        }
        _ => {}
    }
    if draft.expires_at < draft.created_at {
        return Err(MintError::Contradiction("it expires before it is issued"));
    }
    for (name, text) in
        [("id", &draft.id), ("agent_id", &draft.agent_id), ("decider.display", &draft.decider.display)]
    {
        if text.is_empty() {
            return Err(MintError::EmptyField(name));
        }
    }
    match &draft.summary {
        Some(summary) if summary.len() > MAX_REASON_LEN => Err(MintError::SummaryTooLong(summary.len())),
        _ => check_scope(draft, key_id),
    }
}

/// A person's decision rests on that person's signature. A revocation may, and need not: a revocation should wait for no person.
fn check_approvals(draft: &Draft) -> Result<(), MintError> {
    if draft.projection == Projection::RevocationV1 && revocation::named(&draft.request).is_none() {
        return Err(MintError::Contradiction("a revocation that names no receipt"));
    }
    if draft.approvals.len() > MAX_APPROVALS {
        return Err(ApprovalError::TooMany(draft.approvals.len()).into());
    }
    let stated = StatedDecision {
        tag: draft.projection,
        decision: draft.decision,
        scope: Some(draft.scope),
        decider: Some(draft.decider.id.clone()),
        created_at: draft.created_at,
        expires_at: draft.expires_at,
        proof: draft.decider.proof.clone(),
    };
    approvals::agree(&draft.request, &stated, &draft.approvals)?;
    Ok(())
}

/// An anonymous decision is a demo decision, and the reverse.
fn check_scope(draft: &Draft, key_id: &str) -> Result<(), MintError> {
    let decider = &draft.decider;
    let marks = [
        decider.id.starts_with("demo:"),
        decider.auth_method == Some(AuthMethod::AnonymousDemo),
        decider.attribution == Attribution::Unattributed,
    ];
    match draft.scope {
        Scope::Demo if marks != [true; 3] => {
            Err(MintError::ScopeMixed("a demo decision is by `demo:…`, anonymous_demo and unattributed"))
        }
        Scope::Production if marks != [false; 3] => {
            Err(MintError::ScopeMixed("an anonymous or demo decider cannot decide in production"))
        }
        Scope::Production if is_demo_key(key_id) => {
            Err(MintError::ScopeMixed("a demo key signs nothing in production"))
        }
        Scope::Demo | Scope::Production => Ok(()),
    }
}

/// The request as it is committed to: with its binding, and with the summary when there is one.
fn committed_request(draft: &Draft) -> Result<Json, MintError> {
    let mut request = draft.request.as_object().ok_or(MintError::RequestNotObject)?.clone();
    for key in [BINDING_KEY, SUMMARY_KEY, APPROVALS_KEY] {
        if request.get(key).is_some() {
            return Err(MintError::RequestReservedKey(key));
        }
    }
    let Binding { company_id, idem_key, input_hash } = &draft.binding;
    // Inside a binding a null is kept: "none" is committed to like any other value.
    let binding = [("companyId", company_id), ("idemKey", idem_key), ("inputHash", input_hash)];
    request
        .insert(BINDING_KEY, Json::object(binding.map(|(name, value)| (name, Json::from(value.as_deref())))));
    if let Some(summary) = &draft.summary {
        request.insert(SUMMARY_KEY, summary.as_str());
    }
    approvals::insert(&mut request, &draft.approvals);
    Ok(request.into())
}

fn payload(draft: &Draft, key_id: &str, commitment: Digest, projection: String) -> Object {
    let mut payload = Object::new();
    let mut field = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            payload.insert(name, value);
        }
    };
    let decider = &draft.decider;
    field("id", Some(&draft.id));
    field("agentId", Some(&draft.agent_id));
    field("runId", draft.run_id.as_deref());
    field("requestCommitment", Some(&commitment.tagged()));
    field("publicProjectionJson", Some(&projection));
    field("status", Some(draft.decision.as_str()));
    field("riskTier", draft.risk_tier.map(RiskTier::as_str));
    field("policyVersion", draft.policy_version.as_deref());
    field("deciderId", Some(&decider.id));
    field("deciderDisplay", Some(&decider.display));
    field("deciderAuthMethod", decider.auth_method.map(AuthMethod::as_str));
    field("resolutionType", decider.resolution.map(Resolution::as_str));
    field("attributionConfidence", Some(decider.attribution.as_str()));
    field("scope", Some(draft.scope.as_str()));
    field("canonicalization", Some(Canonicalization::JcsV3.as_str()));
    field("signatureAlg", Some("ed25519"));
    field("signatureKeyId", Some(key_id));
    field("createdAt", Some(&format!("{}", draft.created_at)));
    field("expiresAt", Some(&format!("{}", draft.expires_at)));
    payload.insert("receiptVersion", Canonicalization::JcsV3.receipt_version());
    if !draft.reason_codes.is_empty() {
        payload.insert("reasonCodes", Json::array(draft.reason_codes.iter().map(String::as_str)).canonical());
    }
    if let Some(proof) = &decider.proof {
        payload.insert("deciderProof", proof.to_json());
    }
    payload
}

fn envelope(draft: &Draft, key_id: &str, signed: SealedPayload) -> Artifact {
    Artifact {
        receipt_id: draft.id.clone(),
        status: Some(draft.decision.as_str().into()),
        receipt_version: Some(Canonicalization::JcsV3.receipt_version()),
        canonicalization: Some(Canonicalization::JcsV3.as_str().into()),
        key_id: key_id.into(),
        alg: "ed25519".into(),
        signed_payload_hash: signed.signed_payload_hash,
        signature_b64: signed.signature_b64,
        payload_bytes_b64: signed.payload_bytes_b64,
        issued_at: Some(format!("{}", draft.created_at)),
        expires_at: Some(format!("{}", draft.expires_at)),
        redeemed_at: None,
    }
}

fn opening(draft: &Draft, request_json: String) -> Opening {
    let Binding { company_id, idem_key, input_hash } = &draft.binding;
    Opening {
        request_json,
        salt: draft.salt.clone(),
        summary: Stated::from_record(draft.summary.as_deref()),
        binding: StatedBinding {
            company_id: Stated::from_record(company_id.as_deref()),
            idem_key: Stated::from_record(idem_key.as_deref()),
            input_hash: Stated::from_record(input_hash.as_deref()),
        },
    }
}
