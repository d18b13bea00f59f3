//! The demands of a policy on its host: people to ask, and capabilities that exist.

use crate::{Ask, Environment, Pattern, RuleId};
use workflow::TenantId;

/// What one rule requires, to compare with the existing people and capabilities: a rule that no person can satisfy, or
/// that matches no capability, is probably a mistake.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Demand {
    /// The rule. `None` if it follows from several together.
    pub rule: Option<RuleId>,
    /// The rule's line, from 1.
    pub line: Option<usize>,
    /// The tenants that it is for. `None` if it may be any tenant's.
    pub tenants: Vec<TenantId>,
    /// The environments that it is for. Empty if it may be any.
    pub environments: Vec<Environment>,
    /// The people whom it asks, if it asks any.
    pub ask: Option<Ask>,
    pub(crate) capabilities: Vec<Pattern>,
}

impl Demand {
    /// Whether the rule can match an action of this capability.
    #[must_use]
    pub fn fits(&self, capability: &str) -> bool {
        self.capabilities.is_empty() || self.capabilities.iter().any(|pattern| pattern.fits(capability))
    }

    /// The capabilities that it is for, as the policy writes them. Empty if it is for all.
    #[must_use]
    pub fn capabilities(&self) -> String {
        let written: Vec<_> = self.capabilities.iter().map(ToString::to_string).collect();
        written.join(" or ")
    }
}
