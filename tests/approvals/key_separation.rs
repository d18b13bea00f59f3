//! Where private keys are: in one module, or in one process.

use crate::support;
use crate::support::cli::*;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The modules that run guests, act, judge and remember name no signer.
#[test]
fn no_room_but_the_authority_has_a_way_to_a_private_key() {
    let sources = [
        "sandbox/src",
        "store/src",
        "store-sqlite/src",
        "store-postgres/src",
        "engine/src/capability",
        "engine/src/trust",
        "engine/src/limits",
    ];
    for room in sources {
        let mut files = Vec::new();
        collect(&support::root().join("crates").join(room), &mut files);
        assert!(!files.is_empty(), "{room}");
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            let code = text.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
            for line in code {
                // `HostSigner` is the public name of a host's issuer.
                let line = line.replace("HostSigner", "");
                for word in ["issuer::", "Signer", "SigningKey", "Keyring", "mint("] {
                    assert!(!line.contains(word), "{}: {line}", file.display());
                }
            }
        }
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => collect(&path, files),
            false => files.push(path),
        }
    }
}

/// An authority that ends with the test.
struct Authority {
    process: Child,
    socket: String,
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts an authority, and waits until it prints that it listens.
fn authority(data: &Path, socket: &Path, more: &[&str]) -> Authority {
    let socket = socket.display().to_string();
    let arguments = [&["authority", "--socket", &socket], more].concat();
    let mut process = command(data, &arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("listening on"), "{line}");
    Authority { process, socket }
}

/// A command of a host whose keys are elsewhere.
fn with(authority: &Authority, data: &Path, arguments: &[&str]) -> Ran {
    let mut command: Command = command(data, arguments);
    command.env("PP_HOST_AUTHORITY", &authority.socket).output().unwrap().into()
}

struct Two {
    folder: TempDir,
    keys: PathBuf,
    host: PathBuf,
}

/// An authority's folder where alice and bob decide, and a host's.
fn two() -> Two {
    let folder = TempDir::new().unwrap();
    let (keys, host) = (folder.path().join("authority"), folder.path().join("host"));
    for name in ["alice", "bob"] {
        let (key, public) = (path(&folder, name), path(&folder, &format!("{name}.pub")));
        assert_eq!(run(&keys, &["deciders", "new-key", &key]).code, Some(0));
        let added = run(&keys, &["deciders", "add", name, "--role", "release", "--key", &public]);
        assert_eq!(added.code, Some(0), "{}", added.stderr);
    }
    Two { folder, keys, host }
}

fn path(folder: &TempDir, name: &str) -> String {
    folder.path().join(name).display().to_string()
}

fn waiting(authority: &Authority, host: &Path) -> (String, String) {
    let parked = with(authority, host, &["run", GUEST]);
    assert_eq!(parked.code, Some(3), "{}{}", parked.stdout, parked.stderr);
    let listed = lines(&with(authority, host, &["approvals", "--json"]).stdout);
    let text = |name: &str| listed[0][name].as_str().unwrap().to_owned();
    (text("request"), text("instance"))
}

#[test]
fn a_host_without_a_private_key_runs_approves_and_deploys() {
    let Two { folder, keys, host } = two();
    let authority = authority(&keys, &folder.path().join("socket"), &[]);
    let (request, instance) = waiting(&authority, &host);
    let key = path(&folder, "alice");
    let approved = with(&authority, &host, &["approve", &request, "--as", "alice", "--key", &key]);
    assert_eq!(approved.code, Some(0), "{}", approved.stderr);
    let resumed = with(&authority, &host, &["drive", &instance]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    assert!(resumed.stdout.contains("attested    succeeded"), "{}", resumed.stdout);
    let kept: Vec<_> =
        fs::read_dir(host.join("keys")).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(kept, ["keys.json"], "public keys, and no others");
    let signed = fs::read_to_string(keys.join("signed.jsonl")).unwrap();
    assert_eq!(signed.lines().count(), 1, "the authority knows what it signed");
    assert!(signed.contains(&request));
    let receipt = receipt_id(&host, "APPROVED");
    let export = write(folder.path(), "receipt.json", &run(&host, &["receipts", "export", &receipt]).stdout);
    let pinned = write(folder.path(), "keys.json", &run(&keys, &["keys", "export"]).stdout);
    let people = write(folder.path(), "deciders.json", &run(&keys, &["deciders", "export"]).stdout);
    let verified = run(&host, &["verify", &export, "--keys", &pinned, "--deciders", &people]);
    assert_eq!(verified.code, Some(0), "{}", verified.stdout);
    assert!(verified.stdout.contains("signed by    alice as release"), "{}", verified.stdout);
}

/// Operators record acts in the authority's folder while it runs, and the next redemption takes them into account.
#[test]
fn who_is_removed_there_does_not_count_here() {
    let Two { folder, keys, host } = two();
    let authority = authority(&keys, &folder.path().join("socket"), &[]);
    let (request, instance) = waiting(&authority, &host);
    let key = path(&folder, "alice");
    assert_eq!(with(&authority, &host, &["approve", &request, "--as", "alice", "--key", &key]).code, Some(0));
    assert_eq!(run(&keys, &["deciders", "remove", "alice", "--reason", "left"]).code, Some(0));
    let resumed = with(&authority, &host, &["drive", &instance]);
    assert!(resumed.stdout.contains("approvals"), "{}{}", resumed.stdout, resumed.stderr);
    assert_eq!(run(&host, &["deployments", "--json"]).stdout, "");
    let here = with(&authority, &host, &["deciders", "remove", "bob", "--reason", "x"]);
    assert!(here.stderr.contains("recorded in the authority"), "{}", here.stderr);
}

#[test]
fn an_authority_that_is_not_there_or_does_not_know_us_is_said() {
    let Two { folder, keys, host } = two();
    let socket = folder.path().join("socket");
    let nobody = run(&host, &["run", GUEST, "--authority", &socket.display().to_string()]);
    assert_eq!(nobody.code, Some(1));
    assert!(
        nobody.stderr.contains("does not answer") && nobody.stderr.contains("pp-host authority"),
        "{}",
        nobody.stderr
    );
    let authority = authority(&keys, &socket, &["--account", "4294967294"]);
    let stranger = with(&authority, &host, &["run", GUEST]);
    assert_eq!(stranger.code, Some(1));
    assert!(
        stranger.stderr.contains("it hung up") || stranger.stderr.contains("does not answer"),
        "{}",
        stranger.stderr
    );
}

/// The socket is found by its path: what answers there has to run under the account that is expected.
#[test]
fn another_account_s_process_is_not_taken_for_the_authority() {
    let Two { folder, keys, host } = two();
    let authority = authority(&keys, &folder.path().join("socket"), &[]);
    let refused = with(&authority, &host, &["--authority-account", "4294967294", "run", GUEST]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("expected to run under account 4294967294"), "{}", refused.stderr);
    assert!(!host.join("keys").exists());
    let own = engine::issuer::own_account().to_string();
    let parked = with(&authority, &host, &["--authority-account", &own, "run", GUEST]);
    assert_eq!(parked.code, Some(3), "{}", parked.stderr);
    assert!(parked.stderr.contains("at the authority: key pp_"), "{}", parked.stderr);
    assert!(parked.stderr.contains("alice may decide as release"), "{}", parked.stderr);
    let again = with(&authority, &host, &["run", GUEST]);
    assert_eq!((again.code, again.stderr.as_str()), (Some(3), ""), "nothing has changed");
}
