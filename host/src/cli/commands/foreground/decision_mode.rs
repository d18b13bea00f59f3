//! The decider that a command line chooses.

use crate::cli::commands::foreground::ask;
use anyhow::bail;
use engine::api::{Account, Attended};
use engine::issuer::{Judgement, Request};
use receipt::Decision;
use std::io::IsTerminal as _;

/// The treatment of an action that waits for a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DecisionMode {
    /// Approve everything.
    Approve,
    /// Deny everything.
    Deny,
    /// Ask at the terminal.
    Ask,
    /// Leave it waiting.
    Wait,
}

impl DecisionMode {
    /// The decision about `request`; none when it is to wait.
    pub(crate) fn decide(self, request: &Request) -> anyhow::Result<Option<Judgement>> {
        let automatic = |decision, reason: &str| {
            let by = Attended::Automatic.decider(Account::own().as_str())?;
            Ok(Some(Judgement { decision, by, reason: Some(reason.to_owned()) }))
        };
        match self {
            Self::Wait => Ok(None),
            Self::Approve => {
                automatic(Decision::Approved, "approved by the demo decider; no person looked at it")
            }
            Self::Deny => automatic(Decision::Denied, "denied by the demo decider; no person looked at it"),
            Self::Ask => ask(request),
        }
    }

    /// Whether a person is asked.
    pub(crate) fn attended(self) -> Attended {
        if self == Self::Ask { Attended::InPerson } else { Attended::Automatic }
    }

    /// Refuses a mode that cannot work here, before anything runs.
    pub(crate) fn check(self) -> anyhow::Result<()> {
        if self == Self::Ask && !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
            bail!(
                "--ask needs a terminal to ask on: run it in one, or use --deny, or --wait and decide later with pp-host drive INSTANCE --ask"
            );
        }
        Ok(())
    }
}

/// Asks, and accepts yes or no as an answer. Any other answer decides nothing.
fn ask(request: &Request) -> anyhow::Result<Option<Judgement>> {
    let Some(decision) = ask::ask(request)? else { return Ok(None) };
    Ok(Some(Judgement {
        decision,
        by: Attended::InPerson.decider(Account::own().as_str())?,
        reason: Some("decided at the terminal".to_owned()),
    }))
}
