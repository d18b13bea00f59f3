//! What operators say about who may decide, and what governs.

use crate::trust::{Act, Trust};
use crate::{Error, Host};
use policy::Policy;
use receipt::{KeySet, Scope};
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

    /// The keys that verify what this host signs.
    #[must_use]
    pub fn keys(&self) -> &KeySet {
        self.0.capabilities.gate.keys()
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
