//! Altered private keys: cut anywhere, one byte changed, parameters that ask for too much.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use signer::{FileErrorKind, KeyFile, PublicKey};

use crate::common::{PASSPHRASE, alice, fixture, folder, open, open_with, place};

/// The bytes in a fixture's block.
fn unarmor(text: &str) -> Vec<u8> {
    let body = text.lines().filter(|line| !line.starts_with("-----")).collect::<String>();
    BASE64_STANDARD.decode(body).unwrap()
}

fn armor(label: &str, bytes: &[u8]) -> String {
    let body = BASE64_STANDARD.encode(bytes);
    let lines = body.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap());
    let lines = lines.collect::<Vec<_>>().join("\n");
    format!("-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n")
}

fn try_open(label: &str, bytes: &[u8]) -> Result<KeyFile, FileErrorKind> {
    let folder = folder();
    let path = place(&folder, "key", armor(label, bytes));
    match label {
        "PRIVATE KEY" => open(&path),
        "OPENSSH PRIVATE KEY" if contains(bytes, b"none") => open(&path),
        _ => open_with(&path, PASSPHRASE),
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// A key cut anywhere is refused. The keys that open with one byte another.
fn check(label: &str, name: &str) -> Vec<PublicKey> {
    let bytes = unarmor(&fixture(name));
    assert!(try_open(label, &bytes).is_ok(), "{name}");
    for length in 0..bytes.len() {
        assert!(try_open(label, &bytes[..length]).is_err(), "{name} cut at {length}");
    }
    assert!(try_open(label, &[&bytes, [0].as_slice()].concat()).is_err(), "{name} with something behind it");
    let places = (0..bytes.len()).flat_map(|index| [(index, 0x01), (index, 0x80)]);
    let altered = places.map(|(index, flip)| {
        let mut altered = bytes.clone();
        altered[index] ^= flip;
        altered
    });
    altered.filter_map(|bytes| try_open(label, &bytes).ok()).map(|key| key.public_key()).collect()
}

#[test]
fn an_altered_openssh_key_opens_as_itself_or_not_at_all() {
    // No checksum covers the comment and the two numbers.
    let opened = check("OPENSSH PRIVATE KEY", "openssh");
    assert!(!opened.is_empty() && opened.iter().all(|key| *key == alice()));
}

#[test]
fn an_altered_pkcs8_key_is_refused_or_another_key() {
    // PKCS#8 has no second half to compare with: an altered seed is a seed.
    let pkcs8 = PublicKey::parse(&fixture("pkcs8.pub.pem")).unwrap();
    for (label, name) in [("PRIVATE KEY", "pkcs8.pem"), ("ENCRYPTED PRIVATE KEY", "pkcs8-pbkdf2.pem")] {
        let opened = check(label, name);
        assert!(!opened.is_empty() && opened.iter().all(|key| *key != pkcs8), "{name}");
    }
}

/// The fields of an OpenSSH key, to be written in other ways than ssh-keygen does.
#[derive(Clone)]
struct OpenSsh {
    cipher: Vec<u8>,
    kdf: Vec<u8>,
    options: Vec<u8>,
    count: u32,
    public: Vec<u8>,
    private: Vec<u8>,
}

impl OpenSsh {
    fn read(name: &str) -> Self {
        let bytes = unarmor(&fixture(name));
        let mut rest = &bytes[15..];
        let (cipher, kdf, options) = (string(&mut rest), string(&mut rest), string(&mut rest));
        rest = &rest[4..];
        Self { cipher, kdf, options, count: 1, public: string(&mut rest), private: string(&mut rest) }
    }

    fn open(&self) -> Result<KeyFile, FileErrorKind> {
        let mut bytes = b"openssh-key-v1\0".to_vec();
        [&self.cipher, &self.kdf, &self.options].iter().for_each(|field| put(&mut bytes, field));
        bytes.extend(self.count.to_be_bytes());
        [&self.public, &self.private].iter().for_each(|field| put(&mut bytes, field));
        try_open("OPENSSH PRIVATE KEY", &bytes)
    }
}

fn string(rest: &mut &[u8]) -> Vec<u8> {
    let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
    let (field, behind) = rest[4..].split_at(length);
    *rest = behind;
    field.to_vec()
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u32).to_be_bytes());
    out.extend(bytes);
}

#[test]
fn work_without_a_bound_is_refused_and_no_passphrase_is_asked_for() {
    let key = OpenSsh::read("openssh-one-round");
    assert_eq!(key.open().unwrap().public_key(), alice());
    let with_rounds = |rounds: u32| {
        let mut key = key.clone();
        let end = key.options.len() - 4;
        key.options[end..].copy_from_slice(&rounds.to_be_bytes());
        key.open().unwrap_err()
    };
    for rounds in [1025, u32::MAX] {
        let problem = with_rounds(rounds);
        assert!(
            matches!(problem, FileErrorKind::Work { asked, .. } if asked == u64::from(rounds)),
            "{problem}"
        );
    }
    assert!(matches!(with_rounds(0), FileErrorKind::Damaged(_)));
}

#[test]
fn parameters_of_pkcs8_that_ask_for_too_much_are_refused() {
    let altered = |name: &str, from: &[u8], to: &[u8]| {
        let bytes = unarmor(&fixture(name));
        let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
        let bytes = [&bytes[..at], to, &bytes[at + from.len()..]].concat();
        try_open("ENCRYPTED PRIVATE KEY", &bytes).unwrap_err()
    };
    let iterations = [2, 2, 8, 0];
    let none = altered("pkcs8-pbkdf2.pem", &iterations, &[2, 2, 0, 0]);
    assert!(matches!(none, FileErrorKind::Damaged(_)), "{none}");
    // N = 2^14, r = 8, p = 1, in as many bytes: N = 0, which no library checks; half a gigabyte; 2^14 + 1, which is no power.
    let scrypt = [2, 2, 0x40, 0, 2, 1, 8, 2, 1, 1];
    let zero = altered("pkcs8-scrypt.pem", &scrypt, &[2, 1, 0, 2, 2, 0, 200, 2, 1, 1]);
    assert!(matches!(zero, FileErrorKind::Damaged(_)), "{zero}");
    let giant = altered("pkcs8-scrypt.pem", &scrypt, &[2, 2, 0x40, 0, 2, 1, 127, 2, 1, 3]);
    assert!(matches!(giant, FileErrorKind::Work { asked: 799_014_912, .. }), "{giant}");
    let odd = altered("pkcs8-scrypt.pem", &scrypt, &[2, 2, 0x40, 1, 2, 1, 8, 2, 1, 1]);
    assert!(matches!(odd, FileErrorKind::Damaged(_)), "{odd}");
}

#[test]
fn halves_of_two_keys_are_refused() {
    let other = OpenSsh { public: OpenSsh::read("openssh-encrypted").public, ..OpenSsh::read("openssh") };
    assert!(matches!(other.open().unwrap_err(), FileErrorKind::Damaged("its halves do not belong together")));
    let locked =
        OpenSsh { public: OpenSsh::read("openssh-encrypted").public, ..OpenSsh::read("openssh-one-round") };
    assert!(matches!(
        locked.open().unwrap_err(),
        FileErrorKind::Damaged("its halves do not belong together")
    ));
}

#[test]
fn what_ssh_keygen_never_writes_is_refused() {
    let key = OpenSsh::read("openssh");
    let damaged = |key: OpenSsh| {
        let problem = key.open().unwrap_err();
        assert!(matches!(problem, FileErrorKind::Damaged(_) | FileErrorKind::Encryption(_)), "{problem}");
    };
    damaged(OpenSsh { count: 0, ..key.clone() });
    damaged(OpenSsh { count: 2, ..key.clone() });
    damaged(OpenSsh { count: u32::MAX, ..key.clone() });
    damaged(OpenSsh { private: Vec::new(), ..key.clone() });
    damaged(OpenSsh { private: [key.private.as_slice(), &[0; 8]].concat(), ..key.clone() });
    damaged(OpenSsh { private: [key.private.as_slice(), &[6]].concat(), ..key.clone() });
    damaged(OpenSsh { kdf: b"bcrypt".to_vec(), ..key.clone() });
    damaged(OpenSsh { cipher: b"\x1b[2J".to_vec(), kdf: b"none\0".to_vec(), ..key.clone() });
    let locked = OpenSsh::read("openssh-one-round");
    damaged(OpenSsh { options: Vec::new(), ..locked.clone() });
    damaged(OpenSsh { options: vec![0, 0, 0, 0, 0, 0, 0, 1], ..locked.clone() });
    damaged(OpenSsh { private: locked.private[..locked.private.len() - 1].to_vec(), ..locked });
}
