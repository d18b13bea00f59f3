//! Decision statements: one spelling, strict reading, and every leaf compared.

use crate::common::{alice, at, deciders, draft, json, request, statement, with};
use proptest::prelude::*;
use receipt::{
    ApprovalError, Decision, DecisionStatement, Digest, Envelope, EnvelopeSignature, Expected, Json,
    MAX_NAME_LEN, MAX_REASON_LEN, MAX_RESOURCE_LEN, Matter, Mismatch, Nonce, PAYLOAD_TYPE, RawSignature,
    SignDecisionError, SignError, Stated, StatementError, StatementSigner, Timestamp, pae, sign_decision,
};

fn good() -> DecisionStatement {
    statement(&request(), Decision::Approved)
}

/// Any text at all, signed by Alice.
fn signed(text: &str) -> Envelope {
    let signature = alice().sign(&pae(PAYLOAD_TYPE, text.as_bytes())).unwrap();
    let signature = EnvelopeSignature { key_id: alice().public_key().key_id().to_string(), signature };
    Envelope::new(PAYLOAD_TYPE, text.as_bytes(), vec![signature]).unwrap()
}

/// The complete expectation of a host that kept every part of the good statement.
fn expected<'a>(good: &'a DecisionStatement, matter: &'a Matter) -> Expected<'a> {
    Expected {
        decided_from: Some(good.decided_at),
        expires_by: Some(good.expires_at),
        decision: Some(good.decision),
        reason: Stated::from_record(good.reason.as_deref()),
        decider: Some(&good.decider),
        role: Some(&good.role),
        nonce: Some(good.nonce),
        ..Expected::about(matter, good.decided_at)
    }
}

#[test]
fn a_statement_has_the_shape_of_in_toto() {
    let text = good().canonical();
    let digests =
        [good().matter.request, good().matter.view, good().matter.policy].map(|digest| digest.to_string());
    let [request, view, policy] = &digests;
    let written = format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","predicate":{{"artifactSha256":"5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef","capability":"cloudflare.dynamic-worker.deploy","componentSha256":"0b5f9f2f1dfc5c0c0a2b7ac54d4bd5e4e1d6c62d6f0c5d0b6b3a8f2f6c1d7e90","decidedAt":"2026-11-23T08:59:30.000Z","decider":"alice","decision":"APPROVED","expiresAt":"2026-11-23T09:59:30.000Z","instance":"inst_0001","nonce":"0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f","policySha256":"{policy}","reason":"Reviewed the diff; tests are green","requestId":"apr_0001","resource":"worker/checkout","role":"release","tenant":"acme","viewSha256":"{view}"}},"predicateType":"urn:permission-protocol:decision:v1","subject":[{{"digest":{{"sha256":"{request}"}},"name":"apr_0001"}}]}}"#
    );
    assert_eq!(text, written);
    assert_eq!(DecisionStatement::parse(&text), Ok(good()));
}

/// The paths of all leaves of a document, arrays by position.
fn leaves(json: &Json, path: &[String]) -> Vec<Vec<String>> {
    let below = |name: String, value: &Json| leaves(value, &[path, &[name]].concat());
    match json {
        Json::Object(object) => {
            object.iter().flat_map(|(key, value)| below(key.to_string_lossy(), value)).collect()
        }
        Json::Array(elements) => {
            elements.iter().enumerate().flat_map(|(index, value)| below(index.to_string(), value)).collect()
        }
        _ => vec![path.to_vec()],
    }
}

/// The document with `change` applied at a path.
fn changed(json: &Json, path: &[String], change: &dyn Fn(&Json) -> Json) -> Json {
    let [name, rest @ ..] = path else { return change(json) };
    match json {
        Json::Array(elements) => {
            let mut elements = elements.clone();
            let index: usize = name.parse().unwrap();
            elements[index] = changed(&elements[index], rest, change);
            elements.into()
        }
        _ => with(json, name, Some(changed(json.get(name).unwrap(), rest, change))),
    }
}

/// Another value of the same form: a digest for a digest, an instant for an instant.
fn another(value: &Json) -> Json {
    let text = value.as_str().unwrap();
    match text {
        "APPROVED" => "DENIED".into(),
        "2026-11-23T08:59:30.000Z" => "2026-11-23T08:59:29.999Z".into(),
        "2026-11-23T09:59:30.000Z" => "2026-11-23T09:59:30.001Z".into(),
        _ => {
            let last = if text.ends_with('0') { "1" } else { "0" };
            format!("{}{last}", &text[..text.len() - 1]).into()
        }
    }
}

fn variant(error: &ApprovalError) -> String {
    let shown = match error {
        ApprovalError::Mismatch(mismatch) => format!("{mismatch:?}"),
        ApprovalError::Statement(error) => format!("{error:?}"),
        other => format!("{other:?}"),
    };
    shown.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned()
}

/// The name of each leaf in a mismatch.
const NAMES: [(&str, &str); 20] = [
    ("_type", "StatementType"),
    ("predicateType", "PredicateType"),
    ("subject.0.digest.sha256", "Request"),
    // Both name the request, so a change of one contradicts the other.
    ("subject.0.name", "Subject"),
    ("predicate.requestId", "Subject"),
    ("predicate.artifactSha256", "Artifact"),
    ("predicate.capability", "Capability"),
    ("predicate.componentSha256", "Component"),
    ("predicate.decidedAt", "DecidedAt"),
    // Alice signed it, so that it names another is more than a mismatch.
    ("predicate.decider", "OtherPerson"),
    ("predicate.decision", "Decision"),
    ("predicate.expiresAt", "ExpiresAt"),
    ("predicate.instance", "Instance"),
    ("predicate.nonce", "Nonce"),
    ("predicate.policySha256", "Policy"),
    ("predicate.reason", "Reason"),
    ("predicate.resource", "Resource"),
    ("predicate.role", "Role"),
    ("predicate.tenant", "Tenant"),
    ("predicate.viewSha256", "View"),
];

#[test]
fn every_leaf_that_is_altered_is_refused_by_its_own_name() {
    let (good, deciders) = (good(), deciders());
    let (text, matter) = (json(&good.canonical()), good.matter.clone());
    let expected = expected(&good, &matter);
    assert!(deciders.verify(&signed(&good.canonical()), &expected).is_ok());
    let paths = leaves(&text, &[]);
    assert_eq!(paths.len(), NAMES.len());
    for path in paths {
        let altered = changed(&text, &path, &another).canonical();
        let name = path.join(".");
        let (_, wanted) = NAMES.iter().find(|(leaf, _)| *leaf == name).unwrap();

        let error = deciders.verify(&signed(&altered), &expected).unwrap_err();
        assert_eq!(&variant(&error), wanted, "{name}: {error}");

        // The same without the right key: there the signature is what fails.
        let forged = Envelope::new(
            PAYLOAD_TYPE,
            altered.as_bytes(),
            sign_decision(&good, &alice()).unwrap().signatures().to_vec(),
        );
        assert_eq!(deciders.verify(&forged.unwrap(), &expected), Err(ApprovalError::NotSigned), "{name}");
    }
}

/// The leaves that a change of the text cannot reach alone.
#[test]
fn the_request_and_the_decider_have_mismatches_of_their_own() {
    let good = good();
    let matter = Matter { request_id: "apr_0002".to_owned(), ..good.matter.clone() };
    let error = good.check(&Expected::about(&matter, good.decided_at)).unwrap_err();
    assert!(matches!(&error, Mismatch::RequestId(_)));
    assert_eq!(error.to_string(), "request id: `apr_0001` was signed, and `apr_0002` is expected");
    let bob = "bob".parse().unwrap();
    let error =
        good.check(&Expected { decider: Some(&bob), ..Expected::about(&good.matter, good.decided_at) });
    assert_eq!(error.unwrap_err().to_string(), "decider: `alice` was signed, and `bob` is expected");
}

/// Hostile text in a statement stays text in the message about it.
#[test]
fn a_mismatch_shows_what_was_signed_escaped_and_cut() {
    let mut hostile = good();
    hostile.matter.resource = format!("\u{1b}[2J\u{202e}\n{}", "x".repeat(10_000));
    let message =
        hostile.check(&Expected::about(&good().matter, hostile.decided_at)).unwrap_err().to_string();
    assert!(message.starts_with("resource: `\\u{1b}[2J\\u{202e}\\nxxx"), "{message}");
    assert!(message.len() < 400 && message.contains('…'), "{message}");
}

#[test]
fn times_are_judged_at_the_time_of_judging() {
    let good = good();
    let check = |at: &str| good.check(&Expected::about(&good.matter, at.parse().unwrap()));
    assert!(matches!(check("2026-11-23T08:58:29.999Z"), Err(Mismatch::DecidedAt(_))), "from the future");
    assert_eq!(check("2026-11-23T08:58:30.000Z"), Ok(()), "a clock may be a minute ahead");
    assert_eq!(check("2026-11-23T09:59:29.999Z"), Ok(()));
    assert!(
        matches!(check("2026-11-23T09:59:30.000Z"), Err(Mismatch::ExpiresAt(_))),
        "and no grace at the end"
    );
}

#[test]
fn what_is_not_asked_for_is_not_compared() {
    let good = good();
    let expected = Expected::about(&good.matter, good.decided_at);
    let other = DecisionStatement {
        decision: Decision::Denied,
        reason: None,
        role: "audit".parse().unwrap(),
        nonce: Nonce::from_bytes([1; 16]),
        ..good.clone()
    };
    assert_eq!(other.check(&expected), Ok(()));
    let absent = Expected { reason: Stated::Absent, ..expected };
    assert_eq!(other.check(&absent), Ok(()));
    assert!(matches!(good.check(&absent), Err(Mismatch::Reason(_))));
}

#[test]
fn an_artifact_may_be_absent_and_absence_is_compared() {
    let mut without = good();
    without.matter.artifact = None;
    assert_eq!(DecisionStatement::parse(&without.canonical()), Ok(without.clone()));
    let error = without.check(&Expected::about(&good().matter, good().decided_at)).unwrap_err();
    assert!(matches!(&error, Mismatch::Artifact(differs) if differs.signed == "none"), "{error}");
}

#[test]
fn what_is_not_exactly_a_statement_is_refused() {
    let text = good().canonical();
    let good = json(&text);
    let shape = |json: Json| {
        let result = DecisionStatement::parse(&json.canonical());
        assert!(matches!(result, Err(StatementError::Shape(_))), "{result:?} {json:?}");
    };
    let none = |_: &Json| Json::Null;
    let number = |_: &Json| 1_u32.into();
    for path in leaves(&good, &[]) {
        let (inner, name) = path.split_at(path.len() - 1);
        shape(changed(&good, inner, &|parent| with(parent, &name[0], None)));
        shape(changed(&good, &path, &number));
        shape(changed(&good, inner, &|parent| with(parent, "more", Some(Json::Null))));
        if !["artifactSha256", "reason"].contains(&name[0].as_str()) {
            shape(changed(&good, &path, &none));
        }
        assert!(DecisionStatement::parse(&changed(&good, &path, &|_| "".into()).canonical()).is_err());
    }
    let subject = good.get("subject").unwrap().as_array().unwrap()[0].clone();
    shape(with(&good, "subject", Some(Json::array(Vec::<Json>::new()))));
    shape(with(&good, "subject", Some(Json::array([subject.clone(), subject]))));
    for (from, to) in [("{", "{ "), ("alice", "\\u0061lice"), ("\"}]}", "\"}]}\n")] {
        let text = text.replacen(from, to, 1);
        assert_eq!(DecisionStatement::parse(&text), Err(StatementError::NotCanonical), "{text}");
    }
    for (at, _) in text.match_indices("\":") {
        let start = text[..at].rfind('"').unwrap();
        let twice = format!("{}{}\":null,{}", &text[..start], &text[start..at], &text[start..]);
        assert!(matches!(DecisionStatement::parse(&twice), Err(StatementError::Json(_))), "{twice}");
    }
}

#[test]
fn every_text_is_bounded() {
    let long = |longest: usize| {
        [("x".repeat(longest), true), ("x".repeat(longest + 1), false), (String::new(), false)]
    };
    let check = |statement: DecisionStatement, fits: bool| {
        assert_eq!(statement.validate().is_ok(), fits);
        assert_eq!(sign_decision(&statement, &alice()).is_ok(), fits);
        assert_eq!(DecisionStatement::parse(&statement.canonical()).is_ok(), fits);
    };
    for (text, fits) in long(MAX_NAME_LEN) {
        let fields: [fn(&mut Matter) -> &mut String; 4] = [
            |matter| &mut matter.request_id,
            |matter| &mut matter.tenant,
            |matter| &mut matter.instance,
            |matter| &mut matter.capability,
        ];
        for field in fields {
            let mut statement = good();
            field(&mut statement.matter).clone_from(&text);
            check(statement, fits);
        }
    }
    for (resource, fits) in long(MAX_RESOURCE_LEN) {
        check(DecisionStatement { matter: Matter { resource, ..good().matter }, ..good() }, fits);
    }
    for (reason, fits) in long(MAX_REASON_LEN) {
        check(DecisionStatement { reason: Some(reason), ..good() }, fits);
    }
    check(DecisionStatement { expires_at: at("+010000-01-01T00:00:00.000Z"), ..good() }, false);
    check(DecisionStatement { decided_at: at("-000001-01-01T00:00:00.000Z"), ..good() }, false);
    check(DecisionStatement { expires_at: good().decided_at, ..good() }, false);
}

#[test]
fn breaking_the_glass_has_rules_of_its_own() {
    let after = |ms: i64| Timestamp::from_millis(good().decided_at.as_millis() + ms);
    let glass = DecisionStatement {
        role: "break-glass".parse().unwrap(),
        expires_at: after(receipt::BREAK_GLASS_MS),
        ..good()
    };
    assert_eq!(glass.validate(), Ok(()));
    let broken = |statement: DecisionStatement| {
        assert!(matches!(statement.validate(), Err(StatementError::BreakGlass(_))));
        assert!(matches!(
            DecisionStatement::parse(&statement.canonical()),
            Err(StatementError::BreakGlass(_))
        ));
    };
    broken(DecisionStatement { reason: None, ..glass.clone() });
    broken(DecisionStatement { expires_at: after(receipt::BREAK_GLASS_MS + 1), ..glass });
}

#[test]
fn other_payloads_are_no_statements() {
    let text = good().canonical();
    let read = |payload_type: &str, bytes: &[u8]| {
        let signature = alice().sign(&pae(payload_type, bytes)).unwrap();
        let signature = EnvelopeSignature { key_id: String::new(), signature };
        let envelope = Envelope::new(payload_type, bytes, vec![signature]).unwrap();
        DecisionStatement::read(&envelope.verify(&alice().public_key()).unwrap())
    };
    assert_eq!(read(PAYLOAD_TYPE, text.as_bytes()), Ok(good()));
    assert_eq!(read("application/json", text.as_bytes()), Err(StatementError::PayloadType));
    assert_eq!(read(PAYLOAD_TYPE, b"\xff"), Err(StatementError::NotUtf8));
    assert!(matches!(read(PAYLOAD_TYPE, b""), Err(StatementError::Json(_))));
    let receipt = receipt::verify(&crate::common::minted().artifact, &crate::common::keys()).unwrap();
    assert!(matches!(read(PAYLOAD_TYPE, receipt.payload_json().as_bytes()), Err(StatementError::Shape(_))));
}

/// Fails, lies, or signs with something else than the key that it shows.
struct Odd(fn(&[u8]) -> Result<RawSignature, SignError>);

impl StatementSigner for Odd {
    fn public_key(&self) -> receipt::PublicKey {
        alice().public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<RawSignature, SignError> {
        (self.0)(message)
    }
}

#[test]
fn a_decision_that_cannot_be_signed_does_not_exist() {
    let sign = |signer: Odd| sign_decision(&good(), &signer).unwrap_err();
    let offline = Odd(|_| Err(SignError("the agent does not answer".to_owned())));
    assert_eq!(sign(offline).to_string(), "the signer failed: the agent does not answer");
    let discarded = |signer: Odd| assert!(matches!(sign(signer), SignDecisionError::Envelope(_)));
    discarded(Odd(|_| alice().sign(b"something else")));
    discarded(Odd(|message| receipt::Ed25519StatementSigner::from_seed(&[1; 32]).unwrap().sign(message)));
    discarded(Odd(|_| Ok(RawSignature { bytes: vec![], extension: None })));
    // The signer is not asked to sign what could not be read.
    let nameless = DecisionStatement { reason: Some(String::new()), ..good() };
    let never = Odd(|_| panic!("asked"));
    assert!(matches!(sign_decision(&nameless, &never), Err(SignDecisionError::Statement(_))));
    assert_eq!(
        format!("{:?}", alice()),
        format!("Ed25519StatementSigner {{ key_id: {:?}, .. }}", alice().public_key().key_id())
    );
}

#[test]
fn a_matter_is_read_from_a_request_that_has_all_of_it() {
    let (view, policy) = (Digest::of(b"v"), Digest::of(b"p"));
    let request = request();
    let matter = Matter::of(&request, view, policy).unwrap();
    assert_eq!(matter.capability, "cloudflare.dynamic-worker.deploy");
    assert_eq!((matter.view, matter.policy), (view, policy));
    assert_eq!(Matter::of(&with(&request, "approvals", Some(json("[1]"))), view, policy).unwrap(), matter);
    let without = |path: &str| {
        let path: Vec<_> = path.split('.').map(str::to_owned).collect();
        let (inner, name) = path.split_at(path.len() - 1);
        Matter::of(&changed(&request, inner, &|parent| with(parent, &name[0], None)), view, policy)
    };
    for path in [
        "tenantId",
        "actor.runId",
        "action.tool",
        "action.operation",
        "action.parameters.requestId",
        "action.parameters.component",
        "action.parameters.resource",
        "action.parameters.artifact",
        "action.parameters.artifact.sha256",
    ] {
        let error = without(path).unwrap_err();
        assert_eq!(error.to_string(), format!("`{path}` is missing in the request"));
    }
    let none = changed(&request, &["action", "parameters", "artifact"].map(str::to_owned), &|_| Json::Null);
    assert_eq!(Matter::of(&none, view, policy).unwrap().artifact, None);
    assert!(Matter::of(&json("[]"), view, policy).is_err());
}

/// The digest that people sign is the same before and after minting, and another one for another request.
#[test]
fn the_digest_of_a_request_leaves_out_what_minting_adds() {
    let (request, draft) = (request(), draft());
    let digest = receipt::request_digest(&request);
    assert_eq!(digest, Digest::of(request.canonical().as_bytes()));
    let committed = json(&crate::common::minted().opening.request_json);
    assert_ne!(committed, draft.request);
    assert_eq!(receipt::request_digest(&committed), digest);
    for path in leaves(&request, &[]) {
        let altered = changed(&request, &path, &|_| "altered".into());
        assert_ne!(receipt::request_digest(&altered), digest, "{path:?}");
    }
    assert_ne!(receipt::request_digest(&with(&request, "approval", Some(Json::Null))), digest);
    // Only at the top: deeper down the name means nothing.
    let deeper =
        changed(&request, &["actor".to_owned()], &|actor| with(actor, "approvals", Some(Json::Null)));
    assert_ne!(receipt::request_digest(&deeper), digest);
    assert_eq!(receipt::request_digest(&json("[1]")), Digest::of(b"[1]"));
}

prop_compose! {
    fn any_statement()(
        texts in prop::array::uniform5("\\PC{1,30}|[\u{0}-\u{1f}\"\\\\]{1,9}"),
        digests in prop::array::uniform5(any::<[u8; 32]>()),
        (has_artifact, has_reason, approved) in any::<(bool, bool, bool)>(),
        decider in "[a-z0-9][a-z0-9._@-]{0,63}",
        role in "[a-z0-9][a-z0-9._-]{0,8}",
        (decided, lifetime) in (0_i64..250_000_000_000_000, 1_i64..1_000_000_000),
        nonce in any::<[u8; 16]>(),
    ) -> DecisionStatement {
        let [request_id, tenant, instance, resource, reason] = texts;
        let [request, component, artifact, view, policy] = digests.map(Digest::from_bytes);
        DecisionStatement {
            matter: Matter {
                request, request_id, tenant, instance, component, resource, view, policy,
                capability: "a.b".to_owned(),
                artifact: has_artifact.then_some(artifact),
            },
            decision: if approved { Decision::Approved } else { Decision::Denied },
            reason: has_reason.then_some(reason),
            decider: decider.parse().unwrap(),
            role: role.parse().unwrap(),
            decided_at: Timestamp::from_millis(decided),
            expires_at: Timestamp::from_millis(decided + lifetime),
            nonce: Nonce::from_bytes(nonce),
        }
    }
}

proptest! {
    /// Every written statement reads back as itself, through text and through an envelope, and has one spelling.
    #[test]
    fn statements_survive_being_written(statement in any_statement()) {
        prop_assert_eq!(DecisionStatement::parse(&statement.canonical()), Ok(statement.clone()));
        let envelope = sign_decision(&statement, &alice()).unwrap();
        let envelope = Envelope::parse(&envelope.to_json().canonical()).unwrap();
        let payload = envelope.verify(&alice().public_key()).unwrap();
        prop_assert_eq!(DecisionStatement::read(&payload), Ok(statement.clone()));
        prop_assert_eq!(statement.check(&expected(&statement, &statement.matter)), Ok(()));
    }
}
