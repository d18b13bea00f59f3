//! Comparing what was signed with what is known, leaf by leaf.

use alloc::format;
use alloc::string::String;
use core::fmt::Display;

use super::{DecisionStatement, Matter, Nonce};
use crate::digest::Digest;
use crate::fields::Decision;
use crate::format::binding::Stated;
use crate::json::{Json, clipped};
use crate::members::{ShapeError, instant};
use crate::names::{PersonId, Role};
use crate::timestamp::Timestamp;

/// How far a decider's clock may be ahead: a minute. Nothing is allowed on an expiry.
pub const CLOCK_SKEW_MS: i64 = 60_000;

/// Where a request says when it was made: the earliest moment at which a decision about it can have been made.
pub const REQUESTED_AT: [&str; 2] = ["context", "requestedAt"];

/// Where a request says when it lapses: the latest moment until which a decision about it may stand.
pub const LAPSES_AT: [&str; 2] = ["context", "lapsesAt"];

/// What is known about a decision before its statement is looked at. Nothing in here comes from the statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected<'a> {
    /// What it has to be about, compared in every part.
    pub matter: &'a Matter,
    /// The time by which it is judged: it was made by then, has not expired by then, and what is known of keys and people
    /// is what was known by then.
    pub at: Timestamp,
    /// The earliest moment at which it can have been made.
    pub decided_from: Option<Timestamp>,
    /// The latest moment until which it may stand.
    pub expires_by: Option<Timestamp>,
    /// Which decision, where only one will do.
    pub decision: Option<Decision>,
    /// Which reason.
    pub reason: Stated,
    /// Whose decision, where only one person's will do.
    pub decider: Option<&'a PersonId>,
    /// In which role, where only one will do.
    pub role: Option<&'a Role>,
    /// Which nonce, where it was handed out.
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

    /// The same, made while the request was open: not before it was made, and not to stand after it lapses, as far as the
    /// request says. Requests of earlier versions do not say.
    pub fn open_for(self, request: &Json) -> Result<Self, ShapeError> {
        Ok(Self {
            decided_from: instant_of(request, REQUESTED_AT)?.or(self.decided_from),
            expires_by: instant_of(request, LAPSES_AT)?.or(self.expires_by),
            ..self
        })
    }
}

/// Something was signed, and something else is expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{signed}` was signed, and `{expected}` is expected")]
pub struct Differs {
    /// What the statement says, escaped and cut.
    pub signed: String,
    /// What is expected, escaped and cut.
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
    /// Something else was to be done.
    #[error("capability: {0}")]
    Capability(Differs),
    /// It was to be done to something else.
    #[error("resource: {0}")]
    Resource(Differs),
    /// It was to be done with other bytes.
    #[error("digest of the artifact: {0}")]
    Artifact(Differs),
    /// The decider was shown another text.
    #[error("digest of the view: {0}")]
    View(Differs),
    /// Another policy asked.
    #[error("digest of the policy: {0}")]
    Policy(Differs),
    /// The other decision.
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
    /// Made too early, or in the future.
    #[error("time of the decision: {0}")]
    DecidedAt(Differs),
    /// No longer in force, or in force for too long.
    #[error("expiry of the decision: {0}")]
    ExpiresAt(Differs),
    /// Another nonce.
    #[error("nonce: {0}")]
    Nonce(Differs),
}

impl DecisionStatement {
    /// Compares every leaf with what is known.
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
    /// Compares every part with what is known.
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

/// An instant of a request; none where it does not say.
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
