//! Who decides on this command line.

use anyhow::bail;
use engine::issuer::{DemoDecider, Judgement, Request};
use receipt::Decision;
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use workflow::{ActorId, Escaped, InvalidId};

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
            let by = DemoDecider::new("automatic".parse()?);
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
    let document: serde_json::Value = serde_json::from_str(&request.document()?.canonical())?;
    for line in serde_json::to_string_pretty(&document)?.lines() {
        writeln!(out, "  {}", Escaped(line))?;
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
        by: DemoDecider::new(user()?),
        reason: Some("decided at the terminal".to_owned()),
    }))
}

/// The name that the terminal's user goes by. It proves nothing, and the receipt says so.
fn user() -> Result<ActorId, InvalidId> {
    let named = std::env::var("USER").ok().and_then(|name| name.parse().ok());
    named.map_or_else(|| "operator".parse(), Ok)
}
