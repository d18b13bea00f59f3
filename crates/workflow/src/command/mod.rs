//! Commands: a guest's calls.

pub(crate) mod event;
pub(crate) mod recorded;
pub(crate) mod step;

use crate::command::step::later;
use crate::{Failure, ReceiptId, Retry, StepConfig};
use receipt::{Digest, Digester, Json, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// The number of a call within its instance, from 0 in the order in which the guest makes them.
pub type Call = u32;

/// A guest's command, exactly as the guest made it. Not validated yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Begin the step of this name, or get its recorded end.
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
    /// Record that the current attempt of the step `call` failed, and whether the step is retried.
    FailStep {
        /// The call that began the step.
        call: Call,
        /// The failure.
        failure: Failure,
        /// Whether the step is retried.
        retry: Retry,
    },
    /// Sleep until the alarm.
    Sleep(Sleep),
    /// Wait for an event.
    WaitForEvent(Expectation),
    /// Ask for permission to perform an action.
    RequireApproval(Action),
    /// Perform an action on a receipt.
    Perform(Invocation),
    /// Start an operation, and continue without waiting.
    Start(Start),
    /// Wait for the first end among started calls, or for the next attempt of a step among them.
    Await {
        /// The calls that began them.
        calls: Vec<Call>,
    },
}

/// An operation that can be started and runs concurrently with the workflow. [`Command::Await`] delivers its end, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// A step that is retried as `config` says. The workflow makes its first attempt immediately.
    Step {
        /// The step's name.
        name: String,
        /// The retry configuration. Applies only when the step is first begun.
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
    /// The length of the sleep. Applies only when the sleep is first begun.
    pub alarm: Alarm,
}

/// The end of a sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alarm {
    /// Milliseconds from its beginning.
    In(u64),
    /// A time.
    At(Timestamp),
}

impl Alarm {
    /// When the alarm rings, if it is set now.
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
    /// Milliseconds after which the wait times out. Applies only when the wait is first begun.
    pub timeout_ms: u64,
}

impl Expectation {
    /// The default timeout of a wait for an event, in milliseconds: 24 hours, as on Cloudflare Workflows.
    pub const TIMEOUT_MS: u64 = 86_400_000;
}

/// A risky action in full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// The capability, a dotted name.
    pub capability: String,
    /// The resource.
    pub resource: String,
    /// The reason, in the workflow's words.
    pub reason: String,
    /// The workflow's evidence for the decision, as JSON text.
    pub evidence: String,
    /// The bytes that the action is about.
    pub artifact: Option<Artifact>,
}

impl Action {
    /// A digest that changes with any part of the action. Replay recognises the action by it.
    ///
    /// The evidence is hashed as text, so that an action with invalid evidence has a digest too.
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

/// Bytes with a name. The facts are computed from the bytes alone.
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

    /// An artifact that was measured while it was copied. The caller must ensure that `measure` has read exactly
    /// `bytes`. A request for approval needs only the measure, and passes no bytes.
    #[must_use]
    pub fn measured(measure: Measure, bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self { facts: measure.facts(), bytes: Arc::new(bytes) }
    }

    /// The measured facts.
    #[must_use]
    pub fn facts(&self) -> &ArtifactFacts {
        &self.facts
    }

    /// The content. Nothing, if the artifact was only measured.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        (*self.bytes).as_ref()
    }
}

/// The facts are sufficient: equal digests mean equal bytes.
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
    /// Measures an artifact of this name.
    #[must_use]
    pub fn new(name: String) -> Self {
        Self { name, digester: Digester::default(), bytes: 0 }
    }

    /// Adds the next bytes.
    pub fn take(&mut self, bytes: &[u8]) {
        self.digester.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// The measured facts.
    #[must_use]
    pub fn facts(self) -> ArtifactFacts {
        let Self { name, digester, bytes } = self;
        ArtifactFacts { name, sha256: digester.finish(), bytes }
    }
}

/// The facts of an artifact that the journal records.
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
    /// The form that a request has, and that a receipt commits to.
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
    /// The capability's name.
    pub capability: String,
    /// The artifact.
    pub resource: String,
    /// The bytes to act with.
    pub artifact: Artifact,
    /// The receipt that is to permit it.
    pub receipt: ReceiptId,
}
