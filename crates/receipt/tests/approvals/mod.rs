//! Approvals in receipts: which receipts can be minted, and what a verifier that opens one can check.

mod grants;
mod validity;

use crate::common::{
    alice, approved, at, by_policy, deciders, demo, draft, json, keys, minted, person, request, signed,
    signer, statement, with,
};
use receipt::{
    ApprovalError, Artifact, Decider, DeciderKey, DeciderSet, Decision, DecisionStatement, Digest, Draft,
    Ed25519StatementSigner, Envelope, EnvelopeSignature, Expected, Json, Judged, MAX_APPROVALS, MintError,
    Mismatch, NotCounted, Opened, Opening, PAYLOAD_TYPE, Projection, Resolution, Salt, Scope,
    StatementSigner, VerifiedDecision, mint, request_digest, sign_decision, verify, verify_approvals,
};

fn bob() -> Ed25519StatementSigner {
    Ed25519StatementSigner::from_seed(&[0xB0; 32]).unwrap()
}

/// Alice and Bob.
fn both() -> DeciderSet {
    let mut both = deciders();
    both.insert(person("bob", &bob())).unwrap();
    both
}

fn decide(statement: &DecisionStatement, signer: &dyn StatementSigner) -> VerifiedDecision {
    let envelope = sign_decision(statement, signer).unwrap();
    both().verify(&envelope, &Expected::about(&statement.matter, statement.decided_at)).unwrap()
}

fn bobs(statement: DecisionStatement) -> DecisionStatement {
    DecisionStatement { decider: "bob".parse().unwrap(), ..statement }
}

fn good() -> DecisionStatement {
    statement(&request(), Decision::Approved)
}

fn open(draft: &Draft) -> Opened {
    let minted = mint(draft, &signer()).unwrap();
    verify(&minted.artifact, &keys()).unwrap().open(&minted.opening).unwrap()
}

/// A receipt by an issuer that checks nothing: the good one, with this in the place of its approvals.
fn forged(approvals: Option<Json>, payload_members: &[(&str, Json)]) -> Opened {
    let request = with(&json(&minted().opening.request_json), "approvals", approvals).canonical();
    let salt = Salt::from_bytes([3; 32]);
    let mut bytes = salt.as_bytes().to_vec();
    bytes.extend(request.as_bytes());
    let commitment = Digest::of(&bytes).tagged();
    let payload = with(&crate::common::payload(), "requestCommitment", Some(commitment.into()));
    let payload = payload_members
        .iter()
        .fold(payload, |payload, (name, value)| with(&payload, name, Some(value.clone())));
    let artifact: Artifact = crate::common::seal(&payload.canonical(), &signer());
    verify(&artifact, &keys()).unwrap().open(&Opening::new(request, salt)).unwrap()
}

fn refused(approvals: Option<Json>) -> ApprovalError {
    verify_approvals(&forged(approvals, &[]), &both(), Judged::AsIssued).unwrap_err()
}

fn envelopes(statements: &[&VerifiedDecision]) -> Option<Json> {
    Some(Json::array(statements.iter().map(|decision| decision.envelope().to_json())))
}

#[test]
fn opening_a_receipt_verifies_the_person_again() {
    let opened = open(&draft());
    let approvals = opened.approvals().unwrap();
    assert_eq!(approvals, [sign_decision(&good(), &alice()).unwrap()]);
    for judged in [Judged::AsIssued, Judged::Now(at("2026-11-23T09:10:00.000Z"))] {
        let verified = verify_approvals(&opened, &deciders(), judged).unwrap();
        let [alices] = verified.as_slice() else { panic!() };
        assert_eq!((alices.person().as_str(), alices.decision()), ("alice", Decision::Approved));
        assert_eq!((alices.statement(), alices.role().as_str()), (&good(), "release"));
        assert_eq!(alices.key_id(), alice().public_key().key_id());
        assert_eq!(alices.envelope(), &approvals[0]);
    }
    // No approval is public.
    let artifact = minted().artifact;
    let receipt = verify(&artifact, &keys()).unwrap();
    assert!(
        !receipt.payload_json().contains("payloadType")
            && receipt.projection().unwrap().get("approvals").is_none()
    );
    // The request's hash does not cover the approvals.
    assert_eq!(opened.request().pointer(["hashes", "inputHash"]), request().pointer(["hashes", "inputHash"]));
    assert_eq!(request_digest(opened.request()), good().matter.request);
}

#[test]
fn denials_are_signed_and_committed_too() {
    let mut denial = Draft { decision: Decision::Denied, ..draft() };
    denial.decider.resolution = Some(Resolution::Deny);
    // A denial may outlive its decision, because it permits nothing.
    denial.expires_at = at("2027-11-23T09:15:00.000Z");
    let opened = open(&approved(denial.clone()));
    let verified = verify_approvals(&opened, &deciders(), Judged::AsIssued).unwrap();
    assert_eq!(verified[0].decision(), Decision::Denied);
    // A denial carries no approval, and an approval no denial.
    let mismatch = |draft: &Draft| match mint(draft, &signer()).unwrap_err() {
        MintError::Approvals(ApprovalError::Mismatch(mismatch)) => mismatch,
        other => panic!("{other}"),
    };
    assert!(matches!(
        mismatch(&Draft { approvals: draft().approvals, ..denial.clone() }),
        Mismatch::Decision(_)
    ));
    let denials = approved(denial).approvals;
    assert!(matches!(mismatch(&Draft { approvals: denials.clone(), ..draft() }), Mismatch::Decision(_)));
    assert!(matches!(refused(envelopes(&[&denials[0]])), ApprovalError::Mismatch(Mismatch::Decision(_))));
}

#[test]
fn no_receipt_is_minted_for_a_person_without_that_persons_signature() {
    let refusal = |draft: Draft| match mint(&draft, &signer()).unwrap_err() {
        MintError::Approvals(error) => error,
        other => panic!("{other}"),
    };
    let missing = |id: &str| ApprovalError::Missing(id.to_owned());
    let by = |id: &str| Decider { id: id.to_owned(), ..draft().decider };
    assert_eq!(refusal(Draft { approvals: vec![], ..draft() }), missing("user:alice"));
    for id in ["role/human-approver", "role/founder", "role/api-key-approver", "api_key:k", "user:"] {
        assert_eq!(refusal(Draft { approvals: vec![], decider: by(id), ..draft() }), missing(id));
    }
    for id in [
        "user:bob",
        "user:alic",
        "user:alice ",
        "user:Alice",
        "alice",
        "role/human-approver",
        "system/pp-policy-engine",
    ] {
        let error = refusal(Draft { decider: by(id), ..draft() });
        assert_eq!(error, ApprovalError::DeciderNotAmong(id.to_owned()));
    }
    assert!(mint(&by_policy(draft()), &signer()).is_ok());
    let anonymous = Draft { decider: demo(), scope: Scope::Demo, ..draft() };
    assert_eq!(refusal(anonymous.clone()), ApprovalError::DeciderNotAmong("demo:visitor".to_owned()));
    assert!(mint(&Draft { approvals: vec![], ..anonymous }, &signer()).is_ok());
}

#[test]
fn no_receipt_is_minted_on_approvals_of_something_else() {
    let with_approval = |statement: &DecisionStatement| {
        mint(&Draft { approvals: vec![decide(statement, &alice())], ..draft() }, &signer()).map(drop)
    };
    let mismatch = |statement: &DecisionStatement| match with_approval(statement).unwrap_err() {
        MintError::Approvals(ApprovalError::Mismatch(mismatch)) => mismatch,
        other => panic!("{other}"),
    };
    assert!(with_approval(&good()).is_ok());
    let mut other = good();
    other.matter.request = Digest::of(b"another request");
    assert!(matches!(mismatch(&other), Mismatch::Request(_)));
    // The digest is right, and the words are not.
    let mut other = good();
    other.matter.resource = "worker/harmless".to_owned();
    assert!(matches!(mismatch(&other), Mismatch::Resource(_)));
    let late = DecisionStatement { decided_at: at("2026-11-23T09:01:00.001Z"), ..good() };
    assert!(matches!(mismatch(&late), Mismatch::DecidedAt(_)));
    let over = DecisionStatement { expires_at: at("2026-11-23T09:00:00.000Z"), ..good() };
    assert!(matches!(mismatch(&over), Mismatch::ExpiresAt(_)));
    let shorter = DecisionStatement { expires_at: at("2026-11-23T09:14:59.999Z"), ..good() };
    assert!(matches!(with_approval(&shorter), Err(MintError::Approvals(ApprovalError::Outlived { .. }))));
    let exact = DecisionStatement { expires_at: draft().expires_at, ..good() };
    assert!(with_approval(&exact).is_ok());
    let many = vec![signed(&good()); MAX_APPROVALS + 1];
    let error = mint(&Draft { approvals: many, ..draft() }, &signer()).unwrap_err();
    assert_eq!(error, MintError::Approvals(ApprovalError::TooMany(MAX_APPROVALS + 1)));
    let elsewhere = Draft { request: json(r#"{"action":{}}"#), ..draft() };
    assert!(matches!(mint(&elsewhere, &signer()), Err(MintError::Approvals(ApprovalError::Request(_)))));
}

#[test]
fn several_people_stand_in_one_receipt_and_each_counts_once() {
    let again = DecisionStatement { nonce: receipt::Nonce::from_bytes([9; 16]), ..good() };
    let approvals = vec![
        decide(&good(), &alice()),
        decide(&good(), &alice()),
        decide(&bobs(good()), &bob()),
        decide(&again, &alice()),
    ];
    let opened = open(&Draft { approvals, ..draft() });
    assert_eq!(opened.approvals().unwrap().len(), 4);
    let verified = verify_approvals(&opened, &both(), Judged::AsIssued).unwrap();
    let people: Vec<_> = verified.iter().map(|decision| decision.person().as_str()).collect();
    assert_eq!(people, ["alice", "bob"]);
    // A verifier that pins one of them refuses the other.
    assert_eq!(verify_approvals(&opened, &deciders(), Judged::AsIssued), Err(ApprovalError::NotSigned));
}

/// A second decision by the same person in the same role adds no approval, and is no less a part of the receipt.
#[test]
fn every_decision_in_a_receipt_supports_it_in_whatever_order() {
    let nonce = receipt::Nonce::from_bytes([9; 16]);
    let refused_in_any_order = |other: &DecisionStatement, fits: fn(&ApprovalError) -> bool| {
        let (good, other) = (decide(&good(), &alice()), decide(other, &alice()));
        for both in [[&good, &other], [&other, &good]] {
            let error = refused(envelopes(&both));
            assert!(fits(&error), "{error}");
        }
    };
    let denied = DecisionStatement { nonce, decision: Decision::Denied, ..good() };
    refused_in_any_order(&denied, |error| matches!(error, ApprovalError::Mismatch(Mismatch::Decision(_))));
    let shorter = DecisionStatement { nonce, expires_at: at("2026-11-23T09:14:59.999Z"), ..good() };
    refused_in_any_order(&shorter, |error| matches!(error, ApprovalError::Outlived { .. }));
}

/// What an issuer without any person's key can write.
#[test]
fn an_issuer_alone_cannot_make_up_a_persons_approval() {
    let mallory = Ed25519StatementSigner::from_seed(&[0xFF; 32]).unwrap();
    let envelope = |statement: &DecisionStatement| {
        Some(Json::array([sign_decision(statement, &mallory).unwrap().to_json()]))
    };
    assert_eq!(refused(envelope(&good())), ApprovalError::NotSigned);
    assert_eq!(refused(None), ApprovalError::Missing("user:alice".to_owned()));
    assert_eq!(refused(Some(json("[]"))), ApprovalError::Missing("user:alice".to_owned()));
    // Labelled as Alice's, it is not more hers.
    let mut labelled = sign_decision(&good(), &mallory).unwrap().to_json().canonical();
    let (from, to) = (mallory.public_key().key_id().to_string(), alice().public_key().key_id().to_string());
    labelled = labelled.replace(&from, &to);
    assert_eq!(refused(Some(Json::array([json(&labelled)]))), ApprovalError::NotSigned);
    // Bob's signature under Alice's name.
    let named = Some(Json::array([sign_decision(&good(), &bob()).unwrap().to_json()]));
    let other =
        ApprovalError::OtherPerson { signer: "bob".parse().unwrap(), named: "alice".parse().unwrap() };
    assert_eq!(refused(named), other);
    // Bob's approval, for a receipt that says Alice decided.
    let bobs = decide(&bobs(good()), &bob());
    assert_eq!(refused(envelopes(&[&bobs])), ApprovalError::DeciderNotAmong("user:alice".to_owned()));
    // Alice's approval of something else.
    let mut other = good();
    other.matter.request = Digest::of(b"another request");
    let error = refused(envelopes(&[&decide(&other, &alice())]));
    assert!(matches!(error, ApprovalError::Mismatch(Mismatch::Request(_))));
}

/// A part of the matter, and the mismatch that is its own.
type Part = (fn(&mut receipt::Matter), fn(&Mismatch) -> bool);

#[test]
fn each_part_of_the_request_is_compared_with_what_was_signed() {
    let cases: [Part; 7] = [
        (|matter| matter.request_id.push('x'), |mismatch| matches!(mismatch, Mismatch::RequestId(_))),
        (|matter| matter.tenant.push('x'), |mismatch| matches!(mismatch, Mismatch::Tenant(_))),
        (|matter| matter.instance.push('x'), |mismatch| matches!(mismatch, Mismatch::Instance(_))),
        (|matter| matter.component = Digest::of(b"x"), |mismatch| matches!(mismatch, Mismatch::Component(_))),
        (|matter| matter.capability.push('x'), |mismatch| matches!(mismatch, Mismatch::Capability(_))),
        (|matter| matter.resource.push('x'), |mismatch| matches!(mismatch, Mismatch::Resource(_))),
        (|matter| matter.artifact = None, |mismatch| matches!(mismatch, Mismatch::Artifact(_))),
    ];
    for (change, is_its_own) in cases {
        let mut other = good();
        change(&mut other.matter);
        match refused(envelopes(&[&decide(&other, &alice())])) {
            ApprovalError::Mismatch(mismatch) => assert!(is_its_own(&mismatch), "{mismatch}"),
            error => panic!("{error}"),
        }
    }
}

#[test]
fn odd_members_are_refused_and_never_passed_over() {
    let good = decide(&good(), &alice());
    for odd in ["null", "{}", "\"\"", "1"] {
        assert!(matches!(refused(Some(json(odd))), ApprovalError::Request(_)), "{odd}");
    }
    for odd in ["null", "{}", "[]", "\"\""] {
        let both = Json::array([good.envelope().to_json(), json(odd)]);
        assert!(matches!(refused(Some(both)), ApprovalError::Envelope(_)), "{odd}");
    }
    let many = Json::array(vec![good.envelope().to_json(); MAX_APPROVALS + 1]);
    assert_eq!(refused(Some(many)), ApprovalError::TooMany(MAX_APPROVALS + 1));
    let payload = good.envelope().verify(&alice().public_key()).unwrap();
    let signature = good.envelope().signatures()[0].clone();
    let twice = Envelope::new(payload.payload_type(), payload.bytes(), vec![signature; 2]).unwrap();
    assert_eq!(refused(Some(Json::array([twice.to_json()]))), ApprovalError::Signatures(2));
}

#[test]
fn roles_and_tenants_confine_people() {
    let verify = |change: fn(&mut receipt::Person)| {
        let mut alices = person("alice", &alice());
        change(&mut alices);
        let mut deciders = DeciderSet::new();
        deciders.insert(alices).unwrap();
        verify_approvals(&open(&draft()), &deciders, Judged::AsIssued).map(drop)
    };
    assert_eq!(verify(|_| {}), Ok(()));
    assert_eq!(verify(|person| person.tenants = vec!["umbrella".to_owned(), "acme".to_owned()]), Ok(()));
    let error = verify(|person| person.tenants = vec!["acm".to_owned()]).unwrap_err();
    assert_eq!(error.to_string(), "alice does not decide for tenant `acme`");
    let error = verify(|person| person.roles = vec!["audit".parse().unwrap()]).unwrap_err();
    assert_eq!(error.to_string(), "alice does not have the role `release`");
}

/// A key that is withdrawn between the decision and the receipt, after the receipt, and before it is used.
#[test]
fn an_auditor_asks_about_then_and_a_gate_about_now() {
    let opened = open(&draft());
    let verify = |revoked: &str, judged: Judged| {
        let mut deciders = deciders();
        deciders.revoke_key(alice().public_key().key_id(), at(revoked)).unwrap();
        verify_approvals(&opened, &deciders, judged).map(drop)
    };
    let (later, now) = ("2026-11-23T09:05:00.000Z", Judged::Now(at("2026-11-23T09:10:00.000Z")));
    assert_eq!(verify(later, Judged::AsIssued), Ok(()));
    assert_eq!(verify(later, now), Err(ApprovalError::NotCounted(NotCounted::Revoked(at(later)))));
    assert_eq!(verify("2026-11-23T09:10:00.001Z", now), Ok(()));
    // Before the receipt there was nothing to rely on: the issuer knew, and should not have issued.
    let between = "2026-11-23T08:59:45.000Z";
    let revoked = Err(ApprovalError::NotCounted(NotCounted::Revoked(at(between))));
    assert_eq!(verify(between, Judged::AsIssued), revoked);
    // A clock that was set back to before the withdrawal revives nothing.
    assert_eq!(verify(between, Judged::Now(at("2026-11-23T08:59:40.000Z"))), revoked);
    // Long after it expired it is still evidence, and no longer a reason to act.
    let years = Judged::Now(at("2036-11-23T09:10:00.000Z"));
    assert!(matches!(
        verify_approvals(&opened, &deciders(), years),
        Err(ApprovalError::Mismatch(Mismatch::ExpiresAt(_)))
    ));
    // In retrospect it was in force, and who signed it has to count now.
    let retrospect = Judged::InRetrospect(at("2036-11-23T09:10:00.000Z"));
    assert_eq!(verify_approvals(&opened, &deciders(), retrospect).map(drop), Ok(()));
    assert_eq!(verify(later, retrospect), Err(ApprovalError::NotCounted(NotCounted::Revoked(at(later)))));
    let before = Judged::InRetrospect(at("2026-11-23T09:04:59.999Z"));
    assert_eq!(verify(later, before), Ok(()));
}

#[test]
fn a_policys_receipt_needs_no_person_and_proves_none() {
    let opened = open(&by_policy(draft()));
    assert_eq!(verify_approvals(&opened, &DeciderSet::new(), Judged::AsIssued), Ok(vec![]));
    assert_eq!(opened.approvals(), Ok(vec![]));
    let machine = forged(None, &[("deciderId", "api_key:k".into()), ("deciderAuthMethod", "api_key".into())]);
    assert_eq!(
        verify_approvals(&machine, &DeciderSet::new(), Judged::AsIssued),
        Err(ApprovalError::Missing("api_key:k".to_owned()))
    );
    // A receipt that calls its decider a demonstration's and itself production is no demonstration's.
    let anonymous = forged(None, &[("deciderId", "demo:visitor".into())]);
    assert!(matches!(
        verify_approvals(&anonymous, &DeciderSet::new(), Judged::AsIssued),
        Err(ApprovalError::Missing(_))
    ));
}

#[test]
fn a_second_key_is_the_same_person() {
    let second = Ed25519StatementSigner::from_seed(&[0xA2; 32]).unwrap();
    let mut deciders = deciders();
    let key = DeciderKey::new(second.public_key(), at("2026-01-01T00:00:00.000Z"));
    deciders.add_key(&"alice".parse().unwrap(), key).unwrap();
    let verify = |signer: &dyn StatementSigner| {
        let envelope = sign_decision(&good(), signer).unwrap();
        deciders.verify(&envelope, &Expected::about(&good().matter, good().decided_at)).unwrap()
    };
    let approvals = vec![verify(&alice()), verify(&second)];
    let opened = open(&Draft { approvals, ..draft() });
    assert_eq!(verify_approvals(&opened, &deciders, Judged::AsIssued).unwrap().len(), 1);
}

/// A policy may ask for two roles, and one person may have both: each of the two statements supports a different claim.
#[test]
fn a_person_who_decides_in_two_roles_is_found_in_both() {
    let mut people = DeciderSet::new();
    let roles = ["release", "owner"].map(|role| role.parse().unwrap()).to_vec();
    people.insert(receipt::Person { roles, ..person("alice", &alice()) }).unwrap();
    let decided = |role: &str| {
        let statement = DecisionStatement { role: role.parse().unwrap(), ..good() };
        let envelope = sign_decision(&statement, &alice()).unwrap();
        people.verify(&envelope, &Expected::about(&statement.matter, statement.decided_at)).unwrap()
    };
    let approvals = vec![decided("owner"), decided("release"), decided("owner")];
    let opened = open(&Draft { approvals, ..draft() });
    let verified = verify_approvals(&opened, &people, Judged::AsIssued).unwrap();
    let found: Vec<_> = verified.iter().map(|one| (one.person().as_str(), one.role().as_str())).collect();
    assert_eq!(found, [("alice", "owner"), ("alice", "release")]);
}

/// `keyid` is not signed. The stored and committed envelope names the key that verified, whatever the original said.
#[test]
fn what_is_kept_of_an_envelope_names_the_key_that_signed() {
    let signed = sign_decision(&good(), &alice()).unwrap();
    for junk in ["", "bob", "\u{1b}[2J\u{202e}", &bob().public_key().key_id().to_string()] {
        let signature = EnvelopeSignature { key_id: junk.to_owned(), ..signed.signatures()[0].clone() };
        let labelled = Envelope::new(PAYLOAD_TYPE, good().canonical().as_bytes(), vec![signature]).unwrap();
        let verified = both().verify(&labelled, &Expected::about(&good().matter, good().decided_at)).unwrap();
        assert_eq!(verified.envelope(), &signed, "{junk:?}");
    }
}

/// Names for display, from envelopes whose signatures are not checked: they show claims, and count for nothing.
#[test]
fn what_the_envelopes_claim_can_be_shown_without_the_deciders() {
    let statements = [good(), bobs(good())];
    let decisions = [decide(&statements[0], &alice()), decide(&statements[1], &bob())];
    let opened = open(&Draft { approvals: decisions.to_vec(), ..draft() });
    assert_eq!(opened.claimed_decisions().unwrap(), statements);
    assert_eq!(open(&by_policy(draft())).claimed_decisions().unwrap(), []);
    let forged = forged(Some(Json::array(["x"])), &[]);
    assert!(matches!(
        forged.claimed_decisions(),
        Err(ApprovalError::Request(_) | ApprovalError::Envelope(_))
    ));
}
