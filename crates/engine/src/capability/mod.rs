//! Enforcement points: the host's actions on the outside world, and the gate in front of them.
//!
//! ```text
//!   receipt ──Gate::check──► Permit ──► redemption committed ──► Capability::perform(&Permit, …)
//! ```
//!
//! A [`Permit`] has one constructor, the gate's. A capability that forgets to check does not compile.

mod artifacts;
mod deploy;
mod gate;
mod registry;

pub(crate) use artifacts::Artifacts;
pub use deploy::Deploy;
pub use gate::{Gate, GateContext, Permit, ProposedAction, Refusal};
pub use registry::built_in_names;
pub use store::Deployment;

pub(crate) use registry::{Registry, built_in};

use receipt::Digest;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use workflow::Artifact;

/// One kind of action, and the code that performs it.
pub trait Capability: Send + Sync {
    /// The capability's dotted name, as in receipts.
    fn name(&self) -> &str;

    /// The call of the guest's world that asks for the capability. If several capabilities take the same call, the
    /// resource decides: see [`acts_on`](Self::acts_on).
    fn call(&self) -> &str {
        crate::DEPLOY
    }

    /// Whether the capability acts on resources of that name. Approvers are warned if it does not. A capability that
    /// takes the same call as `deploy` names its own resources here.
    fn acts_on(&self, _resource: &str) -> bool {
        true
    }

    /// Whether its effect can be undone.
    fn reversibility(&self) -> Reversibility;

    /// Whether this host stores the artifacts that the capability acts with. Then they count against the tenant's
    /// quotas, and the capability does not act with an artifact that does not fit.
    fn keeps_artifacts(&self) -> bool {
        false
    }

    /// The recovery when an effect was begun and its outcome is unknown.
    fn on_interruption(&self) -> OnInterruption;

    /// Performs the action once. The receipt has been verified and spent, and that is on disk.
    ///
    /// # Errors
    /// The action did not take place, or it is unknown whether it did.
    fn perform(
        &self,
        permit: &Permit,
        artifact: &Artifact,
        attempt: Execution,
    ) -> Result<Performed, PerformError>;
}

/// An action that took place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Performed {
    /// The target's name for it.
    pub id: String,
    /// The location of its result, in words that a tenant may read.
    pub location: String,
    /// The host's own record of the action, committed in one transaction with the outcome. `None` for a target that
    /// keeps its own records.
    pub deployment: Option<Box<Deployment>>,
}

/// Identifies an action to its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Execution {
    /// The key, which is equal for all attempts of one redemption, and different for every other redemption.
    pub idempotency_key: Digest,
    /// The redemption's place among all facts: of two actions on one resource, the later redeemed has the larger number.
    pub order: u64,
    /// Grows with every claim under which the instance is driven: a target with conditional writes refuses an attempt
    /// with a smaller epoch than it has seen. Always 0 if one host drives everything.
    pub epoch: u64,
    /// The longest time that the action may take, from its beginning. After that, another host may take over the
    /// instance, and judge an action whose outcome it does not find by
    /// [`on_interruption`](Capability::on_interruption). `None` if there is no other host.
    pub time: Option<Duration>,
}

impl Execution {
    /// One attempt of the redemption with this sequence number, not yet under a claim.
    pub(crate) fn new(idempotency_key: Digest, order: u64) -> Self {
        Self { idempotency_key, order, epoch: 0, time: None }
    }
}

/// The recovery of an interrupted effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnInterruption {
    /// The target honours the idempotency key: perform again under the same key.
    PerformAgain,
    /// The target does not honour the key: the outcome is unknown until an operator has looked.
    ReportUnknown,
}

/// Why an action did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum PerformError {
    /// This attempt certainly changed nothing.
    #[error("{0}")]
    Failed(String),
    /// The action may have taken place.
    #[error("{0}")]
    Unknown(String),
}

/// Whether an action can be undone. The vocabulary of the receipt format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reversibility {
    /// Wholly.
    Reversible,
    /// In part.
    PartiallyReversible,
    /// The action cannot be undone.
    Irreversible,
}

impl Reversibility {
    /// The name in a receipt.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reversible => "REVERSIBLE",
            Self::PartiallyReversible => "PARTIALLY_REVERSIBLE",
            Self::Irreversible => "IRREVERSIBLE",
        }
    }
}
