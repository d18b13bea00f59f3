//! Why minting failed.

use crate::error::VerifyError;
use crate::issuer::keys::KeySetError;
use crate::issuer::signer::SignError;
use crate::json::JsonError;
use crate::json::members::ShapeError;
use crate::people::approvals::ApprovalError;
use crate::people::statement::MAX_REASON_LEN;

/// Why minting failed. No signed receipt leaves [`mint`](crate::mint) in this case.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// The request is not a JSON object.
    #[error("the request is not a JSON object")]
    RequestNotObject,
    /// The request already carries a key that only minting sets.
    #[error("the request carries the reserved key `{0}`; leave it out, minting adds it")]
    RequestReservedKey(&'static str),
    /// The request does not say what people would decide about.
    #[error("people cannot decide this kind of request: {0}")]
    Undecidable(ShapeError),
    /// The request is longer than readers accept, or would be with the members that minting adds.
    #[error(
        "the request takes {len} bytes in a receipt's export, with the members that may be added to it; the most is {most}"
    )]
    TooLong {
        /// The length in bytes.
        len: usize,
        /// The bound in bytes.
        most: usize,
    },
    /// The request's own text cannot be parsed.
    #[error("a reader could not parse the request in a receipt: {0}")]
    Unreadable(JsonError),
    /// The request's own text parses as a different request: a number in it is not finite.
    #[error("reading the request back from a receipt would give a different request")]
    NotReadBack,
    /// The stated reason is longer than a decider's may be.
    #[error("a reason of {0} bytes, more than the {MAX_REASON_LEN} that a receipt commits to")]
    SummaryTooLong(usize),
    /// The projection is one that this crate verifies but does not issue.
    #[error("receipts under `{0}` are verified here, not issued; use execute/v1 or revocation/v1")]
    ProjectionNotIssued(&'static str),
    /// A field that must not be empty is empty.
    #[error("`{0}` is empty")]
    EmptyField(&'static str),
    /// The decision and another field contradict each other.
    #[error("contradiction: {0}")]
    Contradiction(&'static str),
    /// A demo decision outside the demo scope, or the reverse.
    #[error("the receipt mixes demo and production: {0}")]
    ScopeMixed(&'static str),
    /// A person's decision without that person's signature, or with other people's.
    #[error("the approvals do not support the decision: {0}")]
    Approvals(#[from] ApprovalError),
    /// The signer's own key cannot be pinned.
    #[error("the signer's key is unusable: {0}")]
    SignerKey(KeySetError),
    /// The signer failed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The finished receipt did not verify, so it was thrown away.
    #[error("the minted bytes do not verify and were discarded: {0}")]
    SelfCheck(#[from] VerifyError),
}
