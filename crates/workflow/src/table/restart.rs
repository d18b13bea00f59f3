//! Restarting: calls from some mark on no longer count.

use crate::table::Calls;
use crate::table::call::{CallState, RecordedCall};
use crate::table::trails::{ROOT, TrailId, TrailMark};
use crate::{Call, CallMode, Failure};
use receipt::Timestamp;
use std::collections::BTreeSet;

impl Calls {
    /// Restarts the workflow from before this call of its own.
    pub(super) fn go_back(&mut self, from: Call) -> Result<(), &'static str> {
        if !self.unsettled().is_empty() {
            return Err("an action was begun and its outcome is not signed");
        }
        let own = |recorded: &RecordedCall| recorded.trail == ROOT;
        if from != self.next() && !self.get(from).is_some_and(own) {
            return Err("it names no call that the workflow made itself, outside its steps");
        }
        let dropped = self.trails.cut(from);
        if !dropped.is_empty() {
            self.discard(&dropped);
            self.open.clear();
        }
        self.awaiting = None;
        Ok(())
    }

    /// Discards everything in `dropped`: the calls with all calls inside them, the attempts, and the deliveries of
    /// ends to the workflow.
    fn discard(&mut self, dropped: &[TrailMark]) {
        let (mut calls, mut trails) = (BTreeSet::new(), BTreeSet::new());
        for mark in dropped {
            match *mark {
                TrailMark::Call(call) => drop(calls.insert(call)),
                TrailMark::Delivered { call, .. } => self.reset_delivery(call),
                TrailMark::Attempt { call, trail, .. } => {
                    trails.insert(trail);
                    self.unstart(call, trail);
                }
            }
        }
        // A call comes after the call that it was made inside.
        for call in 0..self.next() {
            let Some(recorded) = self.get(call) else { break };
            let inside = self.trails.owner(recorded.trail).and_then(|owner| self.get(owner));
            let is_dropped = calls.contains(&call) || trails.contains(&recorded.trail);
            if is_dropped || inside.is_some_and(|owner| owner.discarded) {
                self.discard_call(call);
            }
        }
        let calls = &self.calls;
        self.mailbox.give_back(|call| calls.get(call as usize).is_some_and(|recorded| recorded.discarded));
    }

    fn discard_call(&mut self, call: Call) {
        let Some(recorded) = self.calls.get_mut(call as usize) else { return };
        let counted = recorded.mode == CallMode::Started && !recorded.delivered && !recorded.discarded;
        self.started = self.started.saturating_sub(usize::from(counted));
        recorded.discarded = true;
    }

    fn reset_delivery(&mut self, call: Call) {
        if let Some(recorded) = self.calls.get_mut(call as usize)
            && std::mem::take(&mut recorded.delivered)
        {
            self.started += 1;
        }
    }

    /// Makes an open attempt due again.
    fn unstart(&mut self, call: Call, dropped: TrailId) {
        let Some(recorded) = self.calls.get_mut(call as usize) else { return };
        if let CallState::StepOpen { attempt, trail } = recorded.state
            && trail == dropped
        {
            let message = "the workflow was sent back before this attempt had ended".to_owned();
            let failure = Failure { name: "restarted".to_owned(), message };
            recorded.state = CallState::StepDue { attempt, at: Timestamp::from_millis(i64::MIN), failure };
        }
    }
}
