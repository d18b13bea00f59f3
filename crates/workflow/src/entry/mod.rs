//! The facts of an instance, in order.

pub(crate) mod display;
pub(crate) mod kind;

use crate::{
    ActorId, ArtifactFacts, Call, CallMode, Check, Effect, EventNumber, EventType, Failure, Finding,
    ReceiptId, RecordedCommand, RequestId, StepConfig, TenantId,
};
use receipt::{Decision, Digest, PersonId, Timestamp};
use serde::{Deserialize, Serialize};

/// One fact. An intent is written before its effect, so that no effect exists that the journal does not know of.
///
/// No entry contains a secret: the data that open a receipt's commitment are stored in a table of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Entry {
    /// The component that the instance runs, as the loader saw it.
    Loaded {
        /// SHA-256 of the component's bytes.
        component: Digest,
        /// The component's size in bytes.
        bytes: u64,
        /// All imports, sorted.
        imports: Vec<String>,
    },
    /// The instance was created.
    Started {
        /// The tenant that owns it.
        tenant: TenantId,
        /// On whose behalf it acts.
        actor: ActorId,
        /// The workflow's name.
        workflow: String,
        /// The parameters, as JSON text.
        params: String,
        /// The seed of the guest's random numbers.
        seed: Digest,
        /// The person who answers for the actor, if the operator named one. Never decides about its requests.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        operator: Option<PersonId>,
        /// The person who submitted the instance, if one is known. Never decides about its requests.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        submitter: Option<PersonId>,
    },
    /// A step was begun, and its first attempt with it.
    StepStarted {
        /// The call that began it.
        call: Call,
        /// The step's name.
        name: String,
        /// The retry configuration; `None` for a step that is tried once, without a timeout.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        config: Option<StepConfig>,
        /// Whether the workflow waits for the end immediately.
        #[serde(rename = "manner", default, skip_serializing_if = "CallMode::is_blocking")]
        mode: CallMode,
    },
    /// An attempt failed, and there will be another.
    AttemptFailed {
        /// The call that began the step.
        call: Call,
        /// The attempt's number, from 1.
        attempt: u32,
        /// The workflow's failure, or that the attempt took too long.
        failure: Failure,
        /// When the next attempt is due.
        retry_at: Timestamp,
    },
    /// The next attempt of a step was begun.
    AttemptStarted {
        /// The call that began the step.
        call: Call,
        /// The attempt's number.
        attempt: u32,
    },
    /// A step ended well. It never runs again.
    StepCompleted {
        /// The call that began it.
        call: Call,
        /// The step's result, as JSON text.
        output: String,
    },
    /// A step ended badly, and is not tried again.
    StepFailed {
        /// The call that began it.
        call: Call,
        /// The workflow's failure.
        failure: Failure,
    },
    /// The host rejected a call as invalid; the guest got the message.
    Rejected {
        /// The call.
        call: Call,
        /// The call.
        asked: RecordedCommand,
        /// Why the call was rejected.
        message: String,
    },
    /// A sleep began.
    SleepStarted {
        /// The call that asked for the sleep.
        call: Call,
        /// The sleep's name.
        name: String,
        /// When the sleep is over.
        until: Timestamp,
        /// Whether the workflow waits for the end immediately.
        #[serde(rename = "manner", default, skip_serializing_if = "CallMode::is_blocking")]
        mode: CallMode,
    },
    /// A sleep was over, and the workflow got this result.
    SleepEnded {
        /// The call that asked for the sleep.
        call: Call,
    },
    /// A wait for an event began.
    WaitStarted {
        /// The call that waits.
        call: Call,
        /// The wait's name.
        name: String,
        /// The type of event.
        event_type: EventType,
        /// When the wait times out.
        until: Timestamp,
        /// Whether the workflow waits for the end immediately.
        #[serde(rename = "manner", default, skip_serializing_if = "CallMode::is_blocking")]
        mode: CallMode,
    },
    /// The expected event was delivered to the workflow. No other wait gets it.
    WaitMatched {
        /// The call that waited.
        call: Call,
        /// The event.
        event: EventNumber,
    },
    /// The wait timed out without such an event, and the workflow got this result.
    WaitTimedOut {
        /// The call that waited.
        call: Call,
    },
    /// An event arrived. It is kept until the workflow asks for its type.
    EventReceived {
        /// The event's type.
        event_type: EventType,
        /// The event's payload, as JSON text.
        payload: String,
        /// When the event arrived.
        at: Timestamp,
    },
    /// The workflow waits for the first end among these calls.
    Awaiting {
        /// The calls that began them.
        calls: Vec<Call>,
    },
    /// The end of this call, one of several that the workflow had started, was delivered to the workflow.
    #[serde(rename = "told")]
    Delivered {
        /// The call that began it.
        call: Call,
    },
    /// An action waits for a decision.
    Requested {
        /// The call that asked.
        call: Call,
        /// The request.
        request: RequestId,
        /// The call.
        asked: RecordedCommand,
        /// The artifact, if the action is about one.
        artifact: Option<ArtifactFacts>,
        /// Digest of the canonical hashable request, as in the receipt's binding.
        input_hash: String,
        /// When the request lapses without a decision.
        expires_at: Timestamp,
        /// Whether the workflow waits for the decision immediately.
        #[serde(rename = "manner", default, skip_serializing_if = "CallMode::is_blocking")]
        mode: CallMode,
    },
    /// A person signed a decision about a request. The policy says how many such decisions are required.
    Signed {
        /// The request.
        request: RequestId,
        /// The person's decision.
        #[serde(with = "signed_spelling")]
        decision: Decision,
        /// The decider's name.
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
        /// The decider.
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
        /// The time until which the receipt can be redeemed.
        expires_at: Timestamp,
        /// The receipt in its portable, public form, as JSON text.
        document: String,
    },
    /// No decision was made in time.
    Lapsed {
        /// The request.
        request: RequestId,
    },
    /// A request was withdrawn before a decision.
    Withdrawn {
        /// The request.
        request: RequestId,
        /// The account that withdrew it.
        by: String,
        /// The decider's reason.
        reason: Option<String>,
    },
    /// A receipt was verified and spent: the intent to act. It comes before the effect.
    Redeemed {
        /// The call that acts.
        call: Call,
        /// The recorded command, including the receipt.
        asked: RecordedCommand,
        /// The receipt.
        receipt: ReceiptId,
        /// The key by which a target recognises a repetition.
        idempotency_key: Digest,
    },
    /// The gate refused a receipt. Nothing was done.
    Refused {
        /// The call that was refused.
        call: Call,
        /// The recorded command, including the receipt.
        asked: RecordedCommand,
        /// The check that failed.
        check: Check,
        /// The value that did not agree.
        message: String,
    },
    /// The outcome of the effect, as far as it is known.
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
    /// A person found out how an effect ended whose outcome was unknown. The signed attestation is not changed.
    Resolved {
        /// The call that acted.
        call: Call,
        /// The person's finding.
        finding: Finding,
        /// The person.
        by: String,
        /// How the person knows it.
        reason: Option<String>,
    },
    /// An operator paused the instance.
    Paused {
        /// The operator.
        by: String,
    },
    /// An operator resumed the instance, after a pause or a divergence.
    Resumed {
        /// The operator.
        by: String,
    },
    /// The workflow made another call than on its earlier run. The instance stops until an operator acts on it.
    Diverged {
        /// The call at which it did.
        call: Call,
        /// The recorded call, and the call that the workflow made now.
        message: String,
    },
    /// An operator restarted the workflow from a call. That call and all later calls of the workflow no longer count;
    /// decisions, redemptions and effects do.
    Restarted {
        /// The first call that no longer counts; the number of the next call, if all calls still count.
        from: Call,
        /// The operator.
        by: String,
    },
    /// An operator ended the instance.
    Terminated {
        /// The operator.
        by: String,
        /// The operator's reason.
        reason: Option<String>,
    },
    /// The workflow returned.
    Completed {
        /// The workflow's result, as JSON text.
        output: String,
    },
    /// The workflow reported a failure, or was ended.
    Failed {
        /// The failure.
        failure: Failure,
    },
}

/// A decision in the journal is spelled as in the signed receipt.
mod signed_spelling {
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
