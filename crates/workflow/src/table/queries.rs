//! Questions to the table of calls.

use crate::command::event::Mailbox;
use crate::table::call::{CallState, RecordedCall};
use crate::table::trails::{ROOT, TrailId, TrailMark};
use crate::table::{Calls, Unknown, Unsettled};
use crate::{Call, CallMode, Effect, RequestId};

impl Calls {
    /// The call of that number.
    pub(crate) fn get(&self, call: Call) -> Option<&RecordedCall> {
        self.calls.get(call as usize)
    }

    /// The next call's number. The limit on calls keeps it far below the type's bound.
    pub(crate) fn next(&self) -> Call {
        Call::try_from(self.calls.len()).unwrap_or(Call::MAX)
    }

    pub(crate) fn marks(&self, trail: TrailId) -> &[TrailMark] {
        self.trails.marks(trail)
    }

    /// Bytes in the results of all steps and in all events.
    pub(crate) fn kept(&self) -> usize {
        self.kept
    }

    /// The number of started calls whose end the guest has not been told.
    pub(crate) fn started(&self) -> usize {
        self.started
    }

    pub(crate) fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    pub(crate) fn awaiting(&self) -> Option<&[Call]> {
        self.awaiting.as_deref()
    }

    /// Whether there is a decision without its receipt. The two are written together.
    pub(crate) fn unissued(&self) -> bool {
        self.unissued
    }

    /// The trail of a guest that has done everything in the journal.
    pub(crate) fn innermost(&self) -> TrailId {
        match self.open.last().and_then(|call| self.get(*call)).map(|recorded| &recorded.state) {
            Some(CallState::StepOpen { trail, .. }) => *trail,
            _ => ROOT,
        }
    }

    /// Whether the call was started in the workflow's current trail, and its end has not been delivered.
    pub(crate) fn is_deliverable(&self, call: Call) -> bool {
        self.get(call).is_some_and(|recorded| {
            recorded.mode == CallMode::Started
                && recorded.trail == self.innermost()
                && !recorded.delivered
                && !recorded.discarded
        })
    }

    /// The event for a call that waits for one, if it has arrived; with the index of its entry.
    pub(crate) fn matching(&self, call: Call) -> Option<(u32, usize)> {
        let recorded = self.get(call).filter(|recorded| !recorded.discarded)?;
        let CallState::Expecting { event_type, until } = &recorded.state else { return None };
        self.mailbox.first(event_type, *until)
    }

    /// The request waits for a decision.
    pub(crate) fn is_pending(&self, request: &RequestId) -> bool {
        let pending = |recorded: &RecordedCall| {
            matches!(&recorded.state, CallState::Pending { request: made, .. } if made == request)
                && !recorded.discarded
        };
        self.calls.iter().any(pending)
    }

    /// The actions that were begun and have no signed outcome.
    pub(crate) fn unsettled(&self) -> Vec<Unsettled> {
        let open = |(call, recorded): (Call, &RecordedCall)| {
            let (receipt, effect) = match &recorded.state {
                CallState::Redeemed { receipt, .. } => (receipt, None),
                CallState::Performed { receipt, effect } => (receipt, Some(effect.clone())),
                _ => return None,
            };
            Some(Unsettled { call, receipt: receipt.clone(), effect })
        };
        (0..).zip(&self.calls).filter_map(open).collect()
    }

    /// The actions whose outcome was signed as unknown.
    pub(crate) fn unknown(&self) -> Vec<Unknown> {
        let unknown = |(call, recorded): (Call, &RecordedCall)| match &recorded.state {
            CallState::Attested { receipt, effect: Effect::Unknown { .. }, finding } => {
                Some(Unknown { call, receipt: receipt.clone(), finding: *finding })
            }
            _ => None,
        };
        (0..).zip(&self.calls).filter_map(unknown).collect()
    }

    /// Marks every effect that was begun and has no end as interrupted: the journal was loaded, so another drive began it.
    pub(crate) fn mark_interrupted(&mut self) {
        for recorded in &mut self.calls {
            if let CallState::Redeemed { interrupted, .. } = &mut recorded.state {
                *interrupted = true;
            }
        }
    }

    /// Copies the interruption marks of `other`.
    pub(crate) fn mark_interrupted_as(&mut self, other: &Self) {
        for (recorded, before) in self.calls.iter_mut().zip(&other.calls) {
            if let (
                CallState::Redeemed { interrupted, .. },
                CallState::Redeemed { interrupted: before, .. },
            ) = (&mut recorded.state, &before.state)
            {
                *interrupted = *before;
            }
        }
    }
}
