//! Why an act of an operator is not recorded.

use crate::trust::TokenId;
use receipt::{DeciderSetError, KeyId, PersonId, PublicKeyError, Timestamp};
use workflow::{Quoted, RequestId};

/// An act that is not valid in the present state. It was not recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActError {
    /// There is no decider of that name.
    #[error("there is no decider {0}: add one with pp-host deciders add {0} --role ROLE --key FILE")]
    NoDecider(PersonId),
    /// A decider who was removed.
    #[error(
        "decider {0} was removed; a name is not used twice, so that old receipts keep their meaning: add the person under another name"
    )]
    Removed(PersonId),
    /// A person without a role.
    #[error("a decider needs a role: --role ROLE")]
    NoRole,
    /// A key that cannot be used.
    #[error("the key cannot be used: {0}")]
    Key(#[from] PublicKeyError),
    /// The kind of key is not known.
    #[error("{} is not a known kind of key", Quoted(.0))]
    Kind(String),
    /// An invitation that cannot be used.
    #[error(
        "the invitation is not open: it was used, has expired, was replaced, or never existed (pp-host deciders invite makes another)"
    )]
    NoInvitation,
    /// An invitation whose lifetime is zero or too long.
    #[error("an invitation is open for more than 0 s and for at most a day")]
    InvitationTime,
    /// A passkey for other pages.
    #[error("the passkey belongs to another page than its invitation names")]
    OtherRelyingParty,
    /// The text is not the id of a key.
    #[error("{} is not the id of a key (pp-host deciders list shows them)", Quoted(.0))]
    KeyId(String),
    /// Revoked already.
    #[error("key {0} is already revoked")]
    KeyRevoked(KeyId),
    /// A time of compromise that adds nothing to the recorded one.
    #[error("key {0} already counts as compromised since {1}: only an earlier time is recorded")]
    Compromised(KeyId, Timestamp),
    /// The set of deciders does not allow it.
    #[error(transparent)]
    Set(#[from] DeciderSetError),
    /// Frozen or thawed twice.
    #[error("{0}")]
    Freeze(&'static str),
    /// A review of nothing.
    #[error("request {0} was not decided by one person alone, or has been reviewed")]
    NothingToReview(RequestId),
    /// A token without a use or a future.
    #[error("a token needs a scope and an expiry in the future: --scope SCOPE --expires 90d")]
    Token,
    /// A token's id is taken.
    #[error("a token {0} already exists")]
    TokenExists(TokenId),
    /// There is no token with this id.
    #[error("there is no token {0} (pp-host tokens list shows the tokens)")]
    NoToken(TokenId),
    /// Revoked already.
    #[error("token {0} is already revoked")]
    TokenRevoked(TokenId),
    /// A review of one's own decision.
    #[error("{0} made this decision alone: another person has to review it")]
    OwnReview(PersonId),
}
