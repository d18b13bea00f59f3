//! Code that is taken as known without an approval that counts.

use crate::fixture::{Fixture, HONEST, Terms, VICTIM};
use crate::{Attack, By, Ending, Obstacle, Refusal, Way};
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

fn alone(name: &'static str, tries: &'static str, way: fn(Fixture) -> Result<Ending, Obstacle>) -> Attack {
    let terms = || Terms { policy: Some(POLICY), ..Terms::tight() };
    Attack { name, tries, by: By::Approval, refusal: WAITS, way: Way::Alone(terms, way) }
}

fn outlived(ground: Fixture) -> Result<Ending, Obstacle> {
    let since = Timestamp::from_millis(0);
    let (key, _) = approved(&ground)?;
    if !matches!(ground.drive(&key)?, Status::Completed(_)) {
        return Err("the approval was not used".into());
    }
    if !goes_ahead_rightly(&ground, "cloudflare://workers/second")? {
        return Err("the approval made nothing known".into());
    }
    stolen(&ground, since)?;
    ended(&ground)
}

fn unused(ground: Fixture) -> Result<Ending, Obstacle> {
    let (_, receipt) = approved(&ground)?;
    ground.host().revoke(&receipt.id, "operator", Some("it was not alice"))?;
    ended(&ground)
}

fn permission(ground: Fixture) -> Result<Ending, Obstacle> {
    add(&ground)?;
    if !goes_ahead_rightly(&ground, OPEN)? {
        return Err("the policy allowed nothing".into());
    }
    ended(&ground)
}

fn ended(ground: &Fixture) -> Result<Ending, Obstacle> {
    match goes_ahead(ground, OTHER)? {
        true => Ok(Ending::Through("it was deployed, and no person was asked".to_owned())),
        false => Ok(Ending::Refused("it waits for people".to_owned())),
    }
}

/// Whether the policy lets it proceed, and rightly: its receipts are on the list of what was approved.
fn goes_ahead_rightly(ground: &Fixture, resource: &str) -> Result<bool, Obstacle> {
    let goes_ahead = goes_ahead(ground, resource)?;
    ground.note_receipts()?;
    Ok(goes_ahead)
}

/// Whether the workflow deploys to a resource without asking a person.
fn goes_ahead(ground: &Fixture, resource: &str) -> Result<bool, Obstacle> {
    let key = ground.start(VICTIM, HONEST, &params(resource))?;
    match ground.drive(&key)? {
        Status::Waiting(_) => Ok(false),
        Status::Completed(_) => Ok(true),
        other => Err(format!("it neither waits nor is done: {other:?}").into()),
    }
}

fn params(resource: &str) -> String {
    format!(r#"{{"resource":"{resource}"}}"#)
}

/// The workflow, with alice's approval that it has not used yet.
fn approved(ground: &Fixture) -> Result<(InstanceKey, StoredReceipt), Obstacle> {
    add(ground)?;
    let (key, request) = ground.parked(VICTIM, HONEST, &params(FIRST))?;
    let by = "alice".parse()?;
    let statement = ground.host().statement(&request, &by, None, Decision::Approved, None)?;
    match ground.host().sign(&request, &receipt::sign_decision(&statement, &decider_key()?)?)? {
        engine::Recorded::Issued(receipt) => Ok((key, *receipt)),
        engine::Recorded::Waiting(_) => Err(undecided(&request).into()),
    }
}

fn undecided(request: &RequestId) -> String {
    format!("request {request} was not decided")
}

/// Alice may decide.
fn add(ground: &Fixture) -> Result<(), Obstacle> {
    let (decider, public) = ("alice".parse::<receipt::PersonId>()?, decider_key()?.public_key());
    let roles = ["release".parse()?].into();
    ground
        .host()
        .record_act("drill", Act::DeciderAdded { decider: decider.clone(), roles, tenants: [].into() })?;
    let (kind, public_key) = (public.scheme().as_str().to_owned(), public.to_base64());
    Ok(ground
        .host()
        .record_act("drill", Act::KeyAdded { decider, kind, public_key, valid_until: None, passkey: None })?)
}

/// Her key was in other hands, and she is gone.
fn stolen(ground: &Fixture, since: Timestamp) -> Result<(), Obstacle> {
    let (key_id, reason) = (decider_key()?.public_key().key_id().to_string(), "drill".to_owned());
    let compromised_at = Some(since);
    let revoked = Act::KeyRevoked { key_id, compromised_at, reason: reason.clone() };
    ground.host().record_act("drill", revoked)?;
    Ok(ground.host().record_act("drill", Act::DeciderRemoved { decider: "alice".parse()?, reason })?)
}

fn decider_key() -> Result<Ed25519StatementSigner, Obstacle> {
    Ok(Ed25519StatementSigner::from_seed(&[42; 32])?)
}
