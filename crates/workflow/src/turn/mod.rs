//! Turns: the core's answers to commands.

pub(crate) mod wait;

use crate::{
    Action, Call, CallMode, Check, Effect, Entry, Event, Failure, Invocation, ReceiptId, RecordedCommand,
    RequestId, Wait,
};
use receipt::Timestamp;

/// The core's answer to a command.
#[derive(Debug, Clone, PartialEq)]
pub enum Turn {
    /// The answer is in the journal: return it to the guest.
    Return(Outcome),
    /// Park the guest until an input from outside or a due time.
    Wait(Wait),
    /// Append this entry, apply it, and ask again with the same command.
    Record(Entry),
    /// Perform this, append the entry that records it, apply it, and ask again with the same command.
    Do(Live),
    /// The guest broke a rule on which its journal rests, or has no calls left: end the instance with this failure.
    Break(Failure),
}

/// An action of the shell, and the entry that records it.
#[derive(Debug, Clone, PartialEq)]
pub enum Live {
    /// Make a request; append [`Requested`](crate::Entry::Requested).
    Request {
        /// The call.
        call: Call,
        /// The call.
        asked: RecordedCommand,
        /// The action.
        action: Action,
        /// Whether the workflow waits for the decision immediately.
        mode: CallMode,
    },
    /// Check and spend the receipt; append [`Redeemed`](crate::Entry::Redeemed) or [`Refused`](crate::Entry::Refused).
    Redeem {
        /// The call.
        call: Call,
        /// The call.
        asked: RecordedCommand,
        /// The capability.
        invocation: Invocation,
    },
    /// Act; append [`Performed`](crate::Entry::Performed).
    Effect {
        /// The call.
        call: Call,
        /// The capability.
        invocation: Invocation,
        /// The intent was already in the journal when it was loaded: an earlier drive may have acted, wholly or in part.
        interrupted: bool,
    },
    /// Sign the outcome that is recorded; append [`Attested`](crate::Entry::Attested).
    Attest {
        /// The call.
        call: Call,
        /// The receipt that permitted the action.
        receipt: ReceiptId,
        /// The outcome.
        effect: Effect,
    },
}

/// The guest's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// To [`BeginStep`](crate::Command::BeginStep), and to [`Start`](crate::Command::Start) for a step.
    Begun(Begun),
    /// To [`EndStep`](crate::Command::EndStep) and [`FailStep`](crate::Command::FailStep): recorded, or the failure
    /// that was recorded. Awaiting the step says whether another attempt follows.
    Ended(Result<(), Failure>),
    /// To [`Sleep`](crate::Command::Sleep), [`WaitForEvent`](crate::Command::WaitForEvent) and
    /// [`Await`](crate::Command::Await): the end that the workflow waited for.
    Woken {
        /// The call that began it.
        call: Call,
        /// The end.
        ready: Ready,
    },
    /// To [`Start`](crate::Command::Start): the started call. A step whose first attempt is to be made now is answered
    /// with [`Begun::Run`] instead.
    Started(Call),
    /// To [`RequireApproval`](crate::Command::RequireApproval).
    Approval(Approval),
    /// To [`Perform`](crate::Command::Perform).
    Performed(Performance),
    /// To any command that the host rejects as invalid; the text says what is wrong and how to fix it.
    Rejected(String),
}

/// The state of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// Run it; end it with this call.
    Run(Call),
    /// The step has completed, with this result.
    Done(String),
    /// The step has failed.
    Failed(Failure),
}

/// The answer to a workflow that waited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ready {
    /// The next attempt of a step is to be made now: run it, and end it with the call.
    Run {
        /// The attempt's number.
        attempt: u32,
    },
    /// The step has ended.
    Step(Result<String, Failure>),
    /// The sleep is over.
    Slept,
    /// The event has arrived.
    Event(Event),
    /// No event arrived in time.
    TimedOut {
        /// The end of the wait.
        until: Timestamp,
    },
    /// The request has ended.
    Approval(Approval),
}

/// The end of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approval {
    /// Permission, in the form of a receipt.
    Granted {
        /// The receipt.
        receipt: ReceiptId,
        /// The receipt in its portable, public form, as JSON text.
        document: String,
    },
    /// A decision against it.
    Denied {
        /// The request.
        request: RequestId,
        /// The signed denial.
        receipt: ReceiptId,
        /// The decider.
        decider: String,
        /// The decider's words.
        reason: Option<String>,
    },
    /// Taken back before there was a decision.
    Withdrawn {
        /// The request.
        request: RequestId,
        /// The reason of the operator who withdrew it.
        reason: Option<String>,
    },
    /// The request was not decided in time.
    Expired {
        /// The request.
        request: RequestId,
    },
}

/// The end of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Performance {
    /// The action took place; the value is the capability's output, as JSON text.
    Done(String),
    /// The gate refused. Nothing was done.
    Refused {
        /// The check that failed.
        check: Check,
        /// The value that did not agree.
        message: String,
    },
    /// The receipt is spent and nothing was done.
    Failed(String),
    /// The receipt is spent, and the outcome is unknown.
    Unknown(String),
}
