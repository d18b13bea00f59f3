//! What can be asked of a host from outside, one value each: by a command in its own process, or through its control socket by one in
//! another. Both come to the same function.

mod instance_command;
mod query;
mod submit;

pub use crate::instances::Back;
pub use instance_command::InstanceCommand;
pub use query::ReadOnlyHost;
pub use submit::{Created, Submit};

use crate::issuer::{DemoDecider, Judgement};
use crate::trust::Act;
use crate::{Error, Host, Recorded};
use receipt::{Decision, DecisionStatement, Envelope, PersonId, Role};
use serde::{Deserialize, Serialize};
use store::{InstanceKey, InstanceState, StoredReceipt};
use workflow::{ActorId, ReceiptId, RequestId};

/// Something that a host is to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Operation {
    /// Create an instance, to be driven by whoever works here.
    Submit(Submit),
    /// Do something to an instance.
    Handle {
        /// The instance.
        key: InstanceKey,
        /// The account that has it done.
        by: String,
        /// What.
        handling: InstanceCommand,
    },
    /// Decide a request for show, where nobody decides in earnest.
    DecideAsDemo {
        /// The request.
        request: RequestId,
        /// The decision.
        #[serde(with = "spelling")]
        decision: Decision,
        /// The name that whoever decides goes by. It proves nothing, and the receipt says so.
        by: ActorId,
        /// Why, in their words.
        reason: Option<String>,
    },
    /// Draw up what somebody would sign to decide a request.
    DrawUp {
        /// The request.
        request: RequestId,
        /// Who would sign.
        by: PersonId,
        /// In which role; in the one that the policy asks for where none is named.
        role: Option<Role>,
        /// What they would decide.
        #[serde(with = "spelling")]
        decision: Decision,
        /// Why, in their words.
        reason: Option<String>,
    },
    /// Take in a signed decision about a request.
    Sign {
        /// The request.
        request: RequestId,
        /// The signed statement in its envelope, as JSON text.
        envelope: String,
    },
    /// Draw up what somebody would sign to say that they have looked at what another decided alone.
    DrawUpReview {
        /// The request.
        request: RequestId,
        /// Who would sign.
        by: PersonId,
        /// Whether they agree.
        #[serde(with = "spelling")]
        decision: Decision,
        /// What they found.
        reason: String,
    },
    /// Take in a signed review.
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
        /// The account that does so.
        by: String,
        /// Why.
        reason: Option<String>,
    },
    /// Take a receipt back before it is spent.
    Revoke {
        /// The receipt.
        receipt: ReceiptId,
        /// The account that does so.
        by: String,
        /// Why.
        reason: Option<String>,
    },
    /// Record what an operator says about who may decide.
    Say {
        /// The account that says so.
        by: String,
        /// What.
        act: Act,
    },
}

/// What came of an operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case", deny_unknown_fields)]
pub enum OperationOutcome {
    /// There is an instance.
    Submitted {
        /// Its name.
        key: InstanceKey,
        /// Whether it is new.
        created: Created,
    },
    /// An instance stands so now.
    Stands {
        /// How.
        standing: InstanceState,
    },
    /// This would be signed.
    Statement {
        /// The statement in its canonical form.
        statement: String,
    },
    /// A signature is kept, and there are not enough of them yet.
    Kept {
        /// Who has approved and counts.
        approved: Vec<PersonId>,
        /// What the policy says to the action with their approval, in words.
        ruling: String,
    },
    /// A request is decided.
    Issued {
        /// The receipt.
        receipt: ReceiptId,
        /// The decision that it states, as it is signed.
        status: String,
        /// Until when it can be redeemed.
        expires_at: String,
        /// The instance that waited for it.
        key: InstanceKey,
    },
    /// A receipt is taken back.
    Revoked {
        /// The revocation's own name.
        revocation: ReceiptId,
    },
    /// It is done, and there is nothing more to say.
    Done,
}

impl Operation {
    /// The component that travels beside it; nothing, for most.
    pub(crate) fn component(&self) -> &[u8] {
        match self {
            Self::Submit(submit) => &submit.component,
            Self::Handle { handling: InstanceCommand::Restart { component, .. }, .. } => component,
            _ => &[],
        }
    }

    /// The operation with the component that travelled beside it.
    pub(crate) fn with_component(mut self, component: Vec<u8>) -> Self {
        match &mut self {
            Self::Submit(submit) => submit.component = component.into(),
            Self::Handle { handling: InstanceCommand::Restart { component: of, .. }, .. } => {
                *of = component.into()
            }
            _ => {}
        }
        self
    }
}

impl Host {
    /// Does what an operation says.
    ///
    /// # Errors
    /// Whatever keeps it from being done. Nothing has been done then.
    pub fn operate(&self, operation: Operation) -> Result<OperationOutcome, Error> {
        match operation {
            Operation::Submit(submit) => self.submitted(submit),
            Operation::Handle { key, by, handling } => self.handled(&key, &by, handling),
            Operation::DecideAsDemo { request, decision, by, reason } => {
                let judgement = Judgement { decision, by: DemoDecider::new(by), reason };
                let receipt = self.decide(&request, &judgement)?;
                self.issued(&request, receipt)
            }
            Operation::DrawUp { request, by, role, decision, reason } => {
                let statement = self.statement(&request, &by, role.as_ref(), decision, reason.as_deref())?;
                Ok(drawn_up(&statement))
            }
            Operation::Sign { request, envelope } => self.signed(&request, &parse(&envelope)?),
            Operation::DrawUpReview { request, by, decision, reason } => {
                Ok(drawn_up(&self.review_statement(&request, &by, decision, &reason)?))
            }
            Operation::Review { request, envelope } => {
                self.review(&request, &parse(&envelope)?).map(|()| OperationOutcome::Done)
            }
            Operation::Withdraw { request, by, reason } => {
                self.withdraw(&request, &by, reason.as_deref()).map(|()| OperationOutcome::Done)
            }
            Operation::Revoke { receipt, by, reason } => {
                let revocation = self.revoke(&receipt, &by, reason.as_deref())?.id;
                Ok(OperationOutcome::Revoked { revocation })
            }
            Operation::Say {
                act: Act::Reviewed { .. } | Act::GlassBroken { .. } | Act::PolicyAdopted { .. },
                ..
            } => Err(Error::NotSayable),
            Operation::Say { by, act } => self.say(&by, act).map(|()| OperationOutcome::Done),
        }
    }

    fn signed(&self, request: &RequestId, envelope: &Envelope) -> Result<OperationOutcome, Error> {
        Ok(match self.sign(request, envelope)? {
            Recorded::Waiting(count) => OperationOutcome::Kept {
                approved: count.approved.into_iter().collect(),
                ruling: count.ruling.to_string(),
            },
            Recorded::Issued(receipt) => self.issued(request, *receipt)?,
        })
    }

    fn issued(&self, request: &RequestId, receipt: StoredReceipt) -> Result<OperationOutcome, Error> {
        Ok(OperationOutcome::Issued {
            key: self.standing(request)?.key,
            status: receipt.artifact.status.unwrap_or_default(),
            expires_at: receipt.artifact.expires_at.unwrap_or_default(),
            receipt: receipt.id,
        })
    }
}

fn drawn_up(statement: &DecisionStatement) -> OperationOutcome {
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
