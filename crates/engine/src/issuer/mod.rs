//! Approval: requests, decisions, and the receipts that state them. The only room with a private key; nothing in it runs a guest or
//! performs an action.

mod demo;
mod judging;
mod keyring;
mod ledger;
mod records;
mod remote;
mod request;
mod serve;
mod view;
mod wire;

pub use crate::capability::Reversibility;
pub use demo::{DemoDecider, Judgement};
pub use judging::{Admitted, Purpose, admit, matter, tally};
pub use keyring::{KeyChange, Keyring, KeyringError};
pub use policy::Environment;
pub use remote::RemoteIssuer;
pub use request::{Before, Form, Governed, ModuleFacts, Performer, Request, ScriptFacts, Unaskable};
pub use serve::{IssuerServer, IssuerServerError, own_account};

pub(crate) use judging::{check_open, glass_broken, review};
pub(crate) use records::serves_hosts;

use crate::trust::{Freeze, Trust, Unclear, scope_of};
use crate::words;
use judging::{by_people, by_policy, check_not_frozen};
use policy::Policy;
use receipt::{
    ApprovalError, AttestationDraft, Binding, Decider, Decision, Digest, Draft, Ed25519Signer, Envelope,
    ExecutionOutcome, Json, KeySet, MintError, PersonId, Projection, RiskTier, Salt, Scope, Signer,
    Timestamp, VerifiedDecision,
};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use store::{RecordedAct, StoredReceipt};
use workflow::{Effect, Entry, Quoted, ReceiptId, RequestId, TenantId};

/// How long a receipt can be redeemed. The specification's 15 minutes for an authorisation that is signed before it is used.
pub const RECEIPT_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// What a host asks of whoever holds the issuer's keys.
pub trait Issuer: Send + Sync {
    /// Judges, and signs what comes of it: a receipt for exactly this request, APPROVED or DENIED.
    ///
    /// # Errors
    /// When there is no decision, or it cannot be signed. There is then no decision either.
    fn issue(&self, order: &IssueOrder<'_>, grounds: JudgingContext<'_>) -> Result<Issued, IssueError>;

    /// Takes a receipt back: a signed revocation of its scope, on the word of whoever runs this host.
    ///
    /// # Errors
    /// When it cannot be signed.
    fn revoke(
        &self,
        revoked: &StoredReceipt,
        by: (&str, Option<&str>),
        id: ReceiptId,
        salt: Salt,
        at: Timestamp,
    ) -> Result<StoredReceipt, IssueError>;

    /// Signs how an action ended, with the key of its receipt's scope: the key's id, and the attestation's portable form in JSON text.
    ///
    /// # Errors
    /// When it cannot be signed.
    fn attest(
        &self,
        receipt: &ReceiptId,
        scope: Scope,
        effect: &Effect,
        at: Timestamp,
    ) -> Result<(String, String), IssueError>;

    /// Whether the keys, and with them what operators say, are in another process.
    fn is_elsewhere(&self) -> bool {
        false
    }

    /// The public keys that verify what it signs, where the keys are in another process: they may change there at any time.
    fn published_keys(&self) -> Option<Result<KeySet, IssueError>> {
        None
    }

    /// Signs with these keys from now on. An issuer in another process has keys of its own.
    fn take_up(&self, _keys: Keyring) {}

    /// What operators have said after that act, where they say it elsewhere than in the host's own folder.
    fn acts(&self, _after: u64) -> Option<Result<ActsSince, IssueError>> {
        None
    }

    /// Takes in a statement that is not enough by itself, where signed statements are judged elsewhere too: by the clock there.
    fn admit(&self, _request: &Request, _envelope: &Envelope) -> Option<Result<(), IssueError>> {
        None
    }

    /// Takes in a review, where what operators say is kept elsewhere.
    fn review(&self, _request: &Request, _envelope: &Envelope) -> Option<Result<(), IssueError>> {
        None
    }
}

/// What operators said at an authority in another process.
#[derive(Debug, Clone)]
pub struct ActsSince {
    /// The [digest](Trust::digest) of everything that was said there up to the act after which was asked.
    pub before: Digest,
    /// What was said since, in order.
    pub acts: Vec<RecordedAct>,
}

/// Issues receipts and attestations. Holds the issuer's keys, and signs only what it has judged itself: it counts the deciders' signatures
/// and asks the policy, whoever says that they agree.
pub struct LocalIssuer {
    /// Others from the moment on at which the keys are rotated or revoked.
    signers: RwLock<Signers>,
}

/// What signs receipts of each scope. None where the key set has no active key of that scope.
struct Signers {
    demo: Option<Arc<dyn Signer + Send + Sync>>,
    production: Option<Arc<dyn Signer + Send + Sync>>,
}

/// What an authority is asked to decide about, and what it is told by those who judge.
pub struct IssueOrder<'a> {
    /// The request.
    pub request: &'a Request,
    /// On what the decision rests.
    pub basis: DecisionBasis<'a>,
    /// The receipt's name, where it is issued in this process. An authority in another process names its receipts itself.
    pub id: ReceiptId,
    /// The salt of its commitment: 32 fresh random bytes. An authority in another process draws its own.
    pub salt: Salt,
    /// The time.
    pub at: Timestamp,
}

/// On what a decision rests.
#[derive(Debug, Clone, Copy)]
pub enum DecisionBasis<'a> {
    /// A demo decider's word. Of scope demo, and good for nothing else.
    Demo(&'a Judgement),
    /// The policy alone, which asks nobody.
    Policy,
    /// People's signed statements.
    People(&'a [Admitted]),
}

/// By whom and by what an authority judges.
#[derive(Clone, Copy)]
pub struct JudgingContext<'a> {
    /// Who may decide.
    pub trust: &'a Trust,
    /// What the policy is.
    pub policy: &'a dyn Policy,
}

/// A signed decision.
#[derive(Debug, Clone)]
pub struct Issued {
    /// What was decided.
    pub decision: Decision,
    /// Who decided, as it stands in the receipt.
    pub decider: String,
    /// In the decider's words.
    pub reason: Option<String>,
    /// The key that signed.
    pub key_id: String,
    /// Until when it can be redeemed.
    pub expires_at: Timestamp,
    /// The receipt, and what opens it.
    pub receipt: StoredReceipt,
}

impl Issued {
    /// The two facts that it comes to, which are recorded together.
    #[must_use]
    pub fn entries(&self, request: &RequestId) -> [Entry; 2] {
        [
            Entry::Decided {
                request: request.clone(),
                decision: self.decision,
                decider: self.decider.clone(),
                reason: self.reason.clone(),
            },
            Entry::Issued {
                request: request.clone(),
                receipt: self.receipt.id.clone(),
                decision: self.decision,
                key_id: self.key_id.clone(),
                expires_at: self.expires_at,
                document: self.receipt.artifact.to_json(),
            },
        ]
    }
}

/// Why no receipt was issued. Nothing was signed, and nothing was decided.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The request cannot stand in a receipt.
    #[error("the request cannot be put into a receipt: {0}")]
    Request(String),
    /// The request does not say what it is about.
    #[error(transparent)]
    Unclear(#[from] Unclear),
    /// Nobody decided in time.
    #[error("request {request} lapsed at {at}")]
    Lapsed {
        /// The request.
        request: RequestId,
        /// When.
        at: Timestamp,
    },
    /// A signed statement that does not count.
    #[error("the signed decision does not count: {0}")]
    Approval(#[from] ApprovalError),
    /// Nothing to sign with.
    #[error("there is no active key for {0} receipts: make one with pp-host keys rotate")]
    NoActiveKey(Scope),
    /// Somebody has stopped everything.
    #[error("approvals are frozen since {}: {}; pp-host thaw --reason WORDS ends it", .0.since, Quoted(&.0.reason))]
    Frozen(Freeze),
    /// Somebody decided alone, and nobody has looked at it.
    #[error(
        "{decider} decided {request} of tenant {tenant} alone; nothing more is approved there until somebody else has reviewed that: pp-host review {request} --as NAME --key FILE --reason WORDS"
    )]
    Unreviewed {
        /// Whose.
        tenant: TenantId,
        /// Which request.
        request: RequestId,
        /// Who decided it.
        decider: PersonId,
    },
    /// Not enough people.
    #[error("there is no decision yet: {0}")]
    Undecided(String),
    /// The authority's own process does not answer.
    #[error("the authority at {} does not answer: {why} (is pp-host authority running there?)", socket.display())]
    Unreachable {
        /// Where.
        socket: std::path::PathBuf,
        /// Why.
        why: String,
    },
    /// Another account's process listens there.
    #[error(
        "the process that listens on {} is account {found}'s, and the authority is expected to be account {expected}'s: nothing was asked of it (--authority-account names the account of the authority)", socket.display()
    )]
    Stranger {
        /// Where.
        socket: std::path::PathBuf,
        /// Whose process it is.
        found: u32,
        /// Whose it should be.
        expected: u32,
    },
    /// The authority's own process says no.
    #[error("the authority refuses: {0}")]
    Refused(String),
    /// The receipt could not be signed, or did not verify afterwards.
    #[error("no receipt was issued: {0}")]
    Mint(#[from] MintError),
}

/// What a receipt says beside the request: who decided what, how, and until when.
struct Judged {
    decision: Decision,
    decider: Decider,
    reason: Option<String>,
    codes: Vec<String>,
    policy_version: String,
    approvals: Vec<VerifiedDecision>,
    expires_at: Timestamp,
}

impl LocalIssuer {
    /// An authority that signs demo decisions with the one key, and decisions in earnest with the other.
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
        said: Judged,
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
    fn issue(&self, order: &IssueOrder<'_>, grounds: JudgingContext<'_>) -> Result<Issued, IssueError> {
        let words = |error: receipt::JsonError| IssueError::Request(error.to_string());
        judging::check_age(order.request, order.at)?;
        let (document, input_hash) = order.request.hashed().map_err(words)?;
        let (scope, said) = match order.basis {
            DecisionBasis::Demo(judgement) => (Scope::Demo, demo::verdict(judgement, order, grounds.policy)),
            DecisionBasis::Policy => (Scope::Production, by_policy(order, grounds, &document)?),
            DecisionBasis::People(admitted) => {
                (Scope::Production, by_people(order, grounds, &document, admitted)?)
            }
        };
        // Whoever decides.
        if said.decision == Decision::Approved {
            check_not_frozen(order.request, grounds.trust)?;
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
        words::check(by, reason).map_err(|error| IssueError::Refused(error.to_string()))?;
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

/// A time and a while later.
#[must_use]
pub fn after(at: Timestamp, lifetime: Duration) -> Timestamp {
    let millis = i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(at.as_millis().saturating_add(millis))
}
