//! Why an issuer signs no receipt.

use crate::trust::{Freeze, InvalidRequestDocument};
use receipt::{ApprovalError, MintError, PersonId, Scope, Timestamp};
use workflow::{RequestId, TenantId};

/// Why no receipt was issued. The request is then undecided.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The request cannot be part of a receipt.
    #[error("the request cannot be put into a receipt: {0}")]
    Request(String),
    /// The request does not state its subject.
    #[error(transparent)]
    InvalidRequestDocument(#[from] InvalidRequestDocument),
    /// There was no decision in time.
    #[error("request {request} lapsed at {at}")]
    Lapsed {
        /// The request.
        request: RequestId,
        /// The time at which the request lapsed.
        at: Timestamp,
    },
    /// A signed statement that does not count.
    #[error("the signed decision does not count: {0}")]
    Approval(#[from] ApprovalError),
    /// There is no active key to sign with.
    #[error("there is no active key for {0} receipts: make one with pp-host keys rotate")]
    NoActiveKey(Scope),
    /// An operator has frozen the tenant, or all tenants.
    #[error("{0}")]
    Frozen(Freeze),
    /// A break-glass decision is not reviewed yet.
    #[error(
        "{decider} decided {request} of tenant {tenant} alone; no request of that tenant is approved until another person has reviewed this decision: pp-host review {request} --as NAME --key FILE --reason WORDS"
    )]
    Unreviewed {
        /// The tenant.
        tenant: TenantId,
        /// The request.
        request: RequestId,
        /// The decider.
        decider: PersonId,
    },
    /// The approvals do not suffice.
    #[error("there is no decision yet: {0}")]
    Undecided(String),
    /// The authority's own process does not answer.
    #[error("the authority at {} does not answer: {why} (is pp-host authority running there?)", socket.display())]
    Unreachable {
        /// The path of the socket.
        socket: std::path::PathBuf,
        /// The reason.
        why: String,
    },
    /// Another account's process listens there.
    #[error(
        "the process that listens on {} runs under account {found}, and the authority is expected to run under account {expected}: nothing was sent to it (--authority-account names the account of the authority)", socket.display()
    )]
    Stranger {
        /// The path of the socket.
        socket: std::path::PathBuf,
        /// The account of the process.
        found: u32,
        /// The expected account.
        expected: u32,
    },
    /// The authority's own process refused.
    #[error("the authority refuses: {0}")]
    Refused(String),
    /// The receipt could not be signed, or did not verify afterwards.
    #[error("no receipt was issued: {0}")]
    Mint(#[from] MintError),
}
