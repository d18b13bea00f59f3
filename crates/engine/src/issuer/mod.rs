//! Approval: requests, decisions, and the receipts that state them. The only module with a private key; nothing in it runs a guest or
//! performs an action.

mod demo;
mod error;
mod issued_log;
mod judging;
mod keyring;
mod local;
mod records;
mod remote;
mod request;
mod review;
mod serve;
mod view;
mod wire;

pub use crate::capability::Reversibility;
pub use demo::{DemoDecider, Judgement};
pub use error::IssueError;
pub use judging::{AdmittedEnvelope, admit, matter, tally};
pub use keyring::{KeyChange, Keyring, KeyringError};
pub use local::LocalIssuer;
pub use policy::Environment;
pub use remote::RemoteIssuer;
pub use request::{Before, Form, Governed, InvalidRequest, ModuleFacts, Performer, Request, ScriptFacts};
pub use serve::{IssuerServer, IssuerServerError, own_account};

pub(crate) use judging::{break_glass_used, check_open};
pub(crate) use records::serves_hosts;
pub(crate) use review::{Reviewable, review};

use crate::trust::{InvitationCode, Trust};
use policy::Policy;
use receipt::{Decision, Digest, Envelope, KeySet, RegistrationResponse, Salt, Scope, Timestamp};
use std::time::Duration;
use store::{RecordedAct, StoredReceipt};
use workflow::{Effect, Entry, ReceiptId, RequestId};

/// The time in which a receipt can be redeemed: the specification's 15 minutes for an authorisation that is signed
/// before it is used.
pub const RECEIPT_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// The holder of the issuer's keys, as a host uses it.
pub trait Issuer: Send + Sync {
    /// Judges a request, and signs the result: a receipt for exactly this request, APPROVED or DENIED.
    ///
    /// # Errors
    /// There is no decision, or it cannot be signed. The request is undecided then.
    fn issue(&self, order: &IssueOrder<'_>, context: JudgingContext<'_>) -> Result<Issued, IssueError>;

    /// Takes a receipt back: a signed revocation of its scope, at the request of this host's operator.
    ///
    /// # Errors
    /// The revocation cannot be signed.
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
    /// The attestation cannot be signed.
    fn attest(
        &self,
        receipt: &ReceiptId,
        scope: Scope,
        effect: &Effect,
        at: Timestamp,
    ) -> Result<(String, String), IssueError>;

    /// Whether the keys, and with them the operators' acts, are in another process.
    fn is_remote(&self) -> bool {
        false
    }

    /// The public keys that verify its signatures, if the keys are in another process and may change at any time.
    fn published_keys(&self) -> Option<Result<KeySet, IssueError>> {
        None
    }

    /// Signs with these keys from now on. An issuer in another process has its own keys.
    fn take_up(&self, _keys: Keyring) {}

    /// The operators' acts after the given one, if they are recorded elsewhere than in the host's own folder.
    fn acts(&self, _after: u64) -> Option<Result<ActsSince, IssueError>> {
        None
    }

    /// Submits a statement that does not complete a quorum to an authority in another process, which admits statements
    /// by its own clock.
    fn admit(&self, _request: &Request, _envelope: &Envelope) -> Option<Result<(), IssueError>> {
        None
    }

    /// Submits a review to an authority in another process, which keeps the operators' acts. Without the request, which
    /// was deleted with its instance, the authority takes the request that its own receipt commits to.
    fn review(
        &self,
        _id: &RequestId,
        _request: Option<&Request>,
        _envelope: &Envelope,
    ) -> Option<Result<(), IssueError>> {
        None
    }

    /// Submits the registration of a passkey to an authority in another process, which keeps the operators' acts.
    fn register(
        &self,
        _code: &InvitationCode,
        _response: &RegistrationResponse,
    ) -> Option<Result<(), IssueError>> {
        None
    }
}

/// The operators' acts at an authority in another process.
#[derive(Debug, Clone)]
pub struct ActsSince {
    /// The [digest](Trust::digest) of all acts up to the requested one.
    pub before: Digest,
    /// The acts since then, in order.
    pub acts: Vec<RecordedAct>,
}

/// The input of an authority's decision.
pub struct IssueOrder<'a> {
    /// The request.
    pub request: &'a Request,
    /// The basis of the decision.
    pub basis: DecisionBasis<'a>,
    /// The receipt's name, if the receipt is issued in this process. An authority in another process names its receipts
    /// itself.
    pub id: ReceiptId,
    /// The salt of its commitment: 32 fresh random bytes. An authority in another process draws its own.
    pub salt: Salt,
    /// The time.
    pub at: Timestamp,
}

/// The basis of a decision.
#[derive(Debug, Clone, Copy)]
pub enum DecisionBasis<'a> {
    /// A demo decider's judgement. Of scope demo only.
    Demo(&'a Judgement),
    /// The policy alone, which asks no person.
    Policy,
    /// People's signed statements.
    People(&'a [AdmittedEnvelope]),
}

/// The people and the policy by which an authority judges.
#[derive(Clone, Copy)]
pub struct JudgingContext<'a> {
    /// The people who may decide.
    pub trust: &'a Trust,
    /// The policy.
    pub policy: &'a dyn Policy,
}

/// A signed decision.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The decision.
    pub decision: Decision,
    /// The decider, as the receipt names it.
    pub decider: String,
    /// In the decider's words.
    pub reason: Option<String>,
    /// The key that signed.
    pub key_id: String,
    /// The time until which the receipt can be redeemed.
    pub expires_at: Timestamp,
    /// The receipt, and what opens it.
    pub receipt: StoredReceipt,
}

impl Issued {
    /// The two facts of the decision, which are recorded together.
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

/// A time and a while later.
#[must_use]
pub fn after(at: Timestamp, lifetime: Duration) -> Timestamp {
    let millis = i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(at.as_millis().saturating_add(millis))
}
