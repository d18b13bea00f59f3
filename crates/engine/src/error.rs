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

/// Why the host did not perform a call. No state is lost: the journal is intact, and the call can be made again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The component.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The durable state.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The keys.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// A journal that makes no sense.
    #[error("the journal of instance {key} is damaged: {illegal}")]
    Journal {
        /// The instance.
        key: InstanceKey,
        /// The first entry that does not fit.
        illegal: Illegal,
    },
    /// The instance has ended.
    #[error(
        "instance {0} is {1}: nothing reaches it any more (pp-host instances restart {0} lets it go back)"
    )]
    Ended(InstanceKey, String),
    /// Stopped before.
    #[error("instance {0} is {1} already: it stands still until it is resumed")]
    AlreadyStopped(InstanceKey, String),
    /// The instance is not stopped.
    #[error("instance {0} is {1}, and not stopped: there is nothing to resume")]
    NotStopped(InstanceKey, String),
    /// In the middle of an action.
    #[error(
        "an action of instance {0} is under way, and how it ends has to be recorded first: try again when it has ended"
    )]
    ActionInProgress(InstanceKey),
    /// The workflow has no such place.
    #[error(
        "instance {0} has not come to {1:?} (time {2}) outside its steps: pp-host audit {0} shows where it has been"
    )]
    NoSuchCall(InstanceKey, String, usize),
    /// The instance has no such action with an unknown outcome.
    #[error(
        "instance {0} has no action on receipt {1} whose outcome is unknown (pp-host instances show {0} lists those)"
    )]
    NoUnknownOutcome(InstanceKey, ReceiptId),
    /// Found out before.
    #[error("the finding about the action of instance {0} on receipt {1} is on record already")]
    AlreadyResolved(InstanceKey, ReceiptId),
    /// An event that cannot be kept.
    #[error("instance {key} cannot take the event: {}", failure.message)]
    Event {
        /// The instance.
        key: InstanceKey,
        /// The failure.
        failure: Failure,
    },
    /// Two drives of one instance.
    #[error("instance {0} is being driven already: wait until that drive ends")]
    Busy(InstanceKey),
    /// Another host's instance.
    #[error(
        "this host has no claim on instance {0}: the host that claims it drives it (pp-host hosts lists them)"
    )]
    DrivenElsewhere(InstanceKey),
    /// Two hosts with private keys.
    #[error(
        "host {0} is on record with other keys, and receipts that one host signs would not count on the other: run pp-host authority and give every host --authority SOCKET, or copy its keys folder here"
    )]
    KeySetMismatch(String),
    /// A receipt or an attestation that could not be signed.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// No random numbers.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    /// A name of an instance with other input.
    #[error("instance {key} exists, with {what}: the same name stands for the same input, so use another")]
    InputMismatch {
        /// The instance.
        key: InstanceKey,
        /// The difference, in words.
        what: &'static str,
    },
    /// Not a name.
    #[error(transparent)]
    Id(#[from] InvalidId),
    /// Not parameters.
    #[error("the parameters cannot be used: {}", .0.message)]
    Params(Failure),
    /// There is no such request.
    #[error("there is no request {0} (pp-host approvals log shows what there is)")]
    NoRequest(RequestId),
    /// The request is no longer waiting.
    #[error("request {request} does not wait for a decision: {state}")]
    NotWaiting {
        /// The request.
        request: RequestId,
        /// Its present state.
        state: String,
    },
    /// A decision about one's own request.
    #[error("{0} acts in request {1} and cannot decide about it: another person has to")]
    SelfApproval(String, RequestId),
    /// A demo decision where people decide.
    #[error(
        "decisions here are signed by people (pp-host deciders list): a demo decision about {0} does not count; pp-host approve {0} --as NAME --key FILE"
    )]
    DemoNotAllowed(RequestId),
    /// Two authorities.
    #[error(
        "the authority's record of operators' acts does not begin with this data folder's copy: this is another authority, or its folder is an older copy; nothing was taken over (restore the authority's folder, or start with a new one: --data DIR)"
    )]
    AuthorityMismatch,
    /// The policy that governs, by its SHA-256, is not given any more.
    #[error(
        "policy {0} governs here, and its file is gone: put policy.toml or policy.cedar back. To have every action ask one person instead, write policy.toml with these two lines: [default] and then = \"ask\""
    )]
    PolicyMissing(Digest),
    /// An act that an operator cannot enter by hand.
    #[error("an operator cannot record this: it follows from a signed decision")]
    ActNotAllowed,
    /// An act that belongs into the authority's folder.
    #[error(
        "operators' acts are recorded in the authority's folder: run this with --data on that folder, and without --authority"
    )]
    ActsAtAuthority,
    /// Keys that are not here.
    #[error(
        "the keys are in the authority's folder: run this with --data on that folder, and without --authority"
    )]
    KeysAtAuthority,
    /// A tenant that nothing here knows.
    #[error(
        "there is no tenant {0} here: it has no instance, and no setting, rule or decider names it (pp-host instances list shows whose instances there are)"
    )]
    NoTenant(TenantId),
    /// An act that makes no sense.
    #[error(transparent)]
    Act(#[from] ActError),
    /// A statement that cannot be signed.
    #[error("this cannot be signed: {0}")]
    Statement(String),
    /// A person who is not a decider.
    #[error("{0} is no decider here (pp-host deciders list shows who is)")]
    NotADecider(PersonId),
    /// An assertion or a registration that is not good.
    #[error(transparent)]
    Passkey(#[from] PasskeyError),
    /// A decider who cannot sign here.
    #[error("{decider} has no passkey for {origin} that counts: pp-host deciders invite {decider}")]
    NoPasskey {
        /// The decider.
        decider: PersonId,
        /// The pages' origin.
        origin: String,
    },
    /// An unknown passkey.
    #[error("that passkey belongs to no decider here")]
    UnknownPasskey,
    /// A person who no longer decides.
    #[error("{0} was removed at {1}, and decides nothing any more (pp-host deciders list shows who does)")]
    RemovedDecider(PersonId, Timestamp),
    /// A decider of other tenants.
    #[error("{0} does not decide for tenant {1}")]
    OtherTenant(PersonId, TenantId),
    /// A decider without that role.
    #[error("{decider} does not have {}", role.as_ref().map_or_else(|| "a role to decide in".to_owned(), |role| format!("the role {role}")))]
    NoRole {
        /// The decider.
        decider: PersonId,
        /// The role, where one was named.
        role: Option<Role>,
    },
    /// A decision in a role that the policy does not ask for.
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
        /// The role that was named, or all that they have.
        roles: Vec<Role>,
        /// A role of the decider in which it would count.
        better: Option<Role>,
    },
    /// An approval with a key of another class than the policy requires.
    #[error(
        "{decider}'s approval cannot count with that key: the policy says {asked}; nothing was recorded, sign with such a key (pp-host deciders list shows which are)"
    )]
    KeyCannotCount {
        /// The decider.
        decider: PersonId,
        /// The policy's answer, in words.
        asked: String,
    },
    /// Words that are longer than is kept.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// Two at the same moment.
    #[error(
        "another signature about {0} came first: nothing was recorded; look at the request and try again"
    )]
    SignedMeanwhile(RequestId),
    /// More statements than are kept.
    #[error(
        "{0} has signed as many statements about {1} as are kept: another person has to decide, or it is withdrawn (pp-host withdraw {1}) and asked again"
    )]
    SignedTooOften(PersonId, RequestId),
    /// A second statement to the same effect.
    #[error("{0} has signed that about {1} already: one person counts once")]
    SignedAlready(PersonId, RequestId),
    /// There is no such receipt.
    #[error("there is no receipt {0} (pp-host receipts list shows what there is)")]
    NoReceipt(ReceiptId),
    /// A receipt that permits nothing.
    #[error("receipt {0} is a denial: there is nothing to take back")]
    NothingToRevoke(ReceiptId),
    /// The instance has not ended.
    #[error("instance {key} is {status} and has not ended: end it first (pp-host instances terminate {key})")]
    NotEnded {
        /// The instance.
        key: InstanceKey,
        /// Its state, in a word.
        status: String,
    },
    /// An action with an unknown outcome.
    #[error(
        "it is unknown whether what receipt {receipt} permitted was done: look at the target, and record the finding first (pp-host instances resolve {key} --receipt {receipt} --finding FINDING --reason WORDS)"
    )]
    Unresolved {
        /// The instance.
        key: InstanceKey,
        /// The receipt that is spent.
        receipt: ReceiptId,
    },
    /// A break-glass decision.
    #[error(
        "request {request} of instance {key} was decided by one person alone: have it reviewed first (pp-host review {request} --as NAME --key FILE --reason WORDS)"
    )]
    Unreviewed {
        /// The instance.
        key: InstanceKey,
        /// The request.
        request: RequestId,
    },
    /// The principal may not.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// A token that is good for nothing.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// A workflow that was not uploaded.
    #[error("tenant {0} has no workflow sha256:{1}: upload it first (POST /v1/workflows)")]
    NoWorkflow(TenantId, Digest),
    /// More uploads than are kept.
    #[error(
        "tenant {0} has {1} uploaded workflows, and no more are kept: delete those that no new instance needs"
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
