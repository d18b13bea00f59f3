//! Compares a signed statement with the expected one, leaf by leaf.

use alloc::format;
use alloc::string::String;
use core::fmt::Display;

use super::{DecisionStatement, Matter, Nonce};
use crate::digest::Digest;
use crate::fields::Decision;
use crate::format::binding::Stated;
use crate::format::names::{PersonId, Role};
use crate::json::members::{ShapeError, instant};
use crate::json::{Json, clipped};
use crate::timestamp::Timestamp;

/// The greatest lead of a decider's clock: a minute. There is no tolerance for an expiry.
pub const CLOCK_SKEW_MS: i64 = 60_000;

/// The member of a request with the time at which it was made: no decision about it can be earlier.
pub const REQUESTED_AT: [&str; 2] = ["context", "requestedAt"];

/// The member of a request with the time at which it lapses: no decision about it may be valid for longer.
pub const LAPSES_AT: [&str; 2] = ["context", "lapsesAt"];

/// The expected content of a decision. None of it comes from the statement itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected<'a> {
    /// The expected matter, compared in every part.
    pub matter: &'a Matter,
    /// The time by which the decision is judged: it was made before, has not expired, and the keys and people are those
    /// known at this time.
    pub at: Timestamp,
    /// The earliest moment at which it can have been made.
    pub decided_from: Option<Timestamp>,
    /// The latest allowed expiry of the decision.
    pub expires_by: Option<Timestamp>,
    /// The expected decision, if only one is accepted.
    pub decision: Option<Decision>,
    /// The expected reason.
    pub reason: Stated,
    /// The expected decider, if only one person is accepted.
    pub decider: Option<&'a PersonId>,
    /// In which role, if only one will do.
    pub role: Option<&'a Role>,
    /// The expected nonce, if the caller issued one.
    pub nonce: Option<Nonce>,
}

impl<'a> Expected<'a> {
    /// Any person's decision about `matter`, judged at `at`.
    pub fn about(matter: &'a Matter, at: Timestamp) -> Self {
        Self {
            matter,
            at,
            decided_from: None,
            expires_by: None,
            decision: None,
            reason: Stated::Nothing,
            decider: None,
            role: None,
            nonce: None,
        }
    }

    /// This expectation, for a decision made while the request was open: not before the request was made, and not valid
    /// after the request lapses, as far as the request states these times. Requests of earlier versions do not.
    pub fn open_for(self, request: &Json) -> Result<Self, ShapeError> {
        Ok(Self {
            decided_from: instant_of(request, REQUESTED_AT)?.or(self.decided_from),
            expires_by: instant_of(request, LAPSES_AT)?.or(self.expires_by),
            ..self
        })
    }
}

/// A signed value that differs from the expected one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{signed}` was signed, and `{expected}` is expected")]
pub struct Differs {
    /// The signed value, escaped and shortened.
    pub signed: String,
    /// The expected value, escaped and shortened.
    pub expected: String,
}

/// The first leaf of a statement that is not the expected one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// Another request, or the same one with other content.
    #[error("digest of the request: {0}")]
    Request(Differs),
    /// A request of another name.
    #[error("request id: {0}")]
    RequestId(Differs),
    /// Another tenant's.
    #[error("tenant: {0}")]
    Tenant(Differs),
    /// Another run's.
    #[error("instance: {0}")]
    Instance(Differs),
    /// Other code asked.
    #[error("digest of the component: {0}")]
    Component(Differs),
    /// Another action.
    #[error("capability: {0}")]
    Capability(Differs),
    /// The signed resource is another one.
    #[error("resource: {0}")]
    Resource(Differs),
    /// The signed artifact is another one.
    #[error("digest of the artifact: {0}")]
    Artifact(Differs),
    /// The decider was shown another text.
    #[error("digest of the view: {0}")]
    View(Differs),
    /// Another policy asked.
    #[error("digest of the policy: {0}")]
    Policy(Differs),
    /// Another decision.
    #[error("decision: {0}")]
    Decision(Differs),
    /// Another reason.
    #[error("reason: {0}")]
    Reason(Differs),
    /// Another one.
    #[error("decider: {0}")]
    Decider(Differs),
    /// In another role.
    #[error("role: {0}")]
    Role(Differs),
    /// Decided too early, or in the future.
    #[error("time of the decision: {0}")]
    DecidedAt(Differs),
    /// Expired, or valid for too long.
    #[error("expiry of the decision: {0}")]
    ExpiresAt(Differs),
    /// Another nonce.
    #[error("nonce: {0}")]
    Nonce(Differs),
}

impl DecisionStatement {
    /// Compares every leaf with the expectation.
    pub fn check(&self, expected: &Expected<'_>) -> Result<(), Mismatch> {
        self.matter.check(expected.matter)?;
        if let Some(decision) = &expected.decision {
            same(&self.decision, decision, Mismatch::Decision)?;
        }
        self.check_reason(&expected.reason)?;
        if let Some(decider) = expected.decider {
            same(&self.decider, decider, Mismatch::Decider)?;
        }
        if let Some(role) = expected.role {
            same(&self.role, role, Mismatch::Role)?;
        }
        self.check_times(expected)?;
        match &expected.nonce {
            Some(nonce) => same(&self.nonce, nonce, Mismatch::Nonce),
            None => Ok(()),
        }
    }

    fn check_reason(&self, expected: &Stated) -> Result<(), Mismatch> {
        if expected.holds(self.reason.as_deref()) {
            return Ok(());
        }
        let expected = match expected {
            Stated::Value(reason) => reason.as_str(),
            Stated::Absent | Stated::Nothing => "none",
        };
        Err(Mismatch::Reason(differs(self.reason.as_deref().unwrap_or("none"), expected)))
    }

    fn check_times(&self, expected: &Expected<'_>) -> Result<(), Mismatch> {
        let latest = Timestamp::from_millis(expected.at.as_millis().saturating_add(CLOCK_SKEW_MS));
        if self.decided_at > latest {
            let problem = differs(&self.decided_at, &format!("at the latest {latest}"));
            return Err(Mismatch::DecidedAt(problem));
        }
        if let Some(from) = expected.decided_from.filter(|from| self.decided_at < *from) {
            return Err(Mismatch::DecidedAt(differs(&self.decided_at, &format!("at the earliest {from}"))));
        }
        if self.expires_at <= expected.at {
            let problem = differs(&self.expires_at, &format!("later than {}", expected.at));
            return Err(Mismatch::ExpiresAt(problem));
        }
        match expected.expires_by.filter(|by| self.expires_at > *by) {
            Some(by) => Err(Mismatch::ExpiresAt(differs(&self.expires_at, &format!("at the latest {by}")))),
            None => Ok(()),
        }
    }
}

impl Matter {
    /// Compares every part with the expectation.
    pub fn check(&self, expected: &Matter) -> Result<(), Mismatch> {
        same(&self.request, &expected.request, Mismatch::Request)?;
        same(&self.request_id, &expected.request_id, Mismatch::RequestId)?;
        same(&self.tenant, &expected.tenant, Mismatch::Tenant)?;
        same(&self.instance, &expected.instance, Mismatch::Instance)?;
        same(&self.component, &expected.component, Mismatch::Component)?;
        same(&self.capability, &expected.capability, Mismatch::Capability)?;
        same(&self.resource, &expected.resource, Mismatch::Resource)?;
        if self.artifact != expected.artifact {
            let shown = |digest: Option<Digest>| digest.map_or("none".into(), |digest| format!("{digest}"));
            let problem = differs(&shown(self.artifact), &shown(expected.artifact));
            return Err(Mismatch::Artifact(problem));
        }
        same(&self.view, &expected.view, Mismatch::View)?;
        same(&self.policy, &expected.policy, Mismatch::Policy)
    }
}

/// An instant of a request; `None` if the request does not have it.
fn instant_of(request: &Json, path: [&'static str; 2]) -> Result<Option<Timestamp>, ShapeError> {
    request.pointer(path).map(|json| instant(path[1], json)).transpose()
}

fn same<T: PartialEq + Display>(
    signed: &T,
    expected: &T,
    mismatch: fn(Differs) -> Mismatch,
) -> Result<(), Mismatch> {
    if signed == expected { Ok(()) } else { Err(mismatch(differs(signed, expected))) }
}

fn differs(signed: &(impl Display + ?Sized), expected: &(impl Display + ?Sized)) -> Differs {
    Differs { signed: clipped(&format!("{signed}")), expected: clipped(&format!("{expected}")) }
}
