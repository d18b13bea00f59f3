//! A guest made of data, so that guests can be written down and generated.

use super::invocation;
use super::place::Places;
use super::shell::Shell;
use super::shell::Stop;
use std::convert::Infallible;
use workflow::Action;
use workflow::Approval;
use workflow::Begun;
use workflow::Call;
use workflow::Command;
use workflow::Failure;
use workflow::Outcome;
use workflow::Performance;

/// What a guest does, one thing after another; its result is what it saw.
#[derive(Debug, Clone)]
pub(crate) struct Program(pub(crate) Vec<Op>);

#[derive(Debug, Clone)]
pub(crate) enum Op {
    /// A step whose work is `body`. Its result is what the body saw, or the failure.
    Step { name: String, body: Vec<Op>, fails: Option<Failure> },
    /// Asks for permission and, where it is given, acts on it so many times.
    Act { action: Action, times: usize },
    /// Acts on a receipt that somebody made up.
    Forge { action: Action },
    /// Begins a step inside a step and ends the outer one first.
    Tangle,
}

/// What a guest sees of an [`Op`]: the same on every run, whether a step's body ran or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Step(Result<String, Failure>),
    Approval(Approval),
    Performed(Performance),
    Rejected(String),
    /// Where the guest stands in the journal: at the beginning of a body, and after each thing in it.
    At(usize),
}

/// A guest in one drive.
pub(crate) struct Guest<'a> {
    shell: &'a mut Shell,
    /// The steps whose bodies ran, by call.
    pub(crate) bodies: Vec<Call>,
    /// Where it came by.
    pub(crate) places: Places,
    /// Where it is.
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
            }
        }
        self.here.pop();
        Ok(seen)
    }

    /// Notes where the guest stands, now that it is at the next place.
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

/// What was seen, as JSON text: a result that changes when anything inside it does.
fn quoted(seen: &[Seen]) -> String {
    serde_json::to_string(&format!("{seen:?}")).unwrap()
}
