//! Errors of the host, as opposed to failures of a workflow.

use crate::access::AccessError;
use crate::ids::{IdError, NoEntropy};
use crate::issuer::{IssueError, KeyringError};
use crate::text_limits::TooLong;
use crate::trust::{ActError, TokenError};
use receipt::{Digest, PasskeyError, PersonId, Role, Timestamp};
use sandbox::LoadError;
use store::{InstanceKey, StoreError};
use workflow::{Failure, Illegal, InvalidId, ReceiptId, RequestId, TenantId};

/// Why the host did not perform a call. No state is lost: the journal is intact, and the caller can repeat the call.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The component cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The store failed or refused the operation.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The issuer's keys cannot be used.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The journal is damaged.
    #[error("the journal of instance {key} is damaged: {illegal}")]
    Journal {
        /// The instance.
        key: InstanceKey,
        /// The first entry that does not fit.
        illegal: Illegal,
    },
    /// The instance has ended.
    #[error(
        "instance {0} has ended ({1}) and accepts no commands (pp-host instances restart {0} runs it again)"
    )]
    Ended(InstanceKey, String),
    /// The instance is already stopped.
    #[error("instance {0} is already {1}: pp-host instances resume {0} continues it")]
    AlreadyStopped(InstanceKey, String),
    /// The instance is not stopped.
    #[error("instance {0} is {1}, and not stopped: there is nothing to resume")]
    NotStopped(InstanceKey, String),
    /// An action of the instance is in progress.
    #[error(
        "an action of instance {0} is in progress, and its outcome has to be recorded first: try again when the action has ended"
    )]
    ActionInProgress(InstanceKey),
    /// The workflow has made no such call.
    #[error(
        "instance {0} has made no call {1:?} (occurrence {2}) outside a step: pp-host audit {0} lists its calls"
    )]
    NoSuchCall(InstanceKey, String, usize),
    /// The instance has no such action with an unknown outcome.
    #[error(
        "instance {0} has no action on receipt {1} whose outcome is unknown (pp-host instances show {0} lists those)"
    )]
    NoUnknownOutcome(InstanceKey, ReceiptId),
    /// The finding about the action is already on record.
    #[error("the finding about the action of instance {0} on receipt {1} is already on record")]
    AlreadyResolved(InstanceKey, ReceiptId),
    /// An event that cannot be kept.
    #[error("instance {key} cannot take the event: {}", failure.message)]
    Event {
        /// The instance.
        key: InstanceKey,
        /// The failure.
        failure: Failure,
    },
    /// Another drive of the instance is running.
    #[error("instance {0} is already being driven: wait until that drive ends")]
    Busy(InstanceKey),
    /// Another host has the claim on the instance.
    #[error(
        "this host has no claim on instance {0}: the host that claims it drives it (pp-host hosts lists them)"
    )]
    DrivenElsewhere(InstanceKey),
    /// The hosts of one database have different private keys.
    #[error(
        "host {0} is on record with other keys, and receipts that one host signs would not count on the other: run pp-host authority and give every host --authority SOCKET, or copy its keys folder here"
    )]
    KeySetMismatch(String),
    /// A receipt or an attestation could not be signed.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The system gives no random numbers.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    /// An instance with this name exists, with other input.
    #[error("instance {key} exists, with {what}: one name means one input, so use another name")]
    InputMismatch {
        /// The instance.
        key: InstanceKey,
        /// The difference, in words.
        what: &'static str,
    },
    /// A name is invalid.
    #[error(transparent)]
    Id(#[from] InvalidId),
    /// The parameters are invalid.
    #[error("the parameters cannot be used: {}", .0.message)]
    Params(Failure),
    /// There is no such request.
    #[error("there is no request {0} (pp-host approvals log lists all requests)")]
    NoRequest(RequestId),
    /// The request is no longer waiting.
    #[error("request {request} does not wait for a decision: {state}")]
    NotWaiting {
        /// The request.
        request: RequestId,
        /// The request's present state.
        state: String,
    },
    /// The decider is the request's actor, the actor's operator or the submitter.
    #[error(
        "{0} is the actor, its operator or the submitter of request {1} and cannot decide or review it: another person has to"
    )]
    SelfApproval(String, RequestId),
    /// A demo decision on a host where people decide.
    #[error(
        "decisions here are signed by people (pp-host deciders list): a demo decision about {0} does not count; pp-host approve {0} --as NAME --key FILE"
    )]
    DemoNotAllowed(RequestId),
    /// The authority's record of acts does not continue this folder's copy.
    #[error(
        "the authority's record of operators' acts does not begin with this data folder's copy: this is another authority, or its folder is an older copy; nothing was copied (restore the authority's folder, or start with a new one: --data DIR)"
    )]
    AuthorityMismatch,
    /// The policy file of this folder is missing; the value is the SHA-256 of the policy last in force.
    #[error(
        "policy {0} is in force here, but its file is missing: put policy.toml or policy.cedar back. To have every action ask one person instead, write policy.toml with these two lines: [default] and then = \"ask\""
    )]
    PolicyMissing(Digest),
    /// An act that an operator cannot enter by hand.
    #[error("an operator cannot record this: it follows from a signed decision")]
    ActNotAllowed,
    /// Acts are recorded in the authority's folder, not in this one.
    #[error(
        "operators' acts are recorded in the authority's folder: run this with --data on that folder, and without --authority"
    )]
    ActsAtAuthority,
    /// The keys are in the authority's folder, not in this one.
    #[error(
        "the keys are in the authority's folder: run this with --data on that folder, and without --authority"
    )]
    KeysAtAuthority,
    /// Nothing on this host names the tenant.
    #[error(
        "there is no tenant {0} here: it has no instance, and no setting, rule or decider names it (pp-host instances list shows the tenant of each instance)"
    )]
    NoTenant(TenantId),
    /// The act is invalid.
    #[error(transparent)]
    Act(#[from] ActError),
    /// The statement cannot be signed.
    #[error("this cannot be signed: {0}")]
    Statement(String),
    /// The person is not a decider.
    #[error("{0} is not a decider on this host (pp-host deciders list shows the deciders)")]
    NotADecider(PersonId),
    /// A passkey's assertion or registration is invalid.
    #[error(transparent)]
    Passkey(#[from] PasskeyError),
    /// The decider has no valid passkey for the page.
    #[error("{decider} has no passkey for {origin} that counts: pp-host deciders invite {decider}")]
    NoPasskey {
        /// The decider.
        decider: PersonId,
        /// The pages' origin.
        origin: String,
    },
    /// The passkey belongs to no decider.
    #[error("the passkey belongs to no decider on this host")]
    UnknownPasskey,
    /// The decider was removed.
    #[error("{0} was removed at {1} and cannot decide (pp-host deciders list shows the deciders)")]
    RemovedDecider(PersonId, Timestamp),
    /// The decider decides only for other tenants.
    #[error("{0} does not decide for tenant {1}")]
    OtherTenant(PersonId, TenantId),
    /// The decider does not have the role.
    #[error("{decider} does not have {}", role.as_ref().map_or_else(|| "a role to decide in".to_owned(), |role| format!("the role {role}")))]
    NoRole {
        /// The decider.
        decider: PersonId,
        /// The role that was named, if any.
        role: Option<Role>,
    },
    /// The decider's decision has no role that the policy asks for.
    #[error(
        "{decider}'s decision cannot count: the policy says {asked}, and {decider} decides as {}{}",
        listed(roles),
        better.as_ref().map_or_else(
            || "; nothing was recorded, and another person has to decide".to_owned(),
            |role| format!("; nothing was recorded, sign with --role {role}")
        )
    )]
    CannotCount {
        /// The decider.
        decider: PersonId,
        /// The policy's answer, in words.
        asked: String,
        /// The role that was named, or all roles of the decider.
        roles: Vec<Role>,
        /// A role of the decider in which the decision would count.
        better: Option<Role>,
    },
    /// The approval's key is of another class than the policy requires.
    #[error(
        "{decider}'s approval cannot count with this key: the policy says {asked}; nothing was recorded, sign with a key of that class (pp-host deciders list shows the classes)"
    )]
    KeyCannotCount {
        /// The decider.
        decider: PersonId,
        /// The policy's answer, in words.
        asked: String,
    },
    /// A text is longer than the host keeps.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// Another statement about the request was recorded at the same time.
    #[error(
        "another signature about {0} came first: nothing was recorded; look at the request and try again"
    )]
    SignedMeanwhile(RequestId),
    /// The decider has signed as many statements about the request as the host keeps.
    #[error(
        "{0} has signed as many statements about {1} as the host keeps: another person has to decide, or it is withdrawn (pp-host withdraw {1}) and asked again"
    )]
    SignedTooOften(PersonId, RequestId),
    /// The decider has already signed the same decision.
    #[error("{0} has already signed this decision about {1}: one person counts once")]
    SignedAlready(PersonId, RequestId),
    /// There is no such receipt.
    #[error("there is no receipt {0} (pp-host receipts list lists the receipts)")]
    NoReceipt(ReceiptId),
    /// The receipt is a denial.
    #[error("receipt {0} is a denial: there is nothing to revoke")]
    NothingToRevoke(ReceiptId),
    /// The instance has not ended.
    #[error("instance {key} is {status} and has not ended: end it first (pp-host instances terminate {key})")]
    NotEnded {
        /// The instance.
        key: InstanceKey,
        /// The instance's state, in one word.
        status: String,
    },
    /// An action of the instance has an unknown outcome.
    #[error(
        "it is unknown whether the action that receipt {receipt} permitted took place: look at the target, and record the finding first (pp-host instances resolve {key} --receipt {receipt} --finding FINDING --reason WORDS)"
    )]
    Unresolved {
        /// The instance.
        key: InstanceKey,
        /// The receipt that is spent.
        receipt: ReceiptId,
    },
    /// A break-glass decision of the instance is not reviewed.
    #[error(
        "request {request} of instance {key} was decided by one person alone: have it reviewed first (pp-host review {request} --as NAME --key FILE --reason WORDS)"
    )]
    Unreviewed {
        /// The instance.
        key: InstanceKey,
        /// The request.
        request: RequestId,
    },
    /// The principal has no right to the operation.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The token is not valid.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The tenant has not uploaded the workflow.
    #[error("tenant {0} has no workflow sha256:{1}: upload it first (POST /v1/workflows)")]
    NoWorkflow(TenantId, Digest),
    /// The tenant has uploaded as many workflows as the host keeps.
    #[error(
        "tenant {0} has {1} uploaded workflows, the most that the host keeps: delete those that no new instance needs"
    )]
    TooManyUploads(TenantId, u64),
    /// An inconsistency inside the host.
    #[error("internal error: {0}")]
    Internal(String),
}

fn listed(roles: &[Role]) -> String {
    let roles: Vec<_> = roles.iter().map(Role::as_str).collect();
    roles.join(", ")
}

impl From<IdError> for Error {
    fn from(error: IdError) -> Self {
        match error {
            IdError::Entropy(error) => error.into(),
            IdError::Prefix(error) => error.into(),
        }
    }
}
