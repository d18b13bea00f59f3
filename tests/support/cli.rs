//! The built binary, run in a folder of its own.

use super::compiled;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use receipt::{Digest, Ed25519Signer, Signer as _};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// The result of one command.
pub struct Ran {
    /// Exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// A command on that data folder, in the repository's root, with nothing to read. Where the folder is empty, it gets the prebuilt guests'
/// compiled code.
pub fn command(data: &Path, arguments: &[&str]) -> Command {
    if fs::read_dir(data).is_ok_and(|mut files| files.next().is_none()) {
        compiled::put_guests(data);
    }
    cold_command(data, arguments)
}

/// [`command`], which finds no compiled code in an empty folder.
fn cold_command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pp-host"));
    command
        .current_dir(super::root())
        .env_remove("NO_COLOR")
        .env("PP_HOST_DATA", data)
        .args(arguments)
        .stdin(Stdio::null());
    command
}

/// Runs a command to its end, which finds no compiled code in an empty folder.
pub fn run_cold(data: &Path, arguments: &[&str]) -> Ran {
    cold_command(data, arguments).output().unwrap().into()
}

/// Runs a command to its end.
pub fn run(data: &Path, arguments: &[&str]) -> Ran {
    command(data, arguments).output().unwrap().into()
}

/// The demo guest.
pub const GUEST: &str = "tests/guests/tenant-workflow.wasm";

/// A folder with one approved and one denied run.
pub fn folder() -> TempDir {
    let data = TempDir::new().unwrap();
    assert_eq!(run(data.path(), &["run", GUEST]).code, Some(0));
    assert_eq!(run(data.path(), &["run", GUEST, "--deny"]).code, Some(4));
    data
}

/// JSON lines.
pub fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The id of the receipt with that decision.
pub fn receipt_id(data: &Path, status: &str) -> String {
    let listed = lines(&run(data, &["receipts", "list", "--json"]).stdout);
    let of_status = listed.iter().find(|receipt| receipt["status"] == status).unwrap();
    of_status["receipt_id"].as_str().unwrap().to_owned()
}

/// A demo receipt's public export as this folder's demo key signs it where it claims the scope of production.
pub fn claiming_production(data: &Path, demo: &Value) -> Value {
    let artifact = &demo["artifact"];
    let payload = BASE64_STANDARD.decode(artifact["payload_bytes_b64"].as_str().unwrap()).unwrap();
    let payload = String::from_utf8(payload).unwrap();
    let claim = payload.replace(r#""scope":"demo""#, r#""scope":"production""#);
    assert_ne!(claim, payload);
    let key_id = artifact["key_id"].as_str().unwrap();
    let key = SigningKey::read_pkcs8_pem_file(data.join("keys").join(format!("{key_id}.pem"))).unwrap();
    let digest = Digest::of(claim.as_bytes());
    let signature = Ed25519Signer::from_seed(key_id, key.as_bytes()).sign(&digest).unwrap();
    let mut forged = demo.clone();
    forged["artifact"]["payload_bytes_b64"] = BASE64_STANDARD.encode(&claim).into();
    forged["artifact"]["signed_payload_hash"] = digest.to_string().into();
    forged["artifact"]["signature_b64"] = BASE64_STANDARD.encode(signature).into();
    forged
}

/// Writes a file and returns its path.
pub fn write(folder: &Path, name: &str, content: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    path.display().to_string()
}
