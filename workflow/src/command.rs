//! What a guest asks for.

use crate::Failure;
use crate::ReceiptId;
use receipt::Digest;
use receipt::Json;
use serde::Deserialize;
use serde::Serialize;
use std::fmt;
use std::sync::Arc;

/// The number of a call within its instance: 0 for the first thing a guest asks for, and so on.
pub type Call = u32;

/// What a guest asks for, as it said it. Nothing in here has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Begin the step of this name, or hear how it ended.
    BeginStep {
        /// The step's name.
        name: String,
    },
    /// Record how the step that was begun with `call` ended.
    EndStep {
        /// The call that began the step.
        call: Call,
        /// The result as JSON text, or the failure.
        result: Result<String, Failure>,
    },
    /// Ask for permission to perform an action.
    RequireApproval(Action),
    /// Perform an action on a receipt.
    Perform(Invocation),
}

/// A risky action in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// What is to be done, dotted.
    pub capability: String,
    /// What it is done to.
    pub resource: String,
    /// Why, in the workflow's words.
    pub reason: String,
    /// What the workflow offers for judging it, as JSON text.
    pub evidence: String,
    /// The bytes that the action is about.
    pub artifact: Option<Artifact>,
}

impl Action {
    /// A digest that changes with any part of the action: replay recognises the action by it.
    ///
    /// The evidence counts as text, so that an action whose evidence is not JSON has a digest too.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let artifact = self.artifact.as_ref().map_or(Json::Null, |artifact| artifact.facts.to_json());
        let document = Json::object([
            ("capability", Json::from(self.capability.as_str())),
            ("resource", Json::from(self.resource.as_str())),
            ("reason", Json::from(self.reason.as_str())),
            ("evidence", Json::from(self.evidence.as_str())),
            ("artifact", artifact),
        ]);
        Digest::of(document.canonical().as_bytes())
    }
}

/// Bytes with a name. The facts are computed from the bytes and from nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    facts: ArtifactFacts,
    bytes: Arc<[u8]>,
}

impl Artifact {
    /// Measures `bytes`.
    #[must_use]
    pub fn new(name: String, bytes: Vec<u8>) -> Self {
        let facts = ArtifactFacts { name, sha256: Digest::of(&bytes), bytes: bytes.len() as u64 };
        Self { facts, bytes: bytes.into() }
    }

    /// What was measured.
    #[must_use]
    pub fn facts(&self) -> &ArtifactFacts {
        &self.facts
    }

    /// The content.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// What is recorded of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtifactFacts {
    /// A file name for people, as the workflow gave it.
    pub name: String,
    /// The digest of the content.
    pub sha256: Digest,
    /// The content's size in bytes.
    pub bytes: u64,
}

impl ArtifactFacts {
    /// The form that stands in a request and under a receipt's commitment.
    #[must_use]
    pub fn to_json(&self) -> Json {
        Json::object([
            ("name", Json::from(self.name.as_str())),
            ("sha256", Json::from(self.sha256.to_string().as_str())),
            ("bytes", Json::from(u32::try_from(self.bytes).unwrap_or(u32::MAX))),
        ])
    }
}

/// The call of a capability.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// Which capability.
    pub capability: String,
    /// What it is to act on.
    pub resource: String,
    /// The bytes to act with.
    pub artifact: Artifact,
    /// The receipt that is to permit it.
    pub receipt: ReceiptId,
}

/// What is recorded of a question: enough to recognise it, and to tell two apart in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Asked {
    /// A step.
    Step {
        /// Its name.
        name: String,
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

impl Asked {
    /// A step of that name.
    #[must_use]
    pub fn step(name: &str) -> Self {
        Self::Step { name: brief(name) }
    }
}

impl From<&Action> for Asked {
    fn from(action: &Action) -> Self {
        Self::Approval {
            capability: brief(&action.capability),
            resource: brief(&action.resource),
            action: action.digest(),
        }
    }
}

impl From<&Invocation> for Asked {
    fn from(invocation: &Invocation) -> Self {
        Self::Perform {
            capability: brief(&invocation.capability),
            resource: brief(&invocation.resource),
            artifact: ArtifactFacts {
                name: brief(&invocation.artifact.facts.name),
                ..invocation.artifact.facts.clone()
            },
            receipt: invocation.receipt.clone(),
        }
    }
}

/// A text of a guest as it stands in the journal: whole where it is acceptable, and its beginning and digest where it is longer than
/// anything acceptable is. What is rejected is recorded too, and must not fill the disk.
fn brief(text: &str) -> String {
    const LONGEST: usize = 4 << 10;
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let shown = &text[..text.floor_char_boundary(64)];
    format!("{shown}… [{} bytes, sha256 {}]", text.len(), Digest::of(text.as_bytes()))
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use crate::Quoted;
        match self {
            Self::Step { name } => write!(f, "step {}", Quoted(name)),
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
        let recorded = serde_json::to_string(&Asked::step(&long)).unwrap();
        assert!(recorded.len() < 300, "{recorded}");
        assert_ne!(Asked::step(&long), Asked::step(&other));
        assert_eq!(Asked::step("short"), Asked::Step { name: "short".to_owned() });
    }
}
