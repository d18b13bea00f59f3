//! Approval: requests, decisions, and the receipts that state them. The only room with a private key; nothing in it runs a guest or
//! performs an action.

mod keyring;
mod request;
mod view;

pub use keyring::Keyring;
pub use keyring::KeyringError;
pub use keyring::scope_of;
pub use request::Environment;
pub use request::Request;
pub use request::Reversibility;

use crate::store::StoredReceipt;
use receipt::AttestationDraft;
use receipt::Attribution;
use receipt::AuthMethod;
use receipt::Binding;
use receipt::Decider;
use receipt::Decision;
use receipt::Digest;
use receipt::Draft;
use receipt::ExecutionOutcome;
use receipt::Json;
use receipt::MintError;
use receipt::Projection;
use receipt::Resolution;
use receipt::RiskTier;
use receipt::Salt;
use receipt::Scope;
use receipt::Signer;
use receipt::Timestamp;
use std::time::Duration;
use workflow::ActorId;
use workflow::Effect;
use workflow::ReceiptId;

/// The policy of this version, in words: every action asks. It stands in every receipt.
pub const POLICY_VERSION: &str = "ask-every-action@1";

/// How long a receipt can be redeemed. The specification's 15 minutes for an authorisation that is signed before it is used.
pub const RECEIPT_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// How long a request waits for a decision.
pub const REQUEST_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// A decision about one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// What was decided.
    pub decision: Decision,
    /// Who decided.
    pub by: DemoDecider,
    /// In the decider's words.
    pub reason: Option<String>,
}

/// Somebody at this machine's terminal, or nobody at all: a decision that shows how things work and that no production gate accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DemoDecider(ActorId);

impl DemoDecider {
    /// A demo decider of that name.
    #[must_use]
    pub fn new(name: ActorId) -> Self {
        Self(name)
    }

    /// The decider's name.
    #[must_use]
    pub fn name(&self) -> &ActorId {
        &self.0
    }

    /// The decider as it stands in the receipt.
    #[must_use]
    pub fn id(&self) -> String {
        format!("demo:{}", self.0)
    }
}

/// Issues receipts and attestations. Holds the issuer's key.
pub struct Authority {
    signer: Box<dyn Signer + Send + Sync>,
}

/// Why no receipt was issued. Nothing was signed, and nothing was decided.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The request cannot stand in a receipt.
    #[error("the request cannot be put into a receipt: {0}")]
    Request(String),
    /// The receipt could not be signed, or did not verify afterwards.
    #[error("no receipt was issued: {0}")]
    Mint(#[from] MintError),
}

impl Authority {
    /// An authority that signs with this key.
    #[must_use]
    pub fn new(signer: Box<dyn Signer + Send + Sync>) -> Self {
        Self { signer }
    }

    /// The id of the key that it signs with.
    #[must_use]
    pub fn key_id(&self) -> &str {
        self.signer.key_id()
    }

    /// Signs a decision: a receipt for exactly this request, APPROVED or DENIED.
    ///
    /// # Errors
    /// When it cannot be signed. There is then no decision either.
    pub fn issue(
        &self,
        request: &Request,
        judgement: &Judgement,
        id: ReceiptId,
        salt: Salt,
        at: Timestamp,
    ) -> Result<StoredReceipt, IssueError> {
        let document = request.document().map_err(|error| IssueError::Request(error.to_string()))?;
        let input_hash = request.input_hash().map_err(|error| IssueError::Request(error.to_string()))?;
        let salt_b64 = salt.to_base64();
        let (reason_code, resolution) = match judgement.decision {
            Decision::Approved => ("APPROVAL_GRANTED", Resolution::AllowOnce),
            Decision::Denied => ("APPROVAL_DENIED", Resolution::Deny),
        };
        let draft = Draft {
            id: id.to_string(),
            agent_id: request.actor.to_string(),
            run_id: Some(request.instance.to_string()),
            request: document,
            binding: Binding {
                company_id: Some(request.tenant.to_string()),
                idem_key: Some(request.id.to_string()),
                input_hash: Some(input_hash.clone()),
            },
            summary: judgement.reason.clone(),
            decision: judgement.decision,
            decider: Decider {
                id: judgement.by.id(),
                display: judgement.by.0.to_string(),
                auth_method: Some(AuthMethod::AnonymousDemo),
                resolution: Some(resolution),
                attribution: Attribution::Unattributed,
                proof: None,
            },
            scope: Scope::Demo,
            risk_tier: Some(RiskTier::ExecuteWithApproval),
            policy_version: Some(POLICY_VERSION.to_owned()),
            reason_codes: vec!["EVERY_ACTION_ASKS".to_owned(), reason_code.to_owned()],
            projection: Projection::ExecuteV1,
            created_at: at,
            expires_at: after(at, RECEIPT_LIFETIME),
            salt,
        };
        let minted = receipt::mint(&draft, &*self.signer)?;
        Ok(StoredReceipt {
            id,
            request: request.id.clone(),
            artifact: minted.artifact,
            request_json: minted.opening.request_json,
            request_commitment_salt_b64: salt_b64,
            summary: judgement.reason.clone(),
            company_id: request.tenant.to_string(),
            idem_key: request.id.to_string(),
            input_hash,
        })
    }

    /// Signs how an action ended, as the attestation's portable form in JSON text.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn attest(&self, receipt: &ReceiptId, effect: &Effect, at: Timestamp) -> Result<String, IssueError> {
        let digest = |text: &str| {
            let json = Json::parse(text).map_err(|error| IssueError::Request(error.to_string()))?;
            Ok::<_, IssueError>(Digest::of(json.canonical().as_bytes()))
        };
        let outcome = match effect {
            Effect::Succeeded { output, started_at, finished_at } => ExecutionOutcome::Succeeded {
                started_at: *started_at,
                finished_at: *finished_at,
                output_hash: Some(digest(output)?),
            },
            Effect::Failed { started_at, finished_at, .. } => ExecutionOutcome::Failed {
                started_at: *started_at,
                finished_at: *finished_at,
                output_hash: None,
            },
            Effect::Unknown { .. } => ExecutionOutcome::Unknown { started_at: None },
        };
        let draft =
            AttestationDraft { receipt_id: receipt.to_string(), outcome, tool_call_id: None, created_at: at };
        let attestation = receipt::attest(&draft, &*self.signer)?;
        attestation.to_json().ok_or_else(|| IssueError::Request("the attestation is not complete".to_owned()))
    }
}

/// A time and a while later.
#[must_use]
pub fn after(at: Timestamp, lifetime: Duration) -> Timestamp {
    let millis = i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(at.as_millis().saturating_add(millis))
}
