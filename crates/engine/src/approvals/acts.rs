//! What operators say about who may decide, and what governs.

use crate::trust::{Act, Trust, RecordedTrustAct};
use crate::{Error, Host, words};
use crate::state::HostState;
use policy::Policy;
use receipt::Scope;
use std::sync::Arc;

impl Host {
    /// Whom this host trusts to decide, and what operators have said.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn trust(&self) -> Result<Arc<Trust>, Error> {
        self.0.trust()
    }

    /// The policy that governs.
    #[must_use]
    pub fn policy(&self) -> &dyn Policy {
        &*self.0.authority.policy
    }

    /// Which receipts count here now.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn scope(&self) -> Result<Scope, Error> {
        Ok(self.0.authority.scope(&*self.0.trust()?))
    }

    /// Records what an operator says, if it makes sense as things stand.
    ///
    /// # Errors
    /// When it does not, or cannot be written.
    pub fn say(&self, by: &str, act: Act) -> Result<(), Error> {
        self.0.authority.record_act(&self.0.journals, by, act)
    }
}

/// Everything in an act that is no name or time of its own kind is bounded before it is kept.
fn check_words(by: &str, act: &Act) -> Result<(), Error> {
    let reason = match act {
        Act::KeyRevoked { reason, .. }
        | Act::DeciderRemoved { reason, .. }
        | Act::Frozen { reason, .. }
        | Act::Thawed { reason, .. }
        | Act::GlassBroken { reason, .. } => Some(reason.as_str()),
        Act::DeciderAdded { .. }
        | Act::KeyAdded { .. }
        | Act::PolicyAdopted { .. }
        // It was read, and is bounded as an envelope is.
        | Act::Reviewed { .. } => None,
    };
    words::check(by, reason)?;
    match act {
        Act::KeyAdded { kind, public_key, .. } => words::check_key(kind).and(words::check_key(public_key)),
        Act::KeyRevoked { key_id, .. } => words::check_key(key_id),
        _ => Ok(()),
    }
}
