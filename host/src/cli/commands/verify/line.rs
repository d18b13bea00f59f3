//! Verdicts for programs.

use super::report;
use super::verdict::{Attested, Receipt, Verdict};
use engine::{Clock as _, SystemClock};
use receipt::{Scope, VerifiedAttestation, VerifiedDecision};
use serde_json::{Value, json};

/// One file's verdict.
pub(super) fn to_json(name: &str, verdict: &Verdict) -> Value {
    let (code, exit) = verdict.code();
    let mut line = match verdict {
        Verdict::Receipt(receipt) => of_receipt(receipt),
        Verdict::Attestation(attested) => of_attested(attested),
        Verdict::Refused(error) => json!({ "message": error.to_string() }),
        Verdict::NotJudged(why) => json!({ "message": why }),
    };
    line["file"] = name.into();
    line["code"] = code.into();
    line["exit"] = exit.into();
    line
}

fn of_receipt(receipt: &Receipt) -> Value {
    let (verified, opened) = (&receipt.verified, receipt.opened.as_ref());
    let projection = verified.projection().map(receipt::Json::canonical);
    let unmet = receipt
        .unmet
        .iter()
        .map(|unmet| json!({ "requirement": unmet.requirement.to_string(), "why": unmet.why }));
    json!({
        "receipt_id": verified.id(),
        "decision": verified.decision().as_str(),
        "decider": verified.decider().map(|decider| &decider.id),
        "decider_display": verified.decider().map(|decider| &decider.display),
        "scope": verified.scope().map(Scope::as_str),
        "key_id": verified.key_id(),
        "canonicalization": verified.canonicalization().as_str(),
        "policy_version": verified.policy_version(),
        "rule": report::rule(verified, opened),
        "projection": projection.and_then(|text| serde_json::from_str::<Value>(&text).ok()),
        "expires_at": verified.expires_at(),
        "expired": verified.is_expired(SystemClock.now()),
        "revokes": verified.revokes(),
        "revoked_by": receipt.revoked_by.as_ref().map(|revocation| revocation.id()),
        "revocation_error": receipt.bad_revocation.as_ref().map(|error| error.code()),
        "edited": receipt.edited,
        "warnings": receipt.notes,
        "commitment_opened": opened.is_some(),
        "not_checked": receipt.not_checked().iter().map(|(what, _)| *what).collect::<Vec<_>>(),
        "not_met": unmet.collect::<Vec<_>>(),
        "claimed_by": claimed_by(receipt),
        "approvals": receipt.people.as_ref().map(|people| match people {
            Ok(decisions) => decisions.iter().map(approval).collect(),
            Err(error) => json!({ "error": error.to_string() }),
        }),
        "attestation": receipt.attestation.as_ref().map(|attestation| match attestation {
            Ok(attested) => outcome(attested),
            Err(error) => json!({ "code": error.code() }),
        }),
    })
}

fn of_attested(attested: &Attested) -> Value {
    let Attested { attestation, receipt } = attested;
    json!({
        "receipt_id": attestation.receipt_id(),
        "decision": receipt.decision().as_str(),
        "decider": receipt.decider().map(|decider| &decider.id),
        "attestation": outcome(attestation),
    })
}

/// The people whom the envelopes in the request name, with no signature checked.
fn claimed_by(receipt: &Receipt) -> Option<Vec<String>> {
    let claims = receipt.opened.as_ref()?.claimed_decisions().ok()?;
    Some(claims.iter().map(|claim| claim.decider.to_string()).collect())
}

fn approval(decision: &VerifiedDecision) -> Value {
    json!({
        "decider": decision.person().as_str(),
        "role": decision.role().as_str(),
        "decision": decision.decision().as_str(),
        "decided_at": decision.statement().decided_at,
        "key_id": decision.key_id().to_string(),
    })
}

fn outcome(attested: &VerifiedAttestation) -> Value {
    json!({ "outcome": attested.outcome().as_str(), "created_at": attested.created_at() })
}
