//! Verdicts in words, and as JSON.

use crate::cli::verify::Verdict;
use engine::{Clock as _, SystemClock};
use receipt::{
    ApprovalError, Opened, Rule, VerifiedAttestation, VerifiedDecision, VerifiedReceipt, VerifyError,
};
use serde_json::json;
use std::io::Write;
use workflow::Quoted;

/// What a verified receipt says, for people, and what remains unproven.
pub(crate) fn describe(
    out: &mut impl Write,
    receipt: &VerifiedReceipt,
    opened: Option<&Opened>,
) -> std::io::Result<()> {
    writeln!(out, "receipt      {}", Quoted(receipt.id()))?;
    writeln!(out, "decision     {}", receipt.decision())?;
    if let Some(decider) = receipt.decider() {
        let method = decider.auth_method.map_or("not recorded", |method| method.as_str());
        writeln!(out, "decider      {}, {method}, {}", Quoted(&decider.id), decider.attribution)?;
    }
    if let Some(scope) = receipt.scope() {
        writeln!(out, "scope        {scope}")?;
    }
    writeln!(out, "agent        {}", Quoted(receipt.agent_id()))?;
    if let Some(run) = receipt.run_id() {
        writeln!(out, "run          {}", Quoted(run))?;
    }
    if let Some(policy) = receipt.policy_version() {
        writeln!(out, "policy       {}", Quoted(policy))?;
    }
    if let Some(rule) = rule(receipt, opened) {
        writeln!(out, "rule         {}", Quoted(&rule))?;
    }
    if let Some(projection) = receipt.projection() {
        writeln!(out, "projection   {}", workflow::Escaped(&projection.canonical()))?;
    }
    writeln!(out, "issued       {}", receipt.created_at())?;
    let when = if receipt.is_expired(SystemClock.now()) { "past" } else { "still to come" };
    writeln!(out, "expires      {}, {when} (bounds redemption; the evidence stays)", receipt.expires_at())?;
    writeln!(out, "key          {}, {}", Quoted(receipt.key_id()), receipt.canonicalization().as_str())?;
    match (opened, receipt.request_commitment()) {
        (Some(opened), _) => {
            writeln!(
                out,
                "commitment   opened: the request, its summary and its binding are the ones that were signed"
            )?;
            let binding = opened.binding();
            writeln!(out, "tenant       {}", Quoted(binding.company_id.as_deref().unwrap_or("none")))?;
            writeln!(out, "request      {}", workflow::Escaped(&opened.request().canonical()))?;
        }
        (None, Some(_)) => writeln!(
            out,
            "commitment   not opened: nothing is proven about the request beyond the projection"
        )?,
        (None, None) => {}
    }
    writeln!(
        out,
        "unproven     that the action was carried out, that the decision was wise, that no receipt was left out"
    )
}

/// The policy rule that matched. Where the receipt withholds it, that is said, and never replaced by the policy's version.
fn rule(receipt: &VerifiedReceipt, opened: Option<&Opened>) -> Option<String> {
    let withheld =
        |why: &str| format!("withheld ({why}): the signed projection carries no policy rule id or version");
    match (receipt.rule(), opened.and_then(Opened::rule)) {
        (Rule::Named(rule), _) => Some(rule),
        (Rule::NotRecorded, _) => None,
        (Rule::Withheld { .. }, Some(rule)) => {
            Some(format!("{}; the opened request commitment records {rule}", withheld("private repository")))
        }
        (Rule::Withheld { visibility_recorded: true }, None) => {
            Some(format!("{}; opening the request commitment shows it", withheld("private repository")))
        }
        (Rule::Withheld { visibility_recorded: false }, None) => Some(format!(
            "{}; opening the request commitment shows it",
            withheld("visibility not recorded, so treated as private")
        )),
    }
}

/// The convenience copies in an envelope that contradict what was signed: somebody edited them.
pub(super) fn warn_of_edits(out: &mut impl Write, edited: &[&str]) -> std::io::Result<()> {
    edited.iter().try_for_each(|name| {
        writeln!(
            out,
            "warning      the envelope's {name} is not what was signed; what is shown here is what was signed"
        )
    })
}

/// Whose signed decisions the receipt rests on.
pub(super) fn describe_approvals(
    out: &mut impl Write,
    approvals: Option<&Result<Vec<VerifiedDecision>, ApprovalError>>,
) -> std::io::Result<()> {
    match approvals {
        None => Ok(()),
        Some(Ok(decisions)) if decisions.is_empty() => {
            writeln!(out, "decided by   nobody in person: the policy, or for show")
        }
        Some(Ok(decisions)) => decisions.iter().try_for_each(|decision| {
            let (person, role) = (decision.person(), decision.role());
            let at = decision.statement().decided_at;
            writeln!(
                out,
                "signed by    {person} as {role} at {at}, {}, key {}",
                decision.decision(),
                decision.key_id()
            )
        }),
        Some(Err(error)) => {
            writeln!(out, "decided by   NOT SHOWN: {}", workflow::Escaped(&error.to_string()))
        }
    }
}

fn approval(decision: &VerifiedDecision) -> serde_json::Value {
    json!({
        "decider": decision.person().as_str(),
        "role": decision.role().as_str(),
        "decision": decision.decision().as_str(),
        "decided_at": decision.statement().decided_at,
        "key_id": decision.key_id().to_string(),
    })
}

/// How the action ended, as far as the issuer attested it.
pub(super) fn describe_outcome(
    out: &mut impl Write,
    attestation: Option<&Result<VerifiedAttestation, VerifyError>>,
) -> std::io::Result<()> {
    match attestation {
        None => Ok(()),
        Some(Ok(attested)) => {
            writeln!(
                out,
                "outcome      {}, as the issuer attested at {}",
                attested.outcome().as_str(),
                attested.created_at()
            )
        }
        Some(Err(error)) => {
            writeln!(out, "outcome      {}: {}", error.code(), workflow::Escaped(&error.to_string()))
        }
    }
}

/// A verdict, for programs.
pub(super) fn to_json(name: &str, verdict: &Result<Verdict, VerifyError>) -> serde_json::Value {
    let outcome = |attested: &VerifiedAttestation| json!({ "outcome": attested.outcome().as_str(), "created_at": attested.created_at() });
    match verdict {
        Ok(Verdict::Receipt { receipt, opened, attestation, edited, approvals }) => json!({
            "file": name,
            "code": "VERIFIED",
            "receipt_id": receipt.id(),
            "decision": receipt.decision().as_str(),
            "decider": receipt.decider().map(|decider| &decider.id),
            "scope": receipt.scope().map(receipt::Scope::as_str),
            "key_id": receipt.key_id(),
            "canonicalization": receipt.canonicalization().as_str(),
            "policy_version": receipt.policy_version(),
            "rule": rule(receipt, opened.as_deref()),
            "projection": receipt.projection().and_then(|json| serde_json::from_str::<serde_json::Value>(&json.canonical()).ok()),
            "expires_at": receipt.expires_at(),
            "expired": receipt.is_expired(SystemClock.now()),
            "edited": edited,
            "commitment_opened": opened.is_some(),
            "approvals": approvals.as_ref().map(|approvals| match approvals {
                Ok(decisions) => decisions.iter().map(approval).collect(),
                Err(error) => json!({ "error": error.to_string() }),
            }),
            "attestation": attestation.as_ref().map(|attestation| match attestation {
                Ok(attested) => outcome(attested),
                Err(error) => json!({ "code": error.code() }),
            }),
        }),
        Ok(Verdict::Attestation(attested)) => json!({
            "file": name,
            "code": "VERIFIED",
            "receipt_id": attested.receipt_id(),
            "attestation": outcome(attested),
        }),
        Err(error) => {
            json!({ "file": name, "code": error.code(), "exit": error.exit_code(), "message": error.to_string() })
        }
    }
}
