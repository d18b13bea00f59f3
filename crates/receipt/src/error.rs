//! Errors of verification, one variant for each code of the specification.

use alloc::borrow::Cow;
use alloc::string::String;

use crate::fields::Scope;
use crate::json::JsonError;

/// The exact fault, in words for people.
pub type Reason = Cow<'static, str>;

/// Why a verification failed. [`code`](Self::code) and [`exit_code`](Self::exit_code) are the specification's; the text
/// is for people.
///
/// Three groups must not be confused. A signature that fails is *tampering or forgery*. A version that is not known here
/// is *unverifiable here*, and may be fine. A policy failure is a genuine signature over something that the issuer's own
/// format forbids.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The envelope or the payload is malformed.
    #[error("malformed: {0}")]
    Malformed(Reason),
    /// The payload's digest differs from the digest that the envelope states.
    #[error("the sha-256 of the payload is not the signed_payload_hash of the envelope")]
    PayloadHashMismatch,
    /// The key set has no such key.
    #[error(
        "key `{0}` is not in the key set; pin the issuer's published keys, never keys that came with the receipt"
    )]
    KeyNotFound(String),
    /// The key was revoked.
    #[error("key `{0}` is revoked")]
    KeyRevoked(String),
    /// The signature does not verify.
    #[error("the signature does not verify: {0}")]
    SignatureInvalid(Reason),
    /// Genuine, but of a version this crate does not know.
    #[error(
        "canonicalization `{0}` is not known here; the signature verifies: unverifiable here, not tampered"
    )]
    CanonicalizationUnsupported(String),
    /// The bytes are not the canonical form of their content.
    #[error("the payload is not in the canonical form of its own version")]
    CanonicalMismatch,
    /// The signed commitment is missing or has another form than `sha256:` and 64 digits.
    #[error(
        "the signed requestCommitment is missing or is not `sha256:` and 64 lowercase hexadecimal digits"
    )]
    RequestCommitmentMalformed,
    /// Genuine, but projected under a tag this crate does not know.
    #[error(
        "projection tag `{0}` is not known here; the signature verifies: unverifiable here, not tampered"
    )]
    ProjectionUnsupported(String),
    /// The signed projection has a member that its own tag forbids.
    #[error("the signed projection is not allowed: {0}")]
    ProjectionNotAllowed(Reason),
    /// The decider proof and the authentication method contradict each other.
    #[error("the decider proof does not go with the authentication method: {0}")]
    DeciderProofMismatch(Reason),
    /// The decider proof has neither of the two frozen shapes.
    #[error("the decider proof is invalid: {0}")]
    DeciderProofInvalid(Reason),
    /// The signed payload, of a receipt or of an attestation, is outside the published schema of its version (section 6.3;
    /// the code is this crate's own).
    #[error("the signed payload is outside the schema of its version: {0}")]
    SchemaMismatch(Reason),
    /// An opening was asked for without the request text or without its salt.
    #[error("the commitment cannot be opened without {0}; ask the owner of the receipt for it")]
    RequestCommitmentUnavailable(Reason),
    /// The request and salt are not the committed ones.
    #[error(
        "commitment not opened: this request and salt are not the committed ones; the text must be byte for byte"
    )]
    RequestCommitmentMismatch,
    /// The request is the committed one, but this crate does not read it: a duplicate key, too deep, too long, or not
    /// valid Unicode. The code is this crate's own.
    #[error(
        "the request and salt are the committed ones, and the request cannot be read here: {0}; unverifiable here, not tampered"
    )]
    RequestUnreadable(Reason),
    /// The stated summary is not the committed one.
    #[error("commitment not opened: {0}")]
    CommittedSummaryMismatch(Reason),
    /// The stated binding is not the committed one.
    #[error("commitment not opened: {0}")]
    ReceiptBindingMismatch(Reason),
    /// The projection does not come from the committed request.
    #[error("commitment not opened: the projection rebuilt from the request is not the signed one")]
    PublicProjectionMismatch,
    /// An opening was asked for on a receipt that signs its request in the bytes.
    #[error("there is no commitment to open: a {0} receipt signs its request in the bytes")]
    OpeningNotApplicable(&'static str),
    /// The attestation is of another receipt.
    #[error("the attestation is of receipt `{0}`, not of this one")]
    ReceiptMismatch(String),
    /// The attested receipt authorises nothing.
    #[error("the attested receipt is a denial; only an approval can have been acted on")]
    ReceiptNotApproved,
    /// The issuer recorded the outcome without a signature.
    #[error("the outcome is unsigned: it proves nothing, and is no sign of tampering")]
    AttestationUnsigned,
    /// The signed outcome is not shown on this surface.
    #[error("the attestation's payload is withheld here; the owner's artifact has it")]
    PayloadWithheld,
    /// Genuine, but the claims contradict each other.
    #[error("the attestation contradicts itself: {0}")]
    AttestationInconsistent(Reason),
    /// A demo key attests a receipt of production, or the reverse. The code is this crate's own.
    #[error("the attestation is signed under key `{0}`, which is of another scope than the receipt's key")]
    AttestationOtherScope(String),
}

impl VerifyError {
    /// The specification's name for this failure.
    pub const fn code(&self) -> &'static str {
        self.code_and_exit().0
    }

    /// The exit code of the specification's verifier for this failure.
    pub const fn exit_code(&self) -> u8 {
        self.code_and_exit().1
    }

    const fn code_and_exit(&self) -> (&'static str, u8) {
        match self {
            Self::SignatureInvalid(_) => ("SIGNATURE_INVALID", 1),
            Self::KeyNotFound(_) => ("KEY_NOT_FOUND", 2),
            Self::KeyRevoked(_) => ("KEY_REVOKED", 2),
            Self::Malformed(_) => ("MALFORMED", 3),
            Self::RequestCommitmentMalformed => ("REQUEST_COMMITMENT_MALFORMED", 3),
            Self::ReceiptMismatch(_) => ("RECEIPT_MISMATCH", 3),
            Self::ReceiptNotApproved => ("RECEIPT_NOT_APPROVED", 3),
            Self::PayloadHashMismatch => ("PAYLOAD_HASH_MISMATCH", 4),
            Self::CanonicalMismatch => ("CANONICAL_MISMATCH", 4),
            Self::AttestationUnsigned => ("ATTESTATION_UNSIGNED", 5),
            Self::PayloadWithheld => ("PAYLOAD_WITHHELD", 6),
            Self::AttestationInconsistent(_) => ("ATTESTATION_INCONSISTENT", 7),
            Self::CanonicalizationUnsupported(_) => ("CANONICALIZATION_UNSUPPORTED", 8),
            Self::ProjectionUnsupported(_) => ("PROJECTION_UNSUPPORTED", 8),
            Self::RequestCommitmentUnavailable(_) => ("REQUEST_COMMITMENT_UNAVAILABLE", 8),
            Self::RequestUnreadable(_) => ("REQUEST_UNREADABLE", 8),
            Self::ProjectionNotAllowed(_) => ("PROJECTION_NOT_ALLOWED", 9),
            Self::DeciderProofMismatch(_) => ("DECIDER_PROOF_MISMATCH", 9),
            Self::DeciderProofInvalid(_) => ("DECIDER_PROOF_INVALID", 9),
            Self::SchemaMismatch(_) => ("SCHEMA_MISMATCH", 9),
            Self::AttestationOtherScope(_) => ("ATTESTATION_OTHER_SCOPE", 9),
            Self::RequestCommitmentMismatch => ("REQUEST_COMMITMENT_MISMATCH", 10),
            Self::CommittedSummaryMismatch(_) => ("COMMITTED_SUMMARY_MISMATCH", 10),
            Self::ReceiptBindingMismatch(_) => ("RECEIPT_BINDING_MISMATCH", 10),
            Self::PublicProjectionMismatch => ("PUBLIC_PROJECTION_MISMATCH", 10),
            Self::OpeningNotApplicable(_) => ("OPENING_NOT_APPLICABLE", 64),
        }
    }
}

pub(crate) fn malformed(reason: impl Into<Reason>) -> VerifyError {
    VerifyError::Malformed(reason.into())
}

impl From<JsonError> for VerifyError {
    fn from(error: JsonError) -> Self {
        malformed(alloc::format!("{error}"))
    }
}

/// Why a verified receipt does not approve the action here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotApproved {
    /// The decision was a denial.
    #[error("the receipt is genuine and the decision is DENIED")]
    Denied,
    /// The receipt is of another scope.
    #[error("the receipt is of scope `{found}`, and `{wanted}` is asked for here")]
    OtherScope {
        /// The signed scope.
        found: Scope,
        /// The expected one.
        wanted: Scope,
    },
    /// The receipt is older than the scope field.
    #[error("a jcs_v1 receipt signs no scope, so it opens nothing here")]
    ScopeNotSigned,
    /// Signed under a demonstration's key, regardless of its other claims.
    #[error("the receipt is signed under a demo key")]
    DemoKey,
}
