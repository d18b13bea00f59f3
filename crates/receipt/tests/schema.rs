//! The published JSON schemas, when they are available: issued receipts are valid, refused ones are not.

use crate::common;
use std::path::Path;

use crate::common::{at, draft, json, keys, minted, payload, seal, signer, stepped_up, with};
use jsonschema::Validator;
use receipt::{
    Artifact, AttestationDraft, DeciderProof, Decision, Digest, Draft, ExecutionOutcome, Json, Projection,
    Resolution, attest, mint, revocation_request, verify, verify_attestation,
};

/// The schema of this name, or `None` and a loud line.
fn schema(name: &str) -> Option<Validator> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/receipt-spec/schema").join(name);
    let Ok(text) = std::fs::read_to_string(&path) else {
        crate::common::not_run(&format!("the published schema is not at {}", path.display()));
        return None;
    };
    Some(jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap())
}

fn is_valid(schema: &Validator, text: &str) -> bool {
    schema.is_valid(&serde_json::from_str(text).unwrap())
}

#[test]
fn every_issued_payload_is_inside_the_schema() {
    let (Some(payloads), Some(envelopes)) = (schema("receipt-v3.json"), schema("artifact.json")) else {
        return;
    };
    let mut denial = Draft { decision: Decision::Denied, ..draft() };
    denial.decider.resolution = Some(Resolution::Deny);
    let revocation = Draft {
        projection: Projection::RevocationV1,
        request: revocation_request("rcpt_0001", Some("wrong branch")),
        approvals: vec![],
        ..denial.clone()
    };
    let denial = common::approved(denial);
    let policy = common::by_policy(draft());
    let bare = Draft {
        run_id: None,
        summary: None,
        risk_tier: None,
        policy_version: None,
        reason_codes: vec![],
        ..draft()
    };
    let webauthn = stepped_up(DeciderProof::Webauthn(common::webauthn()));
    let reauth = stepped_up(DeciderProof::Reauth(common::reauth()));
    for draft in [draft(), denial, revocation, policy, bare, webauthn, reauth] {
        let artifact = mint(&draft, &signer()).unwrap().artifact;
        assert!(is_valid(&payloads, verify(&artifact, &keys()).unwrap().payload_json()), "{draft:?}");
        assert!(is_valid(&envelopes, &artifact.to_json()), "{draft:?}");
    }
}

#[test]
fn every_attested_payload_is_inside_the_schema() {
    let Some(schema) = schema("attestation-v1.json") else { return };
    let receipt = verify(&minted().artifact, &keys()).unwrap();
    let (started_at, finished_at) = (at("2026-11-23T09:01:00.000Z"), at("2026-11-23T09:01:02.500Z"));
    let output_hash = Some(Digest::of(b"{}"));
    for outcome in [
        ExecutionOutcome::Succeeded { started_at, finished_at, output_hash },
        ExecutionOutcome::Failed { started_at, finished_at, output_hash: None },
        ExecutionOutcome::Unknown { started_at: None },
    ] {
        let draft =
            AttestationDraft { receipt_id: draft().id, outcome, tool_call_id: None, created_at: finished_at };
        let attestation = attest(&draft, &signer()).unwrap();
        let verified = verify_attestation(&attestation, &receipt, &keys()).unwrap();
        assert!(is_valid(&schema, verified.payload_json()), "{outcome:?}");
    }
}

/// Every published vector that verifies is inside the schema of its version.
#[test]
fn every_verified_vector_is_inside_its_schema() {
    let (Some(v2), Some(v3)) = (schema("receipt-v2.json"), schema("receipt-v3.json")) else { return };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/receipt-spec/test-vectors");
    let mut keys = receipt::KeySet::new("both");
    for name in ["keys.json", "live-keys.json"] {
        let set = receipt::KeySet::parse(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap();
        set.keys().for_each(|key| keys.insert(key.clone()).unwrap());
    }
    let mut count = 0;
    for (folder, schema) in [(folder.clone(), v2), (folder.join("v3"), v3)] {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let artifact = std::fs::read_to_string(&entry).ok().and_then(|text| Artifact::parse(&text).ok());
            if let Some(Ok(receipt)) = artifact.map(|artifact| verify(&artifact, &keys)) {
                assert!(is_valid(&schema, receipt.payload_json()), "{}", entry.display());
                count += 1;
            }
        }
    }
    assert_eq!(count, 14);
}

/// The JSON values that each field is changed to.
const VALUES: [&str; 37] = [
    "null",
    "1",
    "3",
    "true",
    "{}",
    "[]",
    r#""""#,
    r#""x""#,
    r#""DENIED""#,
    r#""APPROVED""#,
    r#""production""#,
    r#""demo""#,
    r#""user:x""#,
    r#""user:""#,
    r#""user:a\nb""#,
    r#""api_key:k""#,
    r#""demo:x""#,
    r#""system/pp-engine""#,
    r#""role/founder""#,
    r#""session""#,
    r#""policy""#,
    r#""anonymous_demo""#,
    r#""allow_once""#,
    r#""allow_always""#,
    r#""deny""#,
    r#""heuristic""#,
    r#""credentialed""#,
    r#""unattributed""#,
    r#""A_READONLY""#,
    r#""B_DRAFT""#,
    r#""D_PROHIBITED""#,
    r#""ed25519""#,
    r#""2026-11-23T09:00:00.000Z""#,
    r#""2026-11-23T09:00:00Z""#,
    r#""+012026-11-23T09:00:00.000Z""#,
    r#""[]""#,
    r#""[\"A\"]""#,
];

/// The fields that are changed.
const FIELDS: [&str; 16] = [
    "agentId",
    "attributionConfidence",
    "createdAt",
    "deciderAuthMethod",
    "deciderDisplay",
    "deciderId",
    "expiresAt",
    "id",
    "policyVersion",
    "reasonCodes",
    "resolutionType",
    "riskTier",
    "runId",
    "scope",
    "signatureAlg",
    "status",
];

/// Changes one field at a time, signs the result, and compares the schema with `verify`: they accept the same receipts.
#[test]
fn the_schema_and_this_crate_draw_the_same_line() {
    let Some(schema) = schema("receipt-v3.json") else { return };
    let mut inside = 0;
    for field in FIELDS {
        let absent = with(&payload(), field, None);
        let changed = VALUES.iter().map(|value| with(&payload(), field, Some(json(value))));
        for payload in changed.chain([absent]) {
            let ours = verify(&seal(&payload.canonical(), &signer()), &keys());
            let theirs = is_valid(&schema, &payload.canonical());
            // Beyond the schema: reasonCodes must be a JSON array of strings.
            let codes = payload.get("reasonCodes").and_then(Json::as_str);
            let beyond = codes.is_some_and(|text| {
                Json::parse(text).is_ok_and(|json| json.as_array().is_none()) || Json::parse(text).is_err()
            });
            assert_eq!(ours.is_ok(), theirs && !beyond, "{field}: {:?} {payload:?}", ours.err());
            inside += usize::from(theirs);
        }
    }
    assert!(inside > 150, "{inside}");
}
