//! Passkeys: what counts as a person's signature, and each thing that does not, with its own reason.

use crate::common::passkey::{BACKED_UP, Browser, ELIGIBLE, ORIGIN, PRESENT, RP_ID, VERIFIED, relying_party};
use crate::common::{alice, at, base64, draft, json, keys, person, request, signer, statement, with};
use receipt::{
    ApprovalError, AssertionResponse, AuthMethod, Decider, DeciderKey, DeciderProof, DeciderSet,
    DeciderSetError, Decision, Digest, Draft, Envelope, EnvelopeSignature, Expected, Json, Judged, MintError,
    PAYLOAD_TYPE, PasskeyError, PublicKey, RawSignature, RelyingParty, Scheme, StatementSigner as _,
    VerifiedDecision, challenge, mint, sign_decision, verify, verify_approvals,
};

const SEED: u8 = 0x41;

/// One of each algorithm that is verified here.
fn each() -> Vec<Browser> {
    vec![
        Browser::es256(SEED),
        Browser::eddsa(SEED),
        #[cfg(feature = "rs256")]
        Browser::rs256(SEED),
    ]
}

/// Alice, who decides with that passkey.
fn deciders(browser: &Browser) -> DeciderSet {
    let mut deciders = DeciderSet::new();
    deciders.insert(person("alice", browser)).unwrap();
    deciders
}

/// An envelope over Alice's approval, with that signature in it.
fn enveloped(key: &PublicKey, signature: RawSignature) -> Envelope {
    let text = statement(&request(), Decision::Approved).canonical();
    let signature = EnvelopeSignature { key_id: key.key_id().to_string(), signature };
    Envelope::new(PAYLOAD_TYPE, text.as_bytes(), vec![signature]).unwrap()
}

fn decided(deciders: &DeciderSet, envelope: &Envelope) -> Result<VerifiedDecision, ApprovalError> {
    let statement = statement(&request(), Decision::Approved);
    deciders.verify(envelope, &Expected::about(&statement.matter, statement.decided_at))
}

/// The result of verifying Alice's approval when her browser or her authenticator deviates.
fn with_browser(registered: &Browser, signing: &Browser) -> Result<VerifiedDecision, ApprovalError> {
    let key = registered.public_key();
    let text = statement(&request(), Decision::Approved).canonical();
    let signature = signing.get(&challenge(PAYLOAD_TYPE, text.as_bytes())).into();
    decided(&deciders(registered), &enveloped(&key, signature))
}

fn refused(result: Result<VerifiedDecision, ApprovalError>) -> PasskeyError {
    match result {
        Err(ApprovalError::Passkey(error)) => error,
        other => panic!("not refused for the passkey: {other:?}"),
    }
}

#[test]
fn an_assertion_over_the_statement_s_digest_is_the_decider_s_signature() {
    for browser in each() {
        let decision = with_browser(&browser, &browser).unwrap();
        assert_eq!(decision.person().as_str(), "alice");
        let text = statement(&request(), Decision::Approved).canonical();
        let assertion = decision.assertion().unwrap();
        let challenge = challenge(PAYLOAD_TYPE, text.as_bytes());
        assert_eq!(assertion.challenge_hash, Digest::of(challenge.as_bytes()));
        assert_eq!(assertion.credential_id_hash, Digest::of(&[SEED; 16]));
        let data = browser.authenticator_data(PRESENT | VERIFIED);
        assert_eq!(assertion.authenticator_data_hash, Digest::of(&data));
        assert_eq!((assertion.rp_id.as_str(), assertion.origin.as_str()), (RP_ID, ORIGIN));
        assert_eq!((assertion.backup_eligible, assertion.backed_up, assertion.sign_count), (false, false, 7));
        // The stored envelope reads back as itself.
        let kept = Envelope::parse(&decision.envelope().to_json().canonical()).unwrap();
        assert_eq!(decided(&deciders(&browser), &kept).unwrap(), decision);
    }
    let own = alice();
    let envelope = sign_decision(&statement(&request(), Decision::Approved), &own).unwrap();
    let mut deciders = DeciderSet::new();
    deciders.insert(person("alice", &own)).unwrap();
    assert_eq!(decided(&deciders, &envelope).unwrap().assertion(), None);
}

#[test]
fn each_rule_has_its_own_refusal() {
    let good = Browser::es256(SEED);
    type Change = fn(&mut Browser);
    let cases: [(Change, PasskeyError); 11] = [
        (|it| it.flags = VERIFIED, PasskeyError::Presence),
        (|it| it.flags = PRESENT, PasskeyError::Verification),
        (|it| it.flags |= ELIGIBLE, PasskeyError::BackupEligibility),
        (
            |it| it.flags |= BACKED_UP,
            PasskeyError::AuthenticatorData("they say backed up and not eligible for it"),
        ),
        (|it| it.rp_id = "evil.example".to_owned(), PasskeyError::RelyingParty(RP_ID.to_owned())),
        (
            |it| it.origin = "https://evil.example".to_owned(),
            PasskeyError::Origin("https://evil.example".to_owned()),
        ),
        (
            |it| it.origin = "https://approvals.example:8443".to_owned(),
            PasskeyError::Origin("https://approvals.example:8443".to_owned()),
        ),
        (|it| it.more = r#","crossOrigin":true"#.to_owned(), PasskeyError::Embedded),
        (|it| it.more = r#","crossOrigin":"false""#.to_owned(), PasskeyError::Embedded),
        (
            |it| it.more = r#","crossOrigin":false,"topOrigin":"https://evil.example""#.to_owned(),
            PasskeyError::Embedded,
        ),
        (|it| it.secret = Browser::es256(SEED + 1).secret, PasskeyError::Signature),
    ];
    for (change, error) in cases {
        let mut signing = good.clone();
        change(&mut signing);
        assert_eq!(refused(with_browser(&good, &signing)), error);
    }
    // Without that member, as older browsers write it.
    let old = Browser { more: String::new(), ..good.clone() };
    assert!(with_browser(&good, &old).is_ok());
    // Another credential, for the same key: which one signed is not in the assertion, and the key decides.
    let extended = good.seal([good.authenticator_data(PRESENT | VERIFIED | 0x80), vec![0xA0]].concat(), {
        let text = statement(&request(), Decision::Approved).canonical();
        good.client_data("webauthn.get", challenge(PAYLOAD_TYPE, text.as_bytes()).as_bytes())
    });
    assert!(decided(&deciders(&good), &enveloped(&good.public_key(), extended.into())).is_ok());
}

#[test]
fn an_assertion_for_another_statement_or_ceremony_is_refused() {
    let browser = Browser::es256(SEED);
    let key = browser.public_key();
    let refused_with = |response: AssertionResponse| {
        refused(decided(&deciders(&browser), &enveloped(&key, response.into())))
    };
    let text = statement(&request(), Decision::Approved).canonical();
    let denial = statement(&request(), Decision::Denied).canonical();
    for other in [
        challenge(PAYLOAD_TYPE, denial.as_bytes()),
        challenge("application/json", text.as_bytes()),
        Digest::of(text.as_bytes()),
    ] {
        assert_eq!(refused_with(browser.get(&other)), PasskeyError::Challenge);
    }
    let good = challenge(PAYLOAD_TYPE, text.as_bytes());
    let create = browser.client_data("webauthn.create", good.as_bytes());
    let data = browser.authenticator_data(PRESENT | VERIFIED);
    assert_eq!(refused_with(browser.seal(data, create)), PasskeyError::Type("webauthn.get"));
    // A registration's data are no assertion's, even when they are signed.
    let registered = browser.create(&good).authenticator_data;
    let client_data = browser.client_data("webauthn.get", good.as_bytes());
    assert!(matches!(
        refused_with(browser.seal(registered, client_data)),
        PasskeyError::AuthenticatorData(_)
    ));
    // The challenge in any other spelling.
    let padded = format!("{}=", crate::common::passkey::base64url(good.as_bytes()));
    let client_data =
        format!(r#"{{"type":"webauthn.get","challenge":"{padded}","origin":"{ORIGIN}"}}"#).into_bytes();
    let data = browser.authenticator_data(PRESENT | VERIFIED);
    assert_eq!(refused_with(browser.seal(data, client_data)), PasskeyError::Challenge);
}

/// Signed client data that two readers could read differently, or that no browser writes.
#[test]
fn client_data_are_read_strictly() {
    let browser = Browser::es256(SEED);
    let text = statement(&request(), Decision::Approved).canonical();
    let good = browser.client_data("webauthn.get", challenge(PAYLOAD_TYPE, text.as_bytes()).as_bytes());
    let good = String::from_utf8(good).unwrap();
    let sealed = |client_data: Vec<u8>| {
        let response = browser.seal(browser.authenticator_data(PRESENT | VERIFIED), client_data);
        decided(&deciders(&browser), &enveloped(&browser.public_key(), response.into()))
    };
    assert!(sealed(good.clone().into_bytes()).is_ok());
    let twice = |member: &str| good.replacen('{', &format!("{{{member},"), 1);
    let odd = [
        twice(r#""type":"webauthn.get""#),
        twice(r#""challenge":"AAAA""#),
        twice(&format!(r#""origin":"{ORIGIN}""#)),
        twice(r#""crossOrigin":true"#),
        twice(r#""\u006frigin":"https://evil.example""#),
        format!("\u{feff}{good}"),
        format!("{good} x"),
        good[..good.len() - 1].to_owned(),
        good.replace(r#""origin":"https://approvals.example""#, r#""origin":["https://approvals.example"]"#),
        good.replace(r#""origin":"https://approvals.example","#, ""),
        good.replace(r#""type":"webauthn.get","#, ""),
        "[]".to_owned(),
        String::new(),
        good.replacen('{', &format!("{{\"x\":{}1{},", "[".repeat(200), "]".repeat(200)), 1),
    ];
    for text in odd {
        let error = refused(sealed(text.clone().into_bytes()));
        assert!(matches!(error, PasskeyError::ClientData(_)), "{text}: {error:?}");
    }
    let invalid = [good.as_bytes(), b"\xff"].concat();
    assert!(matches!(refused(sealed(invalid)), PasskeyError::ClientData(_)));
    let long = good.replacen('{', &format!("{{\"x\":\"{}\",", "y".repeat(2048)), 1);
    assert!(matches!(refused(sealed(long.into_bytes())), PasskeyError::TooLong { what: "client data", .. }));
    let long = browser.seal(
        [browser.authenticator_data(PRESENT | VERIFIED | 0x80), vec![0; 512]].concat(),
        good.clone().into_bytes(),
    );
    let long = decided(&deciders(&browser), &enveloped(&browser.public_key(), long.into()));
    assert!(matches!(refused(long), PasskeyError::TooLong { what: "authenticator data", .. }));
    // White space and unknown members are the browser's business.
    assert!(sealed(good.replacen('{', "{ \"android\" : { \"package\" : null } ,\n", 1).into_bytes()).is_ok());
}

/// Every byte that is stored is under the signature, or under the challenge.
#[test]
fn no_byte_of_an_assertion_can_be_changed() {
    for browser in each() {
        let text = statement(&request(), Decision::Approved).canonical();
        let good = browser.get(&challenge(PAYLOAD_TYPE, text.as_bytes()));
        let (deciders, key) = (deciders(&browser), browser.public_key());
        let verdict = |response: AssertionResponse| decided(&deciders, &enveloped(&key, response.into()));
        assert!(verdict(good.clone()).is_ok());
        for index in 0..good.authenticator_data.len() {
            for bit in 0..8 {
                let mut changed = good.clone();
                changed.authenticator_data[index] ^= 1 << bit;
                assert!(verdict(changed).is_err(), "authenticator data, byte {index}, bit {bit}");
            }
        }
        for index in 0..good.client_data_json.len() {
            let mut changed = good.clone();
            changed.client_data_json[index] ^= 1;
            assert!(verdict(changed).is_err(), "client data, byte {index}");
        }
        for index in 0..good.signature.len() {
            let mut changed = good.clone();
            changed.signature[index] ^= 1;
            assert!(verdict(changed).is_err(), "signature, byte {index}");
        }
        for cut in [0, 36] {
            let mut changed = good.clone();
            changed.authenticator_data.truncate(cut);
            assert!(matches!(refused(verdict(changed)), PasskeyError::AuthenticatorData(_)));
        }
        let mut longer = good.clone();
        longer.authenticator_data.push(0);
        assert!(matches!(refused(verdict(longer)), PasskeyError::AuthenticatorData(_)));
    }
}

#[test]
fn the_extension_is_there_and_is_nothing_else() {
    let browser = Browser::es256(SEED);
    let text = statement(&request(), Decision::Approved).canonical();
    let good: RawSignature = browser.get(&challenge(PAYLOAD_TYPE, text.as_bytes())).into();
    let (deciders, key) = (deciders(&browser), browser.public_key());
    let verdict = |signature: RawSignature| decided(&deciders, &enveloped(&key, signature));
    assert!(verdict(good.clone()).is_ok());
    let stripped = RawSignature { extension: None, ..good.clone() };
    assert_eq!(refused(verdict(stripped)), PasskeyError::Extension);
    let ext = Json::from(good.extension.clone().unwrap().ext);
    let changes = [
        with(&ext, "authenticatorData", None),
        with(&ext, "clientDataJSON", None),
        with(&ext, "userHandle", Some("AAAA".into())),
        with(&ext, "authenticatorData", Some(Json::Null)),
        with(&ext, "clientDataJSON", Some("not base64".into())),
        // Without padding, as browsers write it: another spelling of the same bytes.
        with(&ext, "authenticatorData", Some(crate::common::passkey::base64url(&[0; 37]).into())),
    ];
    for changed in changes {
        let mut signature = good.clone();
        signature.extension.as_mut().unwrap().ext = changed.as_object().unwrap().clone();
        assert_eq!(refused(verdict(signature)), PasskeyError::Extension, "{changed:?}");
    }
    for kind in ["", "webauthn.get", "webauthn.get/v2", "WEBAUTHN.GET/V1"] {
        let mut signature = good.clone();
        signature.extension.as_mut().unwrap().kind = kind.to_owned();
        assert_eq!(refused(verdict(signature)), PasskeyError::Extension, "{kind}");
    }
    // An ordinary key takes no assertion, though it is the same Ed25519 key that signed it.
    let browser = Browser::eddsa(SEED);
    let spki = browser.passkey();
    let raw = PublicKey::passkey(spki).to_base64();
    let bytes = json(&format!("{raw:?}"));
    let der = decode(bytes.as_str().unwrap());
    let plain = PublicKey::ed25519(der[12..].try_into().unwrap()).unwrap();
    let mut set = DeciderSet::new();
    let own = DeciderKey::new(plain.clone(), at("2026-01-01T00:00:00.000Z"));
    set.insert(receipt::Person { keys: vec![own], ..person("alice", &alice()) }).unwrap();
    let assertion = browser.get(&challenge(PAYLOAD_TYPE, text.as_bytes()));
    assert_eq!(decided(&set, &enveloped(&plain, assertion.into())), Err(ApprovalError::NotSigned));
    // And a passkey takes no plain signature.
    let message = receipt::pae(PAYLOAD_TYPE, text.as_bytes());
    let signed = receipt::Ed25519StatementSigner::from_seed(&[SEED; 32]).unwrap().sign(&message).unwrap();
    let set = self::deciders(&browser);
    assert_eq!(refused(decided(&set, &enveloped(&browser.public_key(), signed))), PasskeyError::Extension);
}

/// (r, s) and (r, n − s) are both good; the decision is the same one, and no decision is distinguished by its signature.
#[test]
fn the_other_form_of_a_signature_is_the_same_decision() {
    let browser = Browser::es256(SEED);
    let text = statement(&request(), Decision::Approved).canonical();
    let good = browser.get(&challenge(PAYLOAD_TYPE, text.as_bytes()));
    let signature = p256::ecdsa::Signature::from_der(&good.signature).unwrap();
    let (r, s) = signature.split_scalars();
    let other = p256::ecdsa::Signature::from_scalars(r.to_bytes(), (-*s).to_bytes()).unwrap();
    let other = AssertionResponse { signature: other.to_der().as_bytes().to_vec(), ..good.clone() };
    assert_ne!(other.signature, good.signature);
    let (deciders, key) = (deciders(&browser), browser.public_key());
    let [one, two] = [good, other].map(|it| decided(&deciders, &enveloped(&key, it.into())).unwrap());
    assert_eq!((one.statement(), one.assertion()), (two.statement(), two.assertion()));
    let opened = opened_with(&browser, vec![one, two]);
    assert_eq!(verify_approvals(&opened, &deciders, Judged::AsIssued).unwrap().len(), 1);
}

fn opened_with(browser: &Browser, approvals: Vec<VerifiedDecision>) -> receipt::Opened {
    let decider = Decider::signed(&approvals[0], at("2026-11-23T09:00:00.000Z"));
    let draft = Draft { approvals, decider, ..draft() };
    let minted = mint(&draft, &signer()).unwrap();
    let receipt = verify(&minted.artifact, &keys()).unwrap();
    let decider = receipt.decider().unwrap();
    assert_eq!(decider.auth_method, Some(AuthMethod::SessionStepupWebauthn));
    let Some(DeciderProof::Webauthn(proof)) = &decider.proof else { panic!("no proof") };
    assert_eq!(proof.credential_id_hash, Digest::of(&browser.credential_id));
    assert_eq!((proof.user_verified, proof.review_generation), (true, None));
    receipt.open(&minted.opening).unwrap()
}

/// A receipt has the specification's proof exactly where its method says so, and it is the proof of the committed
/// assertion.
#[test]
fn a_receipt_proves_the_assertion_that_it_commits_to() {
    let browser = Browser::es256(SEED);
    let decision = with_browser(&browser, &browser).unwrap();
    let opened = opened_with(&browser, vec![decision.clone()]);
    assert_eq!(
        verify_approvals(&opened, &deciders(&browser), Judged::AsIssued).unwrap(),
        std::slice::from_ref(&decision)
    );
    let honest = Decider::signed(&decision, at("2026-11-23T09:00:00.000Z"));
    let Some(DeciderProof::Webauthn(proof)) = honest.proof.clone() else { panic!("no proof") };
    let other = receipt::Webauthn { authenticator_data_hash: Digest::of(b"other"), ..proof };
    let lying = Decider { proof: Some(DeciderProof::Webauthn(other)), ..honest.clone() };
    let lying = Draft { approvals: vec![decision], decider: lying, ..draft() };
    assert!(matches!(mint(&lying, &signer()), Err(MintError::Approvals(ApprovalError::Proof))));
    // A key in a file proves no step-up.
    let signed = crate::common::signed(&statement(&request(), Decision::Approved));
    let plain = Decider::signed(&signed, at("2026-11-23T09:00:00.000Z"));
    assert_eq!((plain.auth_method, plain.proof), (Some(AuthMethod::Session), None));
    let claiming = Draft { approvals: vec![signed], decider: honest, ..draft() };
    assert!(matches!(mint(&claiming, &signer()), Err(MintError::Approvals(ApprovalError::Proof))));
}

#[test]
fn a_registration_is_checked() {
    let asked = Digest::of(b"asked");
    for browser in each() {
        let register =
            |browser: &Browser| receipt::Passkey::register(&browser.create(&asked), &relying_party(), &asked);
        let passkey = register(&browser).unwrap();
        assert_eq!(passkey.credential_id(), [SEED; 16]);
        assert_eq!((passkey.rp_id(), passkey.origins().len()), (RP_ID, 1));
        assert_eq!(passkey.aaguid().to_string(), "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa");
        assert!(passkey.is_device_bound() && !passkey.was_backed_up());
        let synced = Browser { flags: PRESENT | VERIFIED | ELIGIBLE | BACKED_UP, ..browser.clone() };
        let synced = register(&synced).unwrap();
        assert!(!synced.is_device_bound() && synced.was_backed_up());
        // The written record is the same passkey, and the key's id covers everything in the record.
        let (key, record) = (PublicKey::passkey(passkey.clone()), passkey.record());
        let read = PublicKey::parse(key.scheme(), &key.to_base64(), Some(&record)).unwrap();
        assert_eq!((read.key_id(), read.as_passkey()), (key.key_id(), Some(&passkey)));
        assert_ne!(PublicKey::passkey(synced).key_id(), key.key_id());
        let elsewhere = receipt::PasskeyRecord {
            origins: ["https://other.approvals.example".to_owned()].into(),
            ..record.clone()
        };
        let elsewhere = PublicKey::parse(key.scheme(), &key.to_base64(), Some(&elsewhere)).unwrap();
        assert_ne!(elsewhere.key_id(), key.key_id());
        for (scheme, record) in [(key.scheme(), None), (Scheme::Ed25519, Some(&record))] {
            assert!(PublicKey::parse(scheme, &key.to_base64(), record).is_err());
        }
        let unverified = Browser { flags: PRESENT, ..browser.clone() };
        assert_eq!(register(&unverified), Err(PasskeyError::Verification));
        let foreign = Browser { origin: "https://evil.example".to_owned(), ..browser.clone() };
        assert!(matches!(register(&foreign), Err(PasskeyError::Origin(_))));
        let mut swapped = browser.create(&asked);
        swapped.public_key = Browser::es256(SEED + 1).create(&asked).public_key;
        assert!(matches!(
            receipt::Passkey::register(&swapped, &relying_party(), &asked),
            Err(PasskeyError::Registration(_))
        ));
        let stale = receipt::Passkey::register(&browser.create(&asked), &relying_party(), &Digest::of(b""));
        assert_eq!(stale, Err(PasskeyError::Challenge));
        for len in 0..browser.create(&asked).authenticator_data.len() {
            let mut cut = browser.create(&asked);
            cut.authenticator_data.truncate(len);
            assert!(receipt::Passkey::register(&cut, &relying_party(), &asked).is_err(), "{len}");
        }
    }
}

#[test]
fn a_relying_party_is_a_host_and_pages_on_it() {
    let party = |rp_id: &str, origins: &[&str]| {
        RelyingParty::new(rp_id, origins.iter().map(|origin| (*origin).to_owned())).is_ok()
    };
    assert!(party("example.com", &["https://example.com", "https://a.b.example.com:8443"]));
    assert!(party("localhost", &["http://localhost:8787"]));
    for (rp_id, origins) in [
        ("example.com", &[][..]),
        ("example.com", &["https://evil.com"]),
        ("example.com", &["https://evilexample.com"]),
        ("example.com", &["http://example.com"]),
        ("example.com", &["https://example.com/"]),
        ("example.com", &["https://example.com:443"]),
        ("Example.com", &["https://example.com"]),
        ("example..com", &["https://example..com"]),
        ("", &["https://example.com"]),
        ("127.0.0.1", &["http://127.0.0.1:8787"]),
        ("example.com", &["https://example.com", "https://evil.com"]),
    ] {
        assert!(!party(rp_id, origins), "{rp_id} {origins:?}");
    }
    assert_eq!(RelyingParty::of_origin("http://localhost:8787").unwrap().rp_id(), "localhost");
}

/// The key counts, not its record: the holder of one key is one person.
#[test]
fn one_key_is_one_person_s_whatever_its_record_says() {
    let browser = Browser::eddsa(SEED);
    let mut set = deciders(&browser);
    let other = Browser { credential_id: vec![1; 20], ..browser.clone() };
    assert_ne!(other.public_key().key_id(), browser.public_key().key_id());
    let taken = set.insert(person("bob", &other));
    assert!(matches!(taken, Err(DeciderSetError::DuplicateKey { .. })));
    let plain = receipt::Ed25519StatementSigner::from_seed(&[SEED; 32]).unwrap();
    assert!(matches!(set.insert(person("bob", &plain)), Err(DeciderSetError::DuplicateKey { .. })));
    set.insert(person("bob", &Browser::es256(SEED))).unwrap();
}

#[test]
fn a_set_with_passkeys_survives_being_written() {
    for browser in each() {
        let set = deciders(&browser);
        let text = set.to_json();
        assert_eq!(DeciderSet::parse(&text), Ok(set));
        for (from, to) in [
            (r#""rpId":"approvals.example""#, r#""rpId":"evil.example""#),
            (r#""origins":["https://approvals.example"]"#, r#""origins":["https://a.approvals.example"]"#),
            (r#""origins":["https://approvals.example"]"#, r#""origins":[]"#),
            (r#""backedUp":false"#, r#""backedUp":true"#),
            (r#""backupEligible":false"#, r#""backupEligible":0"#),
            (r#""aaguid":"aaaaaaaa-"#, r#""aaguid":"AAAAAAAA-"#),
            (r#""kind":"webauthn-"#, r#""kind":"webauthn-x"#),
            (r#""passkey":{"#, r#""passkey":{"userVerification":"discouraged","#),
        ] {
            assert!(text.contains(from), "{from}: {text}");
            assert!(DeciderSet::parse(&text.replacen(from, to, 1)).is_err(), "{from}");
        }
    }
}

/// The smallest matter of a decision is the same for every signer: every request has room for passkeys.
#[test]
fn the_largest_assertions_fit_into_a_receipt() {
    let registered = Browser::es256(SEED);
    let mut browser = registered.clone();
    let text = statement(&request(), Decision::Approved).canonical();
    let good = challenge(PAYLOAD_TYPE, text.as_bytes());
    let room = 2048 - browser.client_data("webauthn.get", good.as_bytes()).len();
    browser.more = format!(r#"{},"x":"{}""#, browser.more, "y".repeat(room - 7));
    let data = [browser.authenticator_data(PRESENT | VERIFIED | 0x80), vec![0; 512 - 37]].concat();
    let response = browser.seal(data, browser.client_data("webauthn.get", good.as_bytes()));
    assert_eq!(response.client_data_json.len(), 2048);
    let envelope = enveloped(&registered.public_key(), response.into());
    let decision = decided(&deciders(&registered), &envelope).unwrap();
    let opened = opened_with(&browser, vec![decision; receipt::MAX_APPROVALS]);
    assert_eq!(opened.approvals().unwrap().len(), receipt::MAX_APPROVALS);
}

fn decode(text: &str) -> Vec<u8> {
    // The tests' own encoder, backwards: by looking for the bytes.
    let digits: Vec<u32> = text
        .bytes()
        .filter(|byte| *byte != b'=')
        .map(|byte| {
            let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            u32::try_from(alphabet.iter().position(|digit| *digit == byte).unwrap()).unwrap()
        })
        .collect();
    let bytes: Vec<u8> = digits
        .chunks(4)
        .flat_map(|four| {
            let word = four.iter().fold(0_u32, |word, digit| word << 6 | digit) << (6 * (4 - four.len()));
            word.to_be_bytes()[1..four.len()].to_vec()
        })
        .collect();
    assert_eq!(base64(&bytes), text);
    bytes
}
