//! Decisions by passkey: how a key is registered, what counts, and what does not, each with its own refusal.

use crate::support::people::*;
use drill::authenticator::{PasskeySigner, SoftwareAuthenticator};
use engine::trust::{Act, InvitationCode};
use engine::{AssertionRequest, Error, Host, Invite, SignOutcome};
use receipt::{
    AuthMethod, DeciderProof, Decision, Digest, Envelope, Json, Judged, KeyId, PublicKey, RelyingParty, Scope,
};
use std::time::Duration;
use workflow::RequestId;

const ORIGIN: &str = "https://approvals.example";
const QUARTER: Duration = Duration::from_secs(15 * 60);

fn authenticator(seed: u8) -> SoftwareAuthenticator {
    SoftwareAuthenticator::new(&[seed; 32], ORIGIN).unwrap()
}

fn invite(name: &str, roles: &[&str]) -> Invite {
    Invite {
        decider: name.parse().unwrap(),
        roles: roles.iter().map(|role| role.parse().unwrap()).collect(),
        tenants: [].into(),
        relying_party: RelyingParty::of_origin(ORIGIN).unwrap(),
        lifetime: QUARTER,
    }
}

/// Invites, registers and confirms.
fn given(
    fixture: &ApprovalFixture,
    name: &str,
    roles: &[&str],
    authenticator: &SoftwareAuthenticator,
) -> KeyId {
    let code = fixture.host.invite("operator", invite(name, roles)).unwrap();
    let key = fixture.host.register_passkey(&code, &authenticator.create(&code.challenge())).unwrap();
    confirm(&fixture.host, name);
    key.key_id()
}

fn confirm(host: &Host, name: &str) {
    let trust = host.trust().unwrap();
    let own = trust.invitations().find(|invitation| invitation.decider.as_str() == name);
    for act in own.unwrap().confirmation().unwrap() {
        host.record_act("operator", act).unwrap();
    }
}

fn asked(fixture: &ApprovalFixture, id: &RequestId, name: &str, decision: Decision) -> AssertionRequest {
    let by = name.parse().unwrap();
    fixture.host.assertion_request(id, &by, None, (decision, Some("seen")), ORIGIN).unwrap()
}

/// Decides with that authenticator's answer, valid or not.
fn answered(
    fixture: &ApprovalFixture,
    id: &RequestId,
    request: &AssertionRequest,
    authenticator: &SoftwareAuthenticator,
) -> Result<SignOutcome, Error> {
    let response = authenticator.get(&request.challenge);
    fixture.host.sign_with_passkey(id, &request.statement, request.keys[0].key_id(), response)
}

fn refused(result: Result<SignOutcome, Error>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_person_is_invited_registers_a_passkey_and_decides_with_it() {
    let (fixture, dora) = (ApprovalFixture::new(None), authenticator(9));
    let key = given(&fixture, "dora", &["release"], &dora);
    let (instance, id) = fixture.asked();
    let request = asked(&fixture, &id, "dora", Decision::Approved);
    assert_eq!(request.keys.iter().map(PublicKey::key_id).collect::<Vec<_>>(), [key]);
    assert_eq!(request.challenge, receipt::challenge(receipt::PAYLOAD_TYPE, request.statement.as_bytes()));
    let stored = issued(answered(&fixture, &id, &request, &dora));
    fixture.ends(&instance);
    assert_eq!(fixture.deployments(), 1, "the gate counted it");
    // The receipt carries the specification's proof, and the decision itself, for a verifier that pins the deciders.
    let keys = fixture.host.keys();
    let receipt = receipt::verify(&stored.artifact, &keys).unwrap();
    let decider = receipt.decider().unwrap();
    assert_eq!(decider.auth_method, Some(AuthMethod::SessionStepupWebauthn));
    let Some(DeciderProof::Webauthn(proof)) = &decider.proof else { panic!("no proof: {decider:?}") };
    assert_eq!((proof.rp_id.as_str(), proof.origin.as_str()), ("approvals.example", ORIGIN));
    assert_eq!(proof.challenge_hash, Digest::of(request.challenge.as_bytes()));
    let opened = receipt.open(&stored.opening().unwrap()).unwrap();
    let trust = fixture.host.trust().unwrap();
    let exported = receipt::DeciderSet::parse(&trust.deciders().to_json()).unwrap();
    let people = receipt::verify_approvals(&opened, &exported, Judged::AsIssued).unwrap();
    assert_eq!((people[0].person().as_str(), people[0].key_id()), ("dora", key));
    assert!(people[0].assertion().is_some());
}

#[test]
fn passkeys_and_other_keys_are_counted_together() {
    const TWO: &str = "[[rule]]\nid = \"two\"\nthen = \"ask\"\nrole = \"release\"\napprovals = 2\n";
    let (fixture, dora) = (ApprovalFixture::new(Some(TWO)), authenticator(9));
    given(&fixture, "dora", &["release"], &dora);
    let (instance, id) = fixture.asked();
    let request = asked(&fixture, &id, "dora", Decision::Approved);
    assert!(matches!(answered(&fixture, &id, &request, &dora), Ok(SignOutcome::Waiting(_))));
    fixture.clock.move_by_minutes(1);
    let stored = issued(fixture.approve(&id, ("alice", 1)));
    // The last one decided with a key in a file: there is no step-up to prove.
    let receipt = receipt::verify(&stored.artifact, &fixture.host.keys()).unwrap();
    let decider = receipt.decider().unwrap();
    assert_eq!((decider.auth_method, &decider.proof), (Some(AuthMethod::Session), &None));
    fixture.ends(&instance);
    assert_eq!(fixture.deployments(), 1);
    // A second passkey of hers is not a second person, and a denial by passkey denies.
    given(&fixture, "dora", &[], &authenticator(10));
    let (_, id) = fixture.asked();
    let request = asked(&fixture, &id, "dora", Decision::Approved);
    assert!(matches!(answered(&fixture, &id, &request, &dora), Ok(SignOutcome::Waiting(_))));
    let again = asked(&fixture, &id, "dora", Decision::Approved);
    let response = authenticator(10).get(&again.challenge);
    let second = fixture.host.sign_with_passkey(&id, &again.statement, again.keys[1].key_id(), response);
    assert!(refused(second).contains("one person counts once"));
    let request = asked(&fixture, &id, "dora", Decision::Denied);
    assert_eq!(issued(answered(&fixture, &id, &request, &dora)).artifact.status.as_deref(), Some("DENIED"));
}

#[test]
fn each_thing_that_is_wrong_with_an_assertion_has_its_own_refusal() {
    type Change = fn(&mut SoftwareAuthenticator);
    let cases: [(Change, &str); 4] = [
        (|it| it.verifies_user = false, "no user verification"),
        (|it| it.origin = "https://evil.example".to_owned(), "https://evil.example, which is no origin"),
        (|it| it.rp_id = "evil.example".to_owned(), "another relying party than approvals.example"),
        (|it| it.is_synced = true, "another backup eligibility"),
    ];
    let (fixture, dora) = (ApprovalFixture::new(None), authenticator(9));
    let key = given(&fixture, "dora", &["release"], &dora);
    let (_, id) = fixture.asked();
    for (change, words) in cases {
        let mut other = dora.clone();
        change(&mut other);
        let said =
            refused(answered(&fixture, &id, &asked(&fixture, &id, "dora", Decision::Approved), &other));
        assert!(said.contains(words), "{said}");
    }
    // An assertion for another request, by itself and in its envelope.
    let (_, other) = fixture.asked();
    let about_other = asked(&fixture, &other, "dora", Decision::Approved);
    let about_this = asked(&fixture, &id, "dora", Decision::Approved);
    let response = dora.get(&about_other.challenge);
    let said = refused(fixture.host.sign_with_passkey(&id, &about_this.statement, key, response.clone()));
    assert!(said.contains("another challenge"), "{said}");
    let said = refused(fixture.host.sign_with_passkey(&id, &about_other.statement, key, response));
    assert!(said.contains("request"), "{said}");
    // The extension is stripped.
    let response = dora.get(&about_this.challenge);
    let genuine = Envelope::asserted(&about_this.statement, key, response).unwrap();
    let text = genuine.to_json().canonical();
    let json = Json::parse(&text).unwrap();
    let ext = json.get("signatures").unwrap().as_array().unwrap()[0].get("extension").unwrap().canonical();
    let stripped = text.replace(&format!(r#""extension":{ext},"#), "");
    assert_ne!(stripped, text);
    let said = refused(fixture.host.sign(&id, &Envelope::parse(&stripped).unwrap()));
    assert!(said.contains("carries no passkey assertion"), "{said}");
    // A revoked key; the browser is then not asked to use it.
    let key_id = key.to_string();
    fixture.record_act(Act::KeyRevoked { key_id, compromised_at: None, reason: "lost".to_owned() }).unwrap();
    assert!(refused(fixture.host.sign(&id, &genuine)).contains("revoked"));
    let by = "dora".parse().unwrap();
    let none = fixture.host.assertion_request(&id, &by, None, (Decision::Approved, None), ORIGIN);
    assert!(matches!(none, Err(Error::NoPasskey { .. })));
    assert!(fixture.host.passkeys(&by, "https://evil.example").unwrap().is_empty());
    assert_eq!(fixture.deployments(), 0);
}

#[test]
fn an_assertion_decides_once() {
    let (fixture, dora) = (ApprovalFixture::new(None), authenticator(9));
    given(&fixture, "dora", &["release"], &dora);
    let (_, id) = fixture.asked();
    let request = asked(&fixture, &id, "dora", Decision::Approved);
    issued(answered(&fixture, &id, &request, &dora));
    assert!(refused(answered(&fixture, &id, &request, &dora)).contains("does not wait for a decision"));
}

#[test]
fn what_a_passkey_permitted_is_not_done_when_its_key_is_revoked_before() {
    let (fixture, dora) = (ApprovalFixture::new(None), authenticator(9));
    let key = given(&fixture, "dora", &["release"], &dora);
    let (instance, id) = fixture.asked();
    issued(answered(&fixture, &id, &asked(&fixture, &id, "dora", Decision::Approved), &dora));
    let (key_id, reason) = (key.to_string(), "lost".to_owned());
    fixture.record_act(Act::KeyRevoked { key_id, compromised_at: None, reason }).unwrap();
    fixture.ends(&instance);
    assert_eq!(fixture.deployments(), 0);
}

#[test]
fn an_invitation_is_used_once_and_in_time() {
    let (fixture, dora) = (ApprovalFixture::new(None), authenticator(9));
    let host = &fixture.host;
    let code = host.invite("operator", invite("dora", &["release"])).unwrap();
    let opened = host.invitation(&code).unwrap();
    assert_eq!((opened.decider.as_str(), opened.is_open(opened.expires_at)), ("dora", false));
    let register = |code: &InvitationCode, who: &SoftwareAuthenticator| {
        host.register_passkey(code, &who.create(&code.challenge())).map(drop)
    };
    let not_open = |result: Result<(), Error>| {
        let said = result.expect_err("it was open").to_string();
        assert!(said.contains("is not open"), "{said}");
    };
    // An invalid registration leaves the invitation open; a valid one uses it up.
    let (mut unverified, mut elsewhere) = (dora.clone(), dora.clone());
    unverified.verifies_user = false;
    assert!(register(&code, &unverified).unwrap_err().to_string().contains("user verification"));
    elsewhere.origin = "https://evil.example".to_owned();
    assert!(register(&code, &elsewhere).unwrap_err().to_string().contains("no origin"));
    let stale = host.register_passkey(&code, &dora.create(&InvitationCode::draw().unwrap().challenge()));
    assert!(stale.unwrap_err().to_string().contains("another challenge"));
    register(&code, &dora).unwrap();
    not_open(register(&code, &authenticator(10)));
    not_open(register(&InvitationCode::draw().unwrap(), &dora));
    // It counts when it is confirmed, and not before.
    let by = "dora".parse().unwrap();
    assert!(matches!(host.passkeys(&by, ORIGIN), Err(Error::NotADecider(_))));
    // A new invitation replaces the previous one, used or not.
    let next = host.invite("operator", invite("dora", &["release"])).unwrap();
    assert_eq!(host.trust().unwrap().invitations().count(), 1);
    let last = host.invite("operator", invite("dora", &["release"])).unwrap();
    not_open(register(&next, &dora));
    fixture.clock.move_by_minutes(15);
    not_open(register(&last, &dora));
    let late = Invite { lifetime: Duration::from_secs(25 * 3600), ..invite("dora", &["release"]) };
    assert!(host.invite("operator", late).unwrap_err().to_string().contains("at most a day"));
    assert!(host.invite("operator", invite("dora", &[])).unwrap_err().to_string().contains("role"));
    // A registered key, under any record, cannot be registered for another person.
    given(&fixture, "dora", &["release"], &dora);
    let code = host.invite("operator", invite("erin", &["release"])).unwrap();
    assert!(register(&code, &dora).unwrap_err().to_string().contains("dora already"));
    // Only a registration can record a registered passkey.
    let said = Act::PasskeyRegistered {
        code: code.digest(),
        kind: "webauthn-es256".to_owned(),
        public_key: String::new(),
        passkey: authenticator(10).passkey().unwrap().record(),
    };
    assert!(matches!(
        host.operate(engine::api::Operation::RecordAct { act: said }),
        Err(Error::ActNotAllowed)
    ));
}

#[test]
fn the_first_decider_is_invited_where_there_is_none() {
    let folder = tempfile::TempDir::new().unwrap();
    let host = crate::support::storage::builder(folder.path()).open().unwrap();
    let first = || host.invite_first("operator", invite("dora", &["release"])).unwrap();
    let (lost, code) = (first().unwrap(), first().unwrap());
    assert_eq!(host.scope().unwrap(), Scope::Demo);
    let dora = authenticator(9);
    assert!(host.register_passkey(&lost, &dora.create(&lost.challenge())).is_err());
    host.register_passkey(&code, &dora.create(&code.challenge())).unwrap();
    assert_eq!(host.scope().unwrap(), Scope::Demo, "not before an operator has confirmed it");
    confirm(&host, "dora");
    assert_eq!(host.scope().unwrap(), Scope::Production);
    assert!(first().is_none());
    // The acts read back unchanged.
    drop(host);
    let host = crate::support::storage::builder(folder.path()).open().unwrap();
    assert_eq!(host.passkeys(&"dora".parse().unwrap(), ORIGIN).unwrap().len(), 1);
    assert_eq!(host.trust().unwrap().invitations().count(), 0);
}

#[test]
fn a_sign_in_says_who_looks_and_decides_nothing() {
    let (fixture, dora) = (ApprovalFixture::new(None), authenticator(9));
    let key = given(&fixture, "dora", &["release"], &dora);
    let (host, nonce) = (&fixture.host, [7; 32]);
    let response = dora.get(&host.sign_in_challenge(&nonce));
    let signed_in = |nonce: &[u8; 32], id: &[u8]| host.signed_in(nonce, id, &response);
    assert_eq!(signed_in(&nonce, dora.credential_id()).unwrap().as_str(), "dora");
    assert!(matches!(signed_in(&[8; 32], dora.credential_id()), Err(Error::Passkey(_))));
    assert!(matches!(signed_in(&nonce, b"other"), Err(Error::UnknownPasskey)));
    let (_, id) = fixture.asked();
    let request = asked(&fixture, &id, "dora", Decision::Approved);
    let said = refused(host.sign_with_passkey(&id, &request.statement, key, response.clone()));
    assert!(said.contains("another challenge"), "{said}");
    let key_id = key.to_string();
    fixture.record_act(Act::KeyRevoked { key_id, compromised_at: None, reason: "lost".to_owned() }).unwrap();
    assert!(signed_in(&nonce, dora.credential_id()).unwrap_err().to_string().contains("revoked"));
}

/// Like any other signer, so that signing statements needs no second way.
#[test]
fn an_authenticator_signs_statements_like_any_key() {
    let (fixture, dora) = (ApprovalFixture::new(None), authenticator(9));
    given(&fixture, "dora", &["release"], &dora);
    let (_, id) = fixture.asked();
    let statement =
        fixture.host.statement(&id, &"dora".parse().unwrap(), None, Decision::Approved, None).unwrap();
    let envelope = receipt::sign_decision(&statement, &PasskeySigner::new(dora).unwrap()).unwrap();
    issued(fixture.host.sign(&id, &envelope));
}

#[test]
fn a_policy_may_ask_for_passkeys_that_stay_in_one_device() {
    const BOUND: &str =
        "[[rule]]\nid = \"bound\"\nthen = \"ask\"\nrole = \"release\"\nkeys = \"device-bound\"\n";
    let fixture = ApprovalFixture::new(Some(BOUND));
    let (mut synced, bound) = (authenticator(9), authenticator(10));
    synced.is_synced = true;
    let (instance, id) = fixture.asked();
    // No decider has such a key yet, and the output says so.
    assert!(!fixture.host.waiting_request(&id).unwrap().shortfalls.is_empty());
    given(&fixture, "dora", &["release"], &synced);
    given(&fixture, "erin", &["release"], &bound);
    assert!(fixture.host.waiting_request(&id).unwrap().shortfalls.is_empty());
    let words = "cannot count with this key: the policy says ask 1 of release, by device-bound passkey";
    let said = refused(fixture.approve(&id, ("alice", 1)));
    assert!(said.contains(words), "{said}");
    let said = refused(answered(&fixture, &id, &asked(&fixture, &id, "dora", Decision::Approved), &synced));
    assert!(said.contains(words), "{said}");
    issued(answered(&fixture, &id, &asked(&fixture, &id, "erin", Decision::Approved), &bound));
    fixture.ends(&instance);
    assert_eq!(fixture.deployments(), 1, "the gate counted it");
    // A denial counts with any key.
    let (_, id) = fixture.asked();
    assert_eq!(issued(fixture.deny(&id, ("alice", 1))).artifact.status.as_deref(), Some("DENIED"));
    let only = |class: &str| policy::Toml::parse(&BOUND.replace("device-bound", class)).is_ok();
    assert!(only("any") && only("passkey") && !only("synced"));
}
