//! Judging a request: what its signatures and the policy come to, whoever says that they agree.

use crate::issuer::{IssueError, IssueOrder, Judged, JudgingContext, RECEIPT_LIFETIME, Request, after};
use crate::trust::{Act, BreakGlassUse, Count, CountVerdict, Subject, Trust, count};
use policy::{Answer, Policy, Ruling};
use receipt::{Decider, Decision, Envelope, Expected, Json, Matter, Timestamp, VerifiedDecision};
use std::collections::BTreeSet;
use workflow::RequestId;

/// What people's signed statements about a request come to, as far as they count.
///
/// # Errors
/// When the request cannot be judged.
pub fn tally(
    request: &Request,
    envelopes: &[Envelope],
    grounds: JudgingContext<'_>,
    at: Timestamp,
) -> Result<(Count, Vec<VerifiedDecision>), IssueError> {
    let document = request.document().map_err(|error| IssueError::Request(error.to_string()))?;
    let matter = matter(request, grounds.policy)?;
    let expected = expected(request, &matter, at);
    // What counted when it was recorded may not count any more: a key was revoked, the policy changed.
    let counting =
        envelopes.iter().filter_map(|envelope| grounds.trust.deciders().verify(envelope, &expected).ok());
    let decisions: Vec<_> = counting.collect();
    Ok((count(grounds.policy, &Subject::of(&document)?, &decisions), decisions))
}

/// Verifies one signed statement about a request.
///
/// # Errors
/// What is wrong with it.
pub fn verify_decision(
    request: &Request,
    envelope: &Envelope,
    grounds: JudgingContext<'_>,
    at: Timestamp,
) -> Result<VerifiedDecision, IssueError> {
    let matter = matter(request, grounds.policy)?;
    Ok(grounds.trust.deciders().verify(envelope, &expected(request, &matter, at))?)
}

/// The act that goes before a decision which somebody takes alone, unless it was said before.
pub(crate) fn glass_broken(
    request: &Request,
    count: &Count,
    decisions: &[VerifiedDecision],
    trust: &Trust,
) -> Option<Act> {
    let decision =
        bearing(count, decisions.to_vec()).pop().filter(|_| count.verdict == CountVerdict::Alone)?;
    let said =
        |(id, alone): (&RequestId, &BreakGlassUse)| *id == request.id && alone.decider == *decision.person();
    let act = Act::GlassBroken {
        tenant: request.tenant.clone(),
        request: request.id.clone(),
        decider: decision.person().clone(),
        reason: decision.statement().reason.clone().unwrap_or_default(),
    };
    (!trust.unreviewed().any(said)).then_some(act)
}

/// The act that a second person's statement about a lone decision comes to. It comes after the request has ended, so only what it is about is
/// compared.
pub(crate) fn review(
    request: &Request,
    envelope: &Envelope,
    policy: &dyn Policy,
    trust: &Trust,
    at: Timestamp,
) -> Result<Act, IssueError> {
    let (_, alone) = trust.unreviewed().find(|(id, _)| **id == request.id).ok_or_else(|| {
        IssueError::Undecided(format!("nobody decided {} alone, or it was reviewed", request.id))
    })?;
    let matter = matter(request, policy)?;
    // What was signed before there was anything to look at is no review.
    let expected = Expected { decided_from: Some(alone.at), ..Expected::about(&matter, at) };
    let decision = trust.deciders().verify(envelope, &expected)?;
    let document = request.document().map_err(|error| IssueError::Request(error.to_string()))?;
    if Subject::of(&document)?.is_own(decision.person()) {
        return Err(IssueError::Undecided(format!("{} cannot review their own request", decision.person())));
    }
    Ok(Act::Reviewed {
        request: request.id.clone(),
        decider: decision.person().clone(),
        envelope: envelope.to_json().canonical(),
    })
}

/// What a statement about this request has to be about.
///
/// # Errors
/// When the request cannot be judged.
pub fn matter(request: &Request, policy: &dyn Policy) -> Result<Matter, IssueError> {
    let document = request.document().map_err(|error| IssueError::Request(error.to_string()))?;
    Matter::of(&document, request.view_digest(), policy.digest())
        .map_err(|error| IssueError::Request(error.to_string()))
}

fn expected<'a>(request: &Request, matter: &'a Matter, at: Timestamp) -> Expected<'a> {
    Expected {
        decided_from: Some(request.created_at),
        expires_by: Some(request.expires_at),
        ..Expected::about(matter, at)
    }
}

/// The policy alone decides: it asks nobody, or forbids whoever is asked. A freeze is a no.
pub(super) fn by_policy(
    order: &IssueOrder<'_>,
    grounds: JudgingContext<'_>,
    document: &Json,
) -> Result<Judged, IssueError> {
    let ruling = grounds.policy.rule(&Subject::of(document)?.question(&[]));
    let frozen = grounds.trust.freeze_of(&order.request.tenant);
    let (decision, code) = match (&ruling.answer, frozen) {
        (Answer::Allow, None) => (Decision::Approved, "POLICY_ALLOWED"),
        (Answer::Allow, Some(_)) => (Decision::Denied, "FREEZE_ACTIVE"),
        (Answer::Deny, _) => (Decision::Denied, "POLICY_DENIED"),
        (Answer::Ask(ask), _) => return Err(IssueError::Undecided(format!("the policy asks {ask}"))),
    };
    Ok(Judged {
        decision,
        decider: Decider::policy_engine(),
        reason: ruling.message.clone().or_else(|| frozen.map(|freeze| freeze.reason.clone())),
        codes: vec![code.to_owned()],
        policy_version: version(grounds.policy, &ruling),
        approvals: Vec::new(),
        expires_at: after(order.at, RECEIPT_LIFETIME),
    })
}

pub(super) fn by_people(
    order: &IssueOrder<'_>,
    grounds: JudgingContext<'_>,
    document: &Json,
    envelopes: &[Envelope],
) -> Result<Judged, IssueError> {
    let (count, decisions) = tally(order.request, envelopes, grounds, order.at)?;
    let (decision, code) = match count.verdict {
        CountVerdict::Approved => (Decision::Approved, "APPROVAL_GRANTED"),
        CountVerdict::Alone => (Decision::Approved, "BREAK_GLASS"),
        CountVerdict::Denied => (Decision::Denied, "APPROVAL_DENIED"),
        CountVerdict::Forbidden => return by_policy(order, grounds, document),
        CountVerdict::Waiting => return Err(IssueError::Undecided(count.ruling.to_string())),
    };
    check_open(order.request, count.verdict, grounds.trust)?;
    let approvals = bearing(&count, decisions);
    let last = approvals.iter().max_by_key(|decision| decision.statement().decided_at);
    let Some(last) = last.cloned() else {
        return Err(IssueError::Undecided("nobody's signature bears it out".to_owned()));
    };
    let stand_until = approvals.iter().map(|decision| decision.statement().expires_at).min();
    let expires_at = after(order.at, RECEIPT_LIFETIME);
    Ok(Judged {
        decision,
        decider: Decider::person(last.person(), decision),
        reason: last.statement().reason.clone(),
        codes: vec![code.to_owned()],
        policy_version: version(grounds.policy, &count.ruling),
        approvals,
        expires_at: stand_until.map_or(expires_at, |until| until.min(expires_at)),
    })
}

/// Nothing is approved while it is frozen, nor while somebody's lone decision waits to be looked at.
pub(crate) fn check_open(request: &Request, verdict: CountVerdict, trust: &Trust) -> Result<(), IssueError> {
    if !matches!(verdict, CountVerdict::Approved | CountVerdict::Alone) {
        return Ok(());
    }
    if let Some(freeze) = trust.freeze_of(&request.tenant) {
        return Err(IssueError::Frozen(freeze.clone()));
    }
    match trust.unreviewed_beside(&request.tenant, &request.id) {
        Some((unreviewed, alone)) => Err(IssueError::Unreviewed {
            tenant: request.tenant.clone(),
            request: unreviewed.clone(),
            decider: alone.decider.clone(),
        }),
        None => Ok(()),
    }
}

/// The statements that a decision rests on: one a person, of those that count.
fn bearing(count: &Count, decisions: Vec<VerifiedDecision>) -> Vec<VerifiedDecision> {
    let mut seen = BTreeSet::new();
    let bears = |decision: &VerifiedDecision| match count.verdict {
        CountVerdict::Approved => {
            decision.decision() == Decision::Approved
                && !decision.role().is_break_glass()
                && count.approved.contains(decision.person())
        }
        CountVerdict::Alone => {
            decision.decision() == Decision::Approved
                && decision.role().is_break_glass()
                && count.alone.contains(decision.person())
        }
        _ => decision.decision() == Decision::Denied && count.denied.contains(decision.person()),
    };
    decisions
        .into_iter()
        .filter(|decision| bears(decision) && seen.insert(decision.person().clone()))
        .collect()
}

/// The policy's version and the rules that determined its answer, as far as they fit.
fn version(policy: &dyn Policy, ruling: &Ruling) -> String {
    const LONGEST: usize = 128;
    let rules: Vec<_> = ruling.rules.iter().map(ToString::to_string).collect();
    let mut version = format!("{}#{}", policy.version(), rules.join(","));
    version.truncate(version.floor_char_boundary(LONGEST));
    version
}
