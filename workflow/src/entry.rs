//! The facts of an instance, in order.

use crate::ActorId;
use crate::ArtifactFacts;
use crate::Asked;
use crate::Call;
use crate::Clipped;
use crate::Escaped;
use crate::Quoted;
use crate::ReceiptId;
use crate::RequestId;
use crate::TenantId;
use receipt::Decision;
use receipt::Digest;
use receipt::PersonId;
use receipt::Timestamp;
use serde::Deserialize;
use serde::Serialize;
use std::fmt;

/// One fact. An intent is written before its effect, so that a journal never knows less than the world does.
///
/// Nothing in here is secret: what opens a receipt's commitment is kept beside the journal, not in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Entry {
    /// The component that the instance runs, as the loader saw it.
    Loaded {
        /// SHA-256 of the component's bytes.
        component: Digest,
        /// Its size in bytes.
        bytes: u64,
        /// Everything it imports, sorted.
        imports: Vec<String>,
    },
    /// The instance was created.
    Started {
        /// Whom it belongs to.
        tenant: TenantId,
        /// On whose behalf it acts.
        actor: ActorId,
        /// The workflow's name.
        workflow: String,
        /// The parameters, as JSON text.
        params: String,
        /// What the guest's random numbers are derived from.
        seed: Digest,
        /// The person who answers for the actor, where the operator named one. Never decides about its requests.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operator: Option<PersonId>,
        /// The person who submitted the instance, where one is known. Never decides about its requests.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        submitter: Option<PersonId>,
    },
    /// A step was begun.
    StepStarted {
        /// The call that began it.
        call: Call,
        /// Its name.
        name: String,
    },
    /// A step ended well. It never runs again.
    StepCompleted {
        /// The call that began it.
        call: Call,
        /// Its result, as JSON text.
        output: String,
    },
    /// A step ended badly.
    StepFailed {
        /// The call that began it.
        call: Call,
        /// What the workflow said of it.
        failure: Failure,
    },
    /// A call was not acceptable in itself; the guest was told.
    Rejected {
        /// The call.
        call: Call,
        /// What was asked.
        asked: Asked,
        /// What was wrong with it.
        message: String,
    },
    /// An action waits for a decision.
    Requested {
        /// The call that asked.
        call: Call,
        /// The request.
        request: RequestId,
        /// What was asked.
        asked: Asked,
        /// The artifact, where the action is about one.
        artifact: Option<ArtifactFacts>,
        /// Digest of the canonical hashable request, as it stands in the receipt's binding.
        input_hash: String,
        /// When the request lapses if nobody decides.
        expires_at: Timestamp,
    },
    /// Somebody signed a decision about a request. It takes as many as the policy asks for to decide it.
    Signed {
        /// The request.
        request: RequestId,
        /// What they decided.
        #[serde(with = "signed_spelling")]
        decision: Decision,
        /// Who: a decider's name.
        decider: String,
        /// The key that signed.
        key_id: String,
        /// The signed statement in its envelope, as JSON text.
        envelope: String,
    },
    /// A request was decided.
    Decided {
        /// The request.
        request: RequestId,
        /// The decision.
        #[serde(with = "signed_spelling")]
        decision: Decision,
        /// Who decided.
        decider: String,
        /// The decider's words.
        reason: Option<String>,
    },
    /// The decision was signed.
    Issued {
        /// The request.
        request: RequestId,
        /// The receipt.
        receipt: ReceiptId,
        /// The decision that it states.
        #[serde(with = "signed_spelling")]
        decision: Decision,
        /// The key that signed it.
        key_id: String,
        /// Until when it can be redeemed.
        expires_at: Timestamp,
        /// The receipt in its portable, public form, as JSON text.
        document: String,
    },
    /// Nobody decided in time.
    Lapsed {
        /// The request.
        request: RequestId,
    },
    /// A request was taken back before anybody had decided it.
    Withdrawn {
        /// The request.
        request: RequestId,
        /// Who took it back.
        by: String,
        /// Why, in their words.
        reason: Option<String>,
    },
    /// A receipt was verified and spent: the intent to act. It comes before the effect.
    Redeemed {
        /// The call that acts.
        call: Call,
        /// What was asked, receipt included.
        asked: Asked,
        /// The receipt.
        receipt: ReceiptId,
        /// The key under which a target may recognise a repetition.
        idempotency_key: Digest,
    },
    /// The gate refused a receipt. Nothing was done.
    Refused {
        /// The call that was refused.
        call: Call,
        /// What was asked, receipt included.
        asked: Asked,
        /// The check that failed.
        check: Check,
        /// What did not agree.
        message: String,
    },
    /// How the effect ended, as far as is known.
    Performed {
        /// The call that acted.
        call: Call,
        /// The receipt that permitted it.
        receipt: ReceiptId,
        /// The end.
        effect: Effect,
    },
    /// The outcome was signed.
    Attested {
        /// The call that acted.
        call: Call,
        /// The receipt that the attestation is about.
        receipt: ReceiptId,
        /// The key that signed it.
        key_id: String,
        /// The attestation in its portable form, as JSON text.
        document: String,
    },
    /// The workflow returned.
    Completed {
        /// Its result, as JSON text.
        output: String,
    },
    /// The workflow reported a failure, or was ended.
    Failed {
        /// Why.
        failure: Failure,
    },
}

/// A failure with a name for programs and a message for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// A short name for the kind of failure.
    pub name: String,
    /// What went wrong.
    pub message: String,
}

/// How an effect ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Effect {
    /// It took place.
    Succeeded {
        /// What the capability returned, as canonical JSON text.
        output: String,
        /// When it began.
        started_at: Timestamp,
        /// When it had ended.
        finished_at: Timestamp,
    },
    /// It did not take place.
    Failed {
        /// Why.
        message: String,
        /// When it began.
        started_at: Timestamp,
        /// When it had ended.
        finished_at: Timestamp,
    },
    /// It was interrupted, and nobody knows. Never repeated by itself.
    Unknown {
        /// What is known.
        message: String,
    },
}

/// The checks of the gate, in the order in which they are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// The signature, the key, the canonical form or the commitment.
    Verification,
    /// Approved, not denied.
    Decision,
    /// Production or demo, as the gate demands.
    Scope,
    /// The tenant.
    Tenant,
    /// The instance.
    Instance,
    /// The component's digest.
    Code,
    /// The capability.
    Capability,
    /// The resource.
    Resource,
    /// The artifact's name, size and digest.
    Artifact,
    /// Not expired.
    Expiry,
    /// Not spent.
    Redemption,
    /// Not revoked.
    Revocation,
    /// The deciders whose signatures are in the receipt still count, and are as many as it takes.
    Approvals,
    /// The policy in force allows the action with them.
    Policy,
    /// Nobody has frozen the tenant, or everything.
    Freeze,
}

/// A decision in the journal is spelled as in the signed receipt.
mod signed_spelling {
    use receipt::Decision;
    use serde::Deserialize as _;
    use serde::Deserializer;
    use serde::Serializer;
    use serde::de::Error as _;

    pub(super) fn serialize<S: Serializer>(decision: &Decision, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(decision.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decision, D::Error> {
        let text = String::deserialize(deserializer)?;
        Decision::from_signed(&text).ok_or_else(|| D::Error::custom("a decision is APPROVED or DENIED"))
    }
}

/// One line for people.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loaded { component, bytes, imports } => {
                write!(
                    f,
                    "loaded      component sha256 {component}, {bytes} bytes, {} imports",
                    imports.len()
                )
            }
            Self::Started { tenant, actor, workflow, .. } => {
                write!(f, "started     workflow {} for tenant {tenant}, actor {actor}", Quoted(workflow))
            }
            Self::StepStarted { call, name } => write!(f, "step        #{call} {} started", Quoted(name)),
            Self::StepCompleted { call, output } => {
                write!(f, "step        #{call} completed, {} bytes of result", output.len())
            }
            Self::StepFailed { call, failure } => write!(f, "step        #{call} failed: {failure}"),
            Self::Rejected { call, asked, message } => {
                write!(f, "rejected    #{call} {asked}: {}", Clipped(message))
            }
            Self::Requested { call, request, asked, expires_at, .. } => {
                write!(f, "requested   #{call} {request}: {asked}, lapses {expires_at}")
            }
            Self::Signed { request, decision, decider, key_id, .. } => {
                write!(f, "signed      {request}: {decision} by {}, key {}", Quoted(decider), Escaped(key_id))
            }
            Self::Decided { request, decision, decider, reason } => {
                write!(f, "decided     {request}: {decision} by {}", Quoted(decider))?;
                reason.as_ref().map_or(Ok(()), |reason| write!(f, ", {}", Quoted(reason)))
            }
            Self::Issued { receipt, decision, key_id, expires_at, .. } => {
                write!(
                    f,
                    "receipt     {receipt}: {decision}, signed with {}, redeemable until {expires_at}",
                    Escaped(key_id)
                )
            }
            Self::Lapsed { request } => write!(f, "lapsed      {request}: nobody decided in time"),
            Self::Withdrawn { request, by, reason } => {
                write!(f, "withdrawn   {request} by {}", Quoted(by))?;
                reason.as_ref().map_or(Ok(()), |reason| write!(f, ", {}", Quoted(reason)))
            }
            Self::Redeemed { call, receipt, asked, .. } => {
                write!(f, "redeemed    #{call} {receipt} verified and spent for {asked}")
            }
            Self::Refused { call, check, message, .. } => {
                write!(f, "refused     #{call} by the {check} check: {}", Clipped(message))
            }
            Self::Performed { call, receipt, effect } => {
                write!(f, "performed   #{call} on {receipt}: {effect}")
            }
            Self::Attested { receipt, key_id, .. } => {
                write!(f, "attested    {receipt}: outcome signed with {}", Escaped(key_id))
            }
            Self::Completed { output } => write!(f, "completed   {}", Clipped(output)),
            Self::Failed { failure } => write!(f, "failed      {failure}"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", Quoted(&self.name), Quoted(&self.message))
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeded { output, .. } => write!(f, "succeeded, {}", Clipped(output)),
            Self::Failed { message, .. } => write!(f, "failed, {}", Quoted(message)),
            Self::Unknown { message } => write!(f, "unknown, {}", Quoted(message)),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Verification => "verification",
            Self::Decision => "decision",
            Self::Scope => "scope",
            Self::Tenant => "tenant",
            Self::Instance => "instance",
            Self::Code => "code",
            Self::Capability => "capability",
            Self::Resource => "resource",
            Self::Artifact => "artifact",
            Self::Expiry => "expiry",
            Self::Redemption => "redemption",
            Self::Revocation => "revocation",
            Self::Approvals => "approvals",
            Self::Policy => "policy",
            Self::Freeze => "freeze",
        })
    }
}
