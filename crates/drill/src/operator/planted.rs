//! Receipts, decisions and requests that an attacker with write access puts into the store.

use crate::fixture::{ATTACKER, Fixture, HONEST, HOSTILE, VICTIM, judgement, tamper};
use crate::guests::loading;
use crate::{Attack, Attacker, Ending, Method, Refusal, SetupError};
use engine::issuer::{DecisionBasis, IssueOrder, Issuer as _, JudgingContext, LocalIssuer};
use engine::trust::Trust;
use receipt::{Decision, Digest, Ed25519Signer, Salt};
use rusqlite::params;
use store::StoredReceipt;
use workflow::{Check, Entry, RequestId};

pub(crate) fn attacks() -> Vec<Attack> {
    [forged(), elsewhere(), altered()].concat()
}

fn forged() -> Vec<Attack> {
    vec![
        planted(
            "wrong-key",
            "A receipt signed by an attacker's key under the id of the issuer's.",
            Check::Verification,
            |fixture| forge(fixture, |genuine| genuine.artifact.key_id.clone()),
        ),
        planted(
            "unknown-key",
            "A receipt signed by an attacker's key under its own id.",
            Check::Verification,
            |fixture| forge(fixture, |_| "pp_demo_0123456789abcdef".to_owned()),
        ),
        planted(
            "borrowed-signature",
            "A receipt with the signature of another one.",
            Check::Verification,
            borrowed_signature,
        ),
        planted(
            "denied-as-approved",
            "A denial that was rewritten to an approval in the journal.",
            Check::Decision,
            denied,
        ),
        Attack {
            refusal: Refusal::Words("is damaged"),
            ..planted(
                "invented-decision",
                "A made-up decision in the journal, for the host to sign.",
                Check::Verification,
                |fixture| invented(fixture, 1),
            )
        },
        planted(
            "invented-receipt",
            "A made-up decision with a made-up receipt in the journal.",
            Check::Verification,
            |fixture| invented(fixture, 2),
        ),
        planted(
            "vanished-receipt",
            "A receipt that is deleted between decision and use.",
            Check::Verification,
            |fixture| {
                let (key, receipt) = fixture.approved(VICTIM)?;
                tamper::rewrite(fixture, "DELETE FROM receipts WHERE id = ?1", [receipt.id.as_str()])?;
                fixture.ran(&key)
            },
        ),
    ]
}

fn elsewhere() -> Vec<Attack> {
    vec![
        planted(
            "cross-tenant",
            "Another tenant's receipt in the attacker's journal.",
            Check::Tenant,
            |fixture| borrowed(fixture, ATTACKER),
        ),
        planted(
            "cross-instance",
            "The receipt of another instance of the same tenant.",
            Check::Instance,
            |fixture| borrowed(fixture, VICTIM),
        ),
        planted(
            "replayed",
            "A spent receipt in place of a workflow's second one.",
            Check::Redemption,
            replayed,
        ),
        planted(
            "renamed",
            "Another receipt's text under the id of the attacker's own.",
            Check::Verification,
            renamed,
        ),
        planted("other-code", "Other code for an instance that has an approval.", Check::Code, other_code),
    ]
}

fn altered() -> Vec<Attack> {
    vec![
        planted(
            "altered-artifact",
            "Shows an approver another artifact than the workflow has.",
            Check::Artifact,
            |fixture| {
                let (key, request) = fixture.victim()?;
                let Some(shown) = fixture.host().request(&request)?.artifact else {
                    return Err("no artifact".into());
                };
                rewrite_request(
                    fixture,
                    &request,
                    &shown.sha256.to_string(),
                    &Digest::of(b"harmless").to_string(),
                )?;
                fixture.ran(&key)
            },
        ),
        planted(
            "altered-resource",
            "Shows an approver another resource than the workflow has.",
            Check::Resource,
            |fixture| {
                let (key, request) = fixture.victim()?;
                rewrite_request(fixture, &request, "tenant-acme", "tenant-test")?;
                fixture.ran(&key)
            },
        ),
        planted(
            "altered-request",
            "Alters the approved text beside its receipt.",
            Check::Verification,
            |fixture| {
                altered_receipt(fixture, |receipt| {
                    receipt.request_json = receipt.request_json.replace("tenant-acme", "tenant-bank");
                })
            },
        ),
        planted(
            "altered-salt",
            "Alters the salt of a receipt's commitment.",
            Check::Verification,
            |fixture| {
                altered_receipt(fixture, |receipt| {
                    receipt.request_commitment_salt_b64 = Salt::from_bytes([8; 32]).to_base64();
                })
            },
        ),
        planted(
            "altered-tenant",
            "Alters the tenant in a receipt's binding.",
            Check::Verification,
            |fixture| altered_receipt(fixture, |receipt| receipt.company_id = ATTACKER.to_owned()),
        ),
        planted(
            "altered-payload",
            "Flips one character of the signed bytes.",
            Check::Verification,
            |fixture| {
                altered_receipt(fixture, |receipt| {
                    let payload = &mut receipt.artifact.payload_bytes_b64;
                    *payload = payload.replacen('e', "f", 1);
                })
            },
        ),
    ]
}

fn planted(
    name: &'static str,
    tries: &'static str,
    check: Check,
    method: fn(&Fixture) -> Result<Ending, SetupError>,
) -> Attack {
    Attack {
        name,
        tries,
        attacker: Attacker::Approval,
        refusal: Refusal::Gate(check),
        method: Method::Shared(method),
    }
}

/// Replaces an approval by one for the same request that an attacker's key has signed.
fn forge(fixture: &Fixture, key_id: fn(&StoredReceipt) -> String) -> Result<Ending, SetupError> {
    let (key, genuine) = fixture.approved(VICTIM)?;
    let key_of = || Box::new(Ed25519Signer::from_seed(key_id(&genuine), &[66; 32]));
    let attacker = LocalIssuer::new(key_of(), key_of());
    let request = fixture.host().request(&genuine.request)?;
    let (judgement, salt) = (judgement(Decision::Approved)?, Salt::from_bytes([1; 32]));
    let (basis, id, at) = (DecisionBasis::Demo(&judgement), genuine.id.clone(), request.created_at);
    let order = IssueOrder { request: &request, basis, id, salt, at };
    let grounds = JudgingContext { trust: &Trust::default(), policy: &policy::ask_one() };
    keep(fixture, &attacker.issue(&order, grounds)?.receipt)?;
    fixture.ran(&key)
}

fn borrowed_signature(fixture: &Fixture) -> Result<Ending, SetupError> {
    let ((_, other), (key, mut own)) = (fixture.approved(VICTIM)?, fixture.approved(VICTIM)?);
    own.artifact.signature_b64 = other.artifact.signature_b64;
    keep(fixture, &own)?;
    fixture.ran(&key)
}

fn altered_receipt(fixture: &Fixture, alter: fn(&mut StoredReceipt)) -> Result<Ending, SetupError> {
    let (key, genuine) = fixture.approved(VICTIM)?;
    let mut altered = genuine.clone();
    alter(&mut altered);
    if altered == genuine {
        return Err("nothing was altered".into());
    }
    keep(fixture, &altered)?;
    fixture.ran(&key)
}

fn denied(fixture: &Fixture) -> Result<Ending, SetupError> {
    let (key, request) = fixture.victim()?;
    fixture.decide(&request, Decision::Denied)?;
    tamper::rewrite_journal(fixture, &key, "DENIED", "APPROVED")?;
    fixture.ran(&key)
}

/// A spoofed resume: the first or both of the two facts that an approval would have left.
fn invented(fixture: &Fixture, facts: usize) -> Result<Ending, SetupError> {
    let (key, request) = fixture.victim()?;
    let at = fixture.host().request(&request)?.expires_at;
    let decider = "user:ceo".to_owned();
    let decided =
        Entry::Decided { request: request.clone(), decision: Decision::Approved, decider, reason: None };
    let issued = Entry::Issued {
        request,
        receipt: "rcpt_invented".parse()?,
        decision: Decision::Approved,
        key_id: "pp_invented".to_owned(),
        expires_at: at,
        document: "{}".to_owned(),
    };
    for entry in [decided, issued].into_iter().take(facts) {
        tamper::add_fact(fixture, &key, &serde_json::to_string(&entry)?)?;
    }
    fixture.ran(&key)
}

/// An instance of `tenant` whose journal claims the victim's receipt.
fn borrowed(fixture: &Fixture, tenant: &str) -> Result<Ending, SetupError> {
    let ((_, genuine), (key, own)) = (fixture.approved(VICTIM)?, fixture.approved(tenant)?);
    tamper::rewrite_journal(fixture, &key, own.id.as_str(), genuine.id.as_str())?;
    fixture.ran(&key)
}

fn renamed(fixture: &Fixture) -> Result<Ending, SetupError> {
    let ((_, genuine), (key, own)) = (fixture.approved(VICTIM)?, fixture.approved(ATTACKER)?);
    keep(fixture, &StoredReceipt { id: own.id, ..genuine })?;
    fixture.ran(&key)
}

/// Two approvals, of which the second is rewritten to the first, so that one receipt would deploy twice.
fn replayed(fixture: &Fixture) -> Result<Ending, SetupError> {
    let (key, request) = fixture.parked(VICTIM, HOSTILE, r#"{"attack":"two-approvals"}"#)?;
    let first = fixture.decide(&request, Decision::Approved)?;
    fixture.drive(&key)?;
    let waits = fixture.entries(&key)?.into_iter().rev().find_map(|entry| match entry {
        Entry::Requested { request, .. } => Some(request),
        _ => None,
    });
    let second = fixture.decide(&waits.ok_or("no second request")?, Decision::Approved)?;
    tamper::rewrite_journal(fixture, &key, second.id.as_str(), first.id.as_str())?;
    fixture.ran(&key)
}

/// The same behaviour in other bytes, so that the gate is asked at all.
fn other_code(fixture: &Fixture) -> Result<Ending, SetupError> {
    let (key, _) = fixture.approved(VICTIM)?;
    let other = loading::padded(16);
    let (from, to) = (Digest::of(HONEST).to_string(), Digest::of(&other).to_string());
    tamper::rewrite(fixture, "INSERT OR REPLACE INTO components VALUES (?1, ?2)", params![to, other])?;
    tamper::rewrite_journal(fixture, &key, &from, &to)?;
    fixture.ran(&key)
}

fn keep(fixture: &Fixture, receipt: &StoredReceipt) -> Result<(), SetupError> {
    let body = serde_json::to_string(receipt)?;
    tamper::rewrite(
        fixture,
        "UPDATE receipts SET body = ?1 WHERE id = ?2",
        params![body, receipt.id.as_str()],
    )
}

fn rewrite_request(fixture: &Fixture, id: &RequestId, from: &str, to: &str) -> Result<(), SetupError> {
    let statement = "UPDATE requests SET bytes = NULL, body = replace(asked.body, ?1, ?2) FROM asked \
         WHERE asked.id = requests.id AND requests.id = ?3 AND instr(asked.body, ?1) > 0";
    tamper::rewrite(fixture, statement, params![from, to, id.as_str()])
}
