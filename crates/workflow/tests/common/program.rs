//! A guest as data, so that guests can be written down and generated.

use super::place::Places;
use super::shell::{Shell, Stop};
use super::{failure, invocation};
use std::collections::BTreeMap;
use std::convert::Infallible;
use workflow::{
    Action, Alarm, Approval, Begun, Call, Command, Expectation, Failure, Outcome, Performance, Ready, Retry,
    Sleep, Start, StepConfig,
};

/// A guest's operations in order; its result is what it saw.
#[derive(Debug, Clone)]
pub(crate) struct Program(pub(crate) Vec<Op>);

#[derive(Debug, Clone)]
pub(crate) enum Op {
    /// A step whose work is `body`. Its result is what the body saw, or the failure.
    Step { name: String, body: Vec<Op>, fails: Option<Failure> },
    /// Asks for approval and, if approved, acts on it so many times.
    Act { action: Action, times: usize },
    /// Acts on an invented receipt.
    Forge { action: Action },
    /// Begins a step inside a step and ends the outer one first.
    Tangle,
    /// A call whose end it waits for at once.
    Wait(Startable),
    /// Begins all of these, and waits until they have all ended.
    All(Vec<Startable>),
    /// Starts all of these, waits until one of them has ended, and never asks for the others again.
    Race(Vec<Startable>),
}

/// A call that can be started.
#[derive(Debug, Clone)]
pub(crate) enum Startable {
    /// A step whose first attempts end so, one after another; what follows them succeeds. Its work is `body`.
    Step { config: StepConfig, attempts: Vec<Try>, body: Vec<Op> },
    /// A sleep of so many milliseconds.
    Sleep(u64),
    /// A wait for an event of this type, for so many milliseconds. The world sends one if the type's name says so.
    Event(&'static str, u64),
    /// A request for permission.
    Approval(Action),
}

/// The end of an attempt that does not succeed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Try {
    /// It fails.
    Fails,
    /// It fails, and asks for the next attempt after so many milliseconds.
    FailsFor(u64),
    /// It says that a retry would not help.
    GivesUp,
    /// It takes so many milliseconds.
    Takes(u64),
    /// Its result is no JSON.
    Mumbles,
}

/// The result of an [`Op`] for the guest: the same on every run, whether a step's body ran or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Step(Result<String, Failure>),
    Approval(Approval),
    Performed(Performance),
    Rejected(String),
    /// The end of the call of that index among those that the guest started together.
    Ended(usize, Ready),
    /// The guest's position in the journal: at the beginning of a body, and after each operation in it.
    At(usize),
}

/// A guest in one drive.
pub(crate) struct Guest<'a> {
    shell: &'a mut Shell,
    /// The steps whose bodies ran, by call.
    pub(crate) bodies: Vec<Call>,
    /// The places that it has passed.
    pub(crate) places: Places,
    /// Its present place.
    here: Vec<usize>,
}

impl<'a> Guest<'a> {
    pub(crate) fn new(shell: &'a mut Shell) -> Self {
        Self { shell, bodies: Vec::new(), places: Places::new(), here: Vec::new() }
    }

    /// Runs `program` from its first line.
    pub(crate) fn run(&mut self, program: &Program) -> Result<Vec<Seen>, Stop> {
        let seen = self.all(&program.0)?;
        self.shell.finish(&Ok(quoted(&seen)))?;
        Ok(seen)
    }

    fn all(&mut self, ops: &[Op]) -> Result<Vec<Seen>, Stop> {
        self.here.push(0);
        let mut seen = vec![self.arrive()];
        for op in ops {
            match op {
                Op::Step { name, body, fails } => {
                    let step = self.step(name, body, fails.as_ref())?;
                    seen.extend([step, self.arrive()]);
                }
                Op::Act { action, times } => self.act(action, *times, &mut seen)?,
                Op::Forge { action } => {
                    let forged = self.perform(action, "made-up".parse().unwrap())?;
                    seen.extend([forged, self.arrive()]);
                }
                Op::Tangle => match self.tangle()? {},
                Op::Wait(started) => {
                    let ended = self.wait(started)?;
                    seen.extend([ended, self.arrive()]);
                }
                Op::All(starts) => self.first_of(starts, starts.len(), &mut seen)?,
                Op::Race(starts) => self.first_of(starts, 1, &mut seen)?,
            }
        }
        self.here.pop();
        Ok(seen)
    }

    /// Records the guest's position at the next place.
    fn arrive(&mut self) -> Seen {
        let position = self.shell.position();
        self.places.insert(self.here.clone(), position);
        *self.here.last_mut().unwrap() += 1;
        Seen::At(position)
    }

    fn step(&mut self, name: &str, body: &[Op], fails: Option<&Failure>) -> Result<Seen, Stop> {
        let call = match self.shell.answer(&Command::BeginStep { name: name.to_owned() })? {
            Outcome::Begun(Begun::Done(output)) => return Ok(Seen::Step(Ok(output))),
            Outcome::Begun(Begun::Failed(failure)) => return Ok(Seen::Step(Err(failure))),
            Outcome::Begun(Begun::Run(call)) => call,
            Outcome::Rejected(message) => return Ok(Seen::Rejected(message)),
            other => panic!("{other:?} is no answer to a step"),
        };
        self.bodies.push(call);
        let output = quoted(&self.all(body)?);
        let result = fails.map_or(Ok(output), |failure| Err(failure.clone()));
        match self.shell.answer(&Command::EndStep { call, result: result.clone() })? {
            Outcome::Ended(end) => Ok(Seen::Step(end.and(result))),
            other => panic!("{other:?} is no answer to a step's end"),
        }
    }

    fn act(&mut self, action: &Action, times: usize, seen: &mut Vec<Seen>) -> Result<(), Stop> {
        let answer = match self.shell.answer(&Command::RequireApproval(action.clone()))? {
            Outcome::Approval(approval) => Seen::Approval(approval),
            Outcome::Rejected(message) => Seen::Rejected(message),
            other => panic!("{other:?} is no answer to a request"),
        };
        seen.extend([answer.clone(), self.arrive()]);
        if let Seen::Approval(Approval::Granted { receipt, .. }) = answer {
            for _ in 0..times {
                let performed = self.perform(action, receipt.clone())?;
                seen.extend([performed, self.arrive()]);
            }
        }
        Ok(())
    }

    /// Waits at once, where there is a command for that.
    fn wait(&mut self, started: &Startable) -> Result<Seen, Stop> {
        let command = match start(started) {
            Start::Sleep(sleep) => Command::Sleep(sleep),
            Start::WaitForEvent(expectation) => Command::WaitForEvent(expectation),
            Start::RequireApproval(action) => Command::RequireApproval(action),
            Start::Step { name, .. } => {
                let Startable::Step { body, .. } = started else { panic!("it is a step") };
                return self.step(&name, body, None);
            }
        };
        match self.shell.answer(&command)? {
            Outcome::Woken { ready, .. } => Ok(Seen::Ended(0, ready)),
            Outcome::Approval(approval) => Ok(Seen::Approval(approval)),
            Outcome::Rejected(message) => Ok(Seen::Rejected(message)),
            other => panic!("{other:?} is no answer to a wait"),
        }
    }

    /// Starts all calls, and waits for `ends` of their ends, in the order in which they come.
    fn first_of(&mut self, starts: &[Startable], ends: usize, seen: &mut Vec<Seen>) -> Result<(), Stop> {
        let mut going: BTreeMap<Call, (usize, &Startable)> = BTreeMap::new();
        for (place, started) in starts.iter().enumerate() {
            match self.shell.answer(&Command::Start(start(started)))? {
                Outcome::Started(call) => drop(going.insert(call, (place, started))),
                Outcome::Begun(Begun::Run(call)) => {
                    self.attempt(call, 1, started)?;
                    going.insert(call, (place, started));
                }
                Outcome::Rejected(message) => seen.push(Seen::Rejected(message)),
                other => panic!("{other:?} is not an answer to a started call"),
            }
            seen.push(self.arrive());
        }
        let left = going.len().saturating_sub(ends);
        while going.len() > left {
            // Not in order, and one of them twice: the core must accept that.
            let calls: Vec<_> = going.keys().rev().chain(going.keys().next()).copied().collect();
            let (call, ready) = match self.shell.answer(&Command::Await { calls })? {
                Outcome::Woken { call, ready } => (call, ready),
                other => panic!("{other:?} is no answer to a wait"),
            };
            let (place, started) = going[&call];
            match ready {
                Ready::Run { attempt } => self.attempt(call, attempt, started)?,
                ended => {
                    going.remove(&call);
                    seen.extend([Seen::Ended(place, ended), self.arrive()]);
                }
            }
        }
        Ok(())
    }

    /// Makes an attempt of a step. A guest that waits for the step sees only its end, not the attempt's.
    fn attempt(&mut self, call: Call, number: u32, started: &Startable) -> Result<(), Stop> {
        let Startable::Step { attempts, body, .. } = started else { panic!("only a step is tried") };
        self.bodies.push(call);
        // Places inside one attempt differ from those inside another.
        self.here.extend([call as usize, number as usize]);
        let seen = quoted(&self.all(body)?);
        self.here.truncate(self.here.len() - 2);
        let failed = failure("broken", &format!("attempt {number}"));
        let (end, takes) = match attempts.get(number as usize - 1) {
            None => (Command::EndStep { call, result: Ok(seen) }, 0),
            Some(Try::Takes(ms)) => (Command::EndStep { call, result: Ok(seen) }, *ms),
            Some(Try::Mumbles) => (Command::EndStep { call, result: Ok("um".to_owned()) }, 0),
            Some(Try::Fails) => (Command::EndStep { call, result: Err(failed) }, 0),
            Some(Try::FailsFor(ms)) => {
                (Command::FailStep { call, failure: failed, retry: Retry::After(*ms) }, 0)
            }
            Some(Try::GivesUp) => (Command::FailStep { call, failure: failed, retry: Retry::Never }, 0),
        };
        match self.shell.answer_after(takes, &end)? {
            Outcome::Ended(_) => Ok(()),
            other => panic!("{other:?} is no answer to an attempt's end"),
        }
    }

    fn tangle(&mut self) -> Result<Infallible, Stop> {
        let outer = self.begin("outer")?;
        self.begin("inner")?;
        let end = Command::EndStep { call: outer, result: Ok("null".to_owned()) };
        panic!("{:?} though the inner step is open", self.shell.answer(&end)?)
    }

    /// Begins a step that never ends.
    fn begin(&mut self, name: &str) -> Result<Call, Stop> {
        match self.shell.answer(&Command::BeginStep { name: name.to_owned() })? {
            Outcome::Begun(Begun::Run(call)) => Ok(call),
            other => panic!("{other:?} is no answer to a step that never ends"),
        }
    }

    fn perform(&mut self, action: &Action, receipt: workflow::ReceiptId) -> Result<Seen, Stop> {
        match self.shell.answer(&Command::Perform(invocation(action, receipt)))? {
            Outcome::Performed(performance) => Ok(Seen::Performed(performance)),
            Outcome::Rejected(message) => Ok(Seen::Rejected(message)),
            other => panic!("{other:?} is no answer to an action"),
        }
    }
}

/// The command that starts it. Its name describes it.
fn start(started: &Startable) -> Start {
    match started {
        Startable::Step { config, .. } => Start::Step { name: "tried".to_owned(), config: config.clone() },
        Startable::Sleep(ms) => Start::Sleep(Sleep { name: format!("{ms} ms"), alarm: Alarm::In(*ms) }),
        Startable::Event(event_type, timeout_ms) => Start::WaitForEvent(Expectation {
            name: format!("{event_type} within {timeout_ms} ms"),
            event_type: (*event_type).to_owned(),
            timeout_ms: *timeout_ms,
        }),
        Startable::Approval(action) => Start::RequireApproval(action.clone()),
    }
}

/// The seen values as JSON text: a result that changes when any of them does.
fn quoted(seen: &[Seen]) -> String {
    serde_json::to_string(&format!("{seen:?}")).unwrap()
}
