//! The types that entries consist of.

use receipt::Timestamp;
use serde::{Deserialize, Serialize};

/// A failure with a name for programs and a message for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// A short name for the kind of failure.
    pub name: String,
    /// The message for people.
    pub message: String,
}

/// Whether a workflow waits for the end of a call immediately, or starts the call and waits for the end later.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallMode {
    /// The workflow waits immediately.
    #[default]
    Blocking,
    /// The workflow started the call, and continues.
    #[serde(rename = "beside")]
    Started,
}

impl CallMode {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
    pub(crate) fn is_blocking(&self) -> bool {
        *self == Self::Blocking
    }
}

/// A person's finding about an effect whose outcome was unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// The effect took place.
    Succeeded,
    /// The effect did not take place.
    Failed,
}

/// The outcome of an effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Effect {
    /// The effect took place.
    Succeeded {
        /// The capability's output, as canonical JSON text.
        output: String,
        /// When the effect began.
        started_at: Timestamp,
        /// When the effect had ended.
        finished_at: Timestamp,
    },
    /// The effect did not take place.
    Failed {
        /// The failure's message.
        message: String,
        /// When the effect began.
        started_at: Timestamp,
        /// When the effect had ended.
        finished_at: Timestamp,
    },
    /// The effect was interrupted, and its outcome is unknown. The host never repeats it.
    Unknown {
        /// What is known about the effect.
        message: String,
    },
}

/// The checks of the gate, in the order in which they are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// The signature, the key, the canonical form or the commitment.
    Verification,
    /// Approved, not denied.
    Decision,
    /// Production or demo, as the gate demands.
    Scope,
    /// The tenant.
    Tenant,
    /// The instance.
    Instance,
    /// The component's digest.
    Code,
    /// The capability.
    Capability,
    /// The resource.
    Resource,
    /// The artifact's name, size and digest.
    Artifact,
    /// The receipt has not expired.
    Expiry,
    /// The receipt was not spent.
    Redemption,
    /// The receipt was not revoked.
    Revocation,
    /// The deciders whose signatures are in the receipt still count, and are enough for the policy.
    Approvals,
    /// The policy in force allows the action with them.
    Policy,
    /// Neither the tenant nor everything is frozen.
    Freeze,
}
