//! Operations and queries, the interface of a host, one value each: an [`Operation`] changes the state, a [`Query`] is
//! answered with a [`View`]. The command line, the control socket and HTTP translate to these, and name the
//! [`Principal`] that asks. One table ([`Right`]) holds the access rules.

mod answer;
mod audit_place;
mod change;
mod guard;
mod instance_command;
mod migration;
mod query;
mod read_only;
mod submit;
mod uploads;
mod view;

pub use crate::access::{
    About, AccessError, Account, DeciderSession, Principal, Right, TokenGrant, TokenScope, UnknownScope,
};
pub use crate::instances::{ComponentBytes, RestartPoint};
pub use audit_place::{AuditPlace, InvalidAuditPlace};
pub use change::Change;
pub use instance_command::InstanceCommand;
pub use migration::MovedState;
pub use query::{AuditScope, ExportAudience, Query};
pub use read_only::ReadOnlyHost;
pub use submit::{Created, Submit};
pub use view::{
    AuditRecord, CallRow, DeciderKeyRow, DeciderRow, DeploymentRow, EventCount, InstanceDetail, InstanceRow,
    KeptReceipt, LimitRow, ListedInstance, LoggedRequest, OpenAction, ReceiptKind, ReceiptRow, RequestDetail,
    RequestRow, RequestStatistics, StateDetail, UsageRow, View, WaitsFor,
};

use crate::issuer::{DemoDecider, Judgement};
use crate::trust::Act;
use crate::{Error, Host, SignOutcome};
use receipt::{Decision, DecisionStatement, Envelope, PersonId, Role};
use serde::{Deserialize, Serialize};
use store::{InstanceKey, InstanceState, StoredReceipt};
use workflow::{InvalidId, ReceiptId, RequestId};

/// A change that a host performs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Operation {
    /// Create an instance, for the server to drive.
    Submit(Submit),
    /// Perform a command on an instance.
    #[serde(rename = "handle")]
    ControlInstance {
        /// The instance.
        key: InstanceKey,
        /// The command.
        handling: InstanceCommand,
    },
    /// Decide a request as a demonstration, if no decider is registered.
    DecideAsDemo {
        /// The request.
        request: RequestId,
        /// The decision.
        #[serde(with = "spelling")]
        decision: Decision,
        /// Whether a person looks at the request.
        attended: Attended,
        /// The decider's reason.
        reason: Option<String>,
    },
    /// Draw up the statement that a decider would sign about a request.
    #[serde(rename = "draw-up")]
    PrepareStatement {
        /// The request.
        request: RequestId,
        /// The decider who would sign.
        by: PersonId,
        /// The role. Default: the role that the policy asks for.
        role: Option<Role>,
        /// The decision that they would sign.
        #[serde(with = "spelling")]
        decision: Decision,
        /// The decider's reason.
        reason: Option<String>,
    },
    /// Submit a signed decision about a request.
    Sign {
        /// The request.
        request: RequestId,
        /// The signed statement in its envelope, as JSON text.
        envelope: String,
    },
    /// Prepare the statement with which a decider would review a break-glass decision.
    #[serde(rename = "draw-up-review")]
    PrepareReview {
        /// The request.
        request: RequestId,
        /// The decider who would sign.
        by: PersonId,
        /// Whether the reviewer agrees.
        #[serde(with = "spelling")]
        decision: Decision,
        /// The reviewer's finding.
        reason: String,
    },
    /// Submit a signed review.
    Review {
        /// The request.
        request: RequestId,
        /// The signed statement in its envelope, as JSON text.
        envelope: String,
    },
    /// Take a request back before it is decided.
    Withdraw {
        /// The request.
        request: RequestId,
        /// The reason.
        reason: Option<String>,
    },
    /// Take a receipt back before it is spent.
    Revoke {
        /// The receipt.
        receipt: ReceiptId,
        /// The reason.
        reason: Option<String>,
    },
    /// Make new signing keys.
    RotateKeys {},
    /// Revoke a key of the issuer's: nothing that it ever signed verifies from now on.
    RevokeKey {
        /// The key's id.
        key_id: String,
    },
    /// Record an operator's act about who may decide.
    #[serde(rename = "say")]
    RecordAct {
        /// The act.
        act: Act,
    },
}

/// Whether a person looks at a demo decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attended {
    /// The decision was made before there was a request.
    Automatic,
    /// A person is asked. The receipt names the account that operates the host, and states that it proves nothing.
    InPerson,
}

impl Attended {
    /// The decider of a demo decision.
    ///
    /// # Errors
    /// When `by` is not a valid name of a decider. Every account's name is.
    pub fn decider(self, by: &str) -> Result<DemoDecider, InvalidId> {
        let name = match self {
            Self::Automatic => "automatic",
            Self::InPerson => by,
        };
        name.parse().map(DemoDecider::new)
    }
}

/// The outcome of an operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case", deny_unknown_fields)]
pub enum OperationOutcome {
    /// The instance exists.
    Submitted {
        /// The instance's name.
        key: InstanceKey,
        /// Whether it is new.
        created: Created,
    },
    /// The state of an instance after the command.
    State {
        /// The state.
        state: InstanceState,
    },
    /// The statement that the person would sign.
    Statement {
        /// The statement in its canonical form.
        statement: String,
    },
    /// The signature is stored; more are needed.
    Kept {
        /// The people whose approvals count.
        approved: Vec<PersonId>,
        /// The people whose denials count.
        denied: Vec<PersonId>,
        /// The policy's ruling with their approval, in words.
        ruling: String,
    },
    /// A request is decided.
    Issued {
        /// The receipt.
        receipt: ReceiptId,
        /// The decision that it states, as it is signed.
        status: String,
        /// The time until which the receipt can be redeemed.
        expires_at: String,
        /// The instance that waited for it.
        key: InstanceKey,
    },
    /// A receipt is revoked.
    Revoked {
        /// The revocation's own name.
        revocation: ReceiptId,
    },
    /// New keys sign.
    Rotated {
        /// The ids of the new keys.
        keys: Vec<String>,
    },
    /// The operation is done, and has no further result.
    Done,
}

impl Operation {
    /// The right that it needs, and its object.
    fn needs(&self) -> (Right, About<'_>) {
        match self {
            Self::Submit(submit) => (Right::Submit, About::Tenant(&submit.tenant)),
            Self::ControlInstance { key, handling } => (handling.needs(), About::Tenant(&key.tenant)),
            Self::DecideAsDemo { request, .. } => (Right::DecideAsDemo, About::Request(request)),
            Self::PrepareStatement { request, by, .. } | Self::PrepareReview { request, by, .. } => {
                (Right::PrepareStatement, About::Statement(request, by))
            }
            Self::Sign { request, .. } | Self::Review { request, .. } => {
                (Right::SubmitSignature, About::Request(request))
            }
            Self::Withdraw { request, .. } => (Right::Withdraw, About::Request(request)),
            Self::Revoke { receipt, .. } => (Right::Revoke, About::Receipt(receipt)),
            Self::RotateKeys {} | Self::RevokeKey { .. } | Self::RecordAct { .. } => {
                (Right::RecordAct, About::Host)
            }
        }
    }

    /// The component that travels with it; none, for most.
    pub(crate) fn component(&self) -> &[u8] {
        match self {
            Self::Submit(submit) => submit.component.bytes(),
            Self::ControlInstance { handling: InstanceCommand::Restart { component, .. }, .. } => {
                component.bytes()
            }
            _ => &[],
        }
    }

    /// The operation with the component that travelled with it.
    pub(crate) fn with_component(mut self, component: Vec<u8>) -> Self {
        match &mut self {
            Self::Submit(submit) => submit.component = component.into(),
            Self::ControlInstance { handling: InstanceCommand::Restart { component: of, .. }, .. } => {
                *of = component.into()
            }
            _ => {}
        }
        self
    }
}

impl Host {
    /// Performs an operation for the account that this process runs under.
    ///
    /// # Errors
    /// The operation cannot be performed. It has had no effect then.
    pub fn operate(&self, operation: Operation) -> Result<OperationOutcome, Error> {
        self.operate_as(&Principal::own(), operation)
    }

    /// The sender of a token.
    ///
    /// # Errors
    /// The token is not valid, or the state cannot be read.
    pub fn authenticate(&self, token: &str) -> Result<Principal, Error> {
        let (trust, at) = self.0.trust_now()?;
        Ok(Principal::Token(trust.admit(token, at)?))
    }

    /// Performs an operation for a principal, and records the principal's name.
    ///
    /// # Errors
    /// The principal has no right to the operation, or it cannot be performed. It has had no effect then.
    pub fn operate_as(&self, principal: &Principal, operation: Operation) -> Result<OperationOutcome, Error> {
        let (right, about) = operation.needs();
        guard::check(&*self.0.journals.store, principal, right, about)?;
        let by = &*principal.name();
        match operation {
            Operation::Submit(submit) => self.submitted(submit),
            Operation::ControlInstance { key, handling } => self.handled(&key, by, handling),
            Operation::DecideAsDemo { request, decision, attended, reason } => {
                let judgement = Judgement { decision, by: attended.decider(by)?, reason };
                let receipt = self.decide(&request, &judgement)?;
                self.issued(&request, receipt)
            }
            Operation::PrepareStatement { request, by, role, decision, reason } => {
                let statement = self.statement(&request, &by, role.as_ref(), decision, reason.as_deref())?;
                Ok(statement_outcome(&statement))
            }
            Operation::Sign { request, envelope } => self.signed(&request, &parse(&envelope)?),
            Operation::PrepareReview { request, by, decision, reason } => {
                Ok(statement_outcome(&self.review_statement(&request, &by, decision, &reason)?))
            }
            Operation::Review { request, envelope } => {
                self.review(&request, &parse(&envelope)?).map(|()| OperationOutcome::Done)
            }
            Operation::Withdraw { request, reason } => {
                self.withdraw(&request, by, reason.as_deref()).map(|()| OperationOutcome::Done)
            }
            Operation::Revoke { receipt, reason } => {
                let revocation = self.revoke(&receipt, by, reason.as_deref())?.id;
                Ok(OperationOutcome::Revoked { revocation })
            }
            Operation::RotateKeys {} => Ok(OperationOutcome::Rotated { keys: self.rotate_keys()? }),
            Operation::RevokeKey { key_id } => self.revoke_key(&key_id).map(|()| OperationOutcome::Done),
            Operation::RecordAct {
                act:
                    Act::Reviewed { .. }
                    | Act::BreakGlassUsed { .. }
                    | Act::PolicyAdopted { .. }
                    | Act::PasskeyRegistered { .. },
            } => Err(Error::ActNotAllowed),
            Operation::RecordAct { act } => self.record_act(by, act).map(|()| OperationOutcome::Done),
        }
    }

    fn signed(&self, request: &RequestId, envelope: &Envelope) -> Result<OperationOutcome, Error> {
        Ok(match self.sign(request, envelope)? {
            SignOutcome::Waiting(count) => OperationOutcome::Kept {
                approved: count.approved.into_iter().collect(),
                denied: count.denied.into_iter().collect(),
                ruling: count.ruling.to_string(),
            },
            SignOutcome::Issued(receipt) => self.issued(request, *receipt)?,
        })
    }

    fn issued(&self, request: &RequestId, receipt: StoredReceipt) -> Result<OperationOutcome, Error> {
        Ok(OperationOutcome::Issued {
            key: self.waiting_request(request)?.key,
            status: receipt.artifact.status.unwrap_or_default(),
            expires_at: receipt.artifact.expires_at.unwrap_or_default(),
            receipt: receipt.id,
        })
    }
}

fn statement_outcome(statement: &DecisionStatement) -> OperationOutcome {
    OperationOutcome::Statement { statement: statement.canonical() }
}

fn parse(envelope: &str) -> Result<Envelope, Error> {
    Envelope::parse(envelope).map_err(|error| Error::Statement(error.to_string()))
}

/// A decision is spelled as in a signed receipt.
mod spelling {
    use receipt::Decision;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(decision: &Decision, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(decision.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decision, D::Error> {
        let text = String::deserialize(deserializer)?;
        Decision::from_signed(&text).ok_or_else(|| D::Error::custom("a decision is APPROVED or DENIED"))
    }
}
