//! Public keys: both forms, and what is not one.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::VerifyingKey;
use signer::{FileErrorKind, Kind, PublicKey, PublicKeyError, Unsupported};

use crate::common::{alice, fixture, folder, place};

fn refused(text: &str) -> PublicKeyError {
    PublicKey::parse(text).unwrap_err()
}

fn of_kind(text: &str) -> Kind {
    match refused(text) {
        PublicKeyError::Unsupported(Unsupported { kind }) => kind,
        other => panic!("{other}: {text}"),
    }
}

/// A line as OpenSSH writes it, with these fields in the blob.
fn line(name: &str, fields: &[&[u8]]) -> String {
    let mut blob = Vec::new();
    for field in fields {
        blob.extend((field.len() as u32).to_be_bytes());
        blob.extend(*field);
    }
    format!("{name} {} somebody@somewhere", BASE64_STANDARD.encode(blob))
}

#[test]
fn both_forms_are_read_and_written() {
    let key = alice();
    assert_eq!(PublicKey::parse(&key.to_openssh()), Ok(key));
    assert_eq!(PublicKey::parse(&key.to_pem()), Ok(key));
    assert_eq!(PublicKey::from_bytes(&key.to_bytes()), Ok(key));
    assert!(fixture("openssh.pub").starts_with(&key.to_openssh()));
    let pem = fixture("pkcs8.pub.pem");
    assert_eq!(PublicKey::parse(&pem).unwrap().to_pem(), pem);
    assert_eq!(PublicKey::parse(&pem.replace('\n', "\r\n")), PublicKey::parse(&pem));
}

#[test]
fn a_line_may_stand_among_comments() {
    let text = format!("\n# alice's, from the laptop\n\n  {}  alice@example \n\n", alice().to_openssh());
    assert_eq!(PublicKey::parse(&text), Ok(alice()));
}

#[test]
fn a_file_is_read_whichever_account_may_write_it() {
    let folder = folder();
    let path = place(&folder, "alice.pub", fixture("openssh.pub"));
    crate::common::set_mode(&path, 0o666);
    assert_eq!(PublicKey::read(&path).unwrap(), alice());
}

#[test]
fn a_file_that_is_no_public_key_says_so() {
    let folder = folder();
    let read = |name: &str, content: &[u8]| PublicKey::read(&place(&folder, name, content)).unwrap_err();
    let problem = read("binary", &[0xff; 32]).problem;
    assert!(matches!(problem, FileErrorKind::Public(PublicKeyError::NotAKey)), "{problem}");
    let problem = read("large", &[b'a'; 20_000]).problem;
    assert!(matches!(problem, FileErrorKind::TooLarge { limit: 16_384 }), "{problem}");
    let error = read("private", fixture("openssh").as_bytes());
    assert!(error.to_string().contains("this is a private key, and the public one is needed"), "{error}");
    let missing = PublicKey::read(&folder.path().join("missing")).unwrap_err();
    assert!(matches!(missing.problem, FileErrorKind::Io(_)), "{missing}");
}

#[test]
fn other_kinds_are_named() {
    let point: &[u8] = &alice().to_bytes();
    assert_eq!(of_kind(&fixture("openssh-rsa.pub")), Kind::Rsa);
    assert_eq!(of_kind(&fixture("openssh-ecdsa.pub")), Kind::Ecdsa);
    assert_eq!(of_kind(&fixture("openssh-certificate.pub")), Kind::Certificate);
    assert_eq!(of_kind(&fixture("pkcs8-rsa.pub.pem")), Kind::Rsa);
    assert_eq!(of_kind("ssh-dss AAAA"), Kind::Dsa);
    let fido = "sk-ssh-ed25519@openssh.com";
    assert_eq!(of_kind(&line(fido, &[fido.as_bytes(), point, b"ssh:"])), Kind::Ed25519Fido);
    assert_eq!(of_kind("sk-ecdsa-sha2-nistp256@openssh.com AAAA"), Kind::EcdsaFido);
    assert_eq!(of_kind("ssh-mldsa-65 AAAA"), Kind::Other("ssh-mldsa-65".to_owned()));
    // The name in front and the name inside are two.
    assert_eq!(of_kind(&line("ssh-ed25519", &[fido.as_bytes(), point, b"ssh:"])), Kind::Ed25519Fido);
}

#[test]
fn a_refusal_says_what_to_do() {
    let text = |key: &str| refused(key).to_string();
    assert_eq!(
        text("ssh-rsa AAAA"),
        "the key is RSA, and only Ed25519 keys sign here: make one with ssh-keygen -t ed25519"
    );
    assert_eq!(
        text("sk-ssh-ed25519@openssh.com AAAA"),
        "the key is Ed25519 in a FIDO security key (sk-ssh-ed25519), and security keys are not supported yet: make a plain one with \
         ssh-keygen -t ed25519"
    );
    assert!(text("ssh-\u{1b}[2J\u{202e}x AAAA").contains(r"`ssh-\u{1b}[2J\u{202e}x`"));
}

#[test]
fn what_is_no_key_is_refused() {
    let key = alice().to_openssh();
    for text in
        ["", "\n\n", "# nothing", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
    {
        assert_eq!(refused(text), PublicKeyError::NotAKey, "{text}");
    }
    assert_eq!(refused(&format!("command=\"true\" {key}")), PublicKeyError::NotAKey);
    assert_eq!(refused(&format!("{key}\n{key}\n")), PublicKeyError::Several(2));
    for private in ["openssh", "pkcs8.pem", "pkcs8-pbkdf2.pem", "traditional-rsa.pem"] {
        assert_eq!(refused(&fixture(private)), PublicKeyError::Private);
    }
}

#[test]
fn a_damaged_key_is_refused() {
    let point: &[u8] = &alice().to_bytes();
    for text in [
        "ssh-ed25519".to_owned(),
        "ssh-ed25519 AAAA".to_owned(),
        "ssh-ed25519 ????".to_owned(),
        line("ssh-ed25519", &[b"ssh-ed25519", &point[1..]]),
        line("ssh-ed25519", &[b"ssh-ed25519", point, b"more"]),
        fixture("pkcs8.pub.pem").replace("MCow", "MCox"),
        fixture("pkcs8.pub.pem").lines().take(2).collect::<Vec<_>>().join("\n"),
        format!("{}{}", fixture("pkcs8.pub.pem"), fixture("pkcs8.pub.pem")),
    ] {
        assert_eq!(refused(&text), PublicKeyError::Damaged, "{text}");
    }
}

#[test]
fn a_key_that_anything_verifies_under_is_refused() {
    let mut identity = [0; 32];
    identity[0] = 1;
    assert_eq!(PublicKey::from_bytes(&identity), Err(PublicKeyError::Weak));
    assert_eq!(refused(&line("ssh-ed25519", &[b"ssh-ed25519", &identity])), PublicKeyError::Weak);
    assert_eq!(PublicKey::from_bytes(&[2; 32]).is_ok(), VerifyingKey::from_bytes(&[2; 32]).is_ok());
}

#[test]
fn a_second_encoding_of_a_key_is_refused() {
    // y + p for small y: the same points as y, in other words.
    let second = |y: u8| {
        let mut bytes = [0xff; 32];
        (bytes[0], bytes[31]) = (0xed + y, 0x7f);
        bytes
    };
    let accepted_elsewhere =
        (0..19).map(second).filter(|bytes| VerifyingKey::from_bytes(bytes).is_ok_and(|key| !key.is_weak()));
    let mut count = 0;
    for bytes in accepted_elsewhere {
        assert_eq!(PublicKey::from_bytes(&bytes), Err(PublicKeyError::Weak));
        count += 1;
    }
    assert_eq!(count, 10, "encodings that others accept");
}

#[test]
fn nothing_that_can_be_typed_makes_it_panic() {
    proptest::proptest!(|(text in "(-----BEGIN PUBLIC KEY-----|ssh-ed25519 |sk-|)[ -~\n]{0,200}(-----END PUBLIC KEY-----|)")| {
        let _ = PublicKey::parse(&text);
    });
}
