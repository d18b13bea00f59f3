//! Every code of the verify procedure, on payloads signed with this crate's own test key.

use crate::common;
use crate::common::{KEY_ID, at, json, keys, payload, seal, signer, with};
use receipt::{
    Artifact, Canonicalization, DeciderProof, Decision, Digest, Ed25519Signer, Fixture, Json, KeySet,
    NotApproved, Rule, Scope, VerifiedReceipt, VerifyError, verify, verify_fixture,
};

fn sealed(payload: &Json) -> Result<VerifiedReceipt, VerifyError> {
    verify(&seal(&payload.canonical(), &signer()), &keys())
}

fn code(verdict: Result<VerifiedReceipt, VerifyError>) -> &'static str {
    verdict.map_or_else(|error| error.code(), |_| "verified")
}

/// The verdict on the good payload with `key` changed.
fn changed(key: &str, value: impl Into<Json>) -> &'static str {
    code(sealed(&with(&payload(), key, Some(value.into()))))
}

fn without(key: &str) -> &'static str {
    code(sealed(&with(&payload(), key, None)))
}

#[test]
fn the_good_payload_verifies_and_says_what_was_minted() {
    let receipt = sealed(&payload()).unwrap();
    let draft = common::draft();
    assert_eq!(receipt.id(), draft.id);
    assert_eq!(receipt.agent_id(), draft.agent_id);
    assert_eq!(receipt.run_id(), draft.run_id.as_deref());
    assert_eq!(receipt.decision(), Decision::Approved);
    assert_eq!(receipt.scope(), Some(Scope::Production));
    assert_eq!(receipt.decider(), Some(&draft.decider));
    assert_eq!(receipt.risk_tier(), draft.risk_tier);
    assert_eq!(receipt.policy_version(), draft.policy_version.as_deref());
    assert_eq!(receipt.reason_codes(), draft.reason_codes);
    assert_eq!((receipt.created_at(), receipt.expires_at()), (draft.created_at, draft.expires_at));
    assert_eq!(receipt.key_id(), KEY_ID);
    assert_eq!(receipt.canonicalization(), Canonicalization::JcsV3);
    assert_eq!(receipt.projection_tag(), Some(draft.projection));
    assert_eq!(receipt.payload_digest(), Digest::of(receipt.payload_json().as_bytes()));
    assert_eq!(receipt.rule(), Rule::NotRecorded);
    assert_eq!(
        (receipt.signed_request(), receipt.signed_binding(), receipt.signed_summary()),
        (None, None, None)
    );
    let projection = receipt.projection().unwrap().canonical();
    assert_eq!(
        projection,
        r#"{"action":{"operation":"deploy","tool":"cloudflare.dynamic-worker"},"context":{"environment":"production","reversibility":"PARTIALLY_REVERSIBLE"},"intent":{"category":"deployment","name":"deploy_worker"},"projection":"execute/v1"}"#
    );
}

#[test]
fn expiry_is_information_and_begins_after_the_last_millisecond() {
    let receipt = sealed(&payload()).unwrap();
    assert!(!receipt.is_expired(at("2026-11-23T09:15:00.000Z")));
    assert!(receipt.is_expired(at("2026-11-23T09:15:00.001Z")));
}

#[test]
fn the_envelope_must_be_whole() {
    let good = json(&seal(&payload().canonical(), &signer()).to_json());
    let artifact = good.get("artifact").unwrap();
    for member in ["receipt_id", "key_id", "alg", "signed_payload_hash", "signature_b64", "payload_bytes_b64"]
    {
        for broken in [with(artifact, member, None), with(artifact, member, Some(Json::Null))] {
            let error = Artifact::parse(&Json::object([("artifact", broken)]).canonical()).unwrap_err();
            assert_eq!((error.code(), error.exit_code()), ("MALFORMED", 3));
            assert!(error.to_string().contains(member), "{error}");
        }
    }
    for text in
        ["", "[]", "{}", r#"{"artifact":null}"#, r#"{"artifact":[]}"#, r#"{"artifact":{},"artifact":{}}"#]
    {
        assert_eq!(Artifact::parse(text).unwrap_err().code(), "MALFORMED", "{text}");
    }
}

#[test]
fn steps_one_to_five() {
    let good = seal(&payload().canonical(), &signer());
    let verdict = |change: fn(&mut Artifact)| {
        let mut artifact = good.clone();
        change(&mut artifact);
        code(verify(&artifact, &keys()))
    };
    assert_eq!(verdict(|artifact| artifact.alg = "rsa".to_owned()), "MALFORMED");
    assert_eq!(verdict(|artifact| artifact.payload_bytes_b64.push('=')), "MALFORMED");
    assert_eq!(
        verdict(|artifact| artifact.payload_bytes_b64 = artifact.payload_bytes_b64.replace('=', "")),
        "MALFORMED"
    );
    assert_eq!(
        verdict(|artifact| artifact.signed_payload_hash.make_ascii_uppercase()),
        "PAYLOAD_HASH_MISMATCH"
    );
    assert_eq!(verdict(|artifact| artifact.signed_payload_hash.clear()), "PAYLOAD_HASH_MISMATCH");
    assert_eq!(verdict(|artifact| artifact.key_id.push('x')), "MALFORMED");
    assert_eq!(verdict(|artifact| artifact.signature_b64 = common::base64(&[0; 63])), "MALFORMED");
    assert_eq!(verdict(|artifact| artifact.signature_b64 = common::base64(&[0; 65])), "MALFORMED");
    assert_eq!(verdict(|artifact| artifact.signature_b64 = common::base64(&[0; 64])), "SIGNATURE_INVALID");
    let other = Ed25519Signer::from_seed(KEY_ID, &[8; 32]);
    assert_eq!(code(verify(&seal(&payload().canonical(), &other), &keys())), "SIGNATURE_INVALID");
}

#[test]
fn the_payload_must_be_a_json_object_that_names_its_key() {
    for text in [
        "",
        "null",
        "[]",
        "{",
        "{}",
        "\u{feff}{}",
        r#"{"signatureKeyId":1}"#,
        r#"{"signatureKeyId":"other"}"#,
    ] {
        assert_eq!(code(verify(&seal(text, &signer()), &keys())), "MALFORMED", "{text}");
    }
    let bytes = b"{\"signatureKeyId\":\"receipt-test-key\xff\"}";
    let artifact = common::envelope(KEY_ID.to_owned(), Digest::of(bytes).to_string(), &[0; 64], bytes);
    assert_eq!(code(verify(&artifact, &keys())), "MALFORMED");
}

#[test]
fn keys_are_resolved_by_id_and_status() {
    let good = seal(&payload().canonical(), &signer());
    assert_eq!(code(verify(&good, &KeySet::new("nobody"))), "KEY_NOT_FOUND");
    let mut set = keys();
    let next = receipt::Key { key_id: "next".to_owned(), ..common::key(&signer()) };
    set.rotate(KEY_ID, next).unwrap();
    assert_eq!(code(verify(&good, &set)), "verified");
    set.revoke(KEY_ID, at("2026-11-24T00:00:00.000Z")).unwrap();
    let error = verify(&good, &set).unwrap_err();
    assert_eq!((error.code(), error.exit_code()), ("KEY_REVOKED", 2));
}

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
fn duplicate_keys_are_refused_even_when_signed() {
    let text = payload().canonical();
    for duplicate in [
        text.replacen("{\"agentId\"", "{\"agentId\":\"agent:release\",\"agentId\"", 1),
        text.replacen("\"status\"", "\"status\":\"DENIED\",\"status\"", 1),
        text.replacen("{\\\"action\\\":", "{\\\"action\\\":1,\\\"action\\\":", 1),
    ] {
        assert_ne!(duplicate, text);
        assert_eq!(code(verify(&seal(&duplicate, &signer()), &keys())), "MALFORMED", "{duplicate}");
    }
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
    assert_eq!(code(verify(&forged, &KeySet::new("nobody"))), "KEY_NOT_FOUND");
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

#[test]
fn the_first_failure_is_the_one_reported() {
    let faults = [
        ("MALFORMED", "receiptVersion", Json::from(2_u32)),
        ("REQUEST_COMMITMENT_MALFORMED", "requestCommitment", "none".into()),
        ("PROJECTION_NOT_ALLOWED", "publicProjectionJson", r#"{"extra":1,"projection":"execute/v1"}"#.into()),
        ("DECIDER_PROOF_MISMATCH", "deciderAuthMethod", "session_reauth".into()),
        ("SCHEMA_MISMATCH", "riskTier", "E_UNHEARD_OF".into()),
    ];
    for first in 0..faults.len() {
        let broken = faults[first..]
            .iter()
            .fold(payload(), |payload, (_, key, value)| with(&payload, key, Some(value.clone())));
        assert_eq!(code(sealed(&broken)), faults[first].0);
    }
}

#[test]
fn the_decider_proof_agrees_with_the_method_in_both_directions() {
    let webauthn = DeciderProof::Webauthn(common::webauthn()).to_json();
    let reauth = DeciderProof::Reauth(common::reauth()).to_json();
    let invalid = with(&reauth, "extra", Some(1_u32.into()));
    let verdict = |method: Option<&str>, proof: Option<&Json>| {
        let payload = with(&payload(), "deciderAuthMethod", method.map(Json::from));
        code(sealed(&with(&payload, "deciderProof", proof.cloned())))
    };
    assert_eq!(verdict(Some("session_stepup_webauthn"), Some(&webauthn)), "verified");
    assert_eq!(verdict(Some("session_reauth"), Some(&reauth)), "verified");
    for method in [None, Some("session"), Some("policy"), Some("api_key")] {
        assert_eq!(verdict(method, None), "verified");
        for proof in [&webauthn, &reauth, &invalid, &Json::Bool(false)] {
            assert_eq!(verdict(method, Some(proof)), "DECIDER_PROOF_MISMATCH");
        }
    }
    for (method, other) in [("session_stepup_webauthn", &reauth), ("session_reauth", &webauthn)] {
        assert_eq!(verdict(Some(method), None), "DECIDER_PROOF_MISMATCH");
        assert_eq!(verdict(Some(method), Some(other)), "DECIDER_PROOF_MISMATCH");
        for broken in [&invalid, &Json::from("{}"), &json("{}"), &json("[]"), &json(r#"{"method":"totp"}"#)] {
            assert_eq!(verdict(Some(method), Some(broken)), "DECIDER_PROOF_INVALID");
        }
    }
}

#[test]
fn every_rule_of_a_decider_proof_counts() {
    let webauthn = DeciderProof::Webauthn(common::webauthn()).to_json();
    let reauth = DeciderProof::Reauth(common::reauth()).to_json();
    for proof in [&webauthn, &reauth] {
        assert_eq!(DeciderProof::from_json(proof).unwrap().to_json(), *proof);
        for (key, _) in proof.as_object().unwrap().iter() {
            let key = key.as_str().unwrap();
            let dropped = DeciderProof::from_json(&with(proof, key, None));
            assert_eq!(dropped.is_ok(), key == "reviewGeneration", "{key}");
            for value in
                [Json::Null, Json::from(0_u32), Json::from("x y"), Json::Array(vec![]), Json::Number(1.5)]
            {
                assert!(
                    DeciderProof::from_json(&with(proof, key, Some(value.clone()))).is_err(),
                    "{key} {value:?}"
                );
            }
        }
        assert!(DeciderProof::from_json(&with(proof, "__proto__", Some(Json::Null))).is_err());
        assert!(DeciderProof::from_json(&with(proof, "counter", Some(1_u32.into()))).is_err());
    }
    let bad = |proof: &Json, key: &str, value: Json| {
        DeciderProof::from_json(&with(proof, key, Some(value))).is_err()
    };
    assert!(bad(&webauthn, "reviewGeneration", Json::Number(9_007_199_254_740_992.0)));
    assert!(!bad(&webauthn, "reviewGeneration", Json::Number(9_007_199_254_740_991.0)));
    assert!(bad(&webauthn, "reviewGeneration", Json::Number(-1.0)));
    assert!(bad(&webauthn, "rpId", "".into()));
    assert!(bad(&webauthn, "rpId", "a".repeat(254).into()));
    assert!(!bad(&webauthn, "rpId", "a".repeat(253).into()));
    assert!(bad(&webauthn, "rpId", "host_name".into()));
    assert!(bad(&webauthn, "origin", "https://issuer.example/".into()));
    assert!(bad(&webauthn, "credentialIdHash", "AB".repeat(32).into()));
    assert!(bad(&webauthn, "verifiedAt", "2026-02-30T00:00:00.000Z".into()));
    assert!(bad(&webauthn, "verifiedAt", "2026-11-23T08:59:58Z".into()));
}

#[test]
fn a_sign_in_is_as_old_as_allowed_and_no_older() {
    let reauth = DeciderProof::Reauth(common::reauth()).to_json();
    let verified = |at: &str| DeciderProof::from_json(&with(&reauth, "verifiedAt", Some(at.into()))).is_ok();
    assert!(verified("2026-11-23T09:00:00.000Z"), "exactly maxAgeMs");
    assert!(!verified("2026-11-23T09:00:00.001Z"), "a millisecond more");
    assert!(verified("2026-11-23T08:00:00.000Z"), "a negative age is clock skew");
}

#[test]
fn the_schema_is_a_policy_failure_of_its_own() {
    let absent = ["id", "agentId", "status", "deciderId", "deciderDisplay", "attributionConfidence", "scope"];
    for key in absent.iter().chain(&["signatureAlg", "expiresAt", "createdAt"]) {
        let error = sealed(&with(&payload(), key, None)).unwrap_err();
        assert_eq!((error.code(), error.exit_code()), ("SCHEMA_MISMATCH", 9));
        assert!(error.to_string().contains(key), "{error}");
    }
    for key in ["runId", "riskTier", "policyVersion", "reasonCodes", "deciderAuthMethod", "resolutionType"] {
        assert_eq!(without(key), "verified", "{key}");
        assert_eq!(changed(key, 1_u32), "SCHEMA_MISMATCH", "{key}");
        assert_eq!(changed(key, ""), "SCHEMA_MISMATCH", "{key}");
    }
    for (key, value) in [
        ("id", ""),
        ("status", "approved"),
        ("status", "ALLOW"),
        ("scope", "staging"),
        ("signatureAlg", "ed25519ph"),
        ("deciderId", "alice"),
        ("deciderId", "user:"),
        ("deciderId", "user:a\nb"),
        ("deciderId", "system/pp-engine2"),
        ("attributionConfidence", "certain"),
        ("resolutionType", "allow"),
        ("createdAt", "2026-11-23T09:00:00Z"),
        ("createdAt", "2026-11-31T09:00:00.000Z"),
        ("expiresAt", "+012026-11-23T09:00:00.000Z"),
        ("reasonCodes", "CODE"),
        ("reasonCodes", "{}"),
        ("reasonCodes", "[1]"),
    ] {
        assert_eq!(changed(key, value), "SCHEMA_MISMATCH", "{key} {value}");
    }
    for id in ["user:a", "api_key:b", "demo:c", "system/pp-engine", "role/founder", "role/human-approver"] {
        assert_eq!(changed("deciderId", id), "verified", "{id}");
    }
    assert_eq!(sealed(&with(&payload(), "reasonCodes", Some("[]".into()))).unwrap().reason_codes(), [""; 0]);
}

#[test]
fn an_approval_is_only_what_was_asked_for() {
    let verdict = |key: &str, value: &str| {
        let receipt = sealed(&with(&payload(), key, Some(value.into()))).unwrap();
        (receipt.approved(Scope::Production).map(|_| ()), receipt.approved(Scope::Demo).map(|_| ()))
    };
    let (production, demo) = (Scope::Production, Scope::Demo);
    assert_eq!(
        verdict("status", "APPROVED"),
        (Ok(()), Err(NotApproved::OtherScope { found: production, wanted: demo }))
    );
    assert_eq!(verdict("status", "DENIED"), (Err(NotApproved::Denied), Err(NotApproved::Denied)));
    assert_eq!(
        verdict("scope", "demo"),
        (Err(NotApproved::OtherScope { found: demo, wanted: production }), Ok(()))
    );
}

#[test]
fn the_demo_key_opens_nothing_in_production_whatever_it_signs() {
    let signer = Ed25519Signer::from_seed(receipt::DEMO_KEY_ID, &[9; 32]);
    let mut set = KeySet::new("demo");
    set.insert(common::key(&signer)).unwrap();
    let claims = with(&payload(), "signatureKeyId", Some(receipt::DEMO_KEY_ID.into()));
    let receipt = verify(&seal(&claims.canonical(), &signer), &set).unwrap();
    assert_eq!(receipt.scope(), Some(Scope::Production));
    assert_eq!(receipt.approved(Scope::Production).unwrap_err(), NotApproved::DemoKey);
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
    assert_eq!(verify_fixture(&parsed, &KeySet::new("nobody")).unwrap_err().code(), "KEY_NOT_FOUND");
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
