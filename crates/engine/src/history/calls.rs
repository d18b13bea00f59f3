//! The calls of a workflow in order, and the stage of each.

use receipt::{Decision, Timestamp};
use std::collections::BTreeMap;
use std::fmt;
use store::Fact;
use workflow::{
    Check, Clipped, Effect, Entry, EventNumber, Failure, Finding, Quoted, ReceiptId, RecordedCommand,
    RequestId,
};

/// One call of a workflow.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The call's number.
    pub number: workflow::Call,
    /// The call.
    pub asked: RecordedCommand,
    /// The time at which the call began.
    pub began: Timestamp,
    /// The time at which the call's stage last changed.
    pub changed: Timestamp,
    /// The number of attempts of a step.
    pub attempts: u32,
    /// The call's stage.
    pub stage: Stage,
    /// The workflow went back to before it: it counts no longer.
    pub superseded: bool,
}

/// The stage of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Stage {
    /// A step's attempt was begun and has not ended.
    Underway,
    /// An attempt failed, and there will be another.
    Again {
        /// The failure.
        failure: Failure,
        /// When the step is tried again.
        at: Timestamp,
    },
    /// A step completed; the value is the size of its result in bytes.
    Completed(usize),
    /// A step failed permanently.
    Failed(Failure),
    /// A sleep or a wait that lasts until then at most.
    Until(Timestamp),
    /// A sleep is over.
    Over,
    /// A wait got its event.
    Got(EventNumber),
    /// A wait got none in time.
    TimedOut,
    /// A request waits for a decision.
    Asks {
        /// The request.
        request: RequestId,
        /// The people who have approved so far, in order.
        signed: Vec<String>,
        /// When the request lapses.
        expires_at: Timestamp,
    },
    /// A request was decided.
    Decided {
        /// The request.
        request: RequestId,
        /// The decision.
        decision: Decision,
        /// The decider.
        decider: String,
        /// The receipt.
        receipt: Option<ReceiptId>,
    },
    /// A request lapsed.
    Lapsed(RequestId),
    /// A request was withdrawn.
    Withdrawn(RequestId),
    /// A receipt is spent, and the action was begun.
    Redeemed(ReceiptId),
    /// An action ended so.
    Ended {
        /// The receipt that permitted it.
        receipt: ReceiptId,
        /// The outcome.
        effect: Effect,
        /// The outcome is signed.
        attested: bool,
        /// A person's finding about an unknown outcome.
        finding: Option<Finding>,
    },
    /// The gate refused it.
    Refused {
        /// The check.
        check: Check,
        /// The value that did not agree.
        message: String,
    },
    /// The host rejected the call as invalid.
    Rejected(String),
}

/// Follows a journal, call by call.
pub(super) fn follow(facts: &[Fact]) -> Vec<Call> {
    let mut calls = Calls::default();
    facts.iter().for_each(|fact| calls.take(fact));
    calls.all
}

#[derive(Default)]
struct Calls {
    all: Vec<Call>,
    asking: BTreeMap<RequestId, workflow::Call>,
}

impl Calls {
    fn take(&mut self, fact: &Fact) {
        if let Some((number, asked, stage)) = opened(&fact.entry) {
            if let Stage::Asks { request, .. } = &stage {
                self.asking.insert(request.clone(), number);
            }
            let (began, changed) = (fact.at, fact.at);
            self.all.push(Call { number, asked, began, changed, attempts: 1, stage, superseded: false });
            return;
        }
        if let Entry::Restarted { from, .. } = &fact.entry {
            self.all.iter_mut().filter(|call| call.number >= *from).for_each(|call| call.superseded = true);
            return;
        }
        let Some(number) = self.number_of(&fact.entry) else { return };
        // Calls are numbered in the order in which they begin.
        if let Some(call) = self.all.get_mut(number as usize) {
            call.changed = fact.at;
            change(call, &fact.entry);
        }
    }

    fn number_of(&self, entry: &Entry) -> Option<workflow::Call> {
        match entry {
            Entry::AttemptFailed { call, .. }
            | Entry::AttemptStarted { call, .. }
            | Entry::StepCompleted { call, .. }
            | Entry::StepFailed { call, .. }
            | Entry::SleepEnded { call }
            | Entry::WaitMatched { call, .. }
            | Entry::WaitTimedOut { call }
            | Entry::Performed { call, .. }
            | Entry::Attested { call, .. }
            | Entry::Resolved { call, .. } => Some(*call),
            Entry::Signed { request, .. }
            | Entry::Decided { request, .. }
            | Entry::Issued { request, .. }
            | Entry::Lapsed { request }
            | Entry::Withdrawn { request, .. } => self.asking.get(request).copied(),
            _ => None,
        }
    }
}

/// The call that an entry begins.
fn opened(entry: &Entry) -> Option<(workflow::Call, RecordedCommand, Stage)> {
    Some(match entry {
        Entry::StepStarted { call, name, .. } => (*call, RecordedCommand::step(name), Stage::Underway),
        Entry::SleepStarted { call, name, until, .. } => {
            (*call, RecordedCommand::Sleep { name: name.clone() }, Stage::Until(*until))
        }
        Entry::WaitStarted { call, name, event_type, until, .. } => {
            let asked = RecordedCommand::Event { name: name.clone(), event_type: event_type.to_string() };
            (*call, asked, Stage::Until(*until))
        }
        Entry::Requested { call, request, asked, expires_at, .. } => {
            let (request, expires_at) = (request.clone(), *expires_at);
            (*call, asked.clone(), Stage::Asks { request, signed: Vec::new(), expires_at })
        }
        Entry::Redeemed { call, asked, receipt, .. } => {
            (*call, asked.clone(), Stage::Redeemed(receipt.clone()))
        }
        Entry::Refused { call, asked, check, message } => {
            (*call, asked.clone(), Stage::Refused { check: *check, message: message.clone() })
        }
        Entry::Rejected { call, asked, message } => (*call, asked.clone(), Stage::Rejected(message.clone())),
        // All of them, by name: an entry that begins a call and is not above would shift the numbers of those that follow.
        Entry::Loaded { .. }
        | Entry::Started { .. }
        | Entry::AttemptFailed { .. }
        | Entry::AttemptStarted { .. }
        | Entry::StepCompleted { .. }
        | Entry::StepFailed { .. }
        | Entry::SleepEnded { .. }
        | Entry::WaitMatched { .. }
        | Entry::WaitTimedOut { .. }
        | Entry::EventReceived { .. }
        | Entry::Awaiting { .. }
        | Entry::Delivered { .. }
        | Entry::Signed { .. }
        | Entry::Decided { .. }
        | Entry::Issued { .. }
        | Entry::Lapsed { .. }
        | Entry::Withdrawn { .. }
        | Entry::Performed { .. }
        | Entry::Attested { .. }
        | Entry::Resolved { .. }
        | Entry::Paused { .. }
        | Entry::Resumed { .. }
        | Entry::Diverged { .. }
        | Entry::Restarted { .. }
        | Entry::Terminated { .. }
        | Entry::Completed { .. }
        | Entry::Failed { .. } => return None,
    })
}

fn change(call: &mut Call, entry: &Entry) {
    call.stage = match entry {
        Entry::AttemptFailed { failure, retry_at, .. } => {
            Stage::Again { failure: failure.clone(), at: *retry_at }
        }
        Entry::AttemptStarted { attempt, .. } => {
            call.attempts = *attempt;
            Stage::Underway
        }
        Entry::StepCompleted { output, .. } => Stage::Completed(output.len()),
        Entry::StepFailed { failure, .. } => Stage::Failed(failure.clone()),
        Entry::SleepEnded { .. } => Stage::Over,
        Entry::WaitMatched { event, .. } => Stage::Got(*event),
        Entry::WaitTimedOut { .. } => Stage::TimedOut,
        Entry::Decided { request, decision, decider, .. } => Stage::Decided {
            request: request.clone(),
            decision: *decision,
            decider: decider.clone(),
            receipt: None,
        },
        Entry::Lapsed { request } => Stage::Lapsed(request.clone()),
        Entry::Withdrawn { request, .. } => Stage::Withdrawn(request.clone()),
        Entry::Performed { receipt, effect, .. } => {
            Stage::Ended { receipt: receipt.clone(), effect: effect.clone(), attested: false, finding: None }
        }
        entry => return add(&mut call.stage, entry),
    }
}

/// Adds an entry's details to a stage that remains the same.
fn add(stage: &mut Stage, entry: &Entry) {
    match (stage, entry) {
        (Stage::Asks { signed, .. }, Entry::Signed { decider, decision: Decision::Approved, .. }) => {
            signed.push(decider.clone());
        }
        (Stage::Decided { receipt, .. }, Entry::Issued { receipt: issued, .. }) => {
            *receipt = Some(issued.clone());
        }
        (Stage::Ended { attested, .. }, Entry::Attested { .. }) => *attested = true,
        (Stage::Ended { finding, .. }, Entry::Resolved { finding: found, .. }) => *finding = Some(*found),
        _ => {}
    }
}

impl Stage {
    /// In one word, for programs.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Underway => "underway",
            Self::Again { .. } => "retrying",
            Self::Completed(_) => "completed",
            Self::Failed(_) => "failed",
            Self::Until(_) | Self::Asks { .. } => "waiting",
            Self::Over => "over",
            Self::Got(_) => "received",
            Self::TimedOut => "timed-out",
            Self::Decided { decision: Decision::Approved, .. } => "approved",
            Self::Decided { decision: Decision::Denied, .. } => "denied",
            Self::Lapsed(_) => "lapsed",
            Self::Withdrawn(_) => "withdrawn",
            Self::Redeemed(_) => "acting",
            Self::Ended { effect: Effect::Succeeded { .. }, .. } => "succeeded",
            Self::Ended { effect: Effect::Failed { .. }, .. } => "not-done",
            Self::Ended { effect: Effect::Unknown { .. }, .. } => "unknown",
            Self::Refused { .. } => "refused",
            Self::Rejected(_) => "rejected",
        }
    }

    /// The request of the stage, if it has one.
    #[must_use]
    pub fn request(&self) -> Option<&RequestId> {
        match self {
            Self::Asks { request, .. }
            | Self::Decided { request, .. }
            | Self::Lapsed(request)
            | Self::Withdrawn(request) => Some(request),
            _ => None,
        }
    }

    /// The receipt of the stage, if it has one.
    #[must_use]
    pub fn receipt(&self) -> Option<&ReceiptId> {
        match self {
            Self::Decided { receipt, .. } => receipt.as_ref(),
            Self::Redeemed(receipt) | Self::Ended { receipt, .. } => Some(receipt),
            _ => None,
        }
    }
}

/// Formats the stage for people, on one line.
impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Underway => f.write_str("under way"),
            Self::Again { failure, at } => write!(f, "failed: {failure}; tried again at {at}"),
            Self::Completed(bytes) => write!(f, "completed, {bytes} bytes of result"),
            Self::Failed(failure) => write!(f, "failed: {failure}"),
            Self::Until(until) => write!(f, "until {until}"),
            Self::Over => f.write_str("over"),
            Self::Got(event) => write!(f, "got event {event}"),
            Self::TimedOut => f.write_str("no event came in time"),
            Self::Asks { request, signed, expires_at } => {
                write!(f, "{request} waits for a decision until {expires_at}")?;
                let mut so_far = ", approved so far by ";
                signed.iter().try_for_each(|decider| {
                    write!(f, "{}{}", std::mem::replace(&mut so_far, ", "), workflow::Escaped(decider))
                })
            }
            Self::Decided { request, decision, decider, receipt } => {
                write!(f, "{request} {decision} by {}", workflow::Escaped(decider))?;
                receipt.iter().try_for_each(|receipt| write!(f, ", {receipt}"))
            }
            Self::Lapsed(request) => write!(f, "{request} lapsed: no decision in time"),
            Self::Withdrawn(request) => write!(f, "{request} was withdrawn"),
            Self::Redeemed(receipt) => write!(f, "{receipt} is spent, and how it ended is not recorded"),
            Self::Ended { receipt, effect, attested, finding } => {
                write_end(f, receipt, effect, *attested, *finding)
            }
            Self::Refused { check, message } => {
                write!(f, "refused by the {check} check: {}", Quoted(message))
            }
            Self::Rejected(message) => write!(f, "rejected: {}", Quoted(message)),
        }
    }
}

fn write_end(
    f: &mut fmt::Formatter<'_>,
    receipt: &ReceiptId,
    effect: &Effect,
    attested: bool,
    finding: Option<Finding>,
) -> fmt::Result {
    match effect {
        Effect::Succeeded { output, .. } => write!(f, "done on {receipt}: {}", Clipped(output))?,
        Effect::Failed { message, .. } => write!(f, "not done, {receipt} is spent: {}", Quoted(message))?,
        Effect::Unknown { message } => write!(f, "unknown, {receipt} is spent: {}", Quoted(message))?,
    }
    if !attested {
        f.write_str("; not attested yet")?;
    }
    finding.map_or(Ok(()), |finding| write!(f, "; found out since: {finding}"))
}
