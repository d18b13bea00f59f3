//! The state's answers to a guest.

use crate::limits::CommandRefusal;
use crate::table::call::{CallState, RecordedCall};
use crate::table::trails::{Frame, TrailId, TrailMark};
use crate::{
    Begun, Call, CallMode, Command, Effect, Entry, Failure, Live, Outcome, Performance, PreparedCommand,
    Quoted, Ready, RecordedCommand, Replay, Retry, Start, Turn, Wait,
};
use receipt::Timestamp;

/// The guest's command differs from the recorded one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the workflow took another path than the one in its journal, at call #{call}: the journal records {recorded}, now the workflow {now}; \
     nothing was done and nothing is lost. A workflow has to ask for the same things in the same order on every run: \
     usual causes are a decision on something that is not in a step's result, and code that changed under a running instance"
)]
pub struct Divergence {
    /// The call.
    pub call: Call,
    /// The recorded command.
    pub recorded: String,
    /// The guest's command now.
    pub now: String,
}

impl Replay {
    /// The next turn for `command` at the time `now`. Call it again with the same command after each [`Turn::Record`]
    /// and [`Turn::Do`] has been performed and applied.
    ///
    /// # Errors
    /// The journal has another command at this position.
    pub fn next(&mut self, command: &PreparedCommand, now: Timestamp) -> Result<Turn, Divergence> {
        match command.command() {
            Command::EndStep { call, result } => self.end_step(*call, result, Retry::Configured, now),
            Command::FailStep { call, failure, retry } => {
                self.end_step(*call, &Err(failure.clone()), *retry, now)
            }
            Command::Await { calls } => self.await_first(calls, now),
            _ => self.ask(command, now),
        }
    }

    /// The entry for the guest's own end. It must have repeated everything that is recorded.
    ///
    /// # Errors
    /// The journal has a command that the guest did not repeat.
    pub fn finish(&self, result: &Result<String, Failure>) -> Result<Entry, Divergence> {
        match self.ahead() {
            Some((_, mark)) => Err(self.diverged(mark, "ended without asking".to_owned())),
            None => Ok(self.limits.workflow_end(result)),
        }
    }

    /// Answers a command that has a call number of its own.
    fn ask(&mut self, prepared: &PreparedCommand, now: Timestamp) -> Result<Turn, Divergence> {
        // `next` handles the commands without a call number.
        let Some((asked, mode)) = prepared.asked() else { return Ok(no_answer("it asks for nothing")) };
        let command = prepared.command();
        let Some((place, mark)) = self.ahead() else { return Ok(self.live(asked, command, now)) };
        let recorded = match mark {
            TrailMark::Call(call) => self.calls.get(call).map(|recorded| (call, recorded)),
            TrailMark::Delivered { .. } | TrailMark::Attempt { .. } => None,
        };
        let same = |(_, recorded): &(Call, &RecordedCall)| {
            let rejected = matches!(recorded.state, CallState::Rejected(_));
            recorded.asked == *asked && (rejected || recorded.mode == mode)
        };
        let Some((call, recorded)) = recorded.filter(same) else {
            let started = if mode == CallMode::Started { ", as a started call" } else { "" };
            return Err(self.diverged(mark, format!("asked for {asked}{started}")));
        };
        let (answered, begun) = (recorded.answered, recorded.begun);
        let opened = opened(recorded);
        let turn = match (mode, &recorded.state) {
            (CallMode::Blocking, state) => self.recall(call, state, command, now),
            (_, CallState::Rejected(message)) => Turn::Return(Outcome::Rejected(message.clone())),
            (_, CallState::StepOpen { attempt: 1, .. }) => Turn::Return(Outcome::Begun(Begun::Run(call))),
            _ => Turn::Return(Outcome::Started(call)),
        };
        if let Turn::Return(outcome) = &turn {
            self.pass(place);
            self.position = if mode == CallMode::Started { begun } else { answered };
            if let (Outcome::Begun(Begun::Run(_)), Some(trail)) = (outcome, opened) {
                self.frames.push(Frame { trail, next: 0, attempt: Some((call, now)) });
            }
        }
        Ok(turn)
    }

    /// A call that is not in the journal.
    fn live(&self, asked: &RecordedCommand, command: &Command, now: Timestamp) -> Turn {
        let call = self.calls.next();
        let earliest = self.guest_clock.map_or(now, |clock| clock.min(now));
        match self.limits.check(call, self.calls.started(), command, earliest) {
            Err(CommandRefusal::TooManyCalls(message)) => {
                return Turn::Break(Failure { name: "limit-exceeded".to_owned(), message });
            }
            Err(CommandRefusal::Unacceptable(message)) => {
                return Turn::Record(Entry::Rejected { call, asked: asked.clone(), message });
            }
            Ok(()) => {}
        }
        let mode = if matches!(command, Command::Start(_)) { CallMode::Started } else { CallMode::Blocking };
        match command {
            Command::BeginStep { name } => {
                Turn::Record(Entry::StepStarted { call, name: name.clone(), config: None, mode })
            }
            Command::Start(Start::Step { name, config }) => {
                let (name, config) = (name.clone(), Some(config.clone()));
                Turn::Record(Entry::StepStarted { call, name, config, mode })
            }
            Command::Sleep(sleep) | Command::Start(Start::Sleep(sleep)) => {
                let until = sleep.alarm.rings(now);
                Turn::Record(Entry::SleepStarted { call, name: sleep.name.clone(), until, mode })
            }
            Command::WaitForEvent(wait) | Command::Start(Start::WaitForEvent(wait)) => {
                expect(call, wait, mode, now)
            }
            Command::RequireApproval(action) | Command::Start(Start::RequireApproval(action)) => {
                Turn::Do(Live::Request { call, asked: asked.clone(), action: action.clone(), mode })
            }
            Command::Perform(invocation) => {
                Turn::Do(Live::Redeem { call, asked: asked.clone(), invocation: invocation.clone() })
            }
            // These commands have no call number of their own.
            Command::EndStep { .. } | Command::FailStep { .. } | Command::Await { .. } => {
                no_answer("it asks for nothing")
            }
        }
    }

    /// The turn for a recorded call whose end the guest waits for immediately.
    fn recall(&self, call: Call, state: &CallState, command: &Command, now: Timestamp) -> Turn {
        match (state, command) {
            (CallState::StepOpen { .. }, _) => Turn::Return(Outcome::Begun(Begun::Run(call))),
            (CallState::StepDone(output), _) => Turn::Return(Outcome::Begun(Begun::Done(output.clone()))),
            (CallState::StepFailed(failure) | CallState::StepDue { failure, .. }, _) => {
                Turn::Return(Outcome::Begun(Begun::Failed(failure.clone())))
            }
            (CallState::Rejected(message), _) => Turn::Return(Outcome::Rejected(message.clone())),
            (CallState::Slept, _) => woken(call, Ready::Slept),
            (CallState::TimedOut { until }, _) => woken(call, Ready::TimedOut { until: *until }),
            (CallState::Received(event), _) => match self.calls.mailbox().get(*event) {
                Some(event) => woken(call, Ready::Event(event.clone())),
                None => no_answer("the event is not there"),
            },
            (CallState::Sleeping { .. } | CallState::Expecting { .. } | CallState::Pending { .. }, _) => {
                self.wait_for(&[call], now)
            }
            // `fold` does not accept a decision without its receipt at the end, and `apply` allows no other entry after
            // a decision.
            (CallState::Decided { .. }, _) => no_answer("not signed"),
            (CallState::Resolved(approval), _) => Turn::Return(Outcome::Approval(approval.clone())),
            (CallState::Redeemed { interrupted, .. }, Command::Perform(invocation)) => {
                Turn::Do(Live::Effect { call, invocation: invocation.clone(), interrupted: *interrupted })
            }
            // Only an action is ever redeemed, and `ask` has compared the questions.
            (CallState::Redeemed { .. }, _) => no_answer("not an action"),
            (CallState::Performed { receipt, effect }, _) => {
                Turn::Do(Live::Attest { call, receipt: receipt.clone(), effect: effect.clone() })
            }
            (CallState::Attested { effect, .. }, _) => Turn::Return(Outcome::Performed(performance(effect))),
            (CallState::Refused { check, message }, _) => {
                let (check, message) = (*check, message.clone());
                Turn::Return(Outcome::Performed(Performance::Refused { check, message }))
            }
        }
    }

    /// Answers with the first end among started calls.
    fn await_first(&mut self, calls: &[Call], now: Timestamp) -> Result<Turn, Divergence> {
        let Some((place, mark)) = self.ahead() else { return Ok(self.await_live(calls, now)) };
        match mark {
            TrailMark::Delivered { call, index } if calls.contains(&call) => {
                self.pass(place);
                self.position = index;
                Ok(woken(call, self.ready(call)))
            }
            TrailMark::Attempt { call, trail, index } if calls.contains(&call) => {
                let attempt = match self.calls.get(call).map(|recorded| &recorded.state) {
                    Some(CallState::StepOpen { attempt, .. }) => *attempt,
                    // `ahead` passes by an attempt that has ended.
                    _ => 0,
                };
                self.pass(place);
                self.position = index;
                self.frames.push(Frame { trail, next: 0, attempt: Some((call, now)) });
                Ok(woken(call, Ready::Run { attempt }))
            }
            _ => Err(self.diverged(mark, format!("waited for the first of {}", numbers(calls)))),
        }
    }

    /// The guest has reached the end of the journal, and waits.
    fn await_live(&self, calls: &[Call], now: Timestamp) -> Turn {
        let mut sorted = calls.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let stranger = sorted.iter().find(|call| !self.is_here(**call));
        if let Some(message) = match (sorted.is_empty(), stranger) {
            (true, _) => Some("a workflow that waits has to wait for something".to_owned()),
            (_, Some(call)) => Some(format!(
                "call #{call} cannot be waited for here: it was not started in this step, or its result has been delivered"
            )),
            _ => None,
        } {
            return Turn::Break(Failure { name: "invalid-wait".to_owned(), message });
        }
        self.wait_for(&sorted, now)
    }

    /// Whether the call was started in the guest's current trail.
    fn is_here(&self, call: Call) -> bool {
        self.frames.last().is_some_and(|frame| frame.trail == self.calls.innermost())
            && self.calls.is_deliverable(call)
    }

    /// Ends that are in the journal come first, then those that time alone has reached.
    fn wait_for(&self, calls: &[Call], now: Timestamp) -> Turn {
        let ended = calls.iter().filter_map(|call| self.there(*call)).min_by_key(|(index, _)| *index);
        if let Some((_, entry)) = ended {
            return Turn::Record(entry);
        }
        let pending = |call: &Call| self.calls.get(*call).and_then(|recorded| recorded.pending(*call));
        let on: Vec<_> = calls.iter().filter_map(pending).collect();
        let due = on.iter().filter(|pending| pending.due() <= now).min_by_key(|pending| pending.due());
        if let Some(due) = due {
            return Turn::Record(due.elapse());
        }
        let waited_for = calls.iter().filter_map(|call| self.calls.get(*call));
        let has_to_say = waited_for.into_iter().any(|recorded| recorded.mode == CallMode::Started);
        match has_to_say && self.calls.awaiting() != Some(calls) {
            true => Turn::Record(Entry::Awaiting { calls: calls.to_vec() }),
            false => Turn::Wait(Wait { on }),
        }
    }

    /// The index of the entry that ended the call, and the entry that tells the guest.
    fn there(&self, call: Call) -> Option<(usize, Entry)> {
        if let Some((event, index)) = self.calls.matching(call) {
            return Some((index, Entry::WaitMatched { call, event }));
        }
        let recorded = self.calls.get(call).filter(|recorded| recorded.has_ended())?;
        Some((recorded.answered, Entry::Delivered { call }))
    }

    /// The end of a call, in the form that the guest gets.
    fn ready(&self, call: Call) -> Ready {
        match self.calls.get(call).map(|recorded| &recorded.state) {
            Some(CallState::StepDone(output)) => Ready::Step(Ok(output.clone())),
            Some(CallState::StepFailed(failure)) => Ready::Step(Err(failure.clone())),
            Some(CallState::TimedOut { until }) => Ready::TimedOut { until: *until },
            Some(CallState::Resolved(approval)) => Ready::Approval(approval.clone()),
            Some(CallState::Received(event)) => {
                self.calls.mailbox().get(*event).map_or(Ready::Slept, |event| Ready::Event(event.clone()))
            }
            // Not reached: the table offers only calls that have ended.
            _ => Ready::Slept,
        }
    }

    /// The journal's next mark at the guest's position, and its place in the trail. An attempt that has ended is
    /// skipped: the guest gets its end and does not make it again.
    pub(crate) fn ahead(&self) -> Option<(usize, TrailMark)> {
        let frame = self.frames.last()?;
        let marks = self.calls.marks(frame.trail).iter().enumerate().skip(frame.next);
        let counts = |(_, mark): &(usize, &TrailMark)| match mark {
            TrailMark::Attempt { call, trail, .. } => {
                self.calls.get(*call).is_some_and(|recorded| opened(recorded) == Some(*trail))
            }
            TrailMark::Call(_) | TrailMark::Delivered { .. } => true,
        };
        marks.into_iter().find(counts).map(|(place, mark)| (place, *mark))
    }

    fn pass(&mut self, place: usize) {
        if let Some(frame) = self.frames.last_mut() {
            frame.next = place + 1;
        }
    }

    pub(crate) fn diverged(&self, mark: TrailMark, now: String) -> Divergence {
        let asked =
            |call| self.calls.get(call).map(|recorded| recorded.asked.to_string()).unwrap_or_default();
        let (call, recorded) = match mark {
            TrailMark::Call(call) => (call, asked(call)),
            TrailMark::Delivered { call, .. } => {
                (call, format!("that it waited for the end of {}", asked(call)))
            }
            TrailMark::Attempt { call, .. } => (call, format!("another attempt of {}", asked(call))),
        };
        Divergence { call, recorded, now }
    }
}

/// The trail of the attempt in progress.
pub(crate) fn opened(recorded: &RecordedCall) -> Option<TrailId> {
    match recorded.state {
        CallState::StepOpen { trail, .. } => Some(trail),
        _ => None,
    }
}

fn expect(call: Call, wait: &crate::Expectation, mode: CallMode, now: Timestamp) -> Turn {
    match wait.event_type.parse() {
        Ok(event_type) => {
            let until = crate::command::step::later(now, wait.timeout_ms);
            let name = wait.name.clone();
            Turn::Record(Entry::WaitStarted { call, name, event_type, until, mode })
        }
        // `check` has parsed it.
        Err(invalid) => no_answer(&Quoted(&invalid.to_string()).to_string()),
    }
}

fn woken(call: Call, ready: Ready) -> Turn {
    Turn::Return(Outcome::Woken { call, ready })
}

/// The answer in states that the table excludes.
fn no_answer(why: &str) -> Turn {
    Turn::Return(Outcome::Rejected(why.to_owned()))
}

/// The numbers, shortened to a line.
fn numbers(calls: &[Call]) -> String {
    let shown: Vec<_> = calls.iter().take(16).map(|call| format!("#{call}")).collect();
    shown.join(" ")
}

fn performance(effect: &Effect) -> Performance {
    match effect {
        Effect::Succeeded { output, .. } => Performance::Done(output.clone()),
        Effect::Failed { message, .. } => Performance::Failed(message.clone()),
        Effect::Unknown { message } => Performance::Unknown(message.clone()),
    }
}
