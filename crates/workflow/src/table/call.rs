//! One call of a guest, and its state.

use crate::table::trails::{ROOT, TrailId};
use crate::{
    Approval, Call, CallMode, Check, Effect, Entry, EventNumber, EventType, Failure, Finding, Pending,
    ReceiptId, RecordedCommand, RequestId, StepConfig,
};
use receipt::{Decision, Timestamp};

/// One call: the recorded command and its state.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RecordedCall {
    pub(crate) asked: RecordedCommand,
    pub(crate) mode: CallMode,
    pub(crate) state: CallState,
    /// The request that it made, if it made one.
    pub(crate) request: Option<RequestId>,
    /// The step's retry configuration; `None` for a step without one.
    pub(crate) config: Option<StepConfig>,
    /// The trail that the call is in.
    pub(crate) trail: TrailId,
    /// The index of the entry that gave it this state.
    pub(crate) answered: usize,
    /// The index of the entry after which a guest continues without waiting for the call.
    pub(crate) begun: usize,
    /// Whether the call's end has been delivered to the guest.
    pub(crate) delivered: bool,
    /// The workflow went back to before it.
    pub(crate) discarded: bool,
}

/// The state of a call.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum CallState {
    /// An attempt was begun and has not ended.
    StepOpen {
        attempt: u32,
        trail: TrailId,
    },
    /// An attempt failed with `failure`, and the attempt of number `attempt` follows.
    StepDue {
        attempt: u32,
        at: Timestamp,
        failure: Failure,
    },
    StepDone(String),
    StepFailed(Failure),
    Sleeping {
        until: Timestamp,
    },
    Slept,
    Expecting {
        event_type: EventType,
        until: Timestamp,
    },
    Received(EventNumber),
    TimedOut {
        until: Timestamp,
    },
    Rejected(String),
    Pending {
        request: RequestId,
        expires_at: Timestamp,
    },
    Decided {
        request: RequestId,
        decision: Decision,
        decider: String,
        reason: Option<String>,
    },
    Resolved(Approval),
    Redeemed {
        receipt: ReceiptId,
        interrupted: bool,
    },
    Performed {
        receipt: ReceiptId,
        effect: Effect,
    },
    Attested {
        receipt: ReceiptId,
        effect: Effect,
        finding: Option<Finding>,
    },
    Refused {
        check: Check,
        message: String,
    },
}

impl RecordedCall {
    /// The call has redeemed the receipt.
    pub(crate) fn has_redeemed(&self, receipt: &ReceiptId) -> bool {
        matches!(
            self.state,
            CallState::Redeemed { .. } | CallState::Performed { .. } | CallState::Attested { .. }
        ) && matches!(&self.asked, RecordedCommand::Perform { receipt: redeemed, .. } if redeemed == receipt)
    }

    /// The pending wait, unless the call has ended.
    pub(crate) fn pending(&self, call: Call) -> Option<Pending> {
        let name = || self.asked.name().unwrap_or_default().to_owned();
        match &self.state {
            CallState::Pending { request, expires_at } => {
                Some(Pending::Approval { call, request: request.clone(), expires_at: *expires_at })
            }
            CallState::Expecting { event_type, until } => {
                Some(Pending::Event { call, name: name(), event_type: event_type.clone(), until: *until })
            }
            CallState::Sleeping { until } => Some(Pending::Sleep { call, name: name(), until: *until }),
            CallState::StepDue { attempt, at, .. } => {
                Some(Pending::Retry { call, name: name(), attempt: *attempt, at: *at })
            }
            _ => None,
        }
    }

    /// Whether the call has ended.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(
            self.state,
            CallState::StepDone(_)
                | CallState::StepFailed(_)
                | CallState::Slept
                | CallState::Received(_)
                | CallState::TimedOut { .. }
                | CallState::Resolved(_)
        )
    }
}

impl CallState {
    /// Bytes of the guest's in the end of a step.
    pub(crate) fn kept(&self) -> usize {
        match self {
            Self::StepDone(output) => output.len(),
            Self::StepFailed(failure) | Self::StepDue { failure, .. } => {
                failure.name.len() + failure.message.len()
            }
            _ => 0,
        }
    }

    /// The state after `entry`, or what forbids it. An attempt that begins, and an event that is taken, need more than the state to
    /// judge and are not in here.
    pub(crate) fn after(&self, entry: &Entry) -> Result<Self, &'static str> {
        let next = match entry {
            Entry::StepCompleted { .. } | Entry::StepFailed { .. } | Entry::AttemptFailed { .. } => {
                self.after_step(entry)
            }
            Entry::SleepEnded { .. } | Entry::WaitTimedOut { .. } => self.after_wait(entry),
            Entry::Performed { .. } | Entry::Attested { .. } | Entry::Resolved { .. } => {
                self.after_action(entry)
            }
            _ => self.after_request(entry),
        };
        next.ok_or("the call is not in a state that allows it")
    }

    fn after_step(&self, entry: &Entry) -> Option<Self> {
        let Self::StepOpen { attempt: open, .. } = self else { return None };
        match entry {
            Entry::StepCompleted { output, .. } => Some(Self::StepDone(output.clone())),
            Entry::StepFailed { failure, .. } => Some(Self::StepFailed(failure.clone())),
            Entry::AttemptFailed { attempt, failure, retry_at, .. } if attempt == open => {
                Some(Self::StepDue { attempt: open.checked_add(1)?, at: *retry_at, failure: failure.clone() })
            }
            _ => None,
        }
    }

    fn after_wait(&self, entry: &Entry) -> Option<Self> {
        match (self, entry) {
            (Self::Sleeping { .. }, Entry::SleepEnded { .. }) => Some(Self::Slept),
            (Self::Expecting { until, .. }, Entry::WaitTimedOut { .. }) => {
                Some(Self::TimedOut { until: *until })
            }
            _ => None,
        }
    }

    fn after_request(&self, entry: &Entry) -> Option<Self> {
        match (self, entry) {
            // One of several signatures: the host counts them.
            (Self::Pending { .. }, Entry::Signed { .. }) => Some(self.clone()),
            (Self::Pending { request, .. }, Entry::Decided { decision, decider, reason, .. }) => {
                Some(Self::Decided {
                    request: request.clone(),
                    decision: *decision,
                    decider: decider.clone(),
                    reason: reason.clone(),
                })
            }
            (Self::Pending { request, .. }, Entry::Withdrawn { reason, .. }) => {
                Some(Self::Resolved(Approval::Withdrawn { request: request.clone(), reason: reason.clone() }))
            }
            (Self::Pending { request, .. }, Entry::Lapsed { .. }) => {
                Some(Self::Resolved(Approval::Expired { request: request.clone() }))
            }
            (
                Self::Decided { request, decision, decider, reason },
                Entry::Issued { receipt, decision: signed, document, .. },
            ) if decision == signed => Some(Self::Resolved(match decision {
                Decision::Approved => {
                    Approval::Granted { receipt: receipt.clone(), document: document.clone() }
                }
                Decision::Denied => Approval::Denied {
                    request: request.clone(),
                    receipt: receipt.clone(),
                    decider: decider.clone(),
                    reason: reason.clone(),
                },
            })),
            _ => None,
        }
    }

    fn after_action(&self, entry: &Entry) -> Option<Self> {
        match (self, entry) {
            (Self::Redeemed { receipt, .. }, Entry::Performed { receipt: named, effect, .. })
                if receipt == named =>
            {
                Some(Self::Performed { receipt: receipt.clone(), effect: effect.clone() })
            }
            (Self::Performed { receipt, effect }, Entry::Attested { receipt: named, .. })
                if receipt == named =>
            {
                Some(Self::Attested { receipt: receipt.clone(), effect: effect.clone(), finding: None })
            }
            (
                Self::Attested { receipt, effect: effect @ Effect::Unknown { .. }, finding: None },
                Entry::Resolved { finding, .. },
            ) => {
                let (receipt, effect) = (receipt.clone(), effect.clone());
                Some(Self::Attested { receipt, effect, finding: Some(*finding) })
            }
            _ => None,
        }
    }
}

/// The call that an entry opens, if it opens one.
pub(crate) fn opened_by(entry: &Entry) -> Option<(Call, RecordedCall)> {
    let (mut request, mut config, mut mode) = (None, None, CallMode::Blocking);
    let (call, asked, state) = match entry {
        Entry::StepStarted { call, name, config: tried, mode: asked_for } => {
            (config, mode) = (tried.clone(), *asked_for);
            // The table assigns the trail.
            (call, RecordedCommand::step(name), CallState::StepOpen { attempt: 1, trail: ROOT })
        }
        Entry::SleepStarted { call, name, until, mode: asked_for } => {
            mode = *asked_for;
            (call, RecordedCommand::Sleep { name: name.clone() }, CallState::Sleeping { until: *until })
        }
        Entry::WaitStarted { call, name, event_type, until, mode: asked_for } => {
            mode = *asked_for;
            let asked = RecordedCommand::Event { name: name.clone(), event_type: event_type.to_string() };
            (call, asked, CallState::Expecting { event_type: event_type.clone(), until: *until })
        }
        Entry::Rejected { call, asked, message } => {
            (call, asked.clone(), CallState::Rejected(message.clone()))
        }
        Entry::Requested { call, request: id, asked, expires_at, mode: asked_for, .. } => {
            (request, mode) = (Some(id.clone()), *asked_for);
            (call, asked.clone(), CallState::Pending { request: id.clone(), expires_at: *expires_at })
        }
        Entry::Redeemed { call, asked, receipt, .. } => {
            (call, asked.clone(), CallState::Redeemed { receipt: receipt.clone(), interrupted: false })
        }
        Entry::Refused { call, asked, check, message } => {
            (call, asked.clone(), CallState::Refused { check: *check, message: message.clone() })
        }
        _ => return None,
    };
    let recorded = RecordedCall {
        asked,
        mode,
        state,
        request,
        config,
        trail: ROOT,
        answered: 0,
        begun: 0,
        delivered: false,
        discarded: false,
    };
    Some((*call, recorded))
}
