//! The passphrase prompt on a real terminal.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use signer::{KeyFile, ask_on_terminal};

use crate::common::{PASSPHRASE, alice, fixture, folder, have, place};

/// Names the key file to [`child`].
const KEY: &str = "SIGNER_TEST_KEY";

/// Runs in a process of its own, started by the other tests: opens a key and prints the result.
#[test]
fn child() {
    let Some(path) = std::env::var_os(KEY) else { return };
    let outcome = match KeyFile::open(Path::new(&path), ask_on_terminal) {
        Ok(key) => format!("opened {}", key.public_key().fingerprint()),
        Err(error) => error.to_string(),
    };
    println!("\n[{outcome}]");
}

fn this() -> String {
    let program = std::env::current_exe().unwrap();
    format!("'{}' --exact terminal::child --nocapture", program.display())
}

#[test]
fn a_passphrase_is_read_from_the_terminal() {
    if !have(&["script"]) {
        return;
    }
    let folder = folder();
    let path = place(&folder, "key", fixture("openssh-one-round"));
    for (typed, says) in [
        (PASSPHRASE, format!("[opened {}]", alice().fingerprint())),
        ("wrong", "the passphrase is wrong]".to_owned()),
        ("", "the passphrase was left empty]".to_owned()),
    ] {
        let mut command = Command::new("script");
        command.args(["-qec", &this(), "/dev/null"]).env(KEY, &path);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut stdin, mut stdout) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let mut shown = Vec::new();
        let prompt = format!("passphrase for {}: ", path.display());
        until(&mut stdout, &mut shown, &prompt);
        writeln!(stdin, "{typed}").unwrap();
        until(&mut stdout, &mut shown, &says);
        drop(stdin);
        process.wait().unwrap();
    }
}

/// Reads until `wanted` has arrived.
fn until(stream: &mut impl std::io::Read, shown: &mut Vec<u8>, wanted: &str) {
    let mut byte = [0];
    while !String::from_utf8_lossy(shown).contains(wanted) {
        let read = stream.read(&mut byte).unwrap();
        assert!(read == 1, "{wanted} has not come: {}", String::from_utf8_lossy(shown));
        shown.push(byte[0]);
    }
}

#[test]
fn without_a_terminal_the_error_says_what_to_do() {
    if !have(&["setsid"]) {
        return;
    }
    let folder = folder();
    let path = place(&folder, "key", fixture("openssh-one-round"));
    let command = format!("exec {}", this());
    let mut process = Command::new("setsid")
        .args(["-w", "sh", "-c", &command])
        .env(KEY, &path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut shown = String::new();
    process.stdout.take().unwrap().read_to_string(&mut shown).unwrap();
    process.wait().unwrap();
    assert!(shown.contains("without a terminal, ssh-add the key and sign with ssh-agent]"), "{shown}");
}
