//! The question to a policy.

use crate::Approver;
use receipt::Digest;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use workflow::{ActorId, TenantId};

/// One action as the host measured it, and the people who have approved it so far.
///
/// The workflow chose the capability, the resource and the artifact, and it will act on exactly these. Its mere claims,
/// the reason and the evidence, are not part of the question.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The tenant whose workflow asks.
    pub tenant: &'a TenantId,
    /// On whose behalf.
    pub actor: &'a ActorId,
    /// The capability, a dotted name.
    pub capability: &'a str,
    /// The resource, exactly as the capability will act on it. Policies normalise nothing.
    pub resource: &'a str,
    /// The environment in which it would act.
    pub environment: Environment,
    /// The bytes that it is about.
    pub artifact: Option<Artifact>,
    /// The component that asks.
    pub component: Component,
    /// The people who have approved, verified: empty when the action is requested.
    pub approvals: &'a [Approver],
}

/// Bytes that an action is about, as the host measured them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Artifact {
    /// The digest of the content.
    pub sha256: Digest,
    /// The content's size in bytes.
    pub bytes: u64,
    /// Whether these bytes are known.
    pub novelty: Novelty,
}

/// A component that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Component {
    /// The digest of the component.
    pub sha256: Digest,
    /// Whether this code is known.
    pub novelty: Novelty,
}

/// Whether code or bytes are known: people approved them, and that approval counts now. The host judges that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Novelty {
    /// The code or the artifact is known.
    Known,
    /// The code or the artifact is new.
    New,
}

impl Novelty {
    /// The word in a policy.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::New => "new",
        }
    }
}

impl fmt::Display for Novelty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The environment of an action. The vocabulary of the receipt format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Environment {
    /// A developer's own machine, or a demonstration.
    Development,
    /// As close to production as possible, without being production.
    Staging,
    /// Real.
    Production,
}

impl Environment {
    /// Every environment.
    pub const ALL: [Self; 3] = [Self::Development, Self::Staging, Self::Production];

    /// The word in a receipt and in a policy.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an environment is development, staging or production")]
pub struct UnknownEnvironment;

impl FromStr for Environment {
    type Err = UnknownEnvironment;

    fn from_str(text: &str) -> Result<Self, UnknownEnvironment> {
        Self::ALL.into_iter().find(|environment| environment.as_str() == text).ok_or(UnknownEnvironment)
    }
}
