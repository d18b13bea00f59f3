//! Approvals: people's signed decisions, verified one by one, and the ones that a receipt commits to.
//!
//! The committed request of a receipt carries them in its member `approvals`. Only minting puts it there. The digest that
//! people sign is of the request without that member and without what else minting adds.

mod audit;
mod commit;

use alloc::string::String;

use crate::deciders::{DeciderSet, KeyId, NotCounted, PersonId, Role, Standing};
use crate::dsse::{Envelope, EnvelopeError};
use crate::fields::Decision;
use crate::members::ShapeError;
use crate::statement::{DecisionStatement, Expected, Mismatch, StatementError};
use crate::timestamp::Timestamp;

pub use audit::{Judged, verify_approvals};
pub(crate) use audit::{Said, agree};
pub(crate) use commit::{APPROVALS_KEY, insert};
pub use commit::{MAX_APPROVALS, request_digest};

/// A person's decision whose signature, signer, statement and standing were all checked. It may be a denial.
///
/// Only [`DeciderSet::verify`] makes one.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedDecision {
    envelope: Envelope,
    statement: DecisionStatement,
    key_id: KeyId,
}

impl VerifiedDecision {
    /// Who decided.
    pub fn person(&self) -> &PersonId {
        &self.statement.decider
    }

    /// What they decided.
    pub fn decision(&self) -> Decision {
        self.statement.decision
    }

    /// In which role.
    pub fn role(&self) -> &Role {
        &self.statement.role
    }

    /// All that was signed.
    pub fn statement(&self) -> &DecisionStatement {
        &self.statement
    }

    /// The key that signed.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The envelope that it came in, for keeping.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }
}

impl DeciderSet {
    /// Verifies one person's decision: signed by a key of this set, stating that key's person, in a role and for a tenant
    /// that they have, by a key that counts at [`Expected::at`], and saying in every leaf what is expected.
    pub fn verify(
        &self,
        envelope: &Envelope,
        expected: &Expected<'_>,
    ) -> Result<VerifiedDecision, ApprovalError> {
        self.admit(envelope, self.authenticate(envelope)?, expected)
    }

    /// Whose key signed which statement. Not yet whether it counts.
    fn authenticate(&self, envelope: &Envelope) -> Result<(Standing<'_>, DecisionStatement), ApprovalError> {
        // One, so that there is no question whose decision it is.
        let [_] = envelope.signatures() else {
            return Err(ApprovalError::Signatures(envelope.signatures().len()));
        };
        let (signer, payload) = self.signer(envelope).ok_or(ApprovalError::NotSigned)?;
        let statement = DecisionStatement::read(&payload)?;
        if statement.decider == signer.person.id {
            return Ok((signer, statement));
        }
        Err(ApprovalError::OtherPerson { signer: signer.person.id.clone(), named: statement.decider })
    }

    /// The rest: whether it counts, and is what is expected.
    fn admit(
        &self,
        envelope: &Envelope,
        (Standing { person, key }, statement): (Standing<'_>, DecisionStatement),
        expected: &Expected<'_>,
    ) -> Result<VerifiedDecision, ApprovalError> {
        let key_id = key.key.key_id();
        self.standing_as_known(key_id, statement.decided_at, expected.at)?;
        statement.check(expected)?;
        if !person.has_role(&statement.role) {
            return Err(ApprovalError::Role { person: statement.decider, role: statement.role });
        }
        if !person.decides_for(&statement.matter.tenant) {
            return Err(ApprovalError::Tenant { person: statement.decider, tenant: statement.matter.tenant });
        }
        Ok(VerifiedDecision { envelope: envelope.clone(), statement, key_id })
    }
}

/// Why a decision does not count, or why a receipt's approvals do not carry it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ApprovalError {
    /// Not an envelope.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// None, or more than one.
    #[error("a decision has one signature, and this envelope has {0}")]
    Signatures(usize),
    /// No key of the set signed it.
    #[error("the signature is by no key of the pinned deciders: it was changed, or somebody else signed it")]
    NotSigned,
    /// Not a decision statement.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// One person signed and another is named.
    #[error("{signer} signed a decision that names {named} as its decider")]
    OtherPerson {
        /// Whose key signed.
        signer: PersonId,
        /// Whom the statement names.
        named: PersonId,
    },
    /// The key or its person does not count.
    #[error("the decision does not count: {0}")]
    NotCounted(#[from] NotCounted),
    /// The person does not have the role.
    #[error("{person} does not have the role `{role}`")]
    Role {
        /// Who.
        person: PersonId,
        /// The role that they decided in.
        role: Role,
    },
    /// The person does not decide for the tenant.
    #[error("{person} does not decide for tenant `{tenant}`")]
    Tenant {
        /// Who.
        person: PersonId,
        /// The tenant that they decided for.
        tenant: String,
    },
    /// A leaf is not the expected one.
    #[error("another decision was signed: {0}")]
    Mismatch(#[from] Mismatch),
    /// The request has no matter that anybody could have decided about.
    #[error("the request is not one that people decide about: {0}")]
    Request(#[from] ShapeError),
    /// A human decided, and no approval is there to show it.
    #[error("`{0}` is said to have decided, and no approval is committed in the request")]
    Missing(String),
    /// Approvals, and a decider who is not among them.
    #[error("the receipt's decider `{0}` is none of the people whose approvals it carries")]
    DeciderNotAmong(String),
    /// More than are ever committed.
    #[error("{0} approvals, more than the {MAX_APPROVALS} that a receipt commits to")]
    TooMany(usize),
    /// The receipt can be redeemed for longer than a decision stands.
    #[error("the receipt is good until {receipt}, and the decision of {person} only until {decision}")]
    Outlived {
        /// Whose decision.
        person: PersonId,
        /// Until when it stands.
        decision: Timestamp,
        /// Until when the receipt can be redeemed.
        receipt: Timestamp,
    },
}
