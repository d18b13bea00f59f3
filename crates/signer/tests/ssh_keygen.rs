//! ssh-keygen reads this crate's output, and the reverse.

use std::fs;
use std::process::Command;

use signer::PublicKey;

use crate::common::{PASSPHRASE, folder, have, open, open_with, place, run};

#[test]
fn keys_of_ssh_keygen_open() {
    if !have(&["ssh-keygen"]) {
        return;
    }
    let folder = folder();
    // A comment of every length moves the padding.
    for (passphrase, comment) in
        [("", ""), ("", "a"), ("", "alice@example"), (PASSPHRASE, "alice@example"), ("ü", "ü")]
    {
        let path = folder.path().join(format!("key-{}-{}", passphrase.len(), comment.len()));
        let make = ["-q", "-t", "ed25519", "-N", passphrase, "-C", comment, "-f", path.to_str().unwrap()];
        run(Command::new("ssh-keygen").args(make));
        let public = PublicKey::read(&path.with_extension("pub")).unwrap();
        let key = if passphrase.is_empty() { open(&path) } else { open_with(&path, passphrase) };
        let key = key.unwrap();
        assert_eq!(key.public_key(), public);
        assert!(public.verifies(b"message", &key.sign(b"message")));
    }
}

#[test]
fn ssh_keygen_reads_both_forms_and_agrees_on_the_fingerprint() {
    if !have(&["ssh-keygen"]) {
        return;
    }
    let folder = folder();
    let public = signer::generate(&folder.path().join("key.pem")).unwrap();
    let line = place(&folder, "key.pub", public.to_openssh() + "\n");
    let listed = run(Command::new("ssh-keygen").args(["-l", "-f"]).arg(&line));
    assert!(listed.contains(&public.fingerprint()), "{listed}");
    let pem = place(&folder, "key.pub.pem", public.to_pem());
    // OpenSSH reads Ed25519 in SPKI since 9.6; older versions report an error, and read only the line above.
    let converted = Command::new("ssh-keygen").args(["-i", "-m", "PKCS8", "-f"]).arg(&pem).output().unwrap();
    if converted.status.success() {
        assert_eq!(String::from_utf8_lossy(&converted.stdout).trim_end(), public.to_openssh());
    }
    assert_eq!(fs::read_to_string(&line).unwrap().trim_end(), public.to_openssh());
}
