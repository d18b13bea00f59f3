//! `pp-host verify` and `receipts export`: what this host issues verifies, here and elsewhere.

use crate::support;
use crate::support::cli::*;
use serde_json::Value;
use std::io::Write as _;
use std::process::{Command, Stdio};
use tempfile::TempDir;

#[test]
fn an_exported_receipt_verifies_here() {
    let data = folder();
    let keys = write(data.path(), "keys.json", &run(data.path(), &["keys", "export"]).stdout);
    for (status, decision) in [("APPROVED", "decision     APPROVED"), ("DENIED", "decision     DENIED")] {
        let id = receipt_id(data.path(), status);
        let exported = run(data.path(), &["receipts", "export", &id]).stdout;
        let file = write(data.path(), "artifact.json", &exported);
        let verified = run(data.path(), &["verify", &file, "--keys", &keys]);
        assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
        assert!(
            verified.stdout.contains(decision) && verified.stdout.contains("commitment   opened"),
            "{}",
            verified.stdout
        );
        assert_eq!(verified.stdout.contains("outcome      succeeded"), status == "APPROVED");
        let shown = run(data.path(), &["receipts", "show", &id]);
        assert_eq!(shown.code, Some(0), "{}", shown.stderr);
        assert!(shown.stdout.contains(decision), "{}", shown.stdout);
    }
}

#[test]
fn an_export_has_the_owner_s_fields_or_leaves_them_out() {
    let data = folder();
    let id = receipt_id(data.path(), "APPROVED");
    let export = |arguments: &[&str]| -> Value {
        serde_json::from_str(&run(data.path(), &[&["receipts", "export", &id], arguments].concat()).stdout)
            .unwrap()
    };
    let (owner, public) = (export(&[]), export(&["--public"]));
    for field in
        ["request_json", "request_commitment_salt_b64", "summary", "company_id", "idem_key", "input_hash"]
    {
        assert!(owner[field].is_string(), "{field}");
        assert!(public.get(field).is_none(), "{field}");
    }
    assert_eq!(owner["artifact"], public["artifact"]);
    assert!(owner["artifact"]["redeemed_at"].is_string());
    assert_eq!(owner["attestation_artifact"]["outcome"], "succeeded");
    assert_eq!(public["attestation_artifact"]["payload_withheld"], true);
    assert!(public["attestation_artifact"].get("payload_bytes_b64").is_none());
    let keys = write(data.path(), "keys.json", &run(data.path(), &["keys", "export"]).stdout);
    let file = write(data.path(), "public.json", &public.to_string());
    let verified = run(data.path(), &["verify", &file, "--keys", &keys]);
    assert_eq!(verified.code, Some(0), "{}", verified.stdout);
    assert!(verified.stdout.contains("commitment   not opened"));
}

#[test]
fn verify_has_the_specification_s_exit_codes() {
    let data = folder();
    let here = data.path();
    let id = receipt_id(here, "APPROVED");
    let owner: Value = serde_json::from_str(&run(here, &["receipts", "export", &id]).stdout).unwrap();
    let keys: Value = serde_json::from_str(&run(here, &["keys", "export"]).stdout).unwrap();
    let keys_file = write(here, "keys.json", &keys.to_string());
    let artifact = serde_json::json!({ "artifact": owner["artifact"] });
    let artifact_file = write(here, "a.json", &artifact.to_string());
    let verify = |file: &str, keys: &str, more: &[&str]| {
        run(here, &[&["verify", file, "--keys", keys], more].concat()).code
    };
    let altered = |pointer: &str, value: Value| {
        let mut altered = artifact.clone();
        *altered.pointer_mut(pointer).unwrap() = value;
        write(here, "altered.json", &altered.to_string())
    };
    let none = write(here, "none.json", r#"{"issuer":"x","keys":[]}"#);
    let mut revoked = keys.clone();
    revoked["keys"][0]["status"] = "revoked".into();
    revoked["keys"][0]["revoked_at"] = "2026-01-01T00:00:00.000Z".into();
    let revoked = write(here, "revoked.json", &revoked.to_string());
    let signature = owner["attestation_artifact"]["signature_b64"].clone();

    assert_eq!(verify(&artifact_file, &keys_file, &[]), Some(0));
    assert_eq!(verify(&altered("/artifact/signature_b64", signature), &keys_file, &[]), Some(1));
    assert_eq!(verify(&artifact_file, &none, &[]), Some(2));
    assert_eq!(verify(&artifact_file, &revoked, &[]), Some(2));
    assert_eq!(verify(&altered("/artifact/alg", "rsa".into()), &keys_file, &[]), Some(3));
    assert_eq!(verify(&write(here, "text", "{"), &keys_file, &[]), Some(3));
    assert_eq!(
        verify(&altered("/artifact/signed_payload_hash", "0".repeat(64).into()), &keys_file, &[]),
        Some(4)
    );
    assert_eq!(verify(&artifact_file, "/nowhere", &[]), Some(64));
    assert_eq!(run(here, &["verify", &artifact_file]).code, Some(64), "no keys are trusted by default");

    let request = write(here, "request.json", owner["request_json"].as_str().unwrap());
    let salt = owner["request_commitment_salt_b64"].as_str().unwrap();
    let summary = write(here, "summary.txt", &format!("{}\n", owner["summary"].as_str().unwrap()));
    let binding = write(
        here,
        "binding.json",
        &serde_json::json!({ "companyId": owner["company_id"], "idemKey": owner["idem_key"] }).to_string(),
    );
    let open = ["--request", &request, "--salt", salt];
    assert_eq!(verify(&artifact_file, &keys_file, &open), Some(0));
    assert_eq!(
        verify(
            &artifact_file,
            &keys_file,
            &[&open[..], &["--summary", &summary, "--binding", &binding]].concat()
        ),
        Some(0)
    );
    let reformatted =
        write(here, "reformatted.json", &format!("{} ", owner["request_json"].as_str().unwrap()));
    assert_eq!(verify(&artifact_file, &keys_file, &["--request", &reformatted, "--salt", salt]), Some(10));
    let elsewhere = write(here, "elsewhere.json", r#"{"companyId":"mallory"}"#);
    assert_eq!(
        verify(&artifact_file, &keys_file, &[&open[..], &["--binding", &elsewhere]].concat()),
        Some(10)
    );

    let attestation = write(
        here,
        "attestation.json",
        &serde_json::json!({ "attestation_artifact": owner["attestation_artifact"] }).to_string(),
    );
    assert_eq!(verify(&attestation, &keys_file, &["--receipt", &artifact_file]), Some(0));
    assert_eq!(verify(&attestation, &keys_file, &[]), Some(64), "an attestation is of a receipt");
}

#[test]
fn verify_reads_standard_input_and_several_files() {
    let data = folder();
    let (id, denied) = (receipt_id(data.path(), "APPROVED"), receipt_id(data.path(), "DENIED"));
    let keys = write(data.path(), "keys.json", &run(data.path(), &["keys", "export"]).stdout);
    let export = |id: &str| run(data.path(), &["receipts", "export", id]).stdout;
    let file = write(data.path(), "denied.json", &export(&denied));
    let mut child = command(data.path(), &["verify", "-", &file, "--keys", &keys, "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(export(&id).as_bytes()).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let verdicts = lines(&ran.stdout);
    assert_eq!(
        (verdicts[0]["decision"].as_str(), verdicts[1]["decision"].as_str()),
        (Some("APPROVED"), Some("DENIED"))
    );
    assert_eq!(verdicts[0]["commitment_opened"], true);
}

#[test]
fn a_stranger_s_verifier_accepts_what_this_host_issues() {
    if !support::installed(&["node"]) {
        return;
    }
    let data = folder();
    let keys = write(data.path(), "keys.json", &run(data.path(), &["keys", "export"]).stdout);
    for status in ["APPROVED", "DENIED"] {
        let id = receipt_id(data.path(), status);
        let file =
            write(data.path(), "artifact.json", &run(data.path(), &["receipts", "export", &id]).stdout);
        let verified = Command::new("node")
            .arg(support::root().join("tests/verify.mjs"))
            .args([&file, &keys])
            .output()
            .unwrap();
        let verified = Ran::from(verified);
        assert_eq!(verified.code, Some(0), "{}", verified.stderr);
        assert!(
            verified.stdout.contains(&format!("VERIFIED {id} {status} by demo:automatic, scope demo")),
            "{}",
            verified.stdout
        );
        assert!(
            verified.stdout.contains("OPENED cloudflare.dynamic-worker.deploy on"),
            "{}",
            verified.stdout
        );
        assert_eq!(verified.stdout.contains("ATTESTED succeeded"), status == "APPROVED");
    }
}

/// The envelope around the signed bytes is anybody's to edit. What is shown is what was signed, and the edit is said.
#[test]
fn an_edited_envelope_is_shown_as_it_was_signed() {
    let data = folder();
    let here = data.path();
    let id = receipt_id(here, "DENIED");
    let mut export: Value =
        serde_json::from_str(&run(here, &["receipts", "export", &id, "--public"]).stdout).unwrap();
    export["artifact"]["status"] = "APPROVED".into();
    let file = write(here, "edited.json", &export.to_string());
    let keys = write(here, "keys.json", &run(here, &["keys", "export"]).stdout);
    let verified = run(here, &["verify", &file, "--keys", &keys]);
    assert_eq!(verified.code, Some(0));
    assert!(verified.stdout.contains("decision     DENIED"), "{}", verified.stdout);
    assert!(verified.stdout.contains("the envelope's status is not what was signed"), "{}", verified.stdout);
}

/// The published vectors, through the command line.
#[test]
fn the_published_vectors_have_their_exit_codes() {
    let vectors = support::root().join("../shared/receipt-spec/test-vectors");
    if !vectors.is_dir() {
        eprintln!("NOT RUN: the published vectors are not here");
        return;
    }
    let data = TempDir::new().unwrap();
    let keys = vectors.join("keys.json").display().to_string();
    for (vector, code) in [
        ("approve-human-deploy-gate.json", 0),
        ("tampered-approve-human-deploy-gate.json", 1),
        ("live-deploy-gate-approve.json", 2),
        ("../fixtures/valid-deploy.json", 3),
        ("v3/approve-human-deploy-gate-v2-private-repo.json", 0),
        ("v3/outside-allowlist-approve-human-execute-lane-refund.json", 9),
        ("v3/decider-proof-mismatch-approve-human-execute-lane-refund.json", 9),
        ("v3/non-canonical-proof-approve-human-execute-lane-refund.json", 9),
    ] {
        let ran = run(data.path(), &["verify", &vectors.join(vector).display().to_string(), "--keys", &keys]);
        assert_eq!(ran.code, Some(code), "{vector}: {}{}", ran.stdout, ran.stderr);
    }
    let withheld = vectors.join("v3/approve-human-deploy-gate-v2-private-repo.json").display().to_string();
    let ran = run(data.path(), &["verify", &withheld, "--keys", &keys]);
    assert!(ran.stdout.contains("rule         \"withheld (private repository)"), "{}", ran.stdout);
}
