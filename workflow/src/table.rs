//! State × event: which entry may follow which. What the table does not name is illegal.

use crate::Approval;
use crate::Asked;
use crate::Call;
use crate::Check;
use crate::Effect;
use crate::Entry;
use crate::Failure;
use crate::ReceiptId;
use crate::RequestId;
use receipt::Decision;
use receipt::Timestamp;

/// An entry that cannot stand where it stands. The journal is damaged, or two programs wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {index} ({entry}) cannot follow the entries before it: {reason}")]
pub struct Illegal {
    /// The entry's place in the journal, from 0.
    pub index: usize,
    /// The entry, in words.
    pub entry: String,
    /// What forbids it.
    pub reason: &'static str,
}

/// One call: what was asked, and how it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Recorded {
    pub(crate) asked: Asked,
    pub(crate) state: State,
    /// The request that it made, where it made one.
    request: Option<RequestId>,
    /// The number of the call after this one and after all that were made inside it: where a guest goes on that is handed the
    /// recorded result and so does not make the inner calls again.
    pub(crate) after: usize,
    /// The index of the entry that gave it this state.
    pub(crate) answered: usize,
}

/// How a call stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum State {
    StepOpen,
    StepDone(String),
    StepFailed(Failure),
    Rejected(String),
    Pending { request: RequestId, expires_at: Timestamp },
    Decided { request: RequestId, decision: Decision, decider: String, reason: Option<String> },
    Resolved(Approval),
    Redeemed { receipt: ReceiptId, interrupted: bool },
    Performed { receipt: ReceiptId, effect: Effect },
    Attested { effect: Effect },
    Refused { check: Check, message: String },
}

impl State {
    /// Bytes of the guest's in the end of a step.
    pub(crate) fn kept(&self) -> usize {
        match self {
            Self::StepDone(output) => output.len(),
            Self::StepFailed(failure) => failure.name.len() + failure.message.len(),
            _ => 0,
        }
    }

    /// The state after `entry`, or what forbids it.
    fn after(&self, entry: &Entry) -> Result<State, &'static str> {
        match (self, entry) {
            (Self::StepOpen, Entry::StepCompleted { output, .. }) => Ok(Self::StepDone(output.clone())),
            (Self::StepOpen, Entry::StepFailed { failure, .. }) => Ok(Self::StepFailed(failure.clone())),
            (Self::Pending { request, .. }, Entry::Decided { decision, decider, reason, .. }) => {
                Ok(Self::Decided {
                    request: request.clone(),
                    decision: *decision,
                    decider: decider.clone(),
                    reason: reason.clone(),
                })
            }
            // One decider of several. Who has signed what is for the host to count.
            (Self::Pending { .. }, Entry::Signed { .. }) => Ok(self.clone()),
            (Self::Pending { request, .. }, Entry::Withdrawn { reason, .. }) => {
                Ok(Self::Resolved(Approval::Withdrawn { request: request.clone(), reason: reason.clone() }))
            }
            (Self::Pending { request, .. }, Entry::Lapsed { .. }) => {
                Ok(Self::Resolved(Approval::Expired { request: request.clone() }))
            }
            (
                Self::Decided { request, decision, decider, reason },
                Entry::Issued { receipt, decision: signed, document, .. },
            ) if decision == signed => {
                let receipt = receipt.clone();
                Ok(Self::Resolved(match decision {
                    Decision::Approved => Approval::Granted { receipt, document: document.clone() },
                    Decision::Denied => Approval::Denied {
                        request: request.clone(),
                        receipt,
                        decider: decider.clone(),
                        reason: reason.clone(),
                    },
                }))
            }
            (Self::Redeemed { receipt, .. }, Entry::Performed { receipt: named, effect, .. })
                if receipt == named =>
            {
                Ok(Self::Performed { receipt: receipt.clone(), effect: effect.clone() })
            }
            (Self::Performed { receipt, effect }, Entry::Attested { receipt: named, .. })
                if receipt == named =>
            {
                Ok(Self::Attested { effect: effect.clone() })
            }
            _ => Err("the call is not in a state that allows it"),
        }
    }
}

/// All calls of an instance, by number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls {
    calls: Vec<Recorded>,
    /// Bytes in the results of all steps.
    kept: usize,
    /// A decision is recorded and its receipt is not, yet.
    unissued: bool,
}

/// An action whose receipt is spent and whose outcome is not signed.
#[derive(Debug, Clone, PartialEq)]
pub struct Unsettled {
    /// The call.
    pub call: Call,
    /// The receipt.
    pub receipt: ReceiptId,
    /// The outcome, where it is recorded.
    pub effect: Option<Effect>,
}

impl Calls {
    /// The call of that number.
    pub(crate) fn get(&self, call: usize) -> Option<&Recorded> {
        self.calls.get(call)
    }

    /// Bytes in the results of all steps.
    pub(crate) fn kept(&self) -> usize {
        self.kept
    }

    /// The actions that were begun and have no signed outcome.
    pub(crate) fn unsettled(&self) -> Vec<Unsettled> {
        let open = |(call, recorded): (Call, &Recorded)| {
            let (receipt, effect) = match &recorded.state {
                State::Redeemed { receipt, .. } => (receipt, None),
                State::Performed { receipt, effect } => (receipt, Some(effect.clone())),
                _ => return None,
            };
            Some(Unsettled { call, receipt: receipt.clone(), effect })
        };
        (0..).zip(&self.calls).filter_map(open).collect()
    }

    /// The request that waits for a decision, if one does.
    pub(crate) fn undecided(&self) -> Option<(&RequestId, Timestamp)> {
        self.calls.iter().find_map(|recorded| match &recorded.state {
            State::Pending { request, expires_at } => Some((request, *expires_at)),
            _ => None,
        })
    }

    /// Marks every effect that was begun and has no end as interrupted: the journal was loaded, so another drive began it.
    pub(crate) fn mark_interrupted(&mut self) {
        for recorded in &mut self.calls {
            if let State::Redeemed { interrupted, .. } = &mut recorded.state {
                *interrupted = true;
            }
        }
    }

    /// A decision that stands here without its receipt. The two are written together.
    pub(crate) fn unissued(&self) -> bool {
        self.unissued
    }

    /// Applies one entry about a call, the entry of that index.
    pub(crate) fn apply(&mut self, index: usize, entry: &Entry) -> Result<(), &'static str> {
        if let Some((call, mut recorded)) = opened_by(entry) {
            if call as usize != self.calls.len() {
                return Err("the call's number is not the next one");
            }
            self.admit(&recorded)?;
            recorded.answered = index;
            self.calls.push(recorded);
            return Ok(());
        }
        if let Entry::StepCompleted { call, .. } | Entry::StepFailed { call, .. } = entry
            && self.open_inside(*call as usize).is_some()
        {
            return Err("a step that was begun inside this one has not ended");
        }
        let calls = self.calls.len();
        let recorded = self.addressed_by(entry).ok_or("it speaks of a call or request that is not there")?;
        recorded.state = recorded.state.after(entry)?;
        recorded.answered = index;
        if matches!(recorded.state, State::StepDone(_) | State::StepFailed(_)) {
            recorded.after = calls;
            self.kept += recorded.state.kept();
        }
        self.unissued = matches!(entry, Entry::Decided { .. });
        Ok(())
    }

    /// A step that was begun after `call` and is still open.
    pub(crate) fn open_inside(&self, call: usize) -> Option<&Recorded> {
        self.calls.iter().skip(call + 1).find(|recorded| recorded.state == State::StepOpen)
    }

    /// Whether a call may begin so: with an answer to what was asked, a request of its own, a receipt that is not spent.
    fn admit(&self, new: &Recorded) -> Result<(), &'static str> {
        match (&new.state, &new.asked) {
            (State::StepOpen | State::Rejected(_), _) | (State::Refused { .. }, Asked::Perform { .. }) => {
                Ok(())
            }
            (State::Pending { .. }, Asked::Approval { .. }) => {
                let before = self.calls.iter().any(|recorded| recorded.request == new.request);
                if before { Err("the request has been made before") } else { Ok(()) }
            }
            (State::Redeemed { receipt, .. }, Asked::Perform { receipt: named, .. }) if receipt == named => {
                let before = self.calls.iter().any(|recorded| recorded.spent(receipt));
                if before { Err("the receipt has been spent before") } else { Ok(()) }
            }
            _ => Err("it does not answer what was asked"),
        }
    }

    fn addressed_by(&mut self, entry: &Entry) -> Option<&mut Recorded> {
        match entry {
            Entry::StepCompleted { call, .. }
            | Entry::StepFailed { call, .. }
            | Entry::Performed { call, .. }
            | Entry::Attested { call, .. } => self.calls.get_mut(*call as usize),
            Entry::Signed { request, .. }
            | Entry::Decided { request, .. }
            | Entry::Issued { request, .. }
            | Entry::Withdrawn { request, .. }
            | Entry::Lapsed { request } => {
                self.calls.iter_mut().find(|recorded| recorded.request.as_ref() == Some(request))
            }
            _ => None,
        }
    }
}

impl Recorded {
    /// This call spent that receipt.
    fn spent(&self, receipt: &ReceiptId) -> bool {
        matches!(self.state, State::Redeemed { .. } | State::Performed { .. } | State::Attested { .. })
            && matches!(&self.asked, Asked::Perform { receipt: spent, .. } if spent == receipt)
    }
}

/// The call that an entry opens, where it opens one.
fn opened_by(entry: &Entry) -> Option<(Call, Recorded)> {
    let (call, asked, state) = match entry {
        Entry::StepStarted { call, name } => (call, Asked::step(name), State::StepOpen),
        Entry::Rejected { call, asked, message } => (call, asked.clone(), State::Rejected(message.clone())),
        Entry::Requested { call, request, asked, expires_at, .. } => {
            (call, asked.clone(), State::Pending { request: request.clone(), expires_at: *expires_at })
        }
        Entry::Redeemed { call, asked, receipt, .. } => {
            (call, asked.clone(), State::Redeemed { receipt: receipt.clone(), interrupted: false })
        }
        Entry::Refused { call, asked, check, message } => {
            (call, asked.clone(), State::Refused { check: *check, message: message.clone() })
        }
        _ => return None,
    };
    let request = match entry {
        Entry::Requested { request, .. } => Some(request.clone()),
        _ => None,
    };
    Some((*call, Recorded { asked, state, request, after: *call as usize + 1, answered: 0 }))
}
