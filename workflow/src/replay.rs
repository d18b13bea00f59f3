//! The journal folded into an instance's state, and the state's answers to a guest.

use crate::Asked;
use crate::Begun;
use crate::Call;
use crate::Command;
use crate::Effect;
use crate::Entry;
use crate::Failure;
use crate::Illegal;
use crate::Live;
use crate::Outcome;
use crate::Performance;
use crate::Turn;
use crate::Wait;
use crate::limits::Limits;
use crate::limits::Problem;
use crate::table::Calls;
use crate::table::State;
use crate::table::Unsettled;

/// A journal as a state machine.
///
/// The guest's calls are numbered in the order in which it asks for them, which is the same on every run. [`Replay::next`] compares
/// each with the record of that number.
#[derive(Debug, Clone)]
pub struct Replay {
    calls: Calls,
    entries: usize,
    origin: Origin,
    end: Option<Status>,
    /// The number of the next call that the guest has not repeated yet.
    next: usize,
    /// The index of the entry that answered the guest last.
    position: usize,
    limits: Limits,
}

/// How far an instance's creation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Nothing,
    Loaded,
    Started,
}

/// How an instance stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// It has something to do.
    Running,
    /// It waits for something outside.
    Waiting(Wait),
    /// It ended well, with this result as JSON text.
    Completed(String),
    /// It ended badly.
    Failed(Failure),
}

/// The guest asked for something else than it did before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the workflow took another path than the one in its journal, at call #{call}: recorded is {recorded}, now it {now}; \
     nothing was done and nothing is lost. A workflow has to ask for the same things in the same order on every run: \
     usual causes are a decision on something that is not in a step's result, and code that changed under a running instance"
)]
pub struct Divergence {
    /// The call.
    pub call: Call,
    /// What the journal has there.
    pub recorded: Asked,
    /// What the guest does now.
    pub now: String,
}

impl Replay {
    /// Folds a journal as it was loaded.
    ///
    /// # Errors
    /// When an entry cannot stand where it stands.
    pub fn fold<'a>(entries: impl IntoIterator<Item = &'a Entry>, limits: Limits) -> Result<Self, Illegal> {
        let calls = Calls::default();
        let (origin, end) = (Origin::Nothing, None);
        let mut replay = Self { calls, entries: 0, origin, end, next: 0, position: 0, limits };
        let mut last = None;
        for entry in entries {
            replay.apply(entry)?;
            last = Some(entry);
        }
        if let (Some(entry), true) = (last, replay.calls.unissued()) {
            let reason = "a decision and its receipt are written together, and the receipt is not here";
            return Err(Illegal { index: replay.entries - 1, entry: entry.to_string(), reason });
        }
        replay.calls.mark_interrupted();
        Ok(replay)
    }

    /// Applies one entry: the table that guards loading and appending alike.
    ///
    /// # Errors
    /// When the entry cannot follow the ones before it; the state is then as it was.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), Illegal> {
        let refused = |reason| Err(Illegal { index: self.entries, entry: entry.to_string(), reason });
        match (self.origin, entry) {
            _ if self.end.is_some() => return refused("the instance has ended"),
            (_, entry) if self.calls.unissued() && !matches!(entry, Entry::Issued { .. }) => {
                return refused("a decision is followed by its receipt");
            }
            (Origin::Nothing, Entry::Loaded { .. }) => self.origin = Origin::Loaded,
            (Origin::Loaded, Entry::Started { .. }) => self.origin = Origin::Started,
            (Origin::Started, Entry::Loaded { .. } | Entry::Started { .. }) => {
                return refused("an instance is loaded and started once");
            }
            (Origin::Started, Entry::Completed { output }) => {
                self.end = Some(Status::Completed(output.clone()))
            }
            (Origin::Started, Entry::Failed { failure }) => self.end = Some(Status::Failed(failure.clone())),
            (Origin::Started, entry) => {
                if let Err(reason) = self.calls.apply(self.entries, entry) {
                    return refused(reason);
                }
            }
            _ => return refused("a journal begins with loaded and started"),
        }
        self.entries += 1;
        Ok(())
    }

    /// The number of entries applied: the next one's index.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries
    }

    /// No entry has been applied.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// How the instance stands.
    #[must_use]
    pub fn status(&self) -> Status {
        match (&self.end, self.calls.undecided()) {
            (Some(end), _) => end.clone(),
            (None, Some((request, expires_at))) => {
                Status::Waiting(Wait::Approval { request: request.clone(), expires_at })
            }
            (None, None) => Status::Running,
        }
    }

    /// The index of the entry that answered the guest last. On every run it is the same at the same place between two calls, and it only
    /// grows: what has to look the same to the guest every time, its clock and its random numbers, is derived from it.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// The actions that were begun and have no signed outcome. None may be left when an instance ends.
    #[must_use]
    pub fn unsettled(&self) -> Vec<Unsettled> {
        self.calls.unsettled()
    }

    /// What to do about `command`. Ask again with the same command after each [`Turn::Do`] has been done and applied.
    ///
    /// # Errors
    /// When the journal has another call at this place.
    pub fn next(&mut self, command: &Command) -> Result<Turn, Divergence> {
        let asked = match command {
            Command::EndStep { call, result } => return self.end_step(*call, result),
            Command::BeginStep { name } => Asked::step(name),
            Command::RequireApproval(action) => Asked::from(action),
            Command::Perform(invocation) => Asked::from(invocation),
        };
        let Some(recorded) = self.calls.get(self.next) else { return Ok(self.live(asked, command)) };
        if recorded.asked != asked {
            let now = format!("asked for {asked}");
            return Err(Divergence { call: self.number(), recorded: recorded.asked.clone(), now });
        }
        let (after, answered) = (recorded.after, recorded.answered);
        let turn = self.recall(&recorded.state, command);
        if matches!(turn, Turn::Return(_)) {
            (self.next, self.position) = (after, answered);
        }
        Ok(turn)
    }

    /// The entry for the guest's own end. It must have repeated every recorded call before it.
    ///
    /// # Errors
    /// When the journal has a call that the guest did not make this time.
    pub fn finish(&self, result: &Result<String, Failure>) -> Result<Entry, Divergence> {
        match self.calls.get(self.next) {
            Some(recorded) => Err(Divergence {
                call: self.number(),
                recorded: recorded.asked.clone(),
                now: "ended without asking".to_owned(),
            }),
            None => Ok(self.limits.workflow_end(result)),
        }
    }

    /// A step's end. It belongs to a call that the guest has made in this drive, so it does not count as a call.
    fn end_step(&mut self, call: Call, result: &Result<String, Failure>) -> Result<Turn, Divergence> {
        let recorded = self.calls.get(call as usize);
        // What is kept of this very step does not count against it when it is asked about again.
        let kept = recorded.map_or(0, |recorded| self.calls.kept().saturating_sub(recorded.state.kept()));
        let result = self.limits.step_end(kept, result);
        // An end that is reported once more, after later calls, does not take the guest back to it.
        let answered = recorded.map_or(0, |recorded| recorded.answered).max(self.position);
        match (recorded.map(|recorded| &recorded.state), result) {
            (Some(State::StepOpen), result) => self.end_open_step(call, result),
            (Some(State::StepDone(before)), Ok(now)) if *before == now => {
                self.position = answered;
                Ok(Turn::Return(Outcome::Ended(Ok(()))))
            }
            (Some(State::StepFailed(before)), Err(now)) if *before == now => {
                self.position = answered;
                Ok(Turn::Return(Outcome::Ended(Err(now))))
            }
            _ => Err(Divergence {
                call,
                recorded: recorded
                    .map_or(Asked::Step { name: String::new() }, |recorded| recorded.asked.clone()),
                now: "reported another end of that step".to_owned(),
            }),
        }
    }

    /// What is recorded after an open step's beginning was asked for inside it, so the guest has to have repeated it all.
    fn end_open_step(&self, call: Call, result: Result<String, Failure>) -> Result<Turn, Divergence> {
        if let Some(recorded) = self.calls.get(self.next) {
            let now = format!("ended the step of call #{call} without asking");
            return Err(Divergence { call: self.number(), recorded: recorded.asked.clone(), now });
        }
        if let Some(inner) = self.calls.open_inside(call as usize) {
            let message = format!("{} was begun inside this step and has to end before it", inner.asked);
            return Ok(Turn::Break(Failure { name: "step-order".to_owned(), message }));
        }
        Ok(Turn::Do(Live::EndStep { call, result }))
    }

    /// The next call's number. The limit on calls keeps it far below the type's bound.
    fn number(&self) -> Call {
        Call::try_from(self.next).unwrap_or(Call::MAX)
    }

    /// A call that is not in the journal.
    fn live(&self, asked: Asked, command: &Command) -> Turn {
        let call = self.number();
        match (self.limits.check(call, command), command) {
            (Err(Problem::TooManyCalls(message)), _) => {
                Turn::Break(Failure { name: "limit-exceeded".to_owned(), message })
            }
            (Err(Problem::Unacceptable(message)), _) => Turn::Do(Live::Reject { call, asked, message }),
            (Ok(()), Command::BeginStep { name }) => Turn::Do(Live::BeginStep { call, name: name.clone() }),
            (Ok(()), Command::RequireApproval(action)) => {
                Turn::Do(Live::Request { call, asked, action: action.clone() })
            }
            (Ok(()), Command::Perform(invocation)) => {
                Turn::Do(Live::Redeem { call, asked, invocation: invocation.clone() })
            }
            // `next` has sent these to `end_step`.
            (Ok(()), Command::EndStep { .. }) => Turn::Return(Outcome::Ended(Ok(()))),
        }
    }

    /// A call that is in the journal.
    fn recall(&self, state: &State, command: &Command) -> Turn {
        let call = self.number();
        match (state, command) {
            (State::StepOpen, _) => Turn::Return(Outcome::Begun(Begun::Run(call))),
            (State::StepDone(output), _) => Turn::Return(Outcome::Begun(Begun::Done(output.clone()))),
            (State::StepFailed(failure), _) => Turn::Return(Outcome::Begun(Begun::Failed(failure.clone()))),
            (State::Rejected(message), _) => Turn::Return(Outcome::Rejected(message.clone())),
            (State::Pending { request, expires_at }, _) => {
                Turn::Wait(Wait::Approval { request: request.clone(), expires_at: *expires_at })
            }
            // `fold` does not leave a decision without its receipt, and `apply` lets nothing else follow one.
            (State::Decided { .. }, _) => Turn::Return(Outcome::Rejected("not signed".to_owned())),
            (State::Resolved(approval), _) => Turn::Return(Outcome::Approval(approval.clone())),
            (State::Redeemed { interrupted, .. }, Command::Perform(invocation)) => {
                Turn::Do(Live::Effect { call, invocation: invocation.clone(), interrupted: *interrupted })
            }
            // Only an action is ever redeemed, and `next` has compared the questions.
            (State::Redeemed { .. }, _) => Turn::Return(Outcome::Rejected("not an action".to_owned())),
            (State::Performed { receipt, effect }, _) => {
                Turn::Do(Live::Attest { call, receipt: receipt.clone(), effect: effect.clone() })
            }
            (State::Attested { effect }, _) => Turn::Return(Outcome::Performed(performance(effect))),
            (State::Refused { check, message }, _) => {
                Turn::Return(Outcome::Performed(Performance::Refused {
                    check: *check,
                    message: message.clone(),
                }))
            }
        }
    }
}

fn performance(effect: &Effect) -> Performance {
    match effect {
        Effect::Succeeded { output, .. } => Performance::Done(output.clone()),
        Effect::Failed { message, .. } => Performance::Failed(message.clone()),
        Effect::Unknown { message } => Performance::Unknown(message.clone()),
    }
}
