//! Do a receipt's approvals carry what it says?

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use super::{ApprovalError, VerifiedDecision};
use crate::deciders::DeciderSet;
use crate::dsse::Envelope;
use crate::fields::{Decision, Scope};
use crate::json::Json;
use crate::opening::Opened;
use crate::projection::Projection;
use crate::statement::{DecisionStatement, Expected, Matter};
use crate::timestamp::Timestamp;

/// What is taken to be known of keys and people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// What was known when the receipt was issued: an auditor's question. A key that was withdrawn later does not undo what
    /// was decided with it before.
    AsIssued,
    /// What is known at this time: the question before acting. A key that has been withdrawn by now counts no longer, nor
    /// does a decision that has expired.
    Now(Timestamp),
}

/// What a receipt says, and its approvals have to bear out.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Said {
    pub(crate) tag: Projection,
    pub(crate) decision: Decision,
    /// Not before `jcs_v2`, and neither is the decider.
    pub(crate) scope: Option<Scope>,
    /// `deciderId`.
    pub(crate) decider: Option<String>,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
}

/// Verifies the decisions that an opened receipt commits to.
///
/// Each is signed by a key of `deciders` that counts, states this request in every part (the view and the policy are the
/// statement's own: compare them where you have them), decides as the receipt does, and outlasts it. The receipt's decider is
/// among the people. Hands back one decision a person: a second one of the same person adds nothing.
///
/// A receipt by a policy carries none, and gives none. A receipt by a person that carries none is an error.
pub fn verify_approvals(
    opened: &Opened,
    deciders: &DeciderSet,
    judged: Judged,
) -> Result<Vec<VerifiedDecision>, ApprovalError> {
    let said = opened.said();
    let at = match judged {
        Judged::AsIssued => said.created_at,
        // A clock that was set back revives nothing.
        Judged::Now(now) => now.max(said.created_at),
    };
    let mut verified: Vec<VerifiedDecision> = Vec::new();
    for envelope in opened.approvals()? {
        let decision = verify_one(opened.request(), &envelope, deciders, at)?;
        if verified.iter().all(|other| other.person() != decision.person()) {
            verified.push(decision);
        }
    }
    agree(opened.request(), said, verified.iter().map(VerifiedDecision::statement))?;
    Ok(verified)
}

/// Whether these decisions are about this request and bear out what the receipt says. Their signatures are not looked at.
pub(crate) fn agree<'s>(
    request: &Json,
    said: &Said,
    statements: impl Iterator<Item = &'s DecisionStatement> + Clone,
) -> Result<(), ApprovalError> {
    for statement in statements.clone() {
        let matter = Matter::of(request, statement.matter.view, statement.matter.policy)?;
        let expected =
            Expected { decision: Some(said.decision), ..Expected::about(&matter, said.created_at) };
        statement.check(&expected)?;
        if said.decision == Decision::Approved && statement.expires_at < said.expires_at {
            return Err(ApprovalError::Outlived {
                person: statement.decider.clone(),
                decision: statement.expires_at,
                receipt: said.expires_at,
            });
        }
    }
    let decider = said.decider.as_deref().unwrap_or_default();
    let mut people = statements.map(|statement| statement.decider.as_str()).peekable();
    if people.peek().is_none() {
        return if needs_none(said) { Ok(()) } else { Err(ApprovalError::Missing(decider.to_owned())) };
    }
    match decider.strip_prefix("user:") {
        Some(person) if people.any(|other| other == person) => Ok(()),
        _ => Err(ApprovalError::DeciderNotAmong(decider.to_owned())),
    }
}

/// Whether nobody has to have signed: an engine decided, or a demonstration, or something is withdrawn, which nobody should
/// have to wait for.
fn needs_none(said: &Said) -> bool {
    let engine = said.decider.as_deref().is_some_and(|decider| decider.starts_with("system/"));
    engine || said.scope == Some(Scope::Demo) || said.tag == Projection::RevocationV1
}

fn verify_one(
    request: &Json,
    envelope: &Envelope,
    deciders: &DeciderSet,
    at: Timestamp,
) -> Result<VerifiedDecision, ApprovalError> {
    let authentic = deciders.authenticate(envelope)?;
    // What was shown, and under which policy, is not in the request. All the rest is, and is compared with it.
    let Matter { view, policy, .. } = authentic.1.matter;
    let matter = Matter::of(request, view, policy)?;
    deciders.admit(envelope, authentic, &Expected::about(&matter, at))
}
