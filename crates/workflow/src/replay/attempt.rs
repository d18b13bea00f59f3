//! The end of an attempt of a step.

use crate::replay::respond::opened;
use crate::table::call::{CallState, RecordedCall};
use crate::table::trails::Frame;
use crate::{Call, Divergence, Entry, Failure, Outcome, Replay, Retry, StepConfig, Turn};
use receipt::Timestamp;

/// An attempt that has ended.
struct Attempt {
    call: Call,
    number: u32,
    began: Timestamp,
    ended: Timestamp,
}

impl Replay {
    /// Records the end of an attempt. The attempt belongs to a call that the guest has made in this drive, so its end
    /// has no call number of its own.
    pub(crate) fn end_step(
        &mut self,
        call: Call,
        result: &Result<String, Failure>,
        retry: Retry,
        now: Timestamp,
    ) -> Result<Turn, Divergence> {
        let making = |frame: &Frame| frame.attempt.is_some_and(|(making, _)| making == call);
        let depth = self.frames.iter().rposition(making);
        let frame = depth.and_then(|depth| self.frames.get(depth));
        let began = frame.and_then(|frame| frame.attempt).map(|(_, began)| began);
        let state = self.calls.get(call).map(|recorded| &recorded.state);
        let (Some(depth), Some(began), Some(CallState::StepOpen { attempt, .. })) = (depth, began, state)
        else {
            return self.ended(call, depth, result);
        };
        if let Some((_, mark)) = self.ahead() {
            return Err(self.diverged(mark, format!("ended the step of call #{call} without asking")));
        }
        if let Some(inner) = self.open_inside(depth) {
            let message = format!("{} was begun inside this step and has to end before it", inner.asked);
            return Ok(Turn::Break(Failure { name: "step-order".to_owned(), message }));
        }
        let attempt = Attempt { call, number: *attempt, began, ended: now };
        Ok(Turn::Record(self.end_of(&attempt, result, retry)))
    }

    /// Answers the report of an attempt's end that is in the journal already. A repeated report does not move the
    /// guest's position back.
    fn ended(
        &mut self,
        call: Call,
        depth: Option<usize>,
        result: &Result<String, Failure>,
    ) -> Result<Turn, Divergence> {
        let recorded = self.calls.get(call);
        // The recorded bytes of this step do not count against it when it is reported again.
        let kept = recorded.map_or(0, |recorded| self.calls.kept().saturating_sub(recorded.state.kept()));
        let late = recorded.and_then(|recorded| recorded.config.as_ref()).map(StepConfig::timeout);
        let failed_so = |before: &Failure| {
            late.as_ref() == Some(before) || self.limits.step_end(kept, result).as_ref() == Err(before)
        };
        let ended = match recorded.map(|recorded| &recorded.state) {
            // The result was valid when it was recorded.
            Some(CallState::StepDone(before)) if result.as_ref() == Ok(before) => Ok(()),
            Some(CallState::StepFailed(before) | CallState::StepDue { failure: before, .. })
                if failed_so(before) =>
            {
                Err(before.clone())
            }
            _ => {
                let recorded = recorded.map_or("nothing".to_owned(), |recorded| recorded.asked.to_string());
                return Err(Divergence {
                    call,
                    recorded,
                    now: "reported another end of that step".to_owned(),
                });
            }
        };
        self.position = recorded.map_or(0, |recorded| recorded.answered).max(self.position);
        self.frames.truncate(depth.unwrap_or(self.frames.len()));
        Ok(Turn::Return(Outcome::Ended(ended)))
    }

    /// Whether an attempt of this run has taken longer than its timeout. The caller then unwinds the guest, and records
    /// [`cut_off`](Self::cut_off).
    #[must_use]
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.overdue(now).is_some()
    }

    /// The entries that end an overdue attempt: the outermost such attempt, preceded by the open steps inside it. Empty
    /// if there is no such attempt.
    #[must_use]
    pub fn cut_off(&self, now: Timestamp) -> Vec<Entry> {
        let Some((depth, attempt)) = self.overdue(now) else { return Vec::new() };
        let inside = self.frames.iter().skip(depth + 1).rev().filter_map(|frame| frame.attempt);
        let open = inside
            .filter(|(call, _)| self.calls.get(*call).is_some_and(|recorded| opened(recorded).is_some()));
        let end_of_all = |(call, _)| {
            let message = format!("call #{}, inside which it was begun, took too long", attempt.call);
            Entry::StepFailed { call, failure: Failure { name: "timeout".to_owned(), message } }
        };
        let mut entries: Vec<_> = open.map(end_of_all).collect();
        let late = Failure { name: "timeout".to_owned(), message: String::new() };
        // The attempt is overdue, so `end_of` records its own timeout in place of this failure.
        entries.push(self.end_of(&attempt, &Err(late), Retry::Configured));
        entries
    }

    /// The outermost overdue attempt, and the depth of its frame.
    fn overdue(&self, now: Timestamp) -> Option<(usize, Attempt)> {
        self.frames.iter().enumerate().find_map(|(depth, frame)| {
            let (call, began) = frame.attempt?;
            let recorded = self.calls.get(call)?;
            let CallState::StepOpen { attempt: number, .. } = recorded.state else { return None };
            let is_over = recorded.config.as_ref()?.is_over(began, now);
            is_over.then_some((depth, Attempt { call, number, began, ended: now }))
        })
    }

    /// A step with an open attempt inside the attempt of the frame at this depth.
    fn open_inside(&self, depth: usize) -> Option<&RecordedCall> {
        let inside = self.frames.iter().skip(depth + 1).filter_map(|frame| frame.attempt);
        let mut steps = inside.filter_map(|(call, _)| self.calls.get(call));
        steps.find(|recorded| opened(recorded).is_some())
    }

    /// The entry that records the end of an attempt that ends now.
    fn end_of(&self, attempt: &Attempt, result: &Result<String, Failure>, retry: Retry) -> Entry {
        let Attempt { call, number, began, ended } = *attempt;
        let config = self.calls.get(call).and_then(|recorded| recorded.config.as_ref());
        let late = config.filter(|config| config.is_over(began, ended)).map(StepConfig::timeout);
        let (failure, retry) = match (late, self.limits.step_end(self.calls.kept(), result)) {
            (Some(late), _) => (late, Retry::Configured),
            (None, Ok(output)) => return Entry::StepCompleted { call, output },
            // A result that does not fit now would not fit at the next attempt either.
            (None, Err(failure)) if result.is_ok() => (failure, Retry::Never),
            (None, Err(failure)) => (failure, retry),
        };
        let delay = config.and_then(|config| config.delay_after(number, retry));
        match delay.and_then(|delay| self.limits.retry_at(self.calls.kept(), &failure, delay, ended)) {
            Some(retry_at) => Entry::AttemptFailed { call, attempt: number, failure, retry_at },
            None => Entry::StepFailed { call, failure },
        }
    }
}
