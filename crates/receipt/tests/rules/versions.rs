//! Older versions of the payload, and fixtures.

use super::*;

#[test]
fn a_known_version_must_be_canonical() {
    assert_eq!(changed("prev", "reserved"), "CANONICAL_MISMATCH");
    assert_eq!(changed("companyId", "acme"), "CANONICAL_MISMATCH");
    assert_eq!(changed("runId", Json::Null), "CANONICAL_MISMATCH");
    let text = payload().canonical();
    for variant in [
        format!(" {text}"),
        format!("{text}\n"),
        text.replace("\"agentId\"", "\"agen\\u0074Id\""),
        text.replace("\"receiptVersion\":3", "\"receiptVersion\":3.0"),
    ] {
        assert_ne!(variant, text);
        assert_eq!(code(verify(&seal(&variant, &signer()), &keys())), "CANONICAL_MISMATCH", "{variant}");
    }
    let reordered = text.replacen("{\"agentId\":\"agent:release\",", "{", 1);
    let reordered = format!("{},\"agentId\":\"agent:release\"}}", reordered.strip_suffix('}').unwrap());
    assert_eq!(code(verify(&seal(&reordered, &signer()), &keys())), "CANONICAL_MISMATCH");
}

#[test]
fn an_unknown_version_is_unverifiable_here_and_never_tampered() {
    let newer = with(&payload(), "canonicalization", Some("jcs_v4".into()));
    let error = sealed(&with(&newer, "prev", Some("x".into()))).unwrap_err();
    assert_eq!((error.code(), error.exit_code()), ("CANONICALIZATION_UNSUPPORTED", 8));
    assert!(error.to_string().contains("not tampered"), "{error}");
    // Only a genuine signature earns that verdict.
    let mut forged = seal(&newer.canonical(), &signer());
    forged.signature_b64 = common::base64(&[1; 64]);
    assert_eq!(code(verify(&forged, &keys())), "SIGNATURE_INVALID");
    assert_eq!(code(verify(&forged, &KeySet::new("another-issuer"))), "KEY_NOT_FOUND");
    assert_eq!(changed("canonicalization", 3_u32), "MALFORMED");
    assert_eq!(without("canonicalization"), "MALFORMED");
    // Known, and then the field list is another one.
    assert_eq!(changed("canonicalization", "jcs_v2"), "CANONICAL_MISMATCH");
}

#[test]
fn a_v3_payload_is_well_formed() {
    assert_eq!(changed("receiptVersion", 2_u32), "MALFORMED");
    assert_eq!(changed("receiptVersion", "3"), "MALFORMED");
    assert_eq!(without("receiptVersion"), "MALFORMED");
    let hex = "ab".repeat(32);
    for commitment in [
        hex.clone(),
        format!("sha256:{}", &hex[1..]),
        format!("SHA256:{hex}"),
        format!("sha256:{}", hex.to_uppercase()),
    ] {
        let error = sealed(&with(&payload(), "requestCommitment", Some(commitment.into()))).unwrap_err();
        assert_eq!((error.code(), error.exit_code()), ("REQUEST_COMMITMENT_MALFORMED", 3));
    }
    assert_eq!(without("requestCommitment"), "REQUEST_COMMITMENT_MALFORMED");
    assert_eq!(changed("requestCommitment", 1_u32), "REQUEST_COMMITMENT_MALFORMED");
    for projection in ["", "{", "[]", "null", "{}", r#"{"projection":1}"#, "\u{feff}{}"] {
        assert_eq!(changed("publicProjectionJson", projection), "MALFORMED", "{projection}");
    }
    assert_eq!(changed("publicProjectionJson", json(r#"{"projection":"execute/v1"}"#)), "MALFORMED");
    assert_eq!(without("publicProjectionJson"), "MALFORMED");
    let error =
        sealed(&with(&payload(), "publicProjectionJson", Some(r#"{"projection":"execute/v2"}"#.into())));
    let error = error.unwrap_err();
    assert_eq!((error.code(), error.exit_code()), ("PROJECTION_UNSUPPORTED", 8));
}

/// A `jcs_v2` payload, and the `jcs_v1` one inside it.
fn older(version: u32) -> Json {
    let mut older = json(
        r#"{"agentId":"github-actions","attributionConfidence":"credentialed","companyId":"acme","createdAt":"2026-08-21T22:26:38.587Z","deciderAuthMethod":"session","deciderDisplay":"alice","deciderId":"user:alice","expiresAt":"2026-08-21T22:41:38.565Z","id":"rcpt_dg_1","idemKey":"deploy-gate:1","inputHash":"6e27846fe3f224c9fca7b5d783aac519eb35ea392e12a72711374772fedac0c6","policyVersion":"deploy-gate-v1","reasonCodes":"[\"DEPLOY_GATE_APPROVED\"]","requestJson":"{\"policy\":{\"decision\":{\"ruleId\":\"hold\",\"ruleVersion\":\"v1\"}}}","resolutionType":"allow_once","scope":"production","signatureAlg":"ed25519","status":"APPROVED","summary":"ok — fine"}"#,
    );
    if version == 1 {
        let decider = [
            "attributionConfidence",
            "deciderAuthMethod",
            "deciderDisplay",
            "deciderId",
            "resolutionType",
            "scope",
        ];
        older = decider.iter().fold(older, |payload, key| with(&payload, key, None));
    }
    let named = with(&older, "canonicalization", Some(format!("jcs_v{version}").into()));
    with(&with(&named, "signatureKeyId", Some(KEY_ID.into())), "receiptVersion", Some(version.into()))
}

#[test]
fn older_versions_sign_their_request_in_the_open() {
    for version in [1, 2] {
        let receipt = sealed(&older(version)).unwrap();
        assert_eq!(receipt.signed_summary(), Some("ok — fine"));
        assert_eq!(receipt.signed_request(), older(version).get("requestJson").and_then(Json::as_str));
        assert_eq!(receipt.signed_binding().unwrap().company_id.as_deref(), Some("acme"));
        assert_eq!(receipt.rule(), Rule::Named("hold@v1".to_owned()));
        assert_eq!((receipt.projection(), receipt.request_commitment()), (None, None));
        let opening = receipt::Opening::new("{}", receipt::Salt::from_bytes([0; 32]));
        assert_eq!(receipt.open(&opening).unwrap_err().code(), "OPENING_NOT_APPLICABLE");
        let approved = receipt.approved(Scope::Production);
        assert_eq!(
            approved.map(|_| ()),
            if version == 1 { Err(NotApproved::ScopeNotSigned) } else { Ok(()) }
        );
        assert_eq!(receipt.decider().is_some(), version == 2);
        for (key, value) in [
            ("receiptVersion", Json::from(3_u32)),
            ("inputHash", "sha256:".into()),
            ("requestJson", "{".into()),
        ] {
            assert_eq!(code(sealed(&with(&older(version), key, Some(value)))), "SCHEMA_MISMATCH", "{key}");
        }
        for key in ["companyId", "idemKey", "inputHash", "requestJson"] {
            assert_eq!(code(sealed(&with(&older(version), key, None))), "SCHEMA_MISMATCH", "{key}");
        }
        assert_eq!(code(sealed(&with(&older(version), "summary", None))), "verified");
        assert_eq!(code(sealed(&with(&older(version), "requestJson", Some("{}".into())))), "verified");
        assert_eq!(
            code(sealed(&with(&older(version), "deciderProof", Some(json("{}"))))),
            "CANONICAL_MISMATCH"
        );
    }
}

/// Section 6.3: the request that `jcs_v2` signs is an object, in its canonical text. There is no such rule for
/// `jcs_v1`.
#[test]
fn the_request_that_jcs_v2_signs_is_its_own_canonical_text() {
    let request =
        |version, text: &str| code(sealed(&with(&older(version), "requestJson", Some(text.into()))));
    for text in [r#"{"b":1,"a":2}"#, r#"{ "a":1}"#, r#"{"a":1.0}"#, "[]", "{]", r#"{"a":1,"a":1}"#, "é\u{e9}"]
    {
        assert_eq!((request(1, text), request(2, text)), ("verified", "SCHEMA_MISMATCH"), "{text}");
    }
    // The least length is two characters, and not two bytes.
    assert_eq!((request(1, "é"), request(2, "é")), ("SCHEMA_MISMATCH", "SCHEMA_MISMATCH"));
    // JavaScript orders keys that look like array indices in its own way. Either order is what an issuer writes.
    assert_eq!(request(2, r#"{"9":1,"10":2}"#), "verified");
    assert_eq!(request(2, r#"{"a":1,"b":{"c":[1,2]}}"#), "verified");
    // Deeper than this crate reads: the text is signed, and no value is read from it.
    let deep = format!(r#"{{"a":{}1{}}}"#, "[".repeat(200), "]".repeat(200));
    assert_eq!(request(2, &deep), "verified");
}

#[test]
fn a_signature_over_the_raw_bytes_is_named_for_what_it_is() {
    use ed25519_dalek::Signer as _;
    let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let error = |payload: &Json, signature: [u8; 64]| {
        let text = payload.canonical();
        let digest = Digest::of(text.as_bytes()).to_string();
        verify(&common::envelope(KEY_ID.to_owned(), digest, &signature, text.as_bytes()), &keys())
            .unwrap_err()
    };
    for (payload, is_v1) in [(older(1), true), (older(2), false), (payload(), false)] {
        let raw = error(&payload, key.sign(payload.canonical().as_bytes()).to_bytes());
        let other = error(&payload, key.sign(b"something else").to_bytes());
        assert_eq!((raw.code(), other.code()), ("SIGNATURE_INVALID", "SIGNATURE_INVALID"));
        assert_eq!(raw.to_string().contains("frozen v1 fixtures"), is_v1, "{raw}");
        assert!(!other.to_string().contains("frozen"), "{other}");
    }
}

/// A fixture of our own, made the way the frozen ones were.
#[test]
fn a_fixture_is_checked_as_a_fixture_and_never_taken_for_a_receipt() {
    use ed25519_dalek::Signer as _;
    let claims = with(&older(1), "requestJson", Some(json(r#"{"action":"deploy"}"#)));
    let signature =
        ed25519_dalek::SigningKey::from_bytes(&[7; 32]).sign(claims.canonical().as_bytes()).to_bytes();
    let fixture = with(&claims, "signatureValue", Some(common::base64(&signature).into()));
    let fixture = with(&fixture, "redeemedAt", Some("2026-04-30T17:00:00.000Z".into()));
    let parsed = Fixture::parse(&fixture.canonical()).unwrap();
    assert_eq!(
        (parsed.canonical(), parsed.digest()),
        (&*claims.canonical(), Digest::of(claims.canonical().as_bytes()))
    );
    assert_eq!(verify_fixture(&parsed, &keys()), Ok(()));
    assert_eq!(verify_fixture(&parsed, &KeySet::new("another-issuer")).unwrap_err().code(), "KEY_NOT_FOUND");
    let changed = Fixture::parse(&with(&fixture, "summary", Some("other".into())).canonical()).unwrap();
    assert_eq!(verify_fixture(&changed, &keys()).unwrap_err().code(), "SIGNATURE_INVALID");

    let words = |json: &Json| Artifact::parse(&json.canonical()).unwrap_err().to_string();
    assert!(words(&fixture).contains("frozen fixture"));
    for other in
        [with(&fixture, "signatureValue", None), with(&fixture, "canonicalization", Some("jcs_v2".into()))]
    {
        assert_eq!(words(&other), "malformed: no artifact object");
        assert_eq!(Fixture::parse(&other.canonical()).unwrap_err().code(), "MALFORMED");
    }
}
