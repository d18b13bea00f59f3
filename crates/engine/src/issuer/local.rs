//! The issuer that holds the keys in this process.

use crate::issuer::demo;
use crate::issuer::error::IssueError;
use crate::issuer::judging::{DecisionContent, by_people, by_policy, check_age, check_not_frozen};
use crate::issuer::{DecisionBasis, IssueOrder, Issued, Issuer, JudgingContext, Keyring};
use crate::text_limits;
use crate::trust::scope_of;
use receipt::{
    AttestationDraft, Binding, Decision, Digest, Draft, Ed25519Signer, ExecutionOutcome, Json, Projection,
    RiskTier, Salt, Scope, Signer, Timestamp,
};
use std::sync::{Arc, PoisonError, RwLock};
use store::StoredReceipt;
use workflow::{Effect, ReceiptId};

/// Issues receipts and attestations. Holds the issuer's keys, and signs only what it has judged itself: it counts the
/// deciders' signatures and asks the policy. It does not rely on a caller's claim that the quorum is met.
pub struct LocalIssuer {
    /// Others from the moment on at which the keys are rotated or revoked.
    signers: RwLock<Signers>,
}

/// The signer of each scope. `None` if the key set has no active key of that scope.
struct Signers {
    demo: Option<Arc<dyn Signer + Send + Sync>>,
    production: Option<Arc<dyn Signer + Send + Sync>>,
}

impl LocalIssuer {
    /// An authority that signs demo decisions with one key, and people's decisions with the other.
    #[must_use]
    pub fn new(demo: Box<dyn Signer + Send + Sync>, production: Box<dyn Signer + Send + Sync>) -> Self {
        let signers = Signers { demo: Some(demo.into()), production: Some(production.into()) };
        Self { signers: RwLock::new(signers) }
    }

    /// An authority that signs with the keys of a folder.
    #[must_use]
    pub fn with(keyring: Keyring) -> Self {
        Self { signers: RwLock::new(keyring.into()) }
    }

    fn sign(
        &self,
        order: &IssueOrder<'_>,
        scope: Scope,
        said: DecisionContent,
        document: Json,
        input_hash: String,
    ) -> Result<Issued, IssueError> {
        let (request, signer) = (order.request, self.signer(scope)?);
        let salt_b64 = order.salt.to_base64();
        let draft = Draft {
            id: order.id.to_string(),
            agent_id: request.actor.to_string(),
            run_id: Some(request.instance.to_string()),
            request: document,
            approvals: said.approvals,
            binding: Binding {
                company_id: Some(request.tenant.to_string()),
                idem_key: Some(request.id.to_string()),
                input_hash: Some(input_hash.clone()),
            },
            summary: said.reason.clone(),
            decision: said.decision,
            decider: said.decider.clone(),
            scope,
            risk_tier: Some(RiskTier::ExecuteWithApproval),
            policy_version: Some(said.policy_version),
            reason_codes: said.codes,
            projection: Projection::ExecuteV1,
            created_at: order.at,
            expires_at: said.expires_at,
            salt: order.salt.clone(),
        };
        let minted = receipt::mint(&draft, &*signer)?;
        let receipt = StoredReceipt {
            id: order.id.clone(),
            request: request.id.clone(),
            artifact: minted.artifact,
            request_json: minted.opening.request_json,
            request_commitment_salt_b64: salt_b64,
            summary: said.reason.clone(),
            company_id: request.tenant.to_string(),
            idem_key: request.id.to_string(),
            input_hash,
        };
        Ok(Issued {
            decision: said.decision,
            decider: said.decider.id,
            reason: said.reason,
            key_id: signer.key_id().to_owned(),
            expires_at: said.expires_at,
            receipt,
        })
    }

    fn signer(&self, scope: Scope) -> Result<Arc<dyn Signer + Send + Sync>, IssueError> {
        let signers = self.signers.read().unwrap_or_else(PoisonError::into_inner);
        let signer = match scope {
            Scope::Demo => &signers.demo,
            Scope::Production => &signers.production,
        };
        signer.clone().ok_or(IssueError::NoActiveKey(scope))
    }
}

impl From<Keyring> for Signers {
    fn from(Keyring { demo, production, .. }: Keyring) -> Self {
        let shared = |signer: Option<Ed25519Signer>| signer.map(|signer| Arc::new(signer) as Arc<_>);
        Self { demo: shared(demo), production: shared(production) }
    }
}

impl Issuer for LocalIssuer {
    fn issue(&self, order: &IssueOrder<'_>, context: JudgingContext<'_>) -> Result<Issued, IssueError> {
        let words = |error: receipt::JsonError| IssueError::Request(error.to_string());
        check_age(order.request, order.at)?;
        let (document, input_hash) = order.request.hashed().map_err(words)?;
        let (scope, said) = match order.basis {
            DecisionBasis::Demo(judgement) => (Scope::Demo, demo::verdict(judgement, order, context.policy)),
            DecisionBasis::Policy => (Scope::Production, by_policy(order, context, &document)?),
            DecisionBasis::People(admitted) => {
                (Scope::Production, by_people(order, context, &document, admitted)?)
            }
        };
        // For approvals and for denials alike.
        if said.decision == Decision::Approved {
            check_not_frozen(order.request, context.trust)?;
        }
        self.sign(order, scope, said, document, input_hash)
    }

    fn revoke(
        &self,
        revoked: &StoredReceipt,
        (by, reason): (&str, Option<&str>),
        id: ReceiptId,
        salt: Salt,
        at: Timestamp,
    ) -> Result<StoredReceipt, IssueError> {
        text_limits::check(by, reason).map_err(|error| IssueError::Refused(error.to_string()))?;
        let scope = scope_of(&revoked.artifact.key_id);
        let salt_b64 = salt.to_base64();
        let draft = Draft {
            id: id.to_string(),
            agent_id: receipt::REVOCATION_AGENT.to_owned(),
            run_id: None,
            request: receipt::revocation_request(revoked.id.as_str(), reason),
            approvals: Vec::new(),
            binding: Binding {
                company_id: Some(revoked.company_id.clone()),
                idem_key: Some(format!("revocation:{}", revoked.id)),
                input_hash: None,
            },
            summary: reason.map(ToOwned::to_owned),
            decision: Decision::Denied,
            decider: demo::operator(scope, by),
            scope,
            risk_tier: None,
            policy_version: None,
            reason_codes: vec!["AUTHORIZATION_REVOKED".to_owned()],
            projection: Projection::RevocationV1,
            created_at: at,
            expires_at: at,
            salt,
        };
        let minted = receipt::mint(&draft, &*self.signer(scope)?)?;
        Ok(StoredReceipt {
            id,
            request: revoked.request.clone(),
            artifact: minted.artifact,
            request_json: minted.opening.request_json,
            request_commitment_salt_b64: salt_b64,
            summary: reason.map(ToOwned::to_owned),
            company_id: revoked.company_id.clone(),
            idem_key: format!("revocation:{}", revoked.id),
            input_hash: String::new(),
        })
    }

    fn attest(
        &self,
        receipt: &ReceiptId,
        scope: Scope,
        effect: &Effect,
        at: Timestamp,
    ) -> Result<(String, String), IssueError> {
        let digest = |text: &str| {
            let json = Json::parse(text).map_err(|error| IssueError::Request(error.to_string()))?;
            Ok::<_, IssueError>(Digest::of(json.canonical().as_bytes()))
        };
        // Journals of earlier versions may have an end that is before the beginning, by a clock that was set back in
        // between. The instance could not continue without an attestation, which states that the action took no time.
        let outcome = match effect {
            Effect::Succeeded { output, started_at, finished_at } => ExecutionOutcome::Succeeded {
                started_at: *started_at,
                finished_at: *finished_at.max(started_at),
                output_hash: Some(digest(output)?),
            },
            Effect::Failed { started_at, finished_at, .. } => ExecutionOutcome::Failed {
                started_at: *started_at,
                finished_at: *finished_at.max(started_at),
                output_hash: None,
            },
            Effect::Unknown { .. } => ExecutionOutcome::Unknown { started_at: None },
        };
        let draft =
            AttestationDraft { receipt_id: receipt.to_string(), outcome, tool_call_id: None, created_at: at };
        let signer = self.signer(scope)?;
        let attestation = receipt::attest(&draft, &*signer)?;
        let document = attestation.to_json();
        let document =
            document.ok_or_else(|| IssueError::Request("the attestation is not complete".to_owned()))?;
        Ok((signer.key_id().to_owned(), document))
    }

    fn take_up(&self, keys: Keyring) {
        *self.signers.write().unwrap_or_else(PoisonError::into_inner) = keys.into();
    }
}
