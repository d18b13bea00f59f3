//! What operators say about who may decide, and what governs.

use crate::state::HostState;
use crate::trust::{Act, RecordedTrustAct, Trust};
use crate::{Error, Host, words};
use policy::Policy;
use receipt::{Scope, Timestamp};
use std::sync::Arc;
use store::StoreError;

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
        self.0.say(by, act)
    }
}

impl HostState {
    /// Records that another policy governs than the last one.
    pub(crate) fn adopt_policy(&self) -> Result<(), Error> {
        let policy = self.policy.digest();
        // The one that holds where nobody wrote one goes without saying, until somebody has.
        let before = self.trust()?.policy();
        match before.map_or(!self.governed, |before| before == policy) || self.authority.is_elsewhere() {
            true => Ok(()),
            false => self.say("pp-host", Act::PolicyAdopted { policy }),
        }
    }

    pub(crate) fn say(&self, by: &str, act: Act) -> Result<(), Error> {
        if self.authority.is_elsewhere() {
            return Err(Error::SaidElsewhere);
        }
        check_words(by, &act)?;
        let said = RecordedTrustAct { by: by.to_owned(), act };
        let body = serde_json::to_string(&said).map_err(|error| Error::Internal(error.to_string()))?;
        loop {
            let (mut trust, at): (Trust, Timestamp) = ((*self.trust()?).clone(), self.now()?);
            trust.apply(at, &said.act)?;
            match self.store.act(trust.seq(), at, body.clone()) {
                Err(StoreError::ActsMoved) => {}
                said => return Ok(said?),
            }
        }
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
