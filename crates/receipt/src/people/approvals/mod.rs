//! Approvals: people's signed decisions, verified one by one, and the ones that a receipt commits to.
//!
//! The committed request of a receipt carries them in its member `approvals`. Only minting puts it there. The digest that
//! people sign is of the request without that member and without what else minting adds.

mod audit;
mod commit;

use alloc::string::String;

use crate::fields::{AuthMethod, Decision};
use crate::format::decider::{Decider, DeciderProof};
use crate::format::names::{PersonId, Role};
use crate::json::members::ShapeError;
use crate::people::deciders::{DeciderSet, KeyHolder, NotCounted, grants};
use crate::people::dsse::{Envelope, EnvelopeError, EnvelopeSignature, VerifiedPayload};
use crate::people::key::NotVerified;
use crate::people::passkey::{Assertion, PasskeyError};
use crate::people::scheme::KeyId;
use crate::people::statement::{DecisionStatement, Expected, Mismatch, StatementError};
use crate::timestamp::Timestamp;

pub(crate) use audit::agree;
pub use audit::{Judged, verify_approvals};
pub use commit::MAX_APPROVALS;
pub(crate) use commit::insert;

/// The longest key id in a decision's envelope, in bytes: twice the ids of this crate.
pub(crate) const MAX_KEY_ID_LEN: usize = 128;

/// A person's decision with verified signature, signer, statement and key status. It may be a denial.
///
/// Only [`DeciderSet::verify`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedDecision {
    envelope: Envelope,
    statement: DecisionStatement,
    key_id: KeyId,
    assertion: Option<Assertion>,
}

impl VerifiedDecision {
    /// The decider.
    pub fn person(&self) -> &PersonId {
        &self.statement.decider
    }

    /// The person's decision.
    pub fn decision(&self) -> Decision {
        self.statement.decision
    }

    /// The role in which the person decided.
    pub fn role(&self) -> &Role {
        &self.statement.role
    }

    /// The signed statement.
    pub fn statement(&self) -> &DecisionStatement {
        &self.statement
    }

    /// The key that signed.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The assertion that signed it, if the key is a passkey.
    pub fn assertion(&self) -> Option<&Assertion> {
        self.assertion.as_ref()
    }

    /// The envelope, for storage. Its unsigned `keyid` is replaced with [`key_id`](Self::key_id).
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }
}

impl Decider {
    /// A person's own signed decision. If a passkey signed it, the assertion is the specification's step-up, and its proof goes along.
    pub fn signed(decision: &VerifiedDecision, verified_at: Timestamp) -> Self {
        let person = Self::person(decision.person(), decision.decision());
        match decision.assertion() {
            None => person,
            Some(assertion) => Self {
                auth_method: Some(AuthMethod::SessionStepupWebauthn),
                proof: Some(DeciderProof::Webauthn(assertion.proof(verified_at))),
                ..person
            },
        }
    }
}

impl DeciderSet {
    /// Verifies one person's decision: signed by a key of this set that counts at [`Expected::at`], naming that key's
    /// person in a role and for a tenant that the person has, and equal to the expectation in every leaf.
    pub fn verify(
        &self,
        envelope: &Envelope,
        expected: &Expected<'_>,
    ) -> Result<VerifiedDecision, ApprovalError> {
        self.judge(envelope, self.authenticate(envelope)?, expected, StatusAsOf::now(expected.at))
    }

    /// Admits a decision that arrives at [`Expected::at`]: verifies it, and refuses a key that may not sign at that
    /// time.
    ///
    /// The time in a statement is only the signer's claim. An expired key could still sign a statement with an earlier
    /// time, so the key is judged by the clock of the party that admits the decision. [`verify`](Self::verify) is for
    /// decisions that were admitted before.
    pub fn admit(
        &self,
        envelope: &Envelope,
        expected: &Expected<'_>,
    ) -> Result<VerifiedDecision, ApprovalError> {
        let decision = self.verify(envelope, expected)?;
        self.counted_as_known(decision.key_id, expected.at, expected.at)?;
        Ok(decision)
    }

    /// Finds the key that signed, and the statement. Does not judge whether the decision counts.
    fn authenticate(&self, envelope: &Envelope) -> Result<Authentic<'_>, ApprovalError> {
        // Exactly one, so that the signer is unambiguous.
        let [signature] = envelope.signatures() else {
            return Err(ApprovalError::Signatures(envelope.signatures().len()));
        };
        // The key id is not signed, and a receipt has limited room for it.
        if signature.key_id.len() > MAX_KEY_ID_LEN {
            return Err(ApprovalError::KeyId(signature.key_id.len()));
        }
        let Some(VerifiedPayload { by: signer, assertion, payload }) = self.signer(envelope) else {
            return Err(self.not_signed(envelope, signature));
        };
        let statement = DecisionStatement::read(&payload)?;
        if statement.decider == signer.person.id {
            return Ok(Authentic { signer, statement, assertion });
        }
        Err(ApprovalError::OtherPerson { signer: signer.person.id.clone(), named: statement.decider })
    }

    /// The error for a signature by no known key: the assertion's own fault, if the passkey that it names is known.
    fn not_signed(&self, envelope: &Envelope, signature: &EnvelopeSignature) -> ApprovalError {
        let named = signature.key_id.parse().ok().and_then(|id| self.key(id));
        let message = envelope.message();
        match named.map(|holder| holder.key.key.verify(&message, &signature.signature)) {
            Some(Err(NotVerified::Passkey(error))) => ApprovalError::Passkey(error),
            _ => ApprovalError::NotSigned,
        }
    }

    /// Judges the remaining rules: the decision counts by the keys and people as of `status`, and matches `expected`.
    fn judge(
        &self,
        envelope: &Envelope,
        Authentic { signer: KeyHolder { person, key }, statement, assertion }: Authentic<'_>,
        expected: &Expected<'_>,
        status: StatusAsOf,
    ) -> Result<VerifiedDecision, ApprovalError> {
        let key_id = key.key.key_id();
        self.counted_as_known(key_id, statement.decided_at, status.at)?;
        statement.check(expected)?;
        let (roles, tenants) = person.grants(status.granted_at);
        if !roles.contains(&statement.role) {
            return Err(ApprovalError::Role { person: statement.decider, role: statement.role });
        }
        if !grants::cover(tenants, &statement.matter.tenant) {
            return Err(ApprovalError::Tenant { person: statement.decider, tenant: statement.matter.tenant });
        }
        Ok(VerifiedDecision { envelope: envelope.clone().naming(key_id), statement, key_id, assertion })
    }
}

/// The knowledge of keys and people that a decision is judged by.
#[derive(Clone, Copy)]
struct StatusAsOf {
    /// The time of the judgement: later changes of keys and people are ignored.
    at: Timestamp,
    /// The time at which the person must have the role and tenant; `None` means the present grants. So setting a clock
    /// back revives no grant.
    granted_at: Option<Timestamp>,
}

impl StatusAsOf {
    fn now(at: Timestamp) -> Self {
        Self { at, granted_at: None }
    }
}

/// A statement whose signer is known, and is the person that it names.
struct Authentic<'s> {
    signer: KeyHolder<'s>,
    statement: DecisionStatement,
    assertion: Option<Assertion>,
}

/// Why a decision does not count, or why a receipt's approvals do not carry it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApprovalError {
    /// The text is not an envelope.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The envelope has no signature, or more than one.
    #[error("a decision has one signature, and this envelope has {0}")]
    Signatures(usize),
    /// The signature's key id is longer than a decision can have.
    #[error("a key id of {0} bytes, more than the {max} that a decision has room for", max = MAX_KEY_ID_LEN)]
    KeyId(usize),
    /// No key of the set signed the envelope.
    #[error("the signature is by no key of the pinned deciders: it was changed, or another key signed it")]
    NotSigned,
    /// The assertion of the passkey that it names is not good.
    #[error("the passkey's signature does not count: {0}")]
    Passkey(PasskeyError),
    /// The payload is not a decision statement.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The statement names a person other than the signer.
    #[error("{signer} signed a decision that names {named} as its decider")]
    OtherPerson {
        /// The person whose key signed.
        signer: PersonId,
        /// The person whom the statement names.
        named: PersonId,
    },
    /// The key or its person does not count.
    #[error("the decision does not count: {0}")]
    NotCounted(#[from] NotCounted),
    /// The receipt's proof is of no assertion of the decider's.
    #[error("the receipt's deciderProof matches none of its decider's signed assertions")]
    Proof,
    /// The person does not have the role, or did not have it then.
    #[error("{person} does not have the role `{role}`")]
    Role {
        /// The person.
        person: PersonId,
        /// The role that they decided in.
        role: Role,
    },
    /// The person does not decide for the tenant.
    #[error("{person} does not decide for tenant `{tenant}`")]
    Tenant {
        /// The person.
        person: PersonId,
        /// The tenant that they decided for.
        tenant: String,
    },
    /// A leaf is not the expected one.
    #[error("another decision was signed: {0}")]
    Mismatch(#[from] Mismatch),
    /// The request has no matter to decide about.
    #[error("people cannot decide this kind of request: {0}")]
    Request(#[from] ShapeError),
    /// The receipt names a human decider, but has no approval.
    #[error("the receipt names `{0}` as its decider, but its request commits to no approval")]
    Missing(String),
    /// Approvals, and a decider who is not among them.
    #[error("the receipt's decider `{0}` is none of the people whose approvals the receipt has")]
    DeciderNotAmong(String),
    /// More than are ever committed.
    #[error("{0} approvals, more than the {MAX_APPROVALS} that a receipt commits to")]
    TooMany(usize),
    /// The receipt can be redeemed after the decision has expired.
    #[error("the receipt is good until {receipt}, and the decision of {person} only until {decision}")]
    Outlived {
        /// The person who decided.
        person: PersonId,
        /// The decision's expiry.
        decision: Timestamp,
        /// Until when the receipt can be redeemed.
        receipt: Timestamp,
    },
}
