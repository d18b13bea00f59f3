//! A guest made of data, so that guests can be written down and generated.

use super::invocation;
use super::shell::Shell;
use super::shell::Stop;
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
}

/// What a guest sees of an [`Op`]: the same on every run, whether a step's body ran or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Step(Result<String, Failure>),
    Approval(Approval),
    Performed(Performance),
    Rejected(String),
}

/// A guest in one drive.
pub(crate) struct Guest<'a> {
    shell: &'a mut Shell,
    /// The steps whose bodies ran, by call.
    pub(crate) bodies: Vec<Call>,
}

impl<'a> Guest<'a> {
    pub(crate) fn new(shell: &'a mut Shell) -> Self {
        Self { shell, bodies: Vec::new() }
    }

    /// Runs `program` from its first line.
    pub(crate) fn run(&mut self, program: &Program) -> Result<Vec<Seen>, Stop> {
        let seen = self.all(&program.0)?;
        self.shell.finish(&Ok(quoted(&seen)))?;
        Ok(seen)
    }

    fn all(&mut self, ops: &[Op]) -> Result<Vec<Seen>, Stop> {
        let mut seen = Vec::new();
        for op in ops {
            match op {
                Op::Step { name, body, fails } => seen.push(self.step(name, body, fails.as_ref())?),
                Op::Act { action, times } => self.act(action, *times, &mut seen)?,
                Op::Forge { action } => seen.push(self.perform(action, "made-up".parse().unwrap())?),
            }
        }
        Ok(seen)
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
        let approval = match self.shell.answer(&Command::RequireApproval(action.clone()))? {
            Outcome::Approval(approval) => approval,
            Outcome::Rejected(message) => {
                seen.push(Seen::Rejected(message));
                return Ok(());
            }
            other => panic!("{other:?} is no answer to a request"),
        };
        seen.push(Seen::Approval(approval.clone()));
        if let Approval::Granted { receipt, .. } = approval {
            for _ in 0..times {
                seen.push(self.perform(action, receipt.clone())?);
            }
        }
        Ok(())
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
