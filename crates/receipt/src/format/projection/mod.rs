//! The public projection: the part of a committed request that is public.
//!
//! A tag names a frozen allowlist of paths. The issuer copies the members on the list and signs the copy. Any reader
//! checks that the copy could have come from that tag's rule ([`check`]); the holder of the request checks that it did
//! ([`build`]).

mod allowlist;
mod build;
mod check;

use alloc::format;
use alloc::string::String;

use crate::fields::vocabulary;
use crate::json::{Json, Object};

pub(crate) use build::build;
pub(crate) use check::{check, read};

vocabulary! {
    /// The allowlist that a projection was built under.
    Projection {
        /// Pull requests and deployments; the matched rule is always public.
        DeployGateV1 = "deploy_gate/v1",
        /// Pull requests and deployments; the matched rule is public for public repositories only.
        DeployGateV2 = "deploy_gate/v2",
        /// Actions of agents and tools.
        ExecuteV1 = "execute/v1",
        /// Withdrawals of approvals.
        RevocationV1 = "revocation/v1",
    }
}

/// The policy rule that matched, as far as the receipt shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// This rule: the decision's with its version, else the override's, else the denial's.
    Named(String),
    /// A rule of a private repository, kept behind the commitment. Never put the policy version in its place.
    Withheld {
        /// Whether the request records a visibility; without one the repository counts as private.
        visibility_recorded: bool,
    },
    /// The request records no rule.
    NotRecorded,
}

impl Rule {
    /// The rule as a signed projection shows it: the decision's. An override or a denial in a projection names the rule of
    /// another decision.
    pub(crate) fn of_projection(tag: Projection, projection: &Json) -> Self {
        let visibility = projection.pointer(["scope", "visibility"]);
        match Self::of_decision(projection) {
            Some(rule) => Self::Named(rule),
            None if tag == Projection::DeployGateV2 && !is_public(projection) => {
                Self::Withheld { visibility_recorded: visibility.is_some() }
            }
            None => Self::NotRecorded,
        }
    }

    /// The rule that a request records: the decision's, else the override's, else the denial's.
    pub(crate) fn of_request(request: &Json) -> Option<String> {
        let text = |path: [&'static str; 3]| request.pointer(path).and_then(Json::as_str);
        let overridden = || {
            let id = text(["metadata", "override", "ruleId"])?;
            let version = text(["metadata", "override", "ruleVersion"]);
            Some(version.map_or_else(|| id.into(), |version| format!("{id}@{version}")))
        };
        let denied = || text(["metadata", "denial", "ruleId"]).map(Into::into);
        Self::of_decision(request).or_else(overridden).or_else(denied)
    }

    /// The rule of the decision itself. It has a version, or it is no rule.
    fn of_decision(request: &Json) -> Option<String> {
        let text = |name| request.pointer(["policy", "decision", name]).and_then(Json::as_str);
        Some(format!("{}@{}", text("ruleId")?, text("ruleVersion")?))
    }
}

/// Whether the repository and the rule may be shown: `scope.visibility` is exactly `public`.
fn is_public(request: &Json) -> bool {
    request.pointer(["scope", "visibility"]).and_then(Json::as_str) == Some("public")
}

/// The member that names the tag.
const TAG_KEY: &str = "projection";

/// A projection with its tag, as canonical text.
fn tagged(mut facts: Object, tag: Projection) -> String {
    facts.insert(TAG_KEY, tag.as_str());
    Json::Object(facts).canonical()
}
