//! The scripts of `docs/receipts.md`, run as they stand there on a receipt from this crate.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::common::{keys, minted};

/// The first block of this language behind `heading`.
fn block(language: &str, heading: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/receipts.md");
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
