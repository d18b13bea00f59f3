//! Commands in the form that the journal records.

use crate::{Action, ArtifactFacts, CallMode, Command, Expectation, Invocation, ReceiptId, Sleep, Start};
use receipt::Digest;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The journal's record of a command: enough to recognise it on replay, and to describe a difference in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case", deny_unknown_fields)]
pub enum RecordedCommand {
    /// A step.
    Step {
        /// The step's name.
        name: String,
    },
    /// A sleep. How long it is was settled when it began.
    Sleep {
        /// The sleep's name.
        name: String,
    },
    /// An event. How long it is waited for was settled when the wait began.
    Event {
        /// The wait's name.
        name: String,
        /// The type of event.
        event_type: String,
    },
    /// A permission.
    Approval {
        /// The action's capability.
        capability: String,
        /// The action's resource.
        resource: String,
        /// [`Action::digest`].
        action: Digest,
    },
    /// An action.
    Perform {
        /// The capability.
        capability: String,
        /// The resource.
        resource: String,
        /// The artifact.
        artifact: ArtifactFacts,
        /// The receipt.
        receipt: ReceiptId,
    },
}

impl RecordedCommand {
    /// A step of that name.
    #[must_use]
    pub fn step(name: &str) -> Self {
        Self::Step { name: brief(name) }
    }

    /// The name that the workflow gave the call.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Step { name } | Self::Sleep { name } | Self::Event { name, .. } => Some(name),
            Self::Approval { .. } | Self::Perform { .. } => None,
        }
    }
}

/// A command with its recorded form. The form has the digests of long texts, so it is computed once, however often the command is asked.
#[derive(Debug)]
pub struct PreparedCommand {
    command: Command,
    asked: Option<(RecordedCommand, CallMode)>,
}

impl PreparedCommand {
    /// The command, as the guest made it.
    #[must_use]
    pub fn command(&self) -> &Command {
        &self.command
    }

    /// The recorded form of the command; `None` for a command that refers to an earlier call.
    pub(crate) fn asked(&self) -> Option<(&RecordedCommand, CallMode)> {
        self.asked.as_ref().map(|(asked, mode)| (asked, *mode))
    }
}

impl From<Command> for PreparedCommand {
    fn from(command: Command) -> Self {
        let at_once = |asked| Some((asked, CallMode::Blocking));
        let asked = match &command {
            Command::BeginStep { name } => at_once(RecordedCommand::step(name)),
            Command::Sleep(sleep) => at_once(RecordedCommand::from(sleep)),
            Command::WaitForEvent(expectation) => at_once(RecordedCommand::from(expectation)),
            Command::RequireApproval(action) => at_once(RecordedCommand::from(action)),
            Command::Perform(invocation) => at_once(RecordedCommand::from(invocation)),
            Command::Start(start) => Some((RecordedCommand::from(start), CallMode::Started)),
            Command::EndStep { .. } | Command::FailStep { .. } | Command::Await { .. } => None,
        };
        Self { command, asked }
    }
}

impl From<&Start> for RecordedCommand {
    fn from(start: &Start) -> Self {
        match start {
            Start::Step { name, .. } => Self::step(name),
            Start::Sleep(sleep) => Self::from(sleep),
            Start::WaitForEvent(expectation) => Self::from(expectation),
            Start::RequireApproval(action) => Self::from(action),
        }
    }
}

impl From<&Sleep> for RecordedCommand {
    fn from(sleep: &Sleep) -> Self {
        Self::Sleep { name: brief(&sleep.name) }
    }
}

impl From<&Expectation> for RecordedCommand {
    fn from(expectation: &Expectation) -> Self {
        Self::Event { name: brief(&expectation.name), event_type: brief(&expectation.event_type) }
    }
}

impl From<&Action> for RecordedCommand {
    fn from(action: &Action) -> Self {
        Self::Approval {
            capability: brief(&action.capability),
            resource: brief(&action.resource),
            action: action.digest(),
        }
    }
}

impl From<&Invocation> for RecordedCommand {
    fn from(invocation: &Invocation) -> Self {
        Self::Perform {
            capability: brief(&invocation.capability),
            resource: brief(&invocation.resource),
            artifact: ArtifactFacts {
                name: brief(&invocation.artifact.facts().name),
                ..invocation.artifact.facts().clone()
            },
            receipt: invocation.receipt.clone(),
        }
    }
}

/// A guest's text in the form that the journal records: complete if its length is acceptable, otherwise its
/// beginning and its digest. Rejected texts are recorded too, and must not fill the disk.
fn brief(text: &str) -> String {
    const LONGEST: usize = 4 << 10;
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let shown = &text[..text.floor_char_boundary(64)];
    format!("{shown}… [{} bytes, sha256 {}]", text.len(), Digest::of(text.as_bytes()))
}

impl fmt::Display for RecordedCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::Quoted;
        match self {
            Self::Step { name } => write!(f, "step {}", Quoted(name)),
            Self::Sleep { name } => write!(f, "sleep {}", Quoted(name)),
            Self::Event { name, event_type } => {
                write!(f, "an event of type {} as {}", Quoted(event_type), Quoted(name))
            }
            Self::Approval { capability, resource, action } => {
                write!(f, "approval of {} on {} (action {action})", Quoted(capability), Quoted(resource))
            }
            Self::Perform { capability, resource, artifact, receipt } => write!(
                f,
                "{} on {} with artifact {} (sha256 {}) and receipt {receipt}",
                Quoted(capability),
                Quoted(resource),
                Quoted(&artifact.name),
                artifact.sha256
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_too_long_for_the_journal_is_still_told_from_every_other() {
        let (long, other) = ("é".repeat(1_000_000), format!("{}x", "é".repeat(1_000_000)));
        let recorded = serde_json::to_string(&RecordedCommand::step(&long)).unwrap();
        assert!(recorded.len() < 300, "{recorded}");
        assert_ne!(RecordedCommand::step(&long), RecordedCommand::step(&other));
        assert_eq!(RecordedCommand::step("short"), RecordedCommand::Step { name: "short".to_owned() });
    }
}
