//! The scripts of `docs/receipts.md`, run exactly as printed on a receipt from this crate.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{approved, base64, deciders, draft, json, keys, minted, signer, statement, with};
use receipt::{Decision, DecisionStatement, Draft, Json, mint, request_digest};

/// The first block of this language behind `heading`.
fn block(language: &str, heading: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/receipts.md");
    let text = fs::read_to_string(path).unwrap();
    let rest = text.split_once(heading).unwrap().1;
    let rest = rest.split_once(&format!("```{language}\n")).unwrap().1;
    rest.split_once("```").unwrap().0.to_owned()
}

/// A folder with a receipt, or a forged one, and what opens it.
fn folder(name: &str, forged: bool) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).unwrap();
    let minted = minted();
    let mut artifact = minted.artifact;
    if forged {
        let payload =
            receipt::verify(&artifact, &keys()).unwrap().payload_json().replace("APPROVED\"}", "DENIED\"}");
        artifact.payload_bytes_b64 = crate::common::base64(payload.as_bytes());
    }
    fs::write(folder.join("receipt.json"), artifact.to_json()).unwrap();
    fs::write(folder.join("deciders.json"), deciders().to_json()).unwrap();
    fs::write(folder.join("keys.json"), keys().to_json()).unwrap();
    fs::write(folder.join("salt.b64"), minted.opening.salt.to_base64()).unwrap();
    fs::write(folder.join("request.json"), minted.opening.request_json).unwrap();
    folder
}

/// Runs `script` on a good and on a forged receipt, unless one of `needs` is not to be had here.
fn check(name: &str, needs: &[&[&str]], program: &[&str], script: &str, says: &str) {
    let run = |command: &[&str]| Command::new(command[0]).args(&command[1..]).output();
    if let Some(missing) = needs.iter().find(|need| !run(need).is_ok_and(|output| output.status.success())) {
        crate::common::not_run(&format!("the {name} script needs `{}`", missing.join(" ")));
        return;
    }
    for forged in [false, true] {
        let folder = folder(&format!("docs-{name}-{forged}"), forged);
        let output =
            Command::new(program[0]).args(&program[1..]).arg(script).current_dir(folder).output().unwrap();
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.success(), !forged, "{name}: {stdout}{stderr}");
        assert_eq!(stdout.contains(says), !forged, "{name}: {stdout}{stderr}");
    }
}

#[test]
fn the_openssl_script_verifies() {
    let needs: [&[&str]; 3] = [&["jq", "--version"], &["openssl", "version"], &["base64", "--version"]];
    let script = block("sh", "With openssl and jq");
    check("openssl", &needs, &["sh", "-c"], &script, "Verified Successfully");
}

#[test]
fn the_node_script_verifies() {
    let script = block("js", "With Node");
    check("node", &[&["node", "--version"]], &["node", "-e"], &script, "APPROVED rcpt_0001");
}

#[test]
fn the_python_script_verifies() {
    let script = block("python", "With Python");
    check(
        "python",
        &[&["python3", "-c", "import cryptography"]],
        &["python3", "-c"],
        &script,
        "APPROVED rcpt_0001",
    );
}

#[test]
fn the_opening_script_prints_the_commitment_twice() {
    let needs: [&[&str]; 2] = [&["jq", "--version"], &["openssl", "version"]];
    if needs.iter().any(|need| Command::new(need[0]).args(&need[1..]).output().is_err()) {
        crate::common::not_run("the opening script needs jq and openssl");
        return;
    }
    let folder = folder("docs-opening", false);
    let receipt = receipt::verify(&minted().artifact, &keys()).unwrap();
    fs::write(folder.join("payload.json"), receipt.payload_json()).unwrap();
    let script = block("sh", "To open a commitment by hand");
    let output = Command::new("sh").arg("-c").arg(script).current_dir(folder).output().unwrap();
    let commitment = receipt.request_commitment().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{commitment}\n{commitment}\n"));
}

/// The valid request, or one that differs from what was signed about it.
fn request(folder: &Path, change: fn(&Json) -> Json) -> String {
    let request = change(&json(&minted().opening.request_json)).canonical();
    fs::write(folder.join("request.json"), &request).unwrap();
    request
}

/// Changes a leaf of the request, and leaves the approval as it is.
fn other_request(request: &Json) -> Json {
    with(request, "tenantId", Some("umbrella".into()))
}

/// Changes the approval, and leaves its signature as it is.
fn other_statement(request: &Json) -> Json {
    let envelope = &request.get("approvals").unwrap().as_array().unwrap()[0];
    let statement = statement(&crate::common::request(), Decision::Approved);
    let statement = DecisionStatement { reason: None, ..statement };
    let payload = base64(statement.canonical().as_bytes());
    with(request, "approvals", Some(Json::array([with(envelope, "payload", Some(payload.into()))])))
}

#[test]
fn the_approvals_verify_with_openssl() {
    if !["jq", "openssl"].iter().all(|tool| Command::new(tool).arg("--help").output().is_ok()) {
        return crate::common::not_run("the script for approvals needs jq and openssl");
    }
    let script = block("sh", "With openssl and jq, the first approval");
    let run = |name: &str, change: fn(&Json) -> Json| {
        let folder = folder(&format!("docs-approvals-{name}"), false);
        request(&folder, change);
        let output = Command::new("sh").arg("-c").arg(&script).current_dir(folder).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let digest = request_digest(&crate::common::request());
    let verified = "Signature Verified Successfully\n";
    assert_eq!(run("good", Json::clone), format!("{verified}{digest}\n{digest}\n"));
    assert!(!run("statement", other_statement).contains(verified));
    let other = run("request", other_request);
    assert!(
        other.starts_with(&format!("{verified}{digest}\n")) && !other.ends_with(&format!("{digest}\n")),
        "{other}"
    );
}

/// A request with everything that others write differently: numbers, keys beyond ASCII, and names that are reserved further up only.
fn unusual() -> Draft {
    let odd = r#"{"\u{e000}":1e-7,"\u{1f600}":1e21,"approvals":[-0.5,1e300],"\u007f":"\\\"","a":"\u0000é"}"#;
    let odd = odd.replace("\\u{e000}", "\u{e000}").replace("\\u{1f600}", "\u{1f600}");
    let request = with(&draft().request, "context", Some(json(&odd)));
    approved(Draft { request, summary: Some("\u{202e}".to_owned()), ..draft() })
}

#[test]
fn the_approvals_verify_with_securesystemslib() {
    let python = |arguments: &[&str]| Command::new("python3").args(arguments).output();
    if !python(&["-c", "import securesystemslib.dsse, cryptography"])
        .is_ok_and(|output| output.status.success())
    {
        return crate::common::not_run("tests/envelope.py needs python3 with securesystemslib[crypto]");
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/envelope.py");
    let run = |name: &str, draft: &Draft, change: fn(&Json) -> Json| {
        let folder = folder(&format!("docs-envelope-{name}"), false);
        let minted = mint(draft, &signer()).unwrap();
        let exported = with(&json(&minted.artifact.to_json()), "request_json", {
            Some(change(&json(&minted.opening.request_json)).canonical().into())
        });
        let file = |name: &str| folder.join(name).display().to_string();
        fs::write(file("artifact.json"), exported.canonical()).unwrap();
        let output = python(&[script, &file("artifact.json"), &file("deciders.json")]).unwrap();
        (
            output.status.success(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    for (name, draft) in [("good", draft()), ("unusual", unusual())] {
        let (verified, stdout, stderr) = run(name, &draft, Json::clone);
        assert!(verified, "{stderr}");
        assert_eq!(stdout, "APPROVED by alice as release on apr_0001\n");
        for (change, says) in [
            (other_statement as fn(&Json) -> Json, "no pinned decider signed this"),
            (other_request, "about another request"),
        ] {
            let (verified, stdout, stderr) = run(&format!("{name}-forged"), &draft, change);
            assert!(!verified && stdout.is_empty() && stderr.contains(says), "{stdout}{stderr}");
        }
    }
}

/// in-toto's own library accepts the statement too.
#[test]
fn the_statement_is_valid_in_toto() {
    let script = "import sys
import google.protobuf.json_format as json_format
import in_toto_attestation.v1.statement_pb2 as statement_pb2
from in_toto_attestation.v1.statement import Statement
statement = json_format.Parse(sys.argv[1], statement_pb2.Statement())
Statement.copy_from_pb(statement).validate()
print(statement.predicate_type, statement.subject[0].digest['sha256'])";
    let run = |arguments: &[&str]| Command::new("python3").args(arguments).output();
    if !run(&["-c", "import in_toto_attestation"]).is_ok_and(|output| output.status.success()) {
        return crate::common::not_run("in-toto's own reading needs python3 with in-toto-attestation");
    }
    let statement = statement(&crate::common::request(), Decision::Approved);
    let output = run(&["-c", script, &statement.canonical()]).unwrap();
    let expected = format!("{} {}\n", receipt::PREDICATE_TYPE, statement.matter.request);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        expected,
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A decision by passkey, with other people's code.
#[test]
fn the_script_for_passkeys_verifies() {
    use crate::common::passkey::Browser;
    let python = |arguments: &[&str]| Command::new("python3").args(arguments).output();
    if !python(&["-c", "import cryptography"]).is_ok_and(|output| output.status.success()) {
        return crate::common::not_run("the script for passkeys needs python3 with cryptography");
    }
    let script = block("python", "An approval by passkey");
    for (name, browser) in [("es256", Browser::es256(0x41)), ("eddsa", Browser::eddsa(0x41))] {
        let run = |case: &str, signing: &Browser| {
            let folder = folder(&format!("docs-passkey-{name}-{case}"), false);
            let mut deciders = receipt::DeciderSet::new();
            deciders.insert(crate::common::person("alice", &browser)).unwrap();
            let text = statement(&crate::common::request(), Decision::Approved).canonical();
            let response = signing.get(&receipt::challenge(receipt::PAYLOAD_TYPE, text.as_bytes()));
            let key = receipt::StatementSigner::public_key(&browser).key_id();
            let envelope = receipt::Envelope::asserted(&text, key, response).unwrap();
            let request =
                with(&crate::common::request(), "approvals", Some(Json::array([envelope.to_json()])));
            fs::write(folder.join("deciders.json"), deciders.to_json()).unwrap();
            fs::write(folder.join("request.json"), request.canonical()).unwrap();
            let output = Command::new("python3").arg("-c").arg(&script).current_dir(folder).output().unwrap();
            (output.status.success(), String::from_utf8(output.stdout).unwrap())
        };
        let good = "APPROVED by alice at https://approvals.example\n".to_owned();
        assert_eq!(run("good", &browser), (true, good));
        let other = Browser { secret: Browser::es256(0x42).secret, ..browser.clone() };
        let unverified = Browser { flags: 1, ..browser.clone() };
        let elsewhere = Browser { origin: "https://evil.example".to_owned(), ..browser.clone() };
        let foreign = Browser { rp_id: "evil.example".to_owned(), ..browser.clone() };
        let embedded = Browser { more: r#","crossOrigin":true"#.to_owned(), ..browser.clone() };
        for (case, signing) in [
            ("key", other),
            ("unverified", unverified),
            ("origin", elsewhere),
            ("rp", foreign),
            ("embedded", embedded),
        ] {
            assert!(!run(case, &signing).0, "{case}");
        }
    }
}
