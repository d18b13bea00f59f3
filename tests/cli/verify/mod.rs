//! `pp-host verify` and `receipts export`: this host's receipts verify, here and elsewhere.

mod exports;
mod permission;

use crate::support;
use crate::support::cli::*;
use serde_json::Value;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

#[test]
fn verify_has_the_specification_s_exit_codes() {
    let data = folder();
    let here = data.path();
    let id = receipt_id(here, "APPROVED");
    let owner: Value = serde_json::from_str(&run(here, &["receipts", "export", &id]).stdout).unwrap();
    let keys: Value = serde_json::from_str(&run(here, &["keys", "export"]).stdout).unwrap();
    let keys_file = write(here, "keys.json", &keys.to_string());
    let public: Value =
        serde_json::from_str(&run(here, &["receipts", "export", &id, "--public"]).stdout).unwrap();
    let artifact = serde_json::json!({ "artifact": public["artifact"] });
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

    openings_have_theirs(here, &owner, &|more| verify(&artifact_file, &keys_file, more));

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
    assert!(ran.stdout.contains("rule         withheld (private repository)"), "{}", ran.stdout);
}

/// A receipt by a person, taken back before it was spent.
struct Revoked {
    folder: TempDir,
    receipt: String,
    revocation: String,
}

/// `verify … && deploy` means permission only with all of `--require`.
#[test]
fn an_exit_code_can_be_asked_to_mean_permission() {
    let revoked = revoked();
    let here = revoked.folder.path();
    let (keys, before) = (keys(here), here.join("before.json").display().to_string());
    let people = write(here, "deciders.json", &run(here, &["deciders", "export"]).stdout);
    let all = "approved,production,unexpired,opened,deciders";
    let permitted = run(here, &["verify", &before, "--keys", &keys, "--deciders", &people, "--require", all]);
    assert_eq!(permitted.code, Some(0), "{}", permitted.stdout);
    assert!(!permitted.stdout.contains("not checked"), "{}", permitted.stdout);
    let unchecked = run(here, &["verify", &before, "--keys", &keys, "--require", "deciders"]);
    assert_eq!(unchecked.code, Some(64), "there is nobody to check: {}", unchecked.stderr);
    assert!(unchecked.stderr.contains("--deciders"), "{}", unchecked.stderr);
    assert_eq!(run(here, &["verify", &before, "--keys", &keys, "--require", "apprved"]).code, Some(64));

    let demo = folder();
    let here = demo.path();
    let keys = self::keys(here);
    let nobody = write(here, "nobody.json", r#"{"deciders":[],"version":1}"#);
    let verify = |status: &str, more: &[&str], require: &str| {
        let export = export(here, &receipt_id(here, status), more);
        let file = write(here, "demo.json", &export.to_string());
        let ran = run(
            here,
            &["verify", &file, "--keys", &keys, "--deciders", &nobody, "--require", require, "--json"],
        );
        let line = lines(&ran.stdout).remove(0);
        let unmet = line["not_met"].as_array().map(Vec::as_slice).unwrap_or_default().iter();
        let unmet: Vec<_> = unmet.map(|unmet| unmet["requirement"].as_str().unwrap().to_owned()).collect();
        (ran.code, line["code"].as_str().unwrap().to_owned(), unmet.join(","))
    };
    let not_met = |what: &str| (Some(12), "REQUIREMENT_NOT_MET".to_owned(), what.to_owned());
    assert_eq!(verify("DENIED", &[], "approved,opened,unexpired"), not_met("approved"));
    assert_eq!(verify("APPROVED", &[], all), not_met("production,deciders"));
    assert_eq!(verify("APPROVED", &[], "approved"), (Some(0), "VERIFIED".to_owned(), String::new()));
    let copy = export(here, &receipt_id(here, "APPROVED"), &["--public"]).to_string();
    let copy = write(here, "public.json", &copy);
    let closed = run(here, &["verify", &copy, "--keys", &keys, "--require", "approved,opened"]);
    assert_eq!(closed.code, Some(12), "{}", closed.stdout);
    assert!(closed.stdout.contains("not met      opened: the request is not here"), "{}", closed.stdout);
    let public = verify("APPROVED", &["--public"], "approved");
    assert_eq!(
        (public.0, public.1.as_str()),
        (Some(8), "REQUEST_COMMITMENT_UNAVAILABLE"),
        "--deciders opens"
    );
}

#[test]
fn what_can_be_redeemed_no_more_is_no_permission() {
    let (old, clock) = (TempDir::new().unwrap(), support::people::ManualClock::new());
    clock.move_by_minutes(-3 * 366 * 24 * 60);
    let host = engine::Host::builder(old.path()).clock(clock).open().unwrap();
    let key = support::start(&host, "tenant-workflow", "{}");
    support::finish(&host, &key, receipt::Decision::Approved);
    drop(host);
    let (here, keys) = (old.path(), self::keys(old.path()));
    let file = write(here, "old.json", &export(here, &receipt_id(here, "APPROVED"), &[]).to_string());
    let genuine = run(here, &["verify", &file, "--keys", &keys, "--require", "approved,opened"]);
    assert_eq!(genuine.code, Some(0), "{}", genuine.stdout);
    assert!(genuine.stdout.contains("APPROVED in scope demo, expired"), "{}", genuine.stdout);
    let over = run(here, &["verify", &file, "--keys", &keys, "--require", "approved,unexpired"]);
    assert_eq!(over.code, Some(12), "{}", over.stdout);
    assert!(over.stdout.contains("not met      unexpired: it could be redeemed until"), "{}", over.stdout);
}

/// Each file has its own verdict, independent of faults in the others.
#[test]
fn one_bad_file_among_several_is_judged_alone() {
    let data = folder();
    let here = data.path();
    let keys = keys(here);
    let good = write(here, "good.json", &export(here, &receipt_id(here, "APPROVED"), &[]).to_string());
    let denied = write(here, "denied.json", &export(here, &receipt_id(here, "DENIED"), &[]).to_string());
    let bad = here.join("bad.json");
    std::fs::write(&bad, b"{\"artifact\":\"\xff\"}").unwrap();
    let bad = bad.display().to_string();
    let missing = here.join("missing.json").display().to_string();
    let mut attestation = serde_json::json!({});
    attestation["artifact"] = Value::Null;
    attestation["attestation_artifact"] =
        export(here, &receipt_id(here, "APPROVED"), &[])["attestation_artifact"].clone();
    let attestation = write(here, "attestation.json", &attestation.to_string());
    let ran = run(here, &["verify", &good, &bad, &missing, &attestation, &denied, "--keys", &keys, "--json"]);
    let codes: Vec<_> = lines(&ran.stdout)
        .iter()
        .map(|line| (line["code"].as_str().unwrap().to_owned(), line["exit"].as_u64().unwrap()))
        .collect();
    let codes: Vec<_> = codes.iter().map(|(code, exit)| (code.as_str(), *exit)).collect();
    let (judged, not) = (("VERIFIED", 0), ("NOT_JUDGED", 64));
    assert_eq!(codes, [judged, ("MALFORMED", 3), not, not, judged]);
    assert_eq!(ran.code, Some(3), "the first that fails");
}

/// An option that does not apply to a file is an error, and never ignored.
#[test]
fn what_is_given_and_does_not_apply_is_an_error() {
    let data = folder();
    let here = data.path();
    let keys = keys(here);
    let owner = export(here, &receipt_id(here, "APPROVED"), &[]);
    let receipt = write(here, "receipt.json", &owner.to_string());
    let attestation = serde_json::json!({ "attestation_artifact": owner["attestation_artifact"] });
    let attestation = write(here, "attestation.json", &attestation.to_string());
    let request = write(here, "request.json", owner["artifact"]["request_json"].as_str().unwrap());
    let salt = owner["artifact"]["request_commitment_salt_b64"].as_str().unwrap();
    let nobody = write(here, "nobody.json", r#"{"deciders":[],"version":1}"#);
    let verify = |more: &[&str]| {
        run(here, &[&["verify", &attestation, "--keys", &keys, "--receipt", &receipt], more].concat())
    };
    let good = verify(&[]);
    assert_eq!(good.code, Some(0), "{}", good.stdout);
    assert!(good.stdout.contains("decider      \"demo:automatic\""), "who authorised it: {}", good.stdout);
    for more in
        [&["--request", &request, "--salt", salt][..], &["--deciders", &nobody], &["--require", "approved"]]
    {
        let ran = verify(more);
        assert_eq!(ran.code, Some(64), "{}", ran.stdout);
        assert!(ran.stdout.contains(more[0]), "{}", ran.stdout);
    }
    let raw = here.join("raw.json");
    std::fs::write(&raw, b"\xff").unwrap();
    let raw = raw.display().to_string();
    let ran = run(here, &["verify", &receipt, "--keys", &keys, "--request", &raw, "--salt", salt]);
    assert_eq!(ran.code, Some(10), "no committed request is that: {}", ran.stdout);
}

/// Both faults are reported, and the exit code is a third one.
#[test]
fn a_good_receipt_with_a_bad_attestation_says_both() {
    let data = folder();
    let here = data.path();
    let keys = keys(here);
    let good = export(here, &receipt_id(here, "APPROVED"), &[]);
    let verify = |change: &dyn Fn(&mut Value)| {
        let mut document = good.clone();
        change(&mut document["attestation_artifact"]);
        let file = write(here, "attested.json", &document.to_string());
        let text = run(here, &["verify", &file, "--keys", &keys]);
        let json = run(here, &["verify", &file, "--keys", &keys, "--json"]);
        assert_eq!(text.code, json.code);
        (text.code, text.stdout, lines(&json.stdout).remove(0))
    };
    let unsigned: &dyn Fn(&mut Value) = &|attestation| {
        *attestation = serde_json::json!({
            "approval_receipt_id": attestation["approval_receipt_id"], "outcome": "succeeded",
            "signed": false, "signing_failed": true,
        });
    };
    let forged: &dyn Fn(&mut Value) =
        &|attestation| attestation["signature_b64"] = good["artifact"]["signature_b64"].clone();
    for (change, why) in [(unsigned, "ATTESTATION_UNSIGNED"), (forged, "SIGNATURE_INVALID")] {
        let (code, text, json) = verify(change);
        assert_eq!(code, Some(11), "{text}");
        let first = text.lines().next().unwrap();
        assert!(first.contains("ATTESTATION_NOT_VERIFIED: the receipt itself verifies: APPROVED"), "{first}");
        assert!(text.contains(&format!("outcome      {why}")), "{text}");
        assert_eq!(json["code"], "ATTESTATION_NOT_VERIFIED");
        assert_eq!((&json["exit"], &json["attestation"]["code"]), (&11.into(), &why.into()));
    }
    assert_eq!(verify(&|_| {}).0, Some(0));
}

/// No line is too long to read, everyone who decided is named, and unchecked parts come first.
#[test]
fn a_verdict_can_be_read() {
    let Revoked { folder, receipt, .. } = revoked();
    let here = folder.path();
    let (keys, before) = (keys(here), here.join("before.json").display().to_string());
    let verified = run(here, &["verify", &before, "--keys", &keys]);
    let shown = run(here, &["receipts", "show", &receipt]);
    for text in [&verified.stdout, &shown.stdout] {
        let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(longest < 240, "{longest}: {text}");
        assert!(text.contains("  action.parameters.resource = \"cloudflare://"), "{text}");
        assert!(text.contains("  action.parameters.artifact.sha256 = "), "{text}");
    }
    let mut lines = verified.stdout.lines();
    assert!(lines.next().unwrap().ends_with("VERIFIED: APPROVED in scope production"), "{}", verified.stdout);
    let not_checked = lines.next().unwrap();
    assert!(
        not_checked.starts_with("not checked  who decided") && not_checked.contains("--deciders"),
        "{not_checked}"
    );
    for name in ["alice", "bob"] {
        assert!(
            verified.stdout.contains(&format!("decided by   {name} as release at")),
            "{}",
            verified.stdout
        );
        assert!(shown.stdout.contains(&format!("signed by    {name} as release at")), "{}", shown.stdout);
    }
}

/// A reader that stops reading is no error; a failed write is an error; neither changes a verdict.
#[test]
fn a_reader_that_is_gone_changes_no_verdict() {
    let data = folder();
    let here = data.path();
    let keys = keys(here);
    let good = write(here, "good.json", &export(here, &receipt_id(here, "APPROVED"), &[]).to_string());
    let bad = write(here, "bad.json", "{");
    let into = |out: Stdio, files: &[&str]| {
        let mut command = command(here, &[&["verify"], files, &["--keys", &keys]].concat());
        let output = command.stdout(out).stderr(Stdio::piped()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    for (files, code) in [(&[good.as_str()][..], 0), (&[&good, &bad], 3)] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(into(writer.into(), files), (Some(code), String::new()));
    }
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else {
        eprintln!("NOT RUN: there is no /dev/full here");
        return;
    };
    let (code, error) = into(full.try_clone().unwrap().into(), &[&good]);
    assert_eq!(code, Some(64), "{error}");
    assert!(error.contains("cannot write to standard output"), "{error}");
    assert_eq!(into(full.into(), &[&good, &bad]).0, Some(3), "the verdict stands");
}

/// Section 6.7, "Reporting a withheld rule": the words are the specification's.
#[test]
fn a_withheld_rule_is_reported_in_the_specification_s_words() {
    let vectors = support::root().join("../shared/receipt-spec/test-vectors");
    if !vectors.is_dir() {
        eprintln!("NOT RUN: the published vectors are not here");
        return;
    }
    let data = TempDir::new().unwrap();
    let path = |name: &str| vectors.join(name).display().to_string();
    let name = "approve-human-deploy-gate-v2-private-repo";
    let salt = "05f2531bc96caba4a8a3b629e8af364d90c6bf2cb0abe49537b2bd6b7602504a";
    let (receipt, request) =
        (path(&format!("v3/{name}.json")), path(&format!("v3/openings/{name}.request.json")));
    let keys = path("keys.json");
    let withheld = "rule         withheld (private repository): the signed projection carries no policy rule id or version; ";
    let closed = run(data.path(), &["verify", &receipt, "--keys", &keys]);
    let words = format!("{withheld}opening the request commitment shows it\n");
    assert!(closed.stdout.contains(&words), "{}", closed.stdout);
    let opened =
        run(data.path(), &["verify", &receipt, "--keys", &keys, "--request", &request, "--salt", salt]);
    let words = format!("{withheld}the opened request commitment records hold.repo_protected_path@");
    assert!(opened.stdout.contains(&words), "{}", opened.stdout);
    // Null owner fields claim nothing, and an older version has none (section 3.5).
    let older = std::fs::read_to_string(path("approve-human-deploy-gate.json")).unwrap();
    let mut older: Value = serde_json::from_str(&older).unwrap();
    (older["request_json"], older["artifact"]["request_json"]) = (Value::Null, Value::Null);
    let older = write(data.path(), "older.json", &older.to_string());
    let ran =
        run(data.path(), &["verify", &older, "--keys", &keys, "--require", "approved,production,opened"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stdout);
}

/// The owner's fields that open a receipt: request, summary and binding.
fn openings_have_theirs(here: &Path, owner: &Value, verify: &dyn Fn(&[&str]) -> Option<i32>) {
    let request = write(here, "request.json", owner["artifact"]["request_json"].as_str().unwrap());
    let salt = owner["artifact"]["request_commitment_salt_b64"].as_str().unwrap();
    let summary =
        write(here, "summary.txt", &format!("{}\n", owner["artifact"]["summary"].as_str().unwrap()));
    let binding = write(
        here,
        "binding.json",
        &serde_json::json!({ "companyId": owner["artifact"]["company_id"], "idemKey": owner["artifact"]["idem_key"] })
            .to_string(),
    );
    let open = ["--request", &request, "--salt", salt];
    assert_eq!(verify(&open), Some(0));
    assert_eq!(verify(&[&open[..], &["--summary", &summary, "--binding", &binding]].concat()), Some(0));
    let reformatted =
        write(here, "reformatted.json", &format!("{} ", owner["artifact"]["request_json"].as_str().unwrap()));
    assert_eq!(verify(&["--request", &reformatted, "--salt", salt]), Some(10));
    let elsewhere = write(here, "elsewhere.json", r#"{"companyId":"mallory"}"#);
    assert_eq!(verify(&[&open[..], &["--binding", &elsewhere]].concat()), Some(10));
}

fn export(here: &Path, id: &str, more: &[&str]) -> Value {
    let ran = run(here, &[&["receipts", "export", id], more].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

fn keys(here: &Path) -> String {
    write(here, "keys.json", &run(here, &["keys", "export"]).stdout)
}

fn revoked() -> Revoked {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    let succeeds = |arguments: &[&str]| {
        let ran = run(here, arguments);
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        ran.stdout
    };
    for name in ["alice", "bob"] {
        let key = here.join(name).display().to_string();
        succeeds(&["deciders", "new-key", &key]);
        succeeds(&["deciders", "add", name, "--role", "release", "--key", &format!("{key}.pub")]);
    }
    let policy = "[[rule]]\nid = \"two\"\ncapability = \"cloudflare.dynamic-worker.deploy\"\nthen = \"ask\"\nrole = \"release\"\napprovals = 2\n";
    write(here, "policy.toml", policy);
    assert_eq!(run(here, &["run", GUEST, "--wait"]).code, Some(3));
    let request = lines(&succeeds(&["approvals", "--json"]))[0]["request"].as_str().unwrap().to_owned();
    for name in ["alice", "bob"] {
        let key = here.join(name).display().to_string();
        succeeds(&["approve", &request, "--as", name, "--key", &key, "--reason", "green"]);
    }
    let receipt = receipt_id(here, "APPROVED");
    write(here, "before.json", &export(here, &receipt, &[]).to_string());
    succeeds(&["revoke", &receipt, "--reason", "wrong branch"]);
    let revocation = receipt_id(here, "DENIED");
    Revoked { folder, receipt, revocation }
}
