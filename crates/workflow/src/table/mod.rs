//! State × event: which entry may follow which. Combinations that the table does not name are illegal.

pub(crate) mod call;
mod queries;
mod restart;
pub(crate) mod trails;

use crate::command::event::Mailbox;
use crate::table::call::{CallState, RecordedCall, opened_by};
use crate::table::trails::{TrailMark, Trails};
use crate::{Call, CallMode, Effect, Entry, Event, Finding, ReceiptId, RecordedCommand, RequestId};

/// An entry that is not allowed in its place. The journal is damaged, or two programs wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {index} ({entry}) cannot follow the entries before it: {reason}")]
pub struct Illegal {
    /// The entry's place in the journal, from 0.
    pub index: usize,
    /// The entry, in words.
    pub entry: String,
    /// The rule that forbids it.
    pub reason: &'static str,
}

/// An action whose receipt is spent and whose outcome is not signed.
#[derive(Debug, Clone, PartialEq)]
pub struct Unsettled {
    /// The call.
    pub call: Call,
    /// The receipt.
    pub receipt: ReceiptId,
    /// The outcome, if it is recorded.
    pub effect: Option<Effect>,
}

/// An action whose attested outcome is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The call.
    pub call: Call,
    /// The receipt.
    pub receipt: ReceiptId,
    /// A person's finding since.
    pub finding: Option<Finding>,
}

/// All calls of an instance, by number, in the order in which the guest made them, and the inputs from outside.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls {
    calls: Vec<RecordedCall>,
    trails: Trails,
    /// The steps with an open attempt, the outermost first.
    open: Vec<Call>,
    mailbox: Mailbox,
    /// The calls that the guest waits for, if it said so.
    awaiting: Option<Vec<Call>>,
    /// Bytes in the results of all steps and in all events.
    kept: usize,
    /// The number of started calls whose end the guest has not been told.
    started: usize,
    /// Whether a decision is recorded without its receipt.
    unissued: bool,
}

impl Calls {
    /// Applies an entry about a call; `index` is the entry's place in the journal.
    pub(crate) fn apply(&mut self, index: usize, entry: &Entry) -> Result<(), &'static str> {
        match entry {
            Entry::EventReceived { event_type, payload, at } => {
                let event = Event { event_type: event_type.clone(), payload: payload.clone(), at: *at };
                self.kept = self.kept.saturating_add(payload.len());
                self.mailbox.receive(index, event);
                Ok(())
            }
            Entry::Awaiting { calls } => self.await_first(calls),
            Entry::Delivered { call } => self.deliver(index, *call),
            Entry::WaitMatched { call, event } => self.take(index, *call, *event),
            Entry::AttemptStarted { call, attempt } => self.start_attempt(index, *call, *attempt),
            Entry::Restarted { from, .. } => self.go_back(*from),
            entry => match opened_by(entry) {
                Some((call, recorded)) => self.open(index, call, recorded),
                None => self.change(index, entry),
            },
        }
    }

    /// A call begins.
    fn open(&mut self, index: usize, call: Call, mut recorded: RecordedCall) -> Result<(), &'static str> {
        if call as usize != self.calls.len() {
            return Err("the call's number is not the next one");
        }
        self.admit(&recorded)?;
        (recorded.trail, recorded.answered, recorded.begun) = (self.innermost(), index, index);
        self.trails.push(recorded.trail, TrailMark::Call(call));
        self.started += usize::from(recorded.mode == CallMode::Started);
        if let CallState::StepOpen { trail, .. } = &mut recorded.state {
            *trail = self.trails.open(call);
            self.open.push(call);
        }
        self.calls.push(recorded);
        self.awaiting = None;
        Ok(())
    }

    /// Checks that a call may begin in this state: its answer fits its command, its request id is new, and its receipt
    /// is unspent.
    fn admit(&self, new: &RecordedCall) -> Result<(), &'static str> {
        match (&new.state, &new.asked) {
            (CallState::Pending { .. }, RecordedCommand::Approval { .. }) => {
                let before = self.calls.iter().any(|recorded| recorded.request == new.request);
                if before { Err("the request has been made before") } else { Ok(()) }
            }
            (CallState::Redeemed { receipt, .. }, RecordedCommand::Perform { receipt: named, .. })
                if receipt == named =>
            {
                let before = self.calls.iter().any(|recorded| recorded.has_redeemed(receipt));
                if before { Err("the receipt has been spent before") } else { Ok(()) }
            }
            (CallState::Refused { .. }, RecordedCommand::Perform { .. }) => Ok(()),
            (CallState::Pending { .. } | CallState::Redeemed { .. } | CallState::Refused { .. }, _) => {
                Err("it does not answer what was asked")
            }
            _ => Ok(()),
        }
    }

    /// Changes the state of a call, or ends it.
    fn change(&mut self, index: usize, entry: &Entry) -> Result<(), &'static str> {
        let call = self.addressed_by(entry).ok_or("it speaks of a call or request that is not there")?;
        let ends_attempt = matches!(
            entry,
            Entry::StepCompleted { .. } | Entry::StepFailed { .. } | Entry::AttemptFailed { .. }
        );
        let innermost = self.innermost();
        let is_open = self.open.contains(&call);
        if ends_attempt && is_open && self.open.last() != Some(&call) {
            return Err("a step that was begun inside this one has not ended");
        }
        let wakes = matches!(entry, Entry::SleepEnded { .. } | Entry::WaitTimedOut { .. });
        let recorded = self.calls.get_mut(call as usize).ok_or("it speaks of a call that is not there")?;
        let state = recorded.state.after(entry)?;
        if matches!(entry, Entry::AttemptFailed { .. }) && recorded.config.is_none() {
            return Err("the step is tried once");
        }
        if wakes && recorded.trail != innermost {
            return Err("it was begun elsewhere than the workflow is");
        }
        let first = matches!(recorded.state, CallState::StepOpen { attempt: 1, .. });
        self.kept = self.kept.saturating_add(state.kept());
        recorded.state = state;
        // A later finding or a signature is not a new answer.
        if !matches!(entry, Entry::Resolved { .. } | Entry::Signed { .. }) {
            recorded.answered = index;
        }
        if ends_attempt {
            if first {
                recorded.begun = index;
            }
            self.open.pop();
            self.awaiting = None;
        }
        if wakes {
            self.woke(index, call);
        }
        self.unissued = matches!(entry, Entry::Decided { .. });
        Ok(())
    }

    /// The call that an entry refers to.
    fn addressed_by(&self, entry: &Entry) -> Option<Call> {
        let call = match entry {
            Entry::StepCompleted { call, .. }
            | Entry::StepFailed { call, .. }
            | Entry::AttemptFailed { call, .. }
            | Entry::SleepEnded { call }
            | Entry::WaitTimedOut { call }
            | Entry::Performed { call, .. }
            | Entry::Attested { call, .. } => *call,
            // The effect took place, even if the workflow is restarted from before it.
            Entry::Resolved { call, .. } => return Some(*call).filter(|call| self.get(*call).is_some()),
            Entry::Signed { request, .. }
            | Entry::Decided { request, .. }
            | Entry::Issued { request, .. }
            | Entry::Withdrawn { request, .. }
            | Entry::Lapsed { request } => self.made(request)?,
            _ => return None,
        };
        self.get(call).is_some_and(|recorded| !recorded.discarded).then_some(call)
    }

    /// The call that made a request.
    fn made(&self, request: &RequestId) -> Option<Call> {
        let made = |(_, recorded): &(Call, &RecordedCall)| recorded.request.as_ref() == Some(request);
        (0..).zip(&self.calls).find(made).map(|(call, _)| call)
    }

    /// The guest waits for the first of several calls.
    fn await_first(&mut self, calls: &[Call]) -> Result<(), &'static str> {
        let sorted = calls.is_sorted_by(|before, after| before < after);
        if calls.is_empty() || !sorted {
            return Err("it names no call, or one twice, or not in order");
        }
        if !calls.iter().all(|call| self.is_deliverable(*call)) {
            return Err("it names a call that the workflow cannot wait for here");
        }
        self.awaiting = Some(calls.to_vec());
        Ok(())
    }

    /// The guest gets the end of an operation that it started here.
    fn deliver(&mut self, index: usize, call: Call) -> Result<(), &'static str> {
        let ended = self.get(call).is_some_and(RecordedCall::has_ended);
        if !ended || !self.is_deliverable(call) {
            return Err("this end cannot be delivered to the workflow here");
        }
        self.woke(index, call);
        Ok(())
    }

    /// The guest gets an event.
    fn take(&mut self, index: usize, call: Call, event: u32) -> Result<(), &'static str> {
        if self.matching(call).is_none_or(|(first, _)| first != event) {
            return Err("this is not the event that the call has to receive next");
        }
        let innermost = self.innermost();
        let Some(recorded) = self.calls.get_mut(call as usize).filter(|recorded| recorded.trail == innermost)
        else {
            return Err("it was begun elsewhere than the workflow is");
        };
        (recorded.state, recorded.answered) = (CallState::Received(event), index);
        self.mailbox.take(event, call);
        self.woke(index, call);
        Ok(())
    }

    /// Records that the entry of that index delivered the call's end to the guest.
    fn woke(&mut self, index: usize, call: Call) {
        self.awaiting = None;
        let Some(recorded) = self.calls.get_mut(call as usize) else { return };
        if recorded.mode == CallMode::Started {
            recorded.delivered = true;
            self.started = self.started.saturating_sub(1);
            self.trails.push(recorded.trail, TrailMark::Delivered { call, index });
        }
    }

    fn start_attempt(&mut self, index: usize, call: Call, number: u32) -> Result<(), &'static str> {
        let innermost = self.innermost();
        let due = |recorded: &&mut RecordedCall| {
            matches!(recorded.state, CallState::StepDue { attempt, .. } if attempt == number)
                && !recorded.discarded
                && recorded.trail == innermost
        };
        let Some(recorded) = self.calls.get_mut(call as usize).filter(due) else {
            return Err("it is not the step's next attempt, or not where the step was begun");
        };
        let trail = self.trails.open(call);
        (recorded.state, recorded.answered) = (CallState::StepOpen { attempt: number, trail }, index);
        self.trails.push(recorded.trail, TrailMark::Attempt { call, trail, index });
        self.open.push(call);
        self.awaiting = None;
        Ok(())
    }
}
