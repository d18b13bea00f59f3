//! openssl reads this crate's output, and the reverse.

use std::process::Command;

use signer::{KeyFile, PublicKey, generate};

use crate::common::{PASSPHRASE, folder, have, open, open_with, place, run, set_mode};

fn openssl(arguments: &[&str]) -> String {
    run(Command::new("openssl").args(arguments))
}

/// Whether openssl accepts the signature.
pub(crate) fn verifies(public: &PublicKey, message: &[u8], signature: &[u8; 64]) -> bool {
    let folder = folder();
    let path = |name: &str, content: &[u8]| place(&folder, name, content).display().to_string();
    let (public, message) = (path("public", public.to_pem().as_bytes()), path("message", message));
    let signature = path("signature", signature);
    let verify = [
        "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", &public, "-in", &message, "-sigfile", &signature,
    ];
    Command::new("openssl").args(verify).output().unwrap().status.success()
}

#[test]
fn openssl_reads_a_new_key_and_verifies_its_signatures() {
    if !have(&["openssl"]) {
        return;
    }
    let folder = folder();
    let path = folder.path().join("key.pem");
    let public = generate(&path).unwrap();
    assert_eq!(openssl(&["pkey", "-in", path.to_str().unwrap(), "-pubout"]), public.to_pem());
    let signature = open(&path).unwrap().sign(b"message");
    assert!(verifies(&public, b"message", &signature));
    assert!(!verifies(&public, b"massage", &signature));
}

#[test]
fn keys_of_openssl_open() {
    if !have(&["openssl"]) {
        return;
    }
    let folder = folder();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let plain = path("plain");
    openssl(&["genpkey", "-algorithm", "ed25519", "-out", &plain]);
    let public = PublicKey::parse(&openssl(&["pkey", "-in", &plain, "-pubout"])).unwrap();
    let check = |path: &str, open: &dyn Fn() -> KeyFile| {
        set_mode(path.as_ref(), 0o600);
        let key = open();
        assert_eq!(key.public_key(), public, "{path}");
        assert!(verifies(&public, b"message", &key.sign(b"message")), "{path}");
    };
    check(&plain, &|| open(plain.as_ref()).unwrap());
    let encryptions: [&[&str]; 5] = [
        &["-v2", "aes-256-cbc"],
        &["-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA512"],
        &["-v2", "aes-192-cbc", "-iter", "100000"],
        &["-scrypt"],
        &["-scrypt", "-scrypt_N", "8192", "-scrypt_r", "8", "-scrypt_p", "2"],
    ];
    for (index, encryption) in encryptions.iter().enumerate() {
        let encrypted = path(&format!("encrypted-{index}"));
        let password = format!("pass:{PASSPHRASE}");
        let convert = ["pkcs8", "-topk8", "-in", &plain, "-out", &encrypted, "-passout", &password];
        openssl(&[&convert, *encryption].concat());
        check(&encrypted, &|| open_with(encrypted.as_ref(), PASSPHRASE).unwrap());
    }
}
