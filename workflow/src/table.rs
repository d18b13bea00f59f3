//! State × event: which entry may follow which. What the table does not name is illegal.

use crate::Asked;
use crate::Call;
use crate::Effect;
use crate::Entry;
use crate::Event;
use crate::Failure;
use crate::Finding;
use crate::Manner;
use crate::ReceiptId;
use crate::RequestId;
use crate::call::Recorded;
use crate::call::State;
use crate::call::opened_by;
use crate::event::Mailbox;
use crate::trail::Mark;
use crate::trail::ROOT;
use crate::trail::TrailId;
use crate::trail::Trails;
use receipt::Timestamp;
use std::collections::BTreeSet;

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

/// An action of which it is signed that nobody knows how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The call.
    pub call: Call,
    /// The receipt.
    pub receipt: ReceiptId,
    /// What a person found out since.
    pub finding: Option<Finding>,
}

/// All calls of an instance, by number, in the order in which the guest made them, and what came from outside.
#[derive(Debug, Clone, Default)]
pub(crate) struct Calls {
    calls: Vec<Recorded>,
    trails: Trails,
    /// The steps with an attempt under way, the outermost first.
    open: Vec<Call>,
    mailbox: Mailbox,
    /// What the guest waits for, where it said so.
    awaiting: Option<Vec<Call>>,
    /// Bytes in the results of all steps and in all events.
    kept: usize,
    /// Things that were begun beside the guest and of whose end it was not told.
    beside: usize,
    /// A decision is recorded and its receipt is not, yet.
    unissued: bool,
}

impl Calls {
    /// Applies one entry about what the guest asked for, the entry of that index.
    pub(crate) fn apply(&mut self, index: usize, entry: &Entry) -> Result<(), &'static str> {
        match entry {
            Entry::EventReceived { event_type, payload, at } => {
                let event = Event { event_type: event_type.clone(), payload: payload.clone(), at: *at };
                self.kept = self.kept.saturating_add(payload.len());
                self.mailbox.receive(index, event);
                Ok(())
            }
            Entry::Awaiting { calls } => self.await_first(calls),
            Entry::Told { call } => self.tell(index, *call),
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
    fn open(&mut self, index: usize, call: Call, mut recorded: Recorded) -> Result<(), &'static str> {
        if call as usize != self.calls.len() {
            return Err("the call's number is not the next one");
        }
        self.admit(&recorded)?;
        (recorded.trail, recorded.answered, recorded.begun) = (self.innermost(), index, index);
        self.trails.push(recorded.trail, Mark::Call(call));
        self.beside += usize::from(recorded.manner == Manner::Beside);
        if let State::StepOpen { trail, .. } = &mut recorded.state {
            *trail = self.trails.open(call);
            self.open.push(call);
        }
        self.calls.push(recorded);
        self.awaiting = None;
        Ok(())
    }

    /// Whether a call may begin so: with an answer to what was asked, a request of its own, a receipt that is not spent.
    fn admit(&self, new: &Recorded) -> Result<(), &'static str> {
        match (&new.state, &new.asked) {
            (State::Pending { .. }, Asked::Approval { .. }) => {
                let before = self.calls.iter().any(|recorded| recorded.request == new.request);
                if before { Err("the request has been made before") } else { Ok(()) }
            }
            (State::Redeemed { receipt, .. }, Asked::Perform { receipt: named, .. }) if receipt == named => {
                let before = self.calls.iter().any(|recorded| recorded.spent(receipt));
                if before { Err("the receipt has been spent before") } else { Ok(()) }
            }
            (State::Refused { .. }, Asked::Perform { .. }) => Ok(()),
            (State::Pending { .. } | State::Redeemed { .. } | State::Refused { .. }, _) => {
                Err("it does not answer what was asked")
            }
            _ => Ok(()),
        }
    }

    /// A call goes on, or comes to its end.
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
        let first = matches!(recorded.state, State::StepOpen { attempt: 1, .. });
        self.kept = self.kept.saturating_add(state.kept());
        recorded.state = state;
        // What is found out later is no new answer.
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

    /// The call that an entry speaks of.
    fn addressed_by(&self, entry: &Entry) -> Option<Call> {
        let call = match entry {
            Entry::StepCompleted { call, .. }
            | Entry::StepFailed { call, .. }
            | Entry::AttemptFailed { call, .. }
            | Entry::SleepEnded { call }
            | Entry::WaitTimedOut { call }
            | Entry::Performed { call, .. }
            | Entry::Attested { call, .. } => *call,
            // What was done stays done, whether the workflow goes back to before it or not.
            Entry::Resolved { call, .. } => return Some(*call).filter(|call| self.get(*call).is_some()),
            Entry::Signed { request, .. }
            | Entry::Decided { request, .. }
            | Entry::Issued { request, .. }
            | Entry::Withdrawn { request, .. }
            | Entry::Lapsed { request } => self.made(request)?,
            _ => return None,
        };
        self.get(call).is_some_and(|recorded| !recorded.void).then_some(call)
    }

    /// The call that made a request.
    fn made(&self, request: &RequestId) -> Option<Call> {
        let made = |(_, recorded): &(Call, &Recorded)| recorded.request.as_ref() == Some(request);
        (0..).zip(&self.calls).find(made).map(|(call, _)| call)
    }

    /// The guest waits for the first of several things.
    fn await_first(&mut self, calls: &[Call]) -> Result<(), &'static str> {
        let sorted = calls.is_sorted_by(|before, after| before < after);
        if calls.is_empty() || !sorted {
            return Err("it names no call, or one twice, or not in order");
        }
        if !calls.iter().all(|call| self.may_be_told(*call)) {
            return Err("it names a call that the workflow cannot wait for here");
        }
        self.awaiting = Some(calls.to_vec());
        Ok(())
    }

    /// The guest is told of the end of something that it began here.
    fn tell(&mut self, index: usize, call: Call) -> Result<(), &'static str> {
        let ended = self.get(call).is_some_and(Recorded::has_ended);
        if !ended || !self.may_be_told(call) {
            return Err("the workflow cannot be told of this end here");
        }
        self.woke(index, call);
        Ok(())
    }

    /// The guest is told of an event.
    fn take(&mut self, index: usize, call: Call, event: u32) -> Result<(), &'static str> {
        if self.matching(call).is_none_or(|(first, _)| first != event) {
            return Err("it is not the event that this call is to be told of");
        }
        let innermost = self.innermost();
        let Some(recorded) = self.calls.get_mut(call as usize).filter(|recorded| recorded.trail == innermost)
        else {
            return Err("it was begun elsewhere than the workflow is");
        };
        (recorded.state, recorded.answered) = (State::Received(event), index);
        self.mailbox.take(event, call);
        self.woke(index, call);
        Ok(())
    }

    /// The guest was told by the entry of that index.
    fn woke(&mut self, index: usize, call: Call) {
        self.awaiting = None;
        let Some(recorded) = self.calls.get_mut(call as usize) else { return };
        if recorded.manner == Manner::Beside {
            recorded.told = true;
            self.beside = self.beside.saturating_sub(1);
            self.trails.push(recorded.trail, Mark::Told { call, index });
        }
    }

    fn start_attempt(&mut self, index: usize, call: Call, number: u32) -> Result<(), &'static str> {
        let innermost = self.innermost();
        let due = |recorded: &&mut Recorded| {
            matches!(recorded.state, State::StepDue { attempt, .. } if attempt == number)
                && !recorded.void
                && recorded.trail == innermost
        };
        let Some(recorded) = self.calls.get_mut(call as usize).filter(due) else {
            return Err("it is not the step's next attempt, or not where the step was begun");
        };
        let trail = self.trails.open(call);
        (recorded.state, recorded.answered) = (State::StepOpen { attempt: number, trail }, index);
        self.trails.push(recorded.trail, Mark::Attempt { call, trail, index });
        self.open.push(call);
        self.awaiting = None;
        Ok(())
    }

    /// The workflow goes back to before that call of its own.
    fn go_back(&mut self, from: Call) -> Result<(), &'static str> {
        if !self.unsettled().is_empty() {
            return Err("an action was begun and its outcome is not signed");
        }
        let own = |recorded: &Recorded| recorded.trail == ROOT;
        if from != self.next() && !self.get(from).is_some_and(own) {
            return Err("it names no call that the workflow made itself, outside its steps");
        }
        let dropped = self.trails.cut(from);
        if !dropped.is_empty() {
            self.void(&dropped);
            self.open.clear();
        }
        self.awaiting = None;
        Ok(())
    }

    /// What these marks speak of counts no longer: the calls with all that was asked for inside them, the attempts, and that the
    /// workflow was told of an end.
    fn void(&mut self, dropped: &[Mark]) {
        let (mut calls, mut trails) = (BTreeSet::new(), BTreeSet::new());
        for mark in dropped {
            match *mark {
                Mark::Call(call) => drop(calls.insert(call)),
                Mark::Told { call, .. } => self.untell(call),
                Mark::Attempt { call, trail, .. } => {
                    trails.insert(trail);
                    self.unstart(call, trail);
                }
            }
        }
        // A call comes after the one that it was made inside.
        for call in 0..self.next() {
            let Some(recorded) = self.get(call) else { break };
            let inside = self.trails.owner(recorded.trail).and_then(|owner| self.get(owner));
            let is_dropped = calls.contains(&call) || trails.contains(&recorded.trail);
            if is_dropped || inside.is_some_and(|owner| owner.void) {
                self.void_call(call);
            }
        }
        let calls = &self.calls;
        self.mailbox.give_back(|call| calls.get(call as usize).is_some_and(|recorded| recorded.void));
    }

    fn void_call(&mut self, call: Call) {
        let Some(recorded) = self.calls.get_mut(call as usize) else { return };
        let counted = recorded.manner == Manner::Beside && !recorded.told && !recorded.void;
        self.beside = self.beside.saturating_sub(usize::from(counted));
        recorded.void = true;
    }

    fn untell(&mut self, call: Call) {
        if let Some(recorded) = self.calls.get_mut(call as usize)
            && std::mem::take(&mut recorded.told)
        {
            self.beside += 1;
        }
    }

    /// An attempt that is under way is to be made anew.
    fn unstart(&mut self, call: Call, dropped: TrailId) {
        let Some(recorded) = self.calls.get_mut(call as usize) else { return };
        if let State::StepOpen { attempt, trail } = recorded.state
            && trail == dropped
        {
            let message = "the workflow was sent back before this attempt had ended".to_owned();
            let failure = Failure { name: "restarted".to_owned(), message };
            recorded.state = State::StepDue { attempt, at: Timestamp::from_millis(i64::MIN), failure };
        }
    }
}

/// What the calls say.
impl Calls {
    /// The call of that number.
    pub(crate) fn get(&self, call: Call) -> Option<&Recorded> {
        self.calls.get(call as usize)
    }

    /// The next call's number. The limit on calls keeps it far below the type's bound.
    pub(crate) fn next(&self) -> Call {
        Call::try_from(self.calls.len()).unwrap_or(Call::MAX)
    }

    pub(crate) fn marks(&self, trail: TrailId) -> &[Mark] {
        self.trails.marks(trail)
    }

    /// Bytes in the results of all steps and in all events.
    pub(crate) fn kept(&self) -> usize {
        self.kept
    }

    /// Things that were begun beside the guest and of whose end it was not told.
    pub(crate) fn beside(&self) -> usize {
        self.beside
    }

    pub(crate) fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    pub(crate) fn awaiting(&self) -> Option<&[Call]> {
        self.awaiting.as_deref()
    }

    /// A decision that stands here without its receipt. The two are written together.
    pub(crate) fn unissued(&self) -> bool {
        self.unissued
    }

    /// The trail in which a guest goes on that has done all that is recorded.
    pub(crate) fn innermost(&self) -> TrailId {
        match self.open.last().and_then(|call| self.get(*call)).map(|recorded| &recorded.state) {
            Some(State::StepOpen { trail, .. }) => *trail,
            _ => ROOT,
        }
    }

    /// It was begun beside the workflow, where the workflow is now, and its end has not been told.
    pub(crate) fn may_be_told(&self, call: Call) -> bool {
        self.get(call).is_some_and(|recorded| {
            recorded.manner == Manner::Beside
                && recorded.trail == self.innermost()
                && !recorded.told
                && !recorded.void
        })
    }

    /// The event that a call is to be told of, where it waits for one and there is one; and the index of its entry.
    pub(crate) fn matching(&self, call: Call) -> Option<(u32, usize)> {
        let recorded = self.get(call).filter(|recorded| !recorded.void)?;
        let State::Expecting { event_type, until } = &recorded.state else { return None };
        self.mailbox.first(event_type, *until)
    }

    /// The request waits for a decision.
    pub(crate) fn is_pending(&self, request: &RequestId) -> bool {
        let pending = |recorded: &Recorded| {
            matches!(&recorded.state, State::Pending { request: made, .. } if made == request)
                && !recorded.void
        };
        self.calls.iter().any(pending)
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

    /// The actions whose outcome was signed as unknown.
    pub(crate) fn unknown(&self) -> Vec<Unknown> {
        let unknown = |(call, recorded): (Call, &Recorded)| match &recorded.state {
            State::Attested { receipt, effect: Effect::Unknown { .. }, finding } => {
                Some(Unknown { call, receipt: receipt.clone(), finding: *finding })
            }
            _ => None,
        };
        (0..).zip(&self.calls).filter_map(unknown).collect()
    }

    /// Marks every effect that was begun and has no end as interrupted: the journal was loaded, so another drive began it.
    pub(crate) fn mark_interrupted(&mut self) {
        for recorded in &mut self.calls {
            if let State::Redeemed { interrupted, .. } = &mut recorded.state {
                *interrupted = true;
            }
        }
    }

    /// Marks those that are marked there.
    pub(crate) fn mark_interrupted_as(&mut self, other: &Self) {
        for (recorded, before) in self.calls.iter_mut().zip(&other.calls) {
            if let (State::Redeemed { interrupted, .. }, State::Redeemed { interrupted: before, .. }) =
                (&mut recorded.state, &before.state)
            {
                *interrupted = *before;
            }
        }
    }
}
