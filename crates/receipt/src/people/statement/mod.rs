//! The decision statement: the text that a person signs.
//!
//! An in-toto Statement v1 whose subject is the request. The signed bytes contain everything that the decision depends
//! on; nothing outside them counts. In-toto lets readers ignore unknown members. This predicate does not: a member that
//! is unknown, missing or repeated is an error, and a statement has one spelling, its canonical one.

mod check;
mod sign;
mod text;

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use crate::digest::{Digest, ParseDigestError};
use crate::encoding;
use crate::fields::Decision;
use crate::format::names::{PersonId, Role};
use crate::json::members::ShapeError;
use crate::json::{Json, JsonError};
use crate::people::dsse::{Envelope, Payload};
use crate::timestamp::Timestamp;

pub use check::{CLOCK_SKEW_MS, Differs, Expected, LAPSES_AT, Mismatch, REQUESTED_AT};
pub use sign::{Ed25519StatementSigner, SignDecisionError, StatementSigner, sign_decision};

/// The type under which a statement is signed.
pub const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The in-toto statement, version 1.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// The statement's predicate type. It names a type and is never fetched; a `urn:` claims no domain.
pub const PREDICATE_TYPE: &str = "urn:permission-protocol:decision:v1";

/// The longest resource, in bytes: sixteen times the default limit of a workflow's resources.
pub const MAX_RESOURCE_LEN: usize = 16 * 1024;

/// The longest reason of a decider, in bytes: some 600 words.
pub const MAX_REASON_LEN: usize = 4 * 1024;

/// The longest validity of a break-glass decision, in milliseconds: 15 minutes.
pub const BREAK_GLASS_MS: i64 = 15 * 60 * 1000;

/// The subject of a decision: one request, and the view and policy under which it was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matter {
    /// The digest of the request, as [`request_digest`](crate::request_digest) computes it.
    pub request: Digest,
    /// The request's name.
    pub request_id: String,
    /// The tenant whose workflow asks.
    pub tenant: String,
    /// The instance that asks.
    pub instance: String,
    /// The SHA-256 of the code that asks.
    pub component: Digest,
    /// The capability.
    pub capability: String,
    /// The resource.
    pub resource: String,
    /// The SHA-256 of the bytes that the action is about, if any.
    pub artifact: Option<Digest>,
    /// The SHA-256 of the exact text that the decider was shown.
    pub view: Digest,
    /// The SHA-256 of the policy that asked for the decision.
    pub policy: Digest,
}

/// One person's decision about one matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionStatement {
    /// The matter.
    pub matter: Matter,
    /// Approved or denied.
    pub decision: Decision,
    /// In the decider's words.
    pub reason: Option<String>,
    /// The decider.
    pub decider: PersonId,
    /// The role in which the person decides.
    pub role: Role,
    /// When, by the decider's clock.
    pub decided_at: Timestamp,
    /// Until when the decision may be used.
    pub expires_at: Timestamp,
    /// Sets this decision apart from every other.
    pub nonce: Nonce,
}

/// 128 fresh random bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce([u8; 16]);

impl Nonce {
    /// A nonce from 16 random bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        encoding::write_hex(f, &self.0)
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Nonce({self})")
    }
}

impl FromStr for Nonce {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        encoding::from_hex(text).map(Self).ok_or(ParseDigestError)
    }
}

impl Matter {
    /// Reads the matter of an execute lane's request: its members, its digest, the view that was shown and the policy.
    pub fn of(request: &Json, view: Digest, policy: Digest) -> Result<Self, ShapeError> {
        text::matter_of(request, view, policy)
    }
}

impl DecisionStatement {
    /// Reads the statement of a verified envelope.
    pub fn read(payload: &Payload<'_>) -> Result<Self, StatementError> {
        if payload.payload_type() != PAYLOAD_TYPE {
            return Err(StatementError::PayloadType);
        }
        Self::parse(core::str::from_utf8(payload.bytes()).map_err(|_| StatementError::NotUtf8)?)
    }

    /// The statement in an envelope, with no signature checked: for sorting and for display, never for deciding.
    pub fn claimed(envelope: &Envelope) -> Result<Self, StatementError> {
        Self::read(&envelope.claimed_payload())
    }

    /// Reads a statement's text. Does not verify a signature.
    pub fn parse(text: &str) -> Result<Self, StatementError> {
        text::parse(text)
    }

    /// The canonical text: the bytes that are signed.
    pub fn canonical(&self) -> String {
        text::write(self).canonical()
    }

    /// Checks the rules that the shape does not: bounds, times, and the break-glass role.
    pub fn validate(&self) -> Result<(), StatementError> {
        text::check_bounds(self)?;
        let standing_ms = self.expires_at.as_millis() - self.decided_at.as_millis();
        if standing_ms <= 0 {
            return Err(StatementError::Times);
        }
        if !self.role.is_break_glass() {
            return Ok(());
        }
        if self.reason.is_none() {
            return Err(StatementError::BreakGlass("it gives no reason"));
        }
        if standing_ms > BREAK_GLASS_MS {
            return Err(StatementError::BreakGlass("it is valid for more than 15 minutes"));
        }
        Ok(())
    }
}

/// Why a text is not a decision statement.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatementError {
    /// The payload has another type.
    #[error("the payload is not of type {PAYLOAD_TYPE}")]
    PayloadType,
    /// The statement is not UTF-8 text.
    #[error("the statement is not UTF-8")]
    NotUtf8,
    /// The statement is not JSON.
    #[error("the statement is no JSON: {0}")]
    Json(#[from] JsonError),
    /// The JSON is not a decision statement.
    #[error("not a decision statement: {0}")]
    Shape(#[from] ShapeError),
    /// Another statement than in-toto's, version 1.
    #[error("the statement's _type is not {STATEMENT_TYPE}")]
    StatementType,
    /// A statement of another kind.
    #[error("the statement's predicateType is not {PREDICATE_TYPE}")]
    PredicateType,
    /// The subject and the predicate are about different requests.
    #[error("the subject's name is not the predicate's requestId")]
    Subject,
    /// The content is valid but the bytes are not canonical.
    #[error("the statement is not in its canonical form")]
    NotCanonical,
    /// The decision expires before it is made.
    #[error("the decision expires before it is made")]
    Times,
    /// The decision breaks a rule of the break-glass role.
    #[error("not a break-glass decision: {0}")]
    BreakGlass(&'static str),
}
