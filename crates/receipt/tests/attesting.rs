//! Execution attestations: their signed content, and its verification.

use crate::common;
use crate::common::{KEY_ID, Liar, Offline, at, draft, json, keys, minted, signer, with};
use receipt::{
    AttestationArtifact, AttestationDraft, Decision, Digest, Draft, Ed25519Signer, ExecutionOutcome, Json,
    KeySet, MintError, Scope, VerifyError, attest, mint, verify, verify_attestation,
};

fn attestation() -> AttestationDraft {
    AttestationDraft {
        receipt_id: draft().id,
        outcome: ExecutionOutcome::Succeeded {
            started_at: at("2026-11-23T09:01:00.000Z"),
            finished_at: at("2026-11-23T09:01:02.500Z"),
            output_hash: Some(Digest::of(b"{}")),
        },
        tool_call_id: Some("dep_1".to_owned()),
        created_at: at("2026-11-23T09:01:02.600Z"),
    }
}

#[test]
fn every_outcome_is_attested_and_verifies() {
    let receipt = verify(&minted().artifact, &keys()).unwrap();
    let (started_at, finished_at) = (at("2026-11-23T09:01:00.000Z"), at("2026-11-23T09:01:00.000Z"));
    for outcome in [
        attestation().outcome,
        ExecutionOutcome::Failed { started_at, finished_at, output_hash: None },
        ExecutionOutcome::Unknown { started_at: Some(started_at) },
        ExecutionOutcome::Unknown { started_at: None },
    ] {
        let draft = AttestationDraft { outcome, ..attestation() };
        let artifact = attest(&draft, &signer()).unwrap();
        assert_eq!(AttestationArtifact::parse(&artifact.to_json().unwrap()).unwrap(), artifact);
        let verified = verify_attestation(&artifact, &receipt, &keys()).unwrap();
        assert_eq!((verified.receipt_id(), verified.outcome()), (receipt.id(), outcome));
        assert_eq!((verified.tool_call_id(), verified.created_at()), (Some("dep_1"), draft.created_at));
        assert_eq!((verified.key_id(), artifact.approval_receipt_id()), (KEY_ID, receipt.id()));
        assert_eq!(verified.payload_digest(), Digest::of(verified.payload_json().as_bytes()));
    }
    let backwards = ExecutionOutcome::Failed {
        started_at,
        finished_at: at("2026-11-23T09:00:59.999Z"),
        output_hash: None,
    };
    let error = attest(&AttestationDraft { outcome: backwards, ..attestation() }, &signer()).unwrap_err();
    assert!(matches!(error, MintError::SelfCheck(VerifyError::AttestationInconsistent(_))));
    let nameless = AttestationDraft { receipt_id: String::new(), ..attestation() };
    assert_eq!(attest(&nameless, &signer()).unwrap_err(), MintError::EmptyField("receipt_id"));
}

/// The verdict on an attestation envelope for the minted approval.
fn attested(envelope: &str) -> Result<(), VerifyError> {
    let receipt = verify(&minted().artifact, &keys()).unwrap();
    verify_attestation(&AttestationArtifact::parse(envelope)?, &receipt, &keys()).map(|_| ())
}

fn attested_code(envelope: &str) -> (&'static str, u8) {
    attested(envelope).map_or_else(|error| (error.code(), error.exit_code()), |()| ("verified", 0))
}

/// An attestation envelope over any payload, validly signed.
fn sealed_attestation(payload: &Json) -> String {
    let artifact = json(&common::seal(&payload.canonical(), &signer()).to_json());
    let envelope = with(artifact.get("artifact").unwrap(), "approval_receipt_id", Some(draft().id.into()));
    Json::object([("attestation_artifact", envelope)]).canonical()
}

#[test]
fn an_attestation_belongs_to_one_approval() {
    let artifact = attest(&attestation(), &signer()).unwrap();
    let other = mint(&Draft { id: "rcpt_0002".to_owned(), ..draft() }, &signer()).unwrap();
    let other = verify(&other.artifact, &keys()).unwrap();
    let error = verify_attestation(&artifact, &other, &keys()).unwrap_err();
    assert_eq!((error.code(), error.exit_code()), ("RECEIPT_MISMATCH", 3));

    let mut denial = Draft { decision: Decision::Denied, ..draft() };
    denial.decider.resolution = None;
    let denial =
        verify(&mint(&crate::common::approved(denial), &signer()).unwrap().artifact, &keys()).unwrap();
    let error = verify_attestation(&artifact, &denial, &keys()).unwrap_err();
    assert_eq!((error.code(), error.exit_code()), ("RECEIPT_NOT_APPROVED", 3));

    // The envelope names the right receipt, the signed bytes another.
    let elsewhere = AttestationDraft { receipt_id: "rcpt_0002".to_owned(), ..attestation() };
    let elsewhere = attest(&elsewhere, &signer()).unwrap().to_json().unwrap();
    assert_eq!(attested_code(&elsewhere.replace("rcpt_0002", "rcpt_0001")), ("MALFORMED", 3));
}

/// A demonstration's key attests nothing about production, and a production key nothing about a demonstration.
#[test]
fn an_attestation_and_its_receipt_are_under_keys_of_one_scope() {
    for key_id in common::DEMO_KEY_IDS {
        let demo_key = Ed25519Signer::from_seed(key_id, &[9; 32]);
        let mut set = keys();
        set.insert(common::key(&demo_key)).unwrap();
        let approved = |draft: &Draft, signer: &Ed25519Signer| {
            verify(&mint(draft, signer).unwrap().artifact, &set).unwrap()
        };
        let demo = Draft { decider: common::demo(), scope: Scope::Demo, approvals: vec![], ..draft() };
        let (production, demo) = (approved(&draft(), &signer()), approved(&demo, &demo_key));
        let verdict = |receipt, signer: &Ed25519Signer| {
            let attested = attest(&attestation(), signer).unwrap();
            verify_attestation(&attested, receipt, &set).map(drop)
        };
        assert_eq!((verdict(&production, &signer()), verdict(&demo, &demo_key)), (Ok(()), Ok(())));
        let error = verdict(&production, &demo_key).unwrap_err();
        assert_eq!((error.code(), error.exit_code()), ("ATTESTATION_OTHER_SCOPE", 9), "{key_id}");
        assert_eq!(verdict(&demo, &signer()).unwrap_err().code(), "ATTESTATION_OTHER_SCOPE", "{key_id}");
    }
}

#[test]
fn unsigned_and_withheld_outcomes_are_neither_verified_nor_tampered() {
    let unsigned = r#"{"attestation_artifact":{"approval_receipt_id":"rcpt_0001","outcome":"succeeded","signed":false}}"#;
    assert_eq!(attested_code(unsigned), ("ATTESTATION_UNSIGNED", 5));
    let withheld = r#"{"attestation_artifact":{"approval_receipt_id":"rcpt_0001","outcome":null,"payload_withheld":true}}"#;
    assert_eq!(attested_code(withheld), ("PAYLOAD_WITHHELD", 6));
    assert_eq!(AttestationArtifact::parse(withheld).unwrap().to_json(), None);
    assert_eq!(
        attested_code(r#"{"attestation_artifact":{"approval_receipt_id":"rcpt_0001"}}"#),
        ("MALFORMED", 3)
    );
    assert_eq!(attested_code(r#"{"attestation_artifact":{}}"#), ("MALFORMED", 3));
    assert_eq!(attested_code("{}"), ("MALFORMED", 3));
    assert_eq!(
        attested_code(r#"{"attestation_artifact":{"approval_receipt_id":"other","signed":false}}"#),
        ("RECEIPT_MISMATCH", 3)
    );
}

#[test]
fn attestations_are_checked_step_by_step() {
    let receipt = verify(&minted().artifact, &keys()).unwrap();
    let artifact = attest(&attestation(), &signer()).unwrap();
    let text = verify_attestation(&artifact, &receipt, &keys()).unwrap().payload_json().to_owned();
    let changed =
        |key: &str, value: Option<Json>| attested_code(&sealed_attestation(&with(&json(&text), key, value)));
    assert_eq!(changed("outcome", Some("succeeded".into())), ("verified", 0));
    assert_eq!(changed("signatureKeyId", Some("x".into())), ("MALFORMED", 3));
    assert_eq!(changed("canonicalization", None), ("MALFORMED", 3));
    assert_eq!(changed("canonicalization", Some("attest_v2".into())), ("CANONICALIZATION_UNSUPPORTED", 8));
    assert_eq!(changed("extra", Some("x".into())), ("CANONICAL_MISMATCH", 4));
    assert_eq!(changed("toolCallId", Some(Json::Null)), ("CANONICAL_MISMATCH", 4));
    for (key, value) in [
        ("outcome", "done"),
        ("outcome", "unknown"),
        ("outputHash", "abc"),
        ("startedAt", "2026-11-23T09:01:03.000Z"),
        ("startedAt", "2026-11-23T09:01:00Z"),
        ("finishedAt", "2026-02-30T09:01:00.000Z"),
    ] {
        assert_eq!(changed(key, Some(value.into())), ("ATTESTATION_INCONSISTENT", 7), "{key} {value}");
    }
    for key in ["outcome", "startedAt", "finishedAt"] {
        assert_eq!(changed(key, None), ("ATTESTATION_INCONSISTENT", 7), "{key}");
        assert_eq!(changed(key, Some(7_u32.into())), ("ATTESTATION_INCONSISTENT", 7), "{key}");
    }
    // Outside the schema and no contradiction: the code that a receipt of this kind has.
    for (key, value) in [
        ("createdAt", "+002026-11-23T09:01:02.600Z"),
        ("startedAt", "-000001-11-23T09:01:00.000Z"),
        ("signatureAlg", "rsa"),
        ("toolCallId", ""),
    ] {
        assert_eq!(changed(key, Some(value.into())), ("SCHEMA_MISMATCH", 9), "{key} {value}");
    }
    for key in ["attestationVersion", "signatureAlg", "createdAt"] {
        assert_eq!(changed(key, None), ("SCHEMA_MISMATCH", 9), "{key}");
        assert_eq!(changed(key, Some(7_u32.into())), ("SCHEMA_MISMATCH", 9), "{key}");
    }
    let unknown = with(&with(&json(&text), "outcome", Some("unknown".into())), "finishedAt", None);
    assert_eq!(attested_code(&sealed_attestation(&unknown)).0, "ATTESTATION_INCONSISTENT", "an output alone");

    let envelope = artifact.to_json().unwrap();
    let forged = with(
        json(&envelope).get("attestation_artifact").unwrap(),
        "signature_b64",
        Some(common::base64(&[0; 64]).into()),
    );
    let forged = Json::object([("attestation_artifact", forged)]).canonical();
    assert_eq!(attested_code(&forged), ("SIGNATURE_INVALID", 1));
    let newer = sealed_attestation(&with(&json(&text), "canonicalization", Some("attest_v2".into())));
    let signature =
        json(&newer).pointer(["attestation_artifact", "signature_b64"]).unwrap().as_str().unwrap().to_owned();
    assert_eq!(
        attested_code(&newer.replace(&signature, &common::base64(&[0; 64]))),
        ("SIGNATURE_INVALID", 1)
    );
    let verdict = verify_attestation(&artifact, &receipt, &KeySet::new("another-issuer"));
    assert_eq!(verdict.unwrap_err().code(), "KEY_NOT_FOUND");
}

#[test]
fn an_outcome_that_cannot_be_signed_is_not_attested() {
    assert!(matches!(attest(&attestation(), &Offline).unwrap_err(), MintError::Sign(_)));
    assert!(matches!(attest(&attestation(), &Liar(signer())).unwrap_err(), MintError::SelfCheck(_)));
}
