//! Principals: the callers of operations and queries, and the scopes of tokens.

use crate::access::Account;
use receipt::PersonId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use workflow::TenantId;

/// The caller. No principal can make a decision: a decision is a person's signature, and any principal that may carry it carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// An account of this machine: in the process that owns the folder, or on its control socket. Operates every tenant.
    Operator(Account),
    /// A program with a tenant's token.
    Token(TokenGrant),
    /// A person who decides, in a session.
    Decider(DeciderSession),
    /// An unknown caller.
    Anonymous,
}

/// The rights of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenGrant {
    /// The token's public id, as records name it.
    pub id: String,
    /// The only tenant that the token is valid for.
    pub tenant: TenantId,
    /// The token's scopes in that tenant.
    pub scopes: BTreeSet<TokenScope>,
}

/// A decider who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeciderSession {
    /// The decider.
    pub person: PersonId,
    /// The tenants that they decide for; empty means every tenant.
    pub tenants: BTreeSet<TenantId>,
}

/// One right of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TokenScope {
    /// See instances: their state, journal, output, code and deployments.
    #[serde(rename = "instances:read")]
    InstancesRead,
    /// Create instances, pause, resume, restart, terminate and delete them.
    #[serde(rename = "instances:write")]
    InstancesWrite,
    /// Send events to instances.
    #[serde(rename = "events:send")]
    EventsSend,
    /// See requests, and the state of decisions about them.
    #[serde(rename = "approvals:read")]
    ApprovalsRead,
    /// Withdraw requests, and carry what deciders have signed.
    #[serde(rename = "approvals:write")]
    ApprovalsWrite,
    /// See receipts, with what opens them.
    #[serde(rename = "receipts:read")]
    ReceiptsRead,
    /// Revoke receipts, and record findings about interrupted actions.
    #[serde(rename = "operate")]
    Operate,
}

impl TokenScope {
    /// Every scope, in the order of the documentation.
    pub const ALL: [Self; 7] = [
        Self::InstancesRead,
        Self::InstancesWrite,
        Self::EventsSend,
        Self::ApprovalsRead,
        Self::ApprovalsWrite,
        Self::ReceiptsRead,
        Self::Operate,
    ];

    /// The scope's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InstancesRead => "instances:read",
            Self::InstancesWrite => "instances:write",
            Self::EventsSend => "events:send",
            Self::ApprovalsRead => "approvals:read",
            Self::ApprovalsWrite => "approvals:write",
            Self::ReceiptsRead => "receipts:read",
            Self::Operate => "operate",
        }
    }
}

impl fmt::Display for TokenScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no scope's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a scope; the scopes are instances:read, instances:write, events:send, approvals:read, approvals:write, receipts:read and operate"
)]
pub struct UnknownScope;

impl FromStr for TokenScope {
    type Err = UnknownScope;

    fn from_str(name: &str) -> Result<Self, UnknownScope> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == name).ok_or(UnknownScope)
    }
}

impl Principal {
    /// The account that this process runs under.
    #[must_use]
    pub fn own() -> Self {
        Self::Operator(Account::own())
    }

    /// The principal's name in records. The four kinds cannot be mistaken for each other: an account's name has no colon.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Operator(account) => account.as_str().to_owned(),
            Self::Token(token) => format!("token:{}", token.id),
            Self::Decider(session) => format!("user:{}", session.person),
            Self::Anonymous => "anonymous".to_owned(),
        }
    }

    /// Whether the principal may reach objects of the tenant.
    #[must_use]
    pub fn covers(&self, tenant: &TenantId) -> bool {
        match self {
            Self::Operator(_) => true,
            Self::Token(token) => token.tenant == *tenant,
            Self::Decider(session) => session.tenants.is_empty() || session.tenants.contains(tenant),
            Self::Anonymous => false,
        }
    }

    /// The only tenant that the principal may reach; `None` if there are several or none.
    pub(crate) fn only_tenant(&self) -> Option<&TenantId> {
        match self {
            Self::Token(token) => Some(&token.tenant),
            Self::Decider(DeciderSession { tenants, .. }) if tenants.len() == 1 => tenants.first(),
            _ => None,
        }
    }
}
