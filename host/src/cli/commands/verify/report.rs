//! Verdicts for people.

use super::leaves;
use super::verdict::{Attested, Receipt, Verdict};
use engine::{Clock as _, SystemClock};
use receipt::{DeciderProof, Decision, Opened, Rule, VerifiedAttestation, VerifiedReceipt};
use std::io::{Result, Write};
use workflow::{Escaped, Quoted};

/// The most values of a committed request, and of a projection, that are shown.
const REQUEST_LINES: usize = 40;
const PROJECTION_LINES: usize = 12;

/// Members that minting adds to a request, and that have lines of their own.
const ADDED: [&str; 3] = ["approvals", "receiptBinding", "receiptSummary"];

/// One file's verdict: its code first, and on the same line the decision.
pub(super) fn report(out: &mut impl Write, name: &str, verdict: &Verdict) -> Result<()> {
    let (code, _) = verdict.code();
    write!(out, "{}: {code}: ", Quoted(name))?;
    match verdict {
        Verdict::Refused(error) => writeln!(out, "{}", Escaped(&error.to_string())),
        Verdict::NotJudged(why) => writeln!(out, "{}", Escaped(why)),
        Verdict::Attestation(attested) => {
            writeln!(out, "the attestation, and the receipt that it is of")?;
            describe_attested(out, attested)
        }
        Verdict::Receipt(receipt) => {
            if code != "VERIFIED" {
                write!(out, "the receipt itself verifies: ")?;
            }
            writeln!(out, "{}", decided(receipt))?;
            for unmet in &receipt.unmet {
                label(out, "not met", &format!("{}: {}", unmet.requirement, Escaped(&unmet.why)))?;
            }
            for (_, why) in receipt.not_checked() {
                label(out, "not checked", why)?;
            }
            describe(out, receipt)
        }
    }
}

/// The decision and what limits it, in a few words.
fn decided(receipt: &Receipt) -> String {
    let verified = &receipt.verified;
    let mut words = match verified.revokes() {
        Some(revoked) => format!("a revocation of {}", Quoted(revoked)),
        None => verified.decision().to_string(),
    };
    if let Some(scope) = verified.scope() {
        words.push_str(&format!(" in scope {scope}"));
    }
    if verified.decision() == Decision::Approved && verified.is_expired(SystemClock.now()) {
        words.push_str(", expired");
    }
    if receipt.revoked_by.is_some() {
        words.push_str(", REVOKED");
    }
    words
}

/// The content of a verified receipt, and what remains unproven.
pub(crate) fn describe(out: &mut impl Write, receipt: &Receipt) -> Result<()> {
    let verified = &receipt.verified;
    let opened = receipt.opened.as_ref();
    label(out, "receipt", &Quoted(verified.id()).to_string())?;
    label(out, "decision", verified.decision().as_str())?;
    if let Some(revoked) = verified.revokes() {
        label(out, "revokes", &Quoted(revoked).to_string())?;
    }
    if let Some(revocation) = &receipt.revoked_by {
        let (at, by) = (revocation.created_at(), Quoted(revocation.id()));
        label(out, "revoked", &format!("{at} by {by}, verified"))?;
    }
    if let Some(error) = &receipt.bad_revocation {
        let words = format!("NOT VERIFIED: the revocation in the file does not verify: {error}");
        label(out, "revoked", &Escaped(&words).to_string())?;
    }
    describe_decider(out, verified)?;
    describe_people(out, receipt)?;
    describe_signed(out, verified, opened)?;
    describe_opened(out, verified, opened)?;
    for name in &receipt.edited {
        let words =
            format!("the envelope's {name} is not what was signed; what is shown here is what was signed");
        label(out, "warning", &words)?;
    }
    for note in &receipt.notes {
        label(out, "warning", note)?;
    }
    if let Some(attestation) = &receipt.attestation {
        describe_outcome(out, attestation)?;
    }
    label(
        out,
        "unproven",
        "that the action was carried out, that the decision was wise, that no receipt was left out",
    )
}

/// The decider whom the issuer names, and how the decider signed in.
fn describe_decider(out: &mut impl Write, verified: &VerifiedReceipt) -> Result<()> {
    let Some(decider) = verified.decider() else { return Ok(()) };
    let method = decider.auth_method.map_or("not recorded", |method| method.as_str());
    let (id, display) = (Quoted(&decider.id), Quoted(&decider.display));
    label(out, "decider", &format!("{id} ({display}), {method}, {}", decider.attribution))?;
    match &decider.proof {
        None => Ok(()),
        Some(DeciderProof::Webauthn(proof)) => {
            let (at, origin) = (proof.verified_at, Quoted(&proof.origin));
            label(out, "proof", &format!("webauthn at {at} on {origin}, as the issuer recorded it"))
        }
        Some(DeciderProof::Reauth(proof)) => {
            let (at, since) = (proof.verified_at, proof.auth_time);
            label(out, "proof", &format!("reauth at {at}, logged in at {since}, as the issuer recorded it"))
        }
    }
}

/// Everyone whose decision the receipt rests on: verified, or by the issuer's record.
fn describe_people(out: &mut impl Write, receipt: &Receipt) -> Result<()> {
    match &receipt.people {
        Some(Ok(people)) if people.is_empty() => {
            label(out, "signed by", "no person: an engine decided, or it is a demonstration or a revocation")
        }
        Some(Ok(people)) => people.iter().try_for_each(|decision| {
            let (person, role, key) = (decision.person(), decision.role(), decision.key_id());
            let (at, word) = (decision.statement().decided_at, decision.decision());
            let how =
                decision.assertion().map(|assertion| format!(", passkey at {}", Quoted(&assertion.origin)));
            let how = how.unwrap_or_default();
            label(out, "signed by", &format!("{person} as {role} at {at}, {word}, key {key}{how}"))
        }),
        Some(Err(error)) => {
            label(out, "signed by", &format!("NOT VERIFIED: {}", Escaped(&error.to_string())))?;
            describe_claims(out, receipt)
        }
        None => describe_claims(out, receipt),
    }
}

fn describe_claims(out: &mut impl Write, receipt: &Receipt) -> Result<()> {
    let Some(opened) = &receipt.opened else { return Ok(()) };
    match opened.claimed_decisions() {
        Ok(claims) => claims.iter().try_for_each(|claim| {
            let (person, role, at, word) = (&claim.decider, &claim.role, claim.decided_at, claim.decision);
            label(out, "decided by", &format!("{person} as {role} at {at}, {word}; signature not checked"))
        }),
        Err(error) => {
            let words = format!("not readable: {}", Escaped(&error.to_string()));
            label(out, "decided by", &words)
        }
    }
}

/// The other signed values.
fn describe_signed(out: &mut impl Write, verified: &VerifiedReceipt, opened: Option<&Opened>) -> Result<()> {
    if let Some(scope) = verified.scope() {
        label(out, "scope", scope.as_str())?;
    }
    label(out, "agent", &Quoted(verified.agent_id()).to_string())?;
    if let Some(run) = verified.run_id() {
        label(out, "run", &Quoted(run).to_string())?;
    }
    if let Some(policy) = verified.policy_version() {
        label(out, "policy", &Quoted(policy).to_string())?;
    }
    if let Some(rule) = rule(verified, opened) {
        let words = match verified.rule() {
            Rule::Named(_) => Quoted(&rule).to_string(),
            Rule::Withheld { .. } | Rule::NotRecorded => Escaped(&rule).to_string(),
        };
        label(out, "rule", &words)?;
    }
    if let (Some(tag), Some(projection)) = (verified.projection_tag(), verified.projection()) {
        label(out, "projection", &format!("{tag}, within its allowlist"))?;
        describe_values(out, leaves::lines(projection, &["projection"], PROJECTION_LINES))?;
    }
    label(out, "issued", &verified.created_at().to_string())?;
    let when = if verified.is_expired(SystemClock.now()) { "past" } else { "still to come" };
    let words = format!("{}, {when} (bounds redemption; the evidence stays)", verified.expires_at());
    label(out, "expires", &words)?;
    label(out, "key", &format!("{}, {}", Quoted(verified.key_id()), verified.canonicalization().as_str()))
}

/// The policy rule that matched. If the receipt withholds it, the text is the specification's (section 6.7), and the
/// policy's version never replaces it.
pub(super) fn rule(verified: &VerifiedReceipt, opened: Option<&Opened>) -> Option<String> {
    let why = match verified.rule() {
        Rule::Named(rule) => return Some(rule),
        Rule::NotRecorded => return None,
        Rule::Withheld { visibility_recorded: true } => "private repository",
        Rule::Withheld { visibility_recorded: false } => "visibility not recorded, so treated as private",
    };
    let more = match opened.map(Opened::rule) {
        None => "opening the request commitment shows it".to_owned(),
        Some(None) => "the opened request commitment records no rule".to_owned(),
        Some(Some(rule)) => format!("the opened request commitment records {rule}"),
    };
    Some(format!("withheld ({why}): the signed projection carries no policy rule id or version; {more}"))
}

/// The request, as far as it is known.
fn describe_opened(out: &mut impl Write, verified: &VerifiedReceipt, opened: Option<&Opened>) -> Result<()> {
    let Some(opened) = opened else {
        if let Some(binding) = verified.signed_binding() {
            label(out, "tenant", &Quoted(binding.company_id.as_deref().unwrap_or("none")).to_string())?;
            label(
                out,
                "summary",
                &verified.signed_summary().map_or("none".into(), |it| Quoted(it).to_string()),
            )?;
        }
        if let Some(request) = verified.signed_request() {
            label(out, "request", &format!("{} bytes, signed in the open", request.len()))?;
            if let Ok(request) = receipt::Json::parse(request) {
                describe_values(out, leaves::lines(&request, &[], REQUEST_LINES))?;
            }
            return Ok(());
        }
        let words = "not opened: nothing is proven about the request beyond the projection";
        return label(out, "commitment", words);
    };
    let words = "opened: the request, its summary and its binding are the ones that were signed";
    label(out, "commitment", words)?;
    label(out, "tenant", &Quoted(opened.binding().company_id.as_deref().unwrap_or("none")).to_string())?;
    label(out, "summary", &opened.summary().map_or("none".into(), |summary| Quoted(summary).to_string()))?;
    label(out, "request", &format!("{} bytes", opened.request().canonical().len()))?;
    describe_values(out, leaves::lines(opened.request(), &ADDED, REQUEST_LINES))
}

fn describe_values(out: &mut impl Write, (lines, more): (Vec<String>, usize)) -> Result<()> {
    lines.iter().try_for_each(|text| writeln!(out, "  {text}"))?;
    match more {
        0 => Ok(()),
        more => writeln!(out, "  and {more} more, which are in the file"),
    }
}

fn describe_attested(out: &mut impl Write, attested: &Attested) -> Result<()> {
    let Attested { attestation, receipt } = attested;
    label(out, "receipt", &Quoted(attestation.receipt_id()).to_string())?;
    label(out, "decision", receipt.decision().as_str())?;
    describe_decider(out, receipt)?;
    describe_outcome(out, &Ok(attestation.clone()))
}

/// The outcome of the action, as far as the issuer attested it.
fn describe_outcome(
    out: &mut impl Write,
    attestation: &std::result::Result<VerifiedAttestation, receipt::VerifyError>,
) -> Result<()> {
    match attestation {
        Ok(attested) => {
            let (outcome, at) = (attested.outcome().as_str(), attested.created_at());
            label(out, "outcome", &format!("{outcome}, as the issuer attested at {at}"))
        }
        Err(error) => label(out, "outcome", &format!("{}: {}", error.code(), Escaped(&error.to_string()))),
    }
}

/// One labelled line. The text must be escaped already.
pub(crate) fn label(out: &mut impl Write, label: &str, text: &str) -> Result<()> {
    writeln!(out, "{label:<12} {text}")
}
