//! Checks that a receipt's approvals support its claims.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

use super::{ApprovalError, StatusAsOf, VerifiedDecision};
use crate::fields::{Decision, Scope};
use crate::format::decider::{DeciderProof, Webauthn};
use crate::format::projection::Projection;
use crate::json::Json;
use crate::people::deciders::DeciderSet;
use crate::people::dsse::Envelope;
use crate::people::passkey::Assertion;
use crate::people::statement::{Expected, Matter};
use crate::timestamp::Timestamp;
use crate::verify::opening::{Opened, StatedDecision};

/// The time whose knowledge of keys and people applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// What was known when the receipt was issued: an auditor's question. A key or a role that was withdrawn later does
    /// not invalidate earlier decisions, and a role that was given later supports none.
    AsIssued,
    /// What is known at this time: the question before acting. Decisions by keys that have been withdrawn by this time
    /// do not count, nor do expired decisions, nor those in roles that their people do not have at present.
    Now(Timestamp),
    /// What is known at this time about a receipt that was acted on in the past. Decisions by keys that have been
    /// withdrawn by this time do not count. A decision only has to have been in force when the receipt was issued.
    InRetrospect(Timestamp),
}

/// Verifies the decisions that an opened receipt commits to.
///
/// Each is signed by a key of `deciders` that counts, states this request in every part (the view and the policy are
/// the statement's own: compare them if you have them), decides as the receipt does, and does not expire before it.
/// The receipt's decider is among the people. Returns one decision for each person and role: a second one by the same
/// person in the same role adds nothing. To count people, count [`VerifiedDecision::person`], not decisions.
///
/// A receipt by a policy has no decisions, so the result is empty. A receipt by a person without decisions is an error.
pub fn verify_approvals(
    opened: &Opened,
    deciders: &DeciderSet,
    judged: Judged,
) -> Result<Vec<VerifiedDecision>, ApprovalError> {
    let stated = opened.stated();
    let at = match judged {
        Judged::AsIssued => stated.created_at,
        // A clock that was set back revives nothing.
        Judged::Now(now) => now.max(stated.created_at),
        Judged::InRetrospect(_) => stated.created_at,
    };
    let status = match judged {
        Judged::AsIssued => StatusAsOf { at: stated.created_at, granted_at: Some(stated.created_at) },
        Judged::Now(now) | Judged::InRetrospect(now) => StatusAsOf::now(now.max(stated.created_at)),
    };
    let verify = |envelope| verify_one(opened.request(), envelope, deciders, (at, status));
    let verified: Vec<_> = opened.approvals()?.iter().map(verify).collect::<Result<_, _>>()?;
    // A decision that adds no person is judged too, so that the verdict does not depend on the order.
    agree(opened.request(), stated, &verified)?;
    Ok(once(verified))
}

/// The first decision of each person in each role.
fn once(decisions: Vec<VerifiedDecision>) -> Vec<VerifiedDecision> {
    let mut first: Vec<VerifiedDecision> = Vec::new();
    for decision in decisions {
        let same =
            |other: &VerifiedDecision| other.person() == decision.person() && other.role() == decision.role();
        if !first.iter().any(same) {
            first.push(decision);
        }
    }
    first
}

/// Whether these decisions are about this request and support the receipt's claims.
pub(crate) fn agree(
    request: &Json,
    stated: &StatedDecision,
    decisions: &[VerifiedDecision],
) -> Result<(), ApprovalError> {
    for statement in decisions.iter().map(VerifiedDecision::statement) {
        let matter = Matter::of(request, statement.matter.view, statement.matter.policy)?;
        let expected =
            Expected { decision: Some(stated.decision), ..Expected::about(&matter, stated.created_at) }
                .open_for(request)?;
        statement.check(&expected)?;
        if stated.decision == Decision::Approved && statement.expires_at < stated.expires_at {
            return Err(ApprovalError::Outlived {
                person: statement.decider.clone(),
                decision: statement.expires_at,
                receipt: stated.expires_at,
            });
        }
    }
    let decider = stated.decider.as_deref().unwrap_or_default();
    if decisions.is_empty() {
        return if needs_none(stated) { Ok(()) } else { Err(ApprovalError::Missing(decider.to_owned())) };
    }
    let person = decider.strip_prefix("user:").unwrap_or_default();
    let mut own = decisions.iter().filter(|decision| decision.person().as_str() == person).peekable();
    if own.peek().is_none() {
        return Err(ApprovalError::DeciderNotAmong(decider.to_owned()));
    }
    check_proof(stated, own)
}

/// Checks that a proof of the decider's passkey is of an assertion that the receipt commits to. A key in a file proves
/// no step-up.
fn check_proof<'d>(
    stated: &StatedDecision,
    own: impl Iterator<Item = &'d VerifiedDecision>,
) -> Result<(), ApprovalError> {
    let Some(DeciderProof::Webauthn(proof)) = &stated.proof else { return Ok(()) };
    // Neither is in an assertion.
    let stated = Webauthn { review_generation: None, ..proof.clone() };
    let same = |assertion: &Assertion| assertion.proof(proof.verified_at) == stated;
    match own.filter_map(VerifiedDecision::assertion).any(same) {
        true => Ok(()),
        false => Err(ApprovalError::Proof),
    }
}

/// Whether no person's signature is required: an engine decided, the scope is demo, or the receipt is a revocation,
/// which must not wait for an approver.
fn needs_none(stated: &StatedDecision) -> bool {
    let engine = stated.decider.as_deref().is_some_and(|decider| decider.starts_with("system/"));
    engine || stated.scope == Some(Scope::Demo) || stated.tag == Projection::RevocationV1
}

fn verify_one(
    request: &Json,
    envelope: &Envelope,
    deciders: &DeciderSet,
    (at, status): (Timestamp, StatusAsOf),
) -> Result<VerifiedDecision, ApprovalError> {
    let authentic = deciders.authenticate(envelope)?;
    // The request does not contain the view or the policy. Everything else is compared with it.
    let Matter { view, policy, .. } = authentic.statement.matter;
    let matter = Matter::of(request, view, policy)?;
    deciders.judge(envelope, authentic, &Expected::about(&matter, at).open_for(request)?, status)
}
