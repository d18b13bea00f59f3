//! The member `approvals` of a committed request, and the digest that leaves it out.

use alloc::vec::Vec;

use super::{ApprovalError, VerifiedDecision};
use crate::digest::Digest;
use crate::dsse::Envelope;
use crate::json::{Json, Object};
use crate::members::ShapeError;
use crate::opening::{BINDING_KEY, Opened, SUMMARY_KEY};

/// The reserved key that carries people's decisions.
pub(crate) const APPROVALS_KEY: &str = "approvals";

/// The most decisions that a receipt commits to. A quorum is a handful.
pub const MAX_APPROVALS: usize = 32;

/// The digest of a request that people sign: of its canonical text, without the members that only minting adds.
///
/// It is the same before and after minting.
pub fn request_digest(request: &Json) -> Digest {
    let text = match request.as_object() {
        Some(object) => object
            .iter()
            .filter(|(key, _)| !is_added(key.as_str()))
            .fold(Object::new(), |mut kept, (key, value)| {
                kept.insert(key.clone(), value.clone());
                kept
            })
            .canonical(),
        None => request.canonical(),
    };
    Digest::of(text.as_bytes())
}

fn is_added(key: Option<&str>) -> bool {
    key.is_some_and(|key| [APPROVALS_KEY, BINDING_KEY, SUMMARY_KEY].contains(&key))
}

/// Puts decisions into a request that is about to be committed.
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
}
