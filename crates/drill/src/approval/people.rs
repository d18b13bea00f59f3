//! The approval side where people decide: what they sign, in which role, about whose request, and which parts are
//! unsigned.

use crate::fixture::{self, Fixture, Setup};
use crate::{Attack, Attacker, Ending, Method, Refusal, SetupError};
use engine::issuer::{DemoDecider, Judgement};
use engine::trust::Act;
use engine::{Error, Host, SignOutcome};
use receipt::{
    Decision, DecisionStatement, Ed25519StatementSigner, Envelope, EnvelopeSignature, PAYLOAD_TYPE,
    StatementSigner as _,
};
use workflow::{Entry, RequestId};

/// Two people of the role `release` have to approve, and one can deny.
const RELEASE: &str = "[[rule]]\nid = \"release\"\nthen = \"ask\"\nrole = \"release\"\napprovals = 2\n";

/// No approval is asked for.
const ALLOW: &str = "[[rule]]\nid = \"all\"\nthen = \"allow\"\n";

const NO_APPROVAL: &str = "no approval was issued";
const NOTHING_UNSIGNED: &str = "nothing is kept that was not signed";

pub(crate) fn attacks() -> Vec<Attack> {
    vec![
        where_people_decide(
            "other-role",
            "Signs in a role that the policy does not ask for, to have it committed in place of one that counts.",
            "cannot count",
            |fixture| voted(&fixture, "owner", Decision::Approved),
        ),
        where_people_decide(
            "denial-in-another-role",
            "Denies in a role that the policy does not ask for, so that the denial seems to count.",
            "cannot count",
            |fixture| voted(&fixture, "owner", Decision::Denied),
        ),
        where_people_decide(
            "words-beside-the-signature",
            "Submits a signed decision with terminal escapes in place of its key's id.",
            NOTHING_UNSIGNED,
            labelled,
        ),
        where_people_decide(
            "endless-words",
            "Gives a megabyte as the reason of a withdrawal, to be kept permanently.",
            "at most 4096 are kept",
            |fixture| {
                let (_, request) = fixture.victim()?;
                let reason = "x".repeat(1 << 20);
                let withdrawn = fixture.host().withdraw(&request, "operator", Some(&reason));
                Ok(Ending::of(withdrawn.map(|()| "withdrawn")))
            },
        ),
        Attack {
            method: Method::Alone(|| Setup { policy: Some(ALLOW), ..Setup::tight() }, allowed),
            ..where_people_decide(
                "allowed-while-frozen",
                "Asks for an action that the policy allows, while everything is frozen.",
                NO_APPROVAL,
                allowed,
            )
        },
        for_show(
            "approved-while-frozen",
            "Approves with the demo decider, while everything is frozen.",
            "approvals are frozen",
            |fixture| {
                let (_, request) = fixture.victim()?;
                frozen(fixture.host())?;
                Ok(Ending::of(fixture.decide(&request, Decision::Approved).map(|receipt| receipt.id)))
            },
        ),
        for_show(
            "self-approval-in-capitals",
            "The agent that acts approves itself, spelled in capitals.",
            "cannot decide or review it",
            |fixture| {
                let (_, request) = fixture.victim()?;
                let by = DemoDecider::new("AGENT:Builder".parse()?);
                let own = Judgement { decision: Decision::Approved, by, reason: None };
                Ok(Ending::of(fixture.host().decide(&request, &own).map(|receipt| receipt.id)))
            },
        ),
    ]
}

fn where_people_decide(
    name: &'static str,
    tries: &'static str,
    words: &'static str,
    method: fn(Fixture) -> Result<Ending, SetupError>,
) -> Attack {
    let setup = || Setup { policy: Some(RELEASE), ..Setup::tight() };
    Attack {
        name,
        tries,
        attacker: Attacker::Approval,
        refusal: Refusal::Words(words),
        method: Method::Alone(setup, method),
    }
}

fn for_show(
    name: &'static str,
    tries: &'static str,
    words: &'static str,
    method: fn(Fixture) -> Result<Ending, SetupError>,
) -> Attack {
    Attack {
        name,
        tries,
        attacker: Attacker::Approval,
        refusal: Refusal::Words(words),
        method: Method::Alone(Setup::tight, method),
    }
}

/// A person with the roles `release` and `owner`, with this key.
fn decider(host: &Host) -> Result<Ed25519StatementSigner, SetupError> {
    let key = Ed25519StatementSigner::from_seed(&engine::random_bytes()?)?;
    let (decider, roles) = ("alice".parse()?, ["release".parse()?, "owner".parse()?].into());
    host.record_act("operator", Act::DeciderAdded { decider, roles, tenants: [].into() })?;
    let (kind, public_key) = (key.public_key().scheme().as_str().to_owned(), key.public_key().to_base64());
    host.record_act(
        "operator",
        Act::KeyAdded { decider: "alice".parse()?, kind, public_key, valid_until: None, passkey: None },
    )?;
    Ok(key)
}

/// A decision signed by that person, in any role.
fn signed(
    host: &Host,
    request: &RequestId,
    key: &Ed25519StatementSigner,
    role: &str,
    decision: Decision,
) -> Result<Envelope, SetupError> {
    let statement = host.statement(request, &"alice".parse()?, None, decision, None)?;
    Ok(receipt::sign_decision(&DecisionStatement { role: role.parse()?, ..statement }, key)?)
}

fn voted(fixture: &Fixture, role: &str, decision: Decision) -> Result<Ending, SetupError> {
    let (_, request) = fixture.victim()?;
    let key = decider(fixture.host())?;
    let envelope = signed(fixture.host(), &request, &key, role, decision)?;
    Ok(recorded(fixture.host().sign(&request, &envelope)))
}

fn recorded(recorded: Result<SignOutcome, Error>) -> Ending {
    Ending::of(recorded.map(|recorded| match recorded {
        SignOutcome::Waiting(count) => format!("kept: {}", count.ruling),
        SignOutcome::Issued(receipt) => receipt.id.to_string(),
    }))
}

fn labelled(fixture: Fixture) -> Result<Ending, SetupError> {
    let (key, request) = fixture.victim()?;
    let alice = decider(fixture.host())?;
    let envelope = signed(fixture.host(), &request, &alice, "release", Decision::Approved)?;
    let genuine = envelope.signatures().first().ok_or("an envelope without a signature")?;
    let signature = EnvelopeSignature { key_id: "\u{1b}[2J approved by bob".to_owned(), ..genuine.clone() };
    let public = alice.public_key();
    let payload = envelope.verify(&public)?;
    let labelled = Envelope::new(PAYLOAD_TYPE, payload.bytes(), vec![signature])?;
    fixture.host().sign(&request, &labelled)?;
    let kept = fixture.entries(&key)?.into_iter().find_map(|entry| match entry {
        Entry::Signed { envelope, .. } => Some(envelope),
        _ => None,
    });
    let clean = kept.as_ref().is_some_and(|kept| *kept == envelope.to_json().canonical());
    Ok(Ending::check(clean, if clean { NOTHING_UNSIGNED.to_owned() } else { format!("{kept:?}") }))
}

fn allowed(fixture: Fixture) -> Result<Ending, SetupError> {
    frozen(fixture.host())?;
    let key = fixture.start(fixture::VICTIM, fixture::HONEST, "{}")?;
    fixture.drive(&key)?;
    let issued = fixture.entries(&key)?.into_iter().find_map(|entry| match entry {
        Entry::Issued { decision, .. } => Some(decision),
        _ => None,
    });
    let held = issued == Some(Decision::Denied);
    Ok(Ending::check(held, if held { NO_APPROVAL.to_owned() } else { format!("{issued:?} was issued") }))
}

fn frozen(host: &Host) -> Result<(), Error> {
    host.record_act("operator", Act::Frozen { tenant: None, reason: "incident".to_owned() })
}
