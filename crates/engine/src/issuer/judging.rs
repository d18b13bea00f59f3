//! Judging a request by its signatures and the policy, with only what the issuer verifies itself.

use crate::issuer::{IssueError, IssueOrder, JudgingContext, RECEIPT_LIFETIME, Request, after};
use crate::trust::Precedents;
use crate::trust::{Act, BreakGlassUse, Count, CountVerdict, Subject, Trust, count};
use policy::{Answer, Ask, Policy, Ruling};
use receipt::{
    CLOCK_SKEW_MS, Decider, Decision, DecisionStatement, Envelope, Expected, Json, Matter, PersonId,
    Timestamp, VerifiedDecision,
};
use workflow::RequestId;

/// The content of a receipt in addition to the request: the decision, the decider, the basis, and the expiry.
pub(super) struct DecisionContent {
    pub(super) decision: Decision,
    pub(super) decider: Decider,
    pub(super) reason: Option<String>,
    pub(super) codes: Vec<String>,
    pub(super) policy_version: String,
    pub(super) approvals: Vec<VerifiedDecision>,
    pub(super) expires_at: Timestamp,
}

/// A signed statement that was admitted, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct AdmittedEnvelope {
    /// The statement in its envelope.
    pub envelope: Envelope,
    /// When, by the clock of the process that admitted it.
    pub at: Timestamp,
}

/// The most statements of one person about one request that are kept: as many as a receipt commits to. The bound is per
/// person, so that no person uses up the room of the others.
pub(crate) const MOST_BY_ONE: usize = receipt::MAX_APPROVALS;

impl AdmittedEnvelope {
    /// Whether this person has as many statements among these as are kept of one.
    pub(crate) fn is_full(kept: &[Self], person: &PersonId) -> bool {
        kept.iter().filter(|own| own.statement().is_some_and(|own| own.decider == *person)).count()
            >= MOST_BY_ONE
    }

    /// Whether an envelope has the same statement, by the same key. A signature can be written in several ways.
    pub(super) fn is_same(&self, envelope: &Envelope) -> bool {
        fn key_id(envelope: &Envelope) -> impl Iterator<Item = &str> {
            envelope.signatures().iter().map(|signature| signature.key_id.as_str())
        }
        let statement = self.statement();
        statement.is_some()
            && statement == DecisionStatement::claimed(envelope).ok()
            && key_id(&self.envelope).eq(key_id(envelope))
    }

    /// The statement, which was verified when it was admitted.
    fn statement(&self) -> Option<DecisionStatement> {
        DecisionStatement::claimed(&self.envelope).ok()
    }
}

/// Admits a signed decision that arrives at `at`. This is the only entrance for decisions, in a host and in an authority;
/// reviews have their own.
///
/// `at` is the clock of the process that admits. The times in the statement are only the signer's claims, so the key
/// must be allowed to sign at `at`, and the statement cannot be older than its subject.
///
/// # Errors
/// Why it does not count.
pub fn admit(
    request: &Request,
    envelope: &Envelope,
    context: JudgingContext<'_>,
    at: Timestamp,
) -> Result<VerifiedDecision, IssueError> {
    let matter = matter(request, context.policy)?;
    check_age(request, at)?;
    Ok(context.trust.deciders().admit(envelope, &expected(request, &matter, at))?)
}

/// Refuses a request that is not open at `at`, or that stays open for longer than a request can.
pub(super) fn check_age(request: &Request, at: Timestamp) -> Result<(), IssueError> {
    let Request { id, created_at, expires_at, .. } = request;
    let ahead = created_at.as_millis().saturating_sub(at.as_millis());
    if ahead > CLOCK_SKEW_MS {
        return Err(IssueError::Request(format!(
            "request {id} says that it was made at {created_at}, and it is {at}: compare the clocks"
        )));
    }
    if *expires_at > after(*created_at, Ask::LONGEST) {
        return Err(IssueError::Request(format!(
            "request {id} stays open until {expires_at}, longer than a year"
        )));
    }
    match at < *expires_at {
        true => Ok(()),
        false => Err(IssueError::Lapsed { request: id.clone(), at: *expires_at }),
    }
}

/// The count of people's admitted statements about a request that still count at `at`.
///
/// # Errors
/// When the request cannot be judged.
pub fn tally(
    request: &Request,
    admitted: &[AdmittedEnvelope],
    context: JudgingContext<'_>,
    at: Timestamp,
) -> Result<(Count, Vec<VerifiedDecision>), IssueError> {
    let document = request.document().map_err(|error| IssueError::Request(error.to_string()))?;
    let matter = matter(request, context.policy)?;
    let expected = expected(request, &matter, at);
    // A statement that counted when it was recorded may no longer count: a key was revoked, the policy changed.
    let deciders = context.trust.deciders();
    let counting = admitted.iter().filter_map(|AdmittedEnvelope { envelope, at: admitted_at }| {
        let decision = deciders.verify(envelope, &expected).ok()?;
        // Ignores an admission record whose time is impossible.
        deciders.counted_as_known(decision.key_id(), *admitted_at, at).ok()?;
        Some(decision)
    });
    let decisions: Vec<_> = counting.collect();
    Ok((count(context.policy, &Subject::of(&document, &request.known)?, &decisions), decisions))
}

/// The act that precedes a break-glass decision, unless it is recorded already.
pub(crate) fn break_glass_used(request: &Request, count: &Count, trust: &Trust) -> Option<Act> {
    let decision = count.statements.last().filter(|_| count.verdict == CountVerdict::Alone)?;
    let said =
        |(id, alone): (&RequestId, &BreakGlassUse)| *id == request.id && alone.decider == *decision.person();
    let act = Act::BreakGlassUsed {
        tenant: request.tenant.clone(),
        request: request.id.clone(),
        decider: decision.person().clone(),
        reason: decision.statement().reason.clone().unwrap_or_default(),
    };
    // A decision that can never be signed needs no review.
    (request.check().is_ok() && !trust.unreviewed().any(said)).then_some(act)
}

/// The expected matter of a statement about this request.
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

/// The policy alone decides: it allows without asking, or denies. A freeze is a denial.
pub(super) fn by_policy(
    order: &IssueOrder<'_>,
    context: JudgingContext<'_>,
    document: &Json,
) -> Result<DecisionContent, IssueError> {
    let ruling = context.policy.rule(&Subject::of(document, &order.request.known)?.question(&[]));
    let frozen = context.trust.freeze_of(&order.request.tenant);
    let (decision, code) = match (&ruling.answer, frozen) {
        (Answer::Allow, None) => (Decision::Approved, "POLICY_ALLOWED"),
        (Answer::Allow, Some(_)) => (Decision::Denied, "FREEZE_ACTIVE"),
        (Answer::Deny, _) => (Decision::Denied, "POLICY_DENIED"),
        (Answer::Ask(ask), _) => return Err(IssueError::Undecided(format!("the policy asks {ask}"))),
    };
    Ok(DecisionContent {
        decision,
        decider: Decider::policy_engine(),
        reason: ruling.message.clone().or_else(|| frozen.map(|freeze| freeze.reason.clone())).map(fitting),
        codes: vec![code.to_owned()],
        policy_version: version(context.policy, &ruling),
        approvals: Vec::new(),
        expires_at: after(order.at, RECEIPT_LIFETIME),
    })
}

pub(super) fn by_people(
    order: &IssueOrder<'_>,
    context: JudgingContext<'_>,
    document: &Json,
    admitted: &[AdmittedEnvelope],
) -> Result<DecisionContent, IssueError> {
    let (count, _) = tally(order.request, admitted, context, order.at)?;
    let (decision, code) = match count.verdict {
        CountVerdict::Approved => (Decision::Approved, "APPROVAL_GRANTED"),
        CountVerdict::Alone => (Decision::Approved, "BREAK_GLASS"),
        CountVerdict::Denied => (Decision::Denied, "APPROVAL_DENIED"),
        CountVerdict::Forbidden => return by_policy(order, context, document),
        CountVerdict::Waiting => return Err(IssueError::Undecided(count.ruling.to_string())),
    };
    check_open(order.request, count.verdict, context.trust)?;
    let approvals = count.statements;
    check_borne_out(&approvals, count.verdict, context, (document, &order.request.known))?;
    let last = approvals.iter().max_by_key(|decision| decision.statement().decided_at);
    let Some(last) = last.cloned() else {
        return Err(IssueError::Undecided("no signature supports it".to_owned()));
    };
    let stand_until = approvals.iter().map(|decision| decision.statement().expires_at).min();
    let expires_at = after(order.at, RECEIPT_LIFETIME);
    Ok(DecisionContent {
        decision,
        decider: Decider::signed(&last, order.at),
        reason: last.statement().reason.clone(),
        codes: vec![code.to_owned()],
        policy_version: version(context.policy, &count.ruling),
        approvals,
        expires_at: stand_until.map_or(expires_at, |until| until.min(expires_at)),
    })
}

/// Approves no request while the tenant is frozen, or while a break-glass decision waits for its review.
pub(crate) fn check_open(request: &Request, verdict: CountVerdict, trust: &Trust) -> Result<(), IssueError> {
    if !matches!(verdict, CountVerdict::Approved | CountVerdict::Alone) {
        return Ok(());
    }
    check_not_frozen(request, trust)?;
    match trust.unreviewed_except(&request.tenant, &request.id) {
        Some((unreviewed, alone)) => Err(IssueError::Unreviewed {
            tenant: request.tenant.clone(),
            request: unreviewed.clone(),
            decider: alone.decider.clone(),
        }),
        None => Ok(()),
    }
}

/// Refuses if the tenant is frozen: then no decider approves anything.
pub(super) fn check_not_frozen(request: &Request, trust: &Trust) -> Result<(), IssueError> {
    match trust.freeze_of(&request.tenant) {
        Some(freeze) => Err(IssueError::Frozen(freeze.clone())),
        None => Ok(()),
    }
}

/// Counts again, over exactly the statements that are about to be committed: the gate and an auditor will have no
/// others.
fn check_borne_out(
    statements: &[VerifiedDecision],
    verdict: CountVerdict,
    context: JudgingContext<'_>,
    (document, known): (&Json, &Precedents),
) -> Result<(), IssueError> {
    let again = count(context.policy, &Subject::of(document, known)?, statements);
    match again.verdict == verdict {
        true => Ok(()),
        false => Err(IssueError::Undecided(format!(
            "the statements that a receipt would commit to come to {}",
            again.ruling
        ))),
    }
}

/// Truncates a reason to the length that a receipt can commit to. The reason is the policy's or an operator's; a
/// decider's reason is already bounded by the signed statement.
fn fitting(mut reason: String) -> String {
    reason.truncate(reason.floor_char_boundary(receipt::MAX_REASON_LEN));
    reason
}

/// The policy's version and the rules that determined its answer, as far as they fit.
fn version(policy: &dyn Policy, ruling: &Ruling) -> String {
    const LONGEST: usize = 128;
    let rules: Vec<_> = ruling.rules.iter().map(ToString::to_string).collect();
    let mut version = format!("{}#{}", policy.version(), rules.join(","));
    version.truncate(version.floor_char_boundary(LONGEST));
    version
}
