//! Every code of the verify procedure, on payloads signed with this crate's own test key.

mod versions;

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
fn expiry_is_information_and_begins_with_its_own_millisecond() {
    let receipt = sealed(&payload()).unwrap();
    assert!(!receipt.is_expired(at("2026-11-23T09:14:59.999Z")));
    assert!(receipt.is_expired(at("2026-11-23T09:15:00.000Z")));
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
    assert_eq!(code(verify(&good, &KeySet::new("another-issuer"))), "KEY_NOT_FOUND");
    let mut set = keys();
    let next = receipt::Key { key_id: "next".to_owned(), ..common::key(&signer()) };
    set.rotate(KEY_ID, next).unwrap();
    assert_eq!(code(verify(&good, &set)), "verified");
    set.revoke(KEY_ID, at("2026-11-24T00:00:00.000Z")).unwrap();
    let error = verify(&good, &set).unwrap_err();
    assert_eq!((error.code(), error.exit_code()), ("KEY_REVOKED", 2));
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
fn a_demo_key_opens_nothing_in_production_whatever_it_signs() {
    for key_id in common::DEMO_KEY_IDS {
        let signer = Ed25519Signer::from_seed(key_id, &[9; 32]);
        let mut set = KeySet::new("demo");
        set.insert(common::key(&signer)).unwrap();
        let claims = with(&payload(), "signatureKeyId", Some(key_id.into()));
        let receipt = verify(&seal(&claims.canonical(), &signer), &set).unwrap();
        assert_eq!(receipt.scope(), Some(Scope::Production));
        assert_eq!(receipt.approved(Scope::Production).unwrap_err(), NotApproved::DemoKey, "{key_id}");
    }
    for other in ["pp-demo-k2", "pp_demo", "pp_prod_demo_", "PP_DEMO_1", "pp_0123456789abcdef"] {
        assert!(!receipt::is_demo_key(other), "{other}");
    }
}
