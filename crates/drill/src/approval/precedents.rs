//! Code that is taken as known without an approval that counts.

use crate::fixture::{Fixture, HONEST, Setup, VICTIM};
use crate::{Attack, Attacker, Ending, Method, Refusal, SetupError};
use engine::Status;
use engine::trust::Act;
use receipt::{Decision, Ed25519StatementSigner, StatementSigner as _, Timestamp};
use store::{InstanceKey, StoredReceipt};
use workflow::RequestId;

/// Known code goes ahead by itself, and so does anything on one resource.
const POLICY: &str = r#"
[[rule]]
id = "known-code"
component = "known"
then = "allow"

[[rule]]
id = "open"
resource = "cloudflare://workers/open"
then = "allow"

[[rule]]
id = "people"
then = "ask"
role = "release"
"#;

/// The resource for which people approve.
const FIRST: &str = "cloudflare://workers/first";
/// The resource for which no person decides.
const OTHER: &str = "cloudflare://workers/payroll";
/// The resource for which the policy allows everything.
const OPEN: &str = "cloudflare://workers/open";

const WAITS: Refusal = Refusal::Words("it waits for people");

pub(crate) fn attacks() -> Vec<Attack> {
    vec![
        alone(
            "outlived-approval",
            "Deploys elsewhere because of an approval by a stolen key, after the theft is known and the key's owner removed.",
            outlived,
        ),
        alone(
            "unused-approval",
            "Deploys elsewhere because of an approval that was revoked before its use.",
            unused,
        ),
        alone(
            "permission-as-approval",
            "Deploys elsewhere because the policy has allowed the same code something by itself.",
            permission,
        ),
    ]
}

fn alone(
    name: &'static str,
    tries: &'static str,
    method: fn(Fixture) -> Result<Ending, SetupError>,
) -> Attack {
    let setup = || Setup { policy: Some(POLICY), ..Setup::tight() };
    Attack { name, tries, attacker: Attacker::Approval, refusal: WAITS, method: Method::Alone(setup, method) }
}

fn outlived(fixture: Fixture) -> Result<Ending, SetupError> {
    let since = Timestamp::from_millis(0);
    let (key, _) = approved(&fixture)?;
    if !matches!(fixture.drive(&key)?, Status::Completed(_)) {
        return Err("the approval was not used".into());
    }
    if !goes_ahead_rightly(&fixture, "cloudflare://workers/second")? {
        return Err("the approval made nothing known".into());
    }
    stolen(&fixture, since)?;
    ended(&fixture)
}

fn unused(fixture: Fixture) -> Result<Ending, SetupError> {
    let (_, receipt) = approved(&fixture)?;
    fixture.host().revoke(&receipt.id, "operator", Some("it was not alice"))?;
    ended(&fixture)
}

fn permission(fixture: Fixture) -> Result<Ending, SetupError> {
    add(&fixture)?;
    if !goes_ahead_rightly(&fixture, OPEN)? {
        return Err("the policy allowed nothing".into());
    }
    ended(&fixture)
}

fn ended(fixture: &Fixture) -> Result<Ending, SetupError> {
    match goes_ahead(fixture, OTHER)? {
        true => Ok(Ending::Through("it was deployed, and no person was asked".to_owned())),
        false => Ok(Ending::Refused("it waits for people".to_owned())),
    }
}

/// Whether the policy rightly lets the action proceed: its receipts are on the list of approved actions.
fn goes_ahead_rightly(fixture: &Fixture, resource: &str) -> Result<bool, SetupError> {
    let goes_ahead = goes_ahead(fixture, resource)?;
    fixture.note_receipts()?;
    Ok(goes_ahead)
}

/// Whether the workflow deploys to a resource without asking a person.
fn goes_ahead(fixture: &Fixture, resource: &str) -> Result<bool, SetupError> {
    let key = fixture.start(VICTIM, HONEST, &params(resource))?;
    match fixture.drive(&key)? {
        Status::Waiting(_) => Ok(false),
        Status::Completed(_) => Ok(true),
        other => Err(format!("it neither waits nor is done: {other:?}").into()),
    }
}

fn params(resource: &str) -> String {
    format!(r#"{{"resource":"{resource}"}}"#)
}

/// The workflow, with alice's approval that it has not used yet.
fn approved(fixture: &Fixture) -> Result<(InstanceKey, StoredReceipt), SetupError> {
    add(fixture)?;
    let (key, request) = fixture.parked(VICTIM, HONEST, &params(FIRST))?;
    let by = "alice".parse()?;
    let statement = fixture.host().statement(&request, &by, None, Decision::Approved, None)?;
    match fixture.host().sign(&request, &receipt::sign_decision(&statement, &decider_key()?)?)? {
        engine::SignOutcome::Issued(receipt) => Ok((key, *receipt)),
        engine::SignOutcome::Waiting(_) => Err(undecided(&request).into()),
    }
}

fn undecided(request: &RequestId) -> String {
    format!("request {request} was not decided")
}

/// Alice may decide.
fn add(fixture: &Fixture) -> Result<(), SetupError> {
    let (decider, public) = ("alice".parse::<receipt::PersonId>()?, decider_key()?.public_key());
    let roles = ["release".parse()?].into();
    fixture
        .host()
        .record_act("drill", Act::DeciderAdded { decider: decider.clone(), roles, tenants: [].into() })?;
    let (kind, public_key) = (public.scheme().as_str().to_owned(), public.to_base64());
    Ok(fixture
        .host()
        .record_act("drill", Act::KeyAdded { decider, kind, public_key, valid_until: None, passkey: None })?)
}

/// Her key was in other hands, and she is gone.
fn stolen(fixture: &Fixture, since: Timestamp) -> Result<(), SetupError> {
    let (key_id, reason) = (decider_key()?.public_key().key_id().to_string(), "drill".to_owned());
    let compromised_at = Some(since);
    let revoked = Act::KeyRevoked { key_id, compromised_at, reason: reason.clone() };
    fixture.host().record_act("drill", revoked)?;
    Ok(fixture.host().record_act("drill", Act::DeciderRemoved { decider: "alice".parse()?, reason })?)
}

fn decider_key() -> Result<Ed25519StatementSigner, SetupError> {
    Ok(Ed25519StatementSigner::from_seed(&[42; 32])?)
}
