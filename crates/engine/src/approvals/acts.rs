//! Operators' acts about deciders, and the policy in force.

use crate::trust::{Act, Trust};
use crate::{Error, Host, issuer};
use policy::Policy;
use receipt::{KeySet, Scope};
use std::sync::Arc;
use store::Selection;
use workflow::TenantId;

impl Host {
    /// The deciders that this host trusts, according to the operators' acts.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn trust(&self) -> Result<Arc<Trust>, Error> {
        self.0.trust()
    }

    /// The policy that governs.
    #[must_use]
    pub fn policy(&self) -> &dyn Policy {
        &*self.0.governance.policy
    }

    /// The keys that verify this host's signatures.
    #[must_use]
    pub fn keys(&self) -> KeySet {
        self.0.gate().keys().clone()
    }

    /// The scope of receipts that count here now.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn scope(&self) -> Result<Scope, Error> {
        Ok(self.0.governance.scope(&*self.0.trust()?))
    }

    /// Records an operator's act, if it is valid in the present state.
    ///
    /// # Errors
    /// The act is not valid, or cannot be written.
    pub fn record_act(&self, by: &str, act: Act) -> Result<(), Error> {
        if let Act::Frozen { tenant: Some(tenant), .. } = &act {
            self.check_tenant(tenant)?;
        }
        self.0.governance.record_act(&self.0.journals, by, act)
    }

    /// Refuses a tenant that nothing here knows: a freeze of a mistyped name would stop nothing. An authority for other hosts cannot know
    /// their tenants.
    fn check_tenant(&self, tenant: &TenantId) -> Result<(), Error> {
        let journals = &self.0.journals;
        if issuer::serves_hosts(journals.folder.path()) || journals.settings.names(tenant) {
            return Ok(());
        }
        let trust = self.0.trust()?;
        let is_named = trust.names(tenant)
            || self.policy().demands().iter().any(|demand| demand.tenants.contains(tenant));
        let one = Selection { tenant: Some(tenant.clone()), limit: Some(1), ..Selection::default() };
        match is_named || !journals.store.list(&one).wait()?.is_empty() {
            true => Ok(()),
            false => Err(Error::NoTenant(tenant.clone())),
        }
    }
}
