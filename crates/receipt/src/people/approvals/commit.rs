//! The member `approvals` of a committed request, and the digest that leaves it out.

use alloc::vec::Vec;

use super::{ApprovalError, VerifiedDecision};
use crate::format::request::APPROVALS_KEY;
use crate::json::Object;
use crate::json::members::ShapeError;
use crate::people::dsse::Envelope;
use crate::people::statement::DecisionStatement;
use crate::verify::opening::Opened;

/// The most decisions that a receipt commits to. A quorum is a handful.
pub const MAX_APPROVALS: usize = 32;

/// Inserts decisions into a request that is about to be committed.
pub(crate) fn insert(request: &mut Object, approvals: &[VerifiedDecision]) {
    if !approvals.is_empty() {
        let envelopes = approvals.iter().map(|approval| approval.envelope().to_json());
        request.insert(APPROVALS_KEY, envelopes.collect::<Vec<_>>());
    }
}

impl Opened {
    /// The envelopes that the request carries, not verified; see [`verify_approvals`](crate::verify_approvals).
    pub fn approvals(&self) -> Result<Vec<Envelope>, ApprovalError> {
        let Some(member) = self.request().get(APPROVALS_KEY) else {
            return Ok(Vec::new());
        };
        let entries = member.as_array().ok_or_else(|| ShapeError::new(APPROVALS_KEY, "is not an array"))?;
        if entries.len() > MAX_APPROVALS {
            return Err(ApprovalError::TooMany(entries.len()));
        }
        entries.iter().map(|entry| Envelope::from_json(entry).map_err(Into::into)).collect()
    }

    /// The envelopes' statements, in order, with no signature checked: the issuer's record of who decided. For display,
    /// never for deciding; see [`verify_approvals`](crate::verify_approvals).
    pub fn claimed_decisions(&self) -> Result<Vec<DecisionStatement>, ApprovalError> {
        let envelopes = self.approvals()?;
        envelopes.iter().map(|envelope| Ok(DecisionStatement::claimed(envelope)?)).collect()
    }
}
