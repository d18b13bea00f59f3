//! Commands: a guest's calls.

use crate::step::later;
use crate::{Failure, ReceiptId, Retry, StepConfig};
use receipt::{Digest, Digester, Json, Timestamp};
use serde::{Deserialize, Serialize};
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
    /// Record that the attempt under way of the step that was begun with `call` failed, and what is to become of the step.
    FailStep {
        /// The call that began the step.
        call: Call,
        /// The failure.
        failure: Failure,
        /// What is to become of the step.
        retry: Retry,
    },
    /// Sleep, and hear when it is over.
    Sleep(Sleep),
    /// Wait for an event, and hear of it.
    WaitForEvent(Expectation),
    /// Ask for permission to perform an action.
    RequireApproval(Action),
    /// Perform an action on a receipt.
    Perform(Invocation),
    /// Start an operation, and go on without waiting.
    Start(Start),
    /// Hear of the first end among things that were begun so, or that a step among them is to be tried now.
    Await {
        /// The calls that began them.
        calls: Vec<Call>,
    },
}

/// What can be begun and go on beside others. Its end is heard of through [`Command::Await`], once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// A step that is tried as `config` says. Its first attempt is made at once.
    Step {
        /// The step's name.
        name: String,
        /// How it is tried, if this is the first time that it is begun.
        config: StepConfig,
    },
    /// A sleep.
    Sleep(Sleep),
    /// A wait for an event.
    WaitForEvent(Expectation),
    /// A request for permission.
    RequireApproval(Action),
}

/// A sleep with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sleep {
    /// The name.
    pub name: String,
    /// How long, if this is the first time that it is asked for.
    pub alarm: Alarm,
}

/// When a sleep is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// So many milliseconds after it began.
    In(u64),
    /// Then.
    At(Timestamp),
}

impl Alarm {
    /// When it rings, set now.
    pub(crate) fn rings(self, now: Timestamp) -> Timestamp {
        match self {
            Self::In(ms) => later(now, ms),
            Self::At(at) => at,
        }
    }
}

/// A wait for an event, with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expectation {
    /// The name.
    pub name: String,
    /// The type of event.
    pub event_type: String,
    /// Milliseconds after which it is given up, if this is the first time that it is asked for.
    pub timeout_ms: u64,
}

impl Expectation {
    /// How long a wait for an event lasts by default: 24 hours, as on Cloudflare Workflows.
    pub const TIMEOUT_MS: u64 = 86_400_000;
}

/// A risky action in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// The capability, a dotted name.
    pub capability: String,
    /// The resource.
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
#[derive(Clone)]
pub struct Artifact {
    facts: ArtifactFacts,
    bytes: Arc<dyn AsRef<[u8]> + Send + Sync>,
}

impl Artifact {
    /// Measures `bytes`.
    #[must_use]
    pub fn new(name: String, bytes: Vec<u8>) -> Self {
        let mut measure = Measure::new(name);
        measure.take(&bytes);
        Self { facts: measure.facts(), bytes: Arc::new(bytes) }
    }

    /// Bytes that were measured while they were copied: the caller sees to it that `measure` took in exactly these. A request for permission
    /// needs no more than what was measured, and has no bytes.
    #[must_use]
    pub fn measured(measure: Measure, bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self { facts: measure.facts(), bytes: Arc::new(bytes) }
    }

    /// What was measured.
    #[must_use]
    pub fn facts(&self) -> &ArtifactFacts {
        &self.facts
    }

    /// The content. Nothing, where the artifact was only measured.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        (*self.bytes).as_ref()
    }
}

/// The facts say it all: two contents with one digest are one content.
impl PartialEq for Artifact {
    fn eq(&self, other: &Self) -> bool {
        self.facts == other.facts
    }
}

impl Eq for Artifact {}

impl fmt::Debug for Artifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Artifact").field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// Measures bytes that come piece by piece.
#[derive(Clone)]
pub struct Measure {
    name: String,
    digester: Digester,
    bytes: u64,
}

impl Measure {
    /// Of an artifact of this name.
    #[must_use]
    pub fn new(name: String) -> Self {
        Self { name, digester: Digester::default(), bytes: 0 }
    }

    /// Takes in what comes next.
    pub fn take(&mut self, bytes: &[u8]) {
        self.digester.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// What was measured.
    #[must_use]
    pub fn facts(self) -> ArtifactFacts {
        let Self { name, digester, bytes } = self;
        ArtifactFacts { name, sha256: digester.finish(), bytes }
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
    /// The artifact.
    pub resource: String,
    /// The bytes to act with.
    pub artifact: Artifact,
    /// The receipt that is to permit it.
    pub receipt: ReceiptId,
}
