//! A receipt that verified, and what may be concluded from it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::digest::Digest;
use crate::error::NotApproved;
use crate::fields::{Decision, RiskTier, Scope};
use crate::format::artifact::Artifact;
use crate::format::binding::Binding;
use crate::format::canonical::Canonicalization;
use crate::format::decider::Decider;
use crate::format::payload::Payload;
use crate::format::projection::{Projection, Rule};
use crate::issuer::keys::is_demo_key;
use crate::json::Json;
use crate::timestamp::Timestamp;

/// A receipt whose signature, form and policy checks all hold. Only [`verify`](crate::verify) makes one.
///
/// It may be a denial. Nothing is authorised by having one; see [`approved`](Self::approved).
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedReceipt {
    pub(crate) key_id: String,
    pub(crate) canonicalization: Canonicalization,
    pub(crate) payload: Payload,
    pub(crate) commitment: Option<Commitment>,
    pub(crate) text: String,
    pub(crate) digest: Digest,
}

/// The members that `jcs_v3` signs in place of the request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Commitment {
    pub(crate) digest: Digest,
    pub(crate) tag: Projection,
    pub(crate) projection: Json,
}

impl VerifiedReceipt {
    /// The only way to an [`Approved`]: the decision is an approval, of the scope that the caller requires.
    ///
    /// Does not judge expiry and redemption: this crate has no clock and no memory.
    pub fn approved(&self, scope: Scope) -> Result<Approved<'_>, NotApproved> {
        if self.payload.decision == Decision::Denied {
            return Err(NotApproved::Denied);
        }
        let found = self.payload.scope.ok_or(NotApproved::ScopeNotSigned)?;
        if found != scope {
            return Err(NotApproved::OtherScope { found, wanted: scope });
        }
        if scope == Scope::Production && is_demo_key(&self.key_id) {
            return Err(NotApproved::DemoKey);
        }
        Ok(Approved { receipt: self })
    }

    /// The receipt's id.
    pub fn id(&self) -> &str {
        &self.payload.id
    }

    /// The decision.
    pub fn decision(&self) -> Decision {
        self.payload.decision
    }

    /// The scope: production or demo. `None` for `jcs_v1`.
    pub fn scope(&self) -> Option<Scope> {
        self.payload.scope
    }

    /// The decider. `None` for `jcs_v1`.
    pub fn decider(&self) -> Option<&Decider> {
        self.payload.decider.as_ref()
    }

    /// The key that signed.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The acting agent, as the caller named it.
    pub fn agent_id(&self) -> &str {
        &self.payload.agent_id
    }

    /// The run, if the caller named one.
    pub fn run_id(&self) -> Option<&str> {
        self.payload.run_id.as_deref()
    }

    /// The action's risk tier.
    pub fn risk_tier(&self) -> Option<RiskTier> {
        self.payload.risk_tier
    }

    /// The policy that governed. It is not the rule that matched; that is [`rule`](Self::rule).
    pub fn policy_version(&self) -> Option<&str> {
        self.payload.policy_version.as_deref()
    }

    /// The reason codes, in the order they were given.
    pub fn reason_codes(&self) -> &[String] {
        &self.payload.reason_codes
    }

    /// When the receipt was issued.
    pub fn created_at(&self) -> Timestamp {
        self.payload.created_at
    }

    /// The first moment at which an approval can no longer be redeemed, as for keys and decisions. The receipt stays
    /// evidence after that.
    pub fn expires_at(&self) -> Timestamp {
        self.payload.expires_at
    }

    /// Whether the receipt can no longer be redeemed at `at`.
    pub fn is_expired(&self, at: Timestamp) -> bool {
        self.payload.expires_at <= at
    }

    /// The version it is signed under.
    pub fn canonicalization(&self) -> Canonicalization {
        self.canonicalization
    }

    /// The commitment to the request. `jcs_v3` only.
    pub fn request_commitment(&self) -> Option<Digest> {
        Some(self.commitment.as_ref()?.digest)
    }

    /// The public part of the request. `jcs_v3` only.
    pub fn projection(&self) -> Option<&Json> {
        Some(&self.commitment.as_ref()?.projection)
    }

    /// The tag of the rule that built the projection. `jcs_v3` only.
    pub fn projection_tag(&self) -> Option<Projection> {
        Some(self.commitment.as_ref()?.tag)
    }

    /// The policy rule that matched, as far as the signed bytes show it.
    pub fn rule(&self) -> Rule {
        match (&self.commitment, &self.payload.request) {
            (Some(commitment), _) => Rule::of_projection(commitment.tag, &commitment.projection),
            (None, Some(request)) => {
                let request = Json::parse(&request.text).ok();
                request.and_then(|request| Rule::of_request(&request)).map_or(Rule::NotRecorded, Rule::Named)
            }
            (None, None) => Rule::NotRecorded,
        }
    }

    /// The request text that `jcs_v1` and `jcs_v2` sign in the open.
    pub fn signed_request(&self) -> Option<&str> {
        Some(&self.payload.request.as_ref()?.text)
    }

    /// The binding that `jcs_v1` and `jcs_v2` sign in the open.
    pub fn signed_binding(&self) -> Option<&Binding> {
        Some(&self.payload.request.as_ref()?.binding)
    }

    /// The summary that `jcs_v1` and `jcs_v2` sign in the open, if there is one.
    pub fn signed_summary(&self) -> Option<&str> {
        self.payload.request.as_ref()?.summary.as_deref()
    }

    /// The digest that was signed.
    pub fn payload_digest(&self) -> Digest {
        self.digest
    }

    /// The signed text.
    pub fn payload_json(&self) -> &str {
        &self.text
    }
}

/// A genuine approval of the required scope. Only [`VerifiedReceipt::approved`] makes one.
#[derive(Clone, Copy, Debug)]
pub struct Approved<'r> {
    receipt: &'r VerifiedReceipt,
}

impl<'r> Approved<'r> {
    /// The receipt behind it.
    pub fn receipt(&self) -> &'r VerifiedReceipt {
        self.receipt
    }
}

impl Artifact {
    /// The convenience copies that contradict the signed payload of `receipt`. Worth a warning: they were edited.
    pub fn disagreements(&self, receipt: &VerifiedReceipt) -> Vec<&'static str> {
        let version = receipt.canonicalization();
        let differs =
            |copy: &Option<String>, signed: &str| copy.as_deref().is_some_and(|copy| copy != signed);
        let found = [
            ("receipt_id", self.receipt_id != receipt.id()),
            ("status", differs(&self.status, receipt.decision().as_str())),
            ("receipt_version", self.receipt_version.is_some_and(|copy| copy != version.receipt_version())),
            ("canonicalization", differs(&self.canonicalization, version.as_str())),
            ("issued_at", differs(&self.issued_at, &format!("{}", receipt.created_at()))),
            ("expires_at", differs(&self.expires_at, &format!("{}", receipt.expires_at()))),
        ];
        found.into_iter().filter_map(|(name, differs)| differs.then_some(name)).collect()
    }
}
