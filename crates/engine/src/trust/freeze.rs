//! Freezes: they stop approvals and actions.

use receipt::Timestamp;
use std::fmt;
use workflow::{Quoted, TenantId};

/// A freeze: no request is approved and no action performed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// The tenant; `None` means all tenants.
    pub tenant: Option<TenantId>,
    /// The time at which the freeze began.
    pub since: Timestamp,
    /// The reason.
    pub reason: String,
}

impl fmt::Display for Freeze {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tenant, since, reason } = self;
        let (whom, option) = match tenant {
            Some(tenant) => (format!("tenant {tenant}"), format!(" --tenant {tenant}")),
            None => ("every tenant".to_owned(), String::new()),
        };
        let reason = Quoted(reason);
        write!(
            f,
            "approvals are frozen for {whom} since {since}: {reason}; pp-host thaw{option} --reason WORDS ends it"
        )
    }
}
