//! Private keys in files: which open, and which are refused before and after they are read.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::Path;

use signer::{FileErrorKind, Kind, PublicKey, Unsupported};

use crate::common::{PASSPHRASE, alice, fixture, folder, open, open_alone, open_with, place, set_mode};

fn refused(name: &str, content: impl AsRef<[u8]>) -> FileErrorKind {
    let folder = folder();
    open(&place(&folder, name, content)).unwrap_err()
}

fn of_kind(name: &str) -> Kind {
    match refused(name, fixture(name)) {
        FileErrorKind::Unsupported(Unsupported { kind }) => kind,
        other => panic!("{other}: {name}"),
    }
}

#[test]
fn plain_keys_open() {
    let folder = folder();
    let openssh = open(&place(&folder, "openssh", fixture("openssh"))).unwrap();
    assert_eq!(openssh.public_key(), alice());
    assert!(alice().verifies(b"message", &openssh.sign(b"message")));
    assert!(!alice().verifies(b"massage", &openssh.sign(b"message")));
    let pkcs8 = open(&place(&folder, "pkcs8", fixture("pkcs8.pem"))).unwrap();
    assert_eq!(pkcs8.public_key().to_pem(), fixture("pkcs8.pub.pem"));
    let crlf = open(&place(&folder, "crlf", fixture("pkcs8.pem").replace('\n', "\r\n"))).unwrap();
    assert_eq!(crlf.public_key(), pkcs8.public_key());
}

/// As editors and terminals leave them: ssh-keygen and openssl read all of these.
#[test]
fn keys_open_as_people_have_them() {
    let folder = folder();
    for name in ["openssh", "pkcs8.pem"] {
        let text = fixture(name);
        let key = open(&place(&folder, name, &text)).unwrap().public_key();
        let crlf = text.replace('\n', "\r\n");
        let forms = [
            format!("{text}\n"),
            format!("{text}\n\n  \n"),
            format!("{crlf}\r\n"),
            format!("\u{feff}{text}"),
            format!("\u{feff}{crlf}\r\n"),
            format!("\n{text}"),
            text.trim_end().to_owned(),
        ];
        for (index, form) in forms.iter().enumerate() {
            let path = place(&folder, &format!("{name}-{index}"), form);
            assert_eq!(open(&path).unwrap().public_key(), key, "{name} {index}");
        }
        let cut = refused("cut", &text[..text.len() - 20]);
        assert!(matches!(cut, FileErrorKind::Damaged(_) | FileErrorKind::NotAKey), "{cut}");
        let utf16: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(matches!(refused("utf16", utf16), FileErrorKind::Utf16));
    }
    let public = alice().to_openssh();
    for form in [
        format!("\u{feff}{public}\r\n\r\n"),
        format!("{public}\n\n"),
        format!("\u{feff}{}\n", alice().to_pem().replace('\n', "\r\n")),
    ] {
        let path = place(&folder, "public", form);
        assert_eq!(PublicKey::read(&path).unwrap(), alice());
    }
}

#[test]
fn a_public_key_is_named_as_one_whatever_its_mode() {
    let folder = folder();
    for form in [alice().to_openssh(), alice().to_pem(), format!("\u{feff}{}\n", alice().to_openssh())] {
        let path = place(&folder, "alice.pub", form);
        for mode in [0o600, 0o644] {
            set_mode(&path, mode);
            let problem = open(&path).unwrap_err();
            assert!(matches!(problem, FileErrorKind::NotPrivate), "{mode:o}: {problem}");
        }
    }
}

#[test]
fn encrypted_keys_open_with_their_passphrase_and_no_other() {
    let folder = folder();
    let public = |name: &str| PublicKey::parse(&fixture(name)).unwrap();
    for (name, public) in [
        ("openssh-encrypted", public("openssh-encrypted.pub")),
        ("openssh-one-round", alice()),
        ("pkcs8-pbkdf2.pem", public("pkcs8.pub.pem")),
        ("pkcs8-scrypt.pem", public("pkcs8.pub.pem")),
    ] {
        let path = place(&folder, name, fixture(name));
        assert_eq!(open_with(&path, PASSPHRASE).unwrap().public_key(), public, "{name}");
        for wrong in ["correct horsf", "correct horse ", "x"] {
            let problem = open_with(&path, wrong).unwrap_err();
            assert!(matches!(problem, FileErrorKind::WrongPassphrase), "{name}: {problem}");
        }
        let problem = open_with(&path, "").unwrap_err();
        assert!(matches!(problem, FileErrorKind::NoPassphrase), "{name}: {problem}");
        let problem = open_alone(&path).unwrap_err();
        assert!(matches!(problem, FileErrorKind::Prompt(_)), "{name}: {problem}");
    }
}

#[test]
fn debug_shows_no_secret() {
    let folder = folder();
    let key = open(&place(&folder, "openssh", fixture("openssh"))).unwrap();
    assert_eq!(format!("{key:?}"), format!("KeyFile(PublicKey({}))", alice().fingerprint()));
    let passphrase = signer::Passphrase::new(PASSPHRASE.to_owned());
    assert_eq!(format!("{passphrase:?}"), "Passphrase { .. }");
}

#[test]
fn a_key_that_others_can_get_at_is_refused() {
    let folder = folder();
    let path = place(&folder, "key", fixture("openssh"));
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666, 0o777] {
        set_mode(&path, mode);
        let problem = open(&path).unwrap_err();
        assert!(
            matches!(problem, FileErrorKind::Mode { mode: found } if found == mode),
            "{mode:o}: {problem}"
        );
        assert!(problem.to_string().contains(&format!("mode {mode:04o}")), "{problem}");
    }
    for mode in [0o600, 0o400, 0o700] {
        set_mode(&path, mode);
        assert_eq!(open(&path).unwrap().public_key(), alice(), "{mode:o}");
    }
}

#[test]
fn a_key_of_another_person_is_refused() {
    let folder = folder();
    let path = place(&folder, "key", fixture("openssh"));
    // Only root may give a file away, and to any other account a file of root is another account's.
    let path = match chown(&path, Some(rustix::process::geteuid().as_raw() + 1), None) {
        Ok(()) => path.as_path(),
        Err(_) => Path::new("/etc/passwd"),
    };
    let problem = open(path).unwrap_err();
    assert!(matches!(problem, FileErrorKind::Owner { owner, user } if owner != user), "{problem}");
}

#[test]
fn a_link_counts_for_what_is_at_its_end() {
    let folder = folder();
    let path = place(&folder, "key", fixture("openssh"));
    let link = folder.path().join("link");
    symlink(&path, &link).unwrap();
    assert_eq!(open(&link).unwrap().public_key(), alice());
    set_mode(&path, 0o644);
    assert!(matches!(open(&link).unwrap_err(), FileErrorKind::Mode { mode: 0o644 }));
    fs::remove_file(&path).unwrap();
    assert!(matches!(open(&link).unwrap_err(), FileErrorKind::Io(_)));
    symlink("link2", folder.path().join("link3")).unwrap();
    symlink("link3", folder.path().join("link2")).unwrap();
    assert!(matches!(open(&folder.path().join("link2")).unwrap_err(), FileErrorKind::Io(_)));
}

#[test]
fn what_is_no_file_is_refused_without_waiting() {
    let folder = folder();
    let pipe = folder.path().join("pipe");
    rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    for path in [folder.path(), &pipe, Path::new("/dev/zero")] {
        let problem = open(path).unwrap_err();
        assert!(matches!(problem, FileErrorKind::NotAFile), "{}: {problem}", path.display());
    }
}

#[test]
fn a_giant_is_not_read() {
    let folder = folder();
    let path = place(&folder, "key", fixture("openssh"));
    fs::File::options().write(true).open(&path).unwrap().set_len(1 << 40).unwrap();
    assert!(matches!(open(&path).unwrap_err(), FileErrorKind::TooLarge { limit: 16_384 }));
}

#[test]
fn other_kinds_are_named_and_no_passphrase_is_asked_for() {
    for (name, kind) in [
        ("openssh-rsa", Kind::Rsa),
        ("openssh-ecdsa", Kind::Ecdsa),
        ("pkcs8-rsa.pem", Kind::Rsa),
        ("traditional-rsa.pem", Kind::Rsa),
        ("pkcs8-ec.pem", Kind::Ecdsa),
        ("pkcs8-x25519.pem", Kind::X25519),
        ("pkcs8-ed448.pem", Kind::Ed448),
    ] {
        assert_eq!(of_kind(name), kind, "{name}");
    }
    // PKCS#8 encrypts the kind as well.
    let folder = folder();
    let path = place(&folder, "key", fixture("pkcs8-ec-pbkdf2.pem"));
    let problem = open_with(&path, PASSPHRASE).unwrap_err();
    assert!(matches!(problem, FileErrorKind::Unsupported(Unsupported { kind: Kind::Ecdsa })), "{problem}");
}

#[test]
fn encryption_that_is_not_known_is_named_and_no_passphrase_is_asked_for() {
    for (name, algorithm) in [
        ("openssh-gcm", "aes256-gcm@openssh.com and bcrypt"),
        ("pkcs8-pbes1.pem", "1.2.840.113549.1.12.1.3"),
        ("pkcs8-des3.pem", "1.2.840.113549.3.7"),
    ] {
        let problem = refused(name, fixture(name));
        assert!(
            matches!(&problem, FileErrorKind::Encryption(found) if found == algorithm),
            "{name}: {problem}"
        );
    }
}

#[test]
fn a_public_key_is_not_taken_for_a_private_one() {
    for name in ["openssh.pub", "pkcs8.pub.pem", "openssh-rsa.pub"] {
        let problem = refused(name, fixture(name));
        assert!(matches!(problem, FileErrorKind::NotPrivate), "{name}: {problem}");
    }
}

#[test]
fn what_is_no_key_is_refused() {
    let putty = "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n";
    let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for content in [b"".as_slice(), b"hello", &[0xff; 40], putty.as_bytes(), certificate.as_bytes()] {
        let problem = refused("key", content);
        assert!(matches!(problem, FileErrorKind::NotAKey), "{problem}");
    }
}

#[test]
fn two_keys_in_a_file_are_refused() {
    for name in ["openssh", "pkcs8.pem"] {
        let problem = refused(name, fixture(name).repeat(2));
        assert!(matches!(problem, FileErrorKind::Damaged(_)), "{name}: {problem}");
    }
}
