//! Who decides on this command line.

use crate::cli::visible_json;
use anyhow::bail;
use engine::api::{Account, Attended};
use engine::issuer::{Judgement, Request};
use receipt::Decision;
use std::io::{BufRead as _, IsTerminal as _, Write as _};

/// What to do when an action waits for a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Approve everything.
    Approve,
    /// Deny everything.
    Deny,
    /// Ask whoever sits at the terminal.
    Ask,
    /// Leave it waiting.
    Wait,
}

impl Manner {
    /// The decision about `request`; none when it is to wait.
    pub(crate) fn decide(self, request: &Request) -> anyhow::Result<Option<Judgement>> {
        let automatic = |decision, reason: &str| {
            let by = Attended::Automatic.decider(Account::own().as_str())?;
            Ok(Some(Judgement { decision, by, reason: Some(reason.to_owned()) }))
        };
        match self {
            Self::Wait => Ok(None),
            Self::Approve => {
                automatic(Decision::Approved, "approved by the demo decider; nobody looked at it")
            }
            Self::Deny => automatic(Decision::Denied, "denied by the demo decider; nobody looked at it"),
            Self::Ask => ask(request),
        }
    }

    /// Whether anybody is asked.
    pub(crate) fn attended(self) -> Attended {
        if self == Self::Ask { Attended::InPerson } else { Attended::Automatic }
    }

    /// Refuses a manner that cannot work here, before anything runs.
    pub(crate) fn check(self) -> anyhow::Result<()> {
        if self == Self::Ask && !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
            bail!(
                "--ask needs a terminal to ask on: run it in one, or use --deny, or --wait and decide later with pp-host resume INSTANCE --ask"
            );
        }
        Ok(())
    }
}

/// Shows everything that will be signed, and takes yes or no for an answer. Anything else is neither.
fn ask(request: &Request) -> anyhow::Result<Option<Judgement>> {
    let mut out = anstream::stderr();
    writeln!(
        out,
        "\nThis text will be signed, with your decision and the time. Its hash is {}.",
        request.input_hash()?
    )?;
    writeln!(
        out,
        "(In it, evidence, reason, summary, resource and the names are the workflow's own words.)\n"
    )?;
    for line in visible_json(&request.document()?.indented()).lines() {
        writeln!(out, "  {line}")?;
    }
    writeln!(
        out,
        "\nThe receipt will be of scope demo: this terminal knows nobody's key, and no production gate will accept it."
    )?;
    write!(out, "Approve? [yes/no, anything else leaves it waiting] ")?;
    out.flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    let decision = match answer.trim() {
        "yes" => Decision::Approved,
        "no" => Decision::Denied,
        _ => return Ok(None),
    };
    Ok(Some(Judgement {
        decision,
        by: Attended::InPerson.decider(Account::own().as_str())?,
        reason: Some("decided at the terminal".to_owned()),
    }))
}
