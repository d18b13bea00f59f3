//! Access: one table of rights, and one function that reads it.

mod account;
mod principal;

pub use account::Account;
pub use principal::{DeciderSession, Principal, TokenGrant, TokenScope, UnknownScope};

use receipt::PersonId;
use workflow::{ReceiptId, RequestId, TenantId};

/// The right that an operation or a query needs: a row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Right {
    /// Create an instance.
    Submit,
    /// Send an instance an event.
    SendEvent,
    /// Pause, resume, restart, terminate or delete an instance.
    Control,
    /// Record a finding about an action.
    Resolve,
    /// Decide as the demo decider.
    DecideAsDemo,
    /// Draw up the statement that a person would sign.
    PrepareStatement,
    /// Submit a person's signed statement.
    SubmitSignature,
    /// Take a request back.
    Withdraw,
    /// Take a receipt back.
    Revoke,
    /// Record an act about who may decide.
    RecordAct,
    /// See instances, their journals, output and deployments.
    SeeInstances,
    /// See requests, and the state of decisions about them.
    SeeRequests,
    /// See receipts, with what opens them.
    SeeReceipts,
    /// See receipts without what opens them.
    SeePublicReceipts,
    /// See who may decide.
    SeeDeciders,
    /// See the keys that verify receipts.
    SeeKeys,
    /// See limits and their usage.
    SeeLimits,
    /// See all tenants' activity, and the operators' acts.
    SeeHost,
}

/// The principals that have a right, in addition to operators, who have every right.
struct Row {
    /// A token that has this scope, in its own tenant.
    token: Option<TokenScope>,
    /// A decider in a session.
    decider: Deciders,
    /// A caller without a token or a session.
    anonymous: bool,
}

/// The rights of deciders in a session.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Deciders {
    No,
    /// In the tenants that they decide for.
    InTheirTenants,
    /// In the tenants that they decide for, and in their own name only.
    InTheirName,
    /// Everywhere: the object belongs to no tenant.
    Anywhere,
}

/// The reach of a right.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    /// The right holds for every tenant.
    ToNone,
    /// The right covers objects of the principal's tenants.
    ToTenants,
}

impl Right {
    /// The table.
    fn row(self) -> Row {
        use Deciders::{Anywhere, InTheirName, InTheirTenants, No};
        use TokenScope::{
            ApprovalsRead, ApprovalsWrite, EventsSend, InstancesRead, InstancesWrite, Operate, ReceiptsRead,
        };
        let row = |token, decider| Row { token, decider, anonymous: false };
        match self {
            Self::Submit => row(Some(InstancesWrite), No),
            Self::SendEvent => row(Some(EventsSend), No),
            Self::Control => row(Some(InstancesWrite), No),
            Self::Resolve => row(Some(Operate), No),
            Self::DecideAsDemo => row(None, No),
            Self::PrepareStatement => row(Some(ApprovalsWrite), InTheirName),
            Self::SubmitSignature => row(Some(ApprovalsWrite), InTheirTenants),
            Self::Withdraw => row(Some(ApprovalsWrite), No),
            Self::Revoke => row(Some(Operate), No),
            Self::RecordAct => row(None, No),
            Self::SeeInstances => row(Some(InstancesRead), InTheirTenants),
            Self::SeeRequests => row(Some(ApprovalsRead), InTheirTenants),
            Self::SeeReceipts => row(Some(ReceiptsRead), InTheirTenants),
            Self::SeePublicReceipts => row(Some(ReceiptsRead), InTheirTenants),
            Self::SeeDeciders => row(None, Anywhere),
            Self::SeeKeys => Row { anonymous: true, ..row(None, Anywhere) },
            Self::SeeLimits => row(Some(InstancesRead), No),
            Self::SeeHost => row(None, No),
        }
    }

    /// Whether a principal has the right. The result says whether it is bound to the principal's tenants.
    pub(crate) fn is_open_to(self, principal: &Principal, about: About<'_>) -> Result<Bound, AccessError> {
        let row = self.row();
        match principal {
            Principal::Operator(_) => Ok(Bound::ToNone),
            _ if row.anonymous => Ok(Bound::ToNone),
            Principal::Anonymous => Err(AccessError::Unauthenticated(self)),
            Principal::Token(token) => match row.token {
                None => Err(AccessError::OperatorsOnly(self)),
                Some(scope) if token.scopes.contains(&scope) => Ok(Bound::ToTenants),
                Some(scope) => Err(AccessError::MissingScope { right: self, scope }),
            },
            Principal::Decider(session) => match (row.decider, about) {
                (Deciders::No, _) => Err(AccessError::OperatorsOnly(self)),
                (Deciders::InTheirName, About::Statement(_, person)) if *person != session.person => {
                    Err(AccessError::OtherPerson(person.clone()))
                }
                (Deciders::InTheirName | Deciders::InTheirTenants, _) => Ok(Bound::ToTenants),
                (Deciders::Anywhere, _) => Ok(Bound::ToNone),
            },
        }
    }

    /// The right in words that follow "may".
    fn words(self) -> &'static str {
        match self {
            Self::Submit => "create instances",
            Self::SendEvent => "send events",
            Self::Control => "pause, resume, restart, terminate or delete instances",
            Self::Resolve => "record what was found out about an action",
            Self::DecideAsDemo => "decide as the demo decider",
            Self::PrepareStatement => "draw up what a person would sign",
            Self::SubmitSignature => "hand in what a person has signed",
            Self::Withdraw => "withdraw requests",
            Self::Revoke => "revoke receipts",
            Self::RecordAct => "change who may decide",
            Self::SeeInstances => "see instances",
            Self::SeeRequests => "see requests",
            Self::SeeReceipts | Self::SeePublicReceipts => "see receipts",
            Self::SeeDeciders => "see who may decide",
            Self::SeeKeys => "see the keys",
            Self::SeeLimits => "see limits and usage",
            Self::SeeHost => "see all of this host",
        }
    }
}

/// The object of an operation or a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About<'a> {
    /// The host, and no tenant in particular.
    Host,
    /// An object of that tenant.
    Tenant(&'a TenantId),
    /// This request, whose tenant the store knows.
    Request(&'a RequestId),
    /// This receipt or revocation, whose tenant the store knows.
    Receipt(&'a ReceiptId),
    /// This request, and the statement that this person would sign about it.
    Statement(&'a RequestId, &'a PersonId),
    /// The objects of the principal's own tenants.
    Own,
}

/// Why a principal may not do this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// The caller is unknown.
    #[error("only a known caller may {}: send a token, or sign in", .0.words())]
    Unauthenticated(Right),
    /// The token does not have the scope.
    #[error("only a token with the scope {scope} may {}", right.words())]
    MissingScope {
        /// The expected one.
        right: Right,
        /// The scope that the token would need.
        scope: TokenScope,
    },
    /// An operator's, on the machine itself.
    #[error("only an operator of this host may {}: use pp-host on its machine", .0.words())]
    OperatorsOnly(Right),
    /// In another person's name.
    #[error("only {0} can prepare a statement for {0} to sign: sign in as {0}")]
    OtherPerson(PersonId),
    /// The object does not exist, or belongs to another tenant: the caller does not learn which.
    #[error("there is no such instance, request or receipt in a tenant of yours")]
    NotFound,
    /// A decider of several tenants asks for one tenant's list without naming the tenant.
    #[error("name the tenant of the instances: a tenant that you decide for")]
    TenantNeeded,
}
