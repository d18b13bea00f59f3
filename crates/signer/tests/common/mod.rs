//! Keys for tests, places for them, and the programs of others.
//!
//! The private keys under `tests/keys` are public. Nothing signed with them means anything. Their passphrase is [`PASSPHRASE`].

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{fs, io};

use signer::{FileError, FileErrorKind, KeyFile, Passphrase, PublicKey};
use tempfile::TempDir;

pub(crate) const PASSPHRASE: &str = "correct horse";

/// A key of the test keys.
pub(crate) fn fixture(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keys").join(name)).unwrap()
}

/// The public half of the OpenSSH keys `openssh` and `openssh-one-round`.
pub(crate) fn alice() -> PublicKey {
    PublicKey::parse(&fixture("openssh.pub")).unwrap()
}

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A file of the owner's only.
pub(crate) fn place(folder: &TempDir, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    set_mode(&path, 0o600);
    path
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Opens a key that is not encrypted.
pub(crate) fn open(path: &Path) -> Result<KeyFile, FileErrorKind> {
    problem(KeyFile::open(path, |prompt| panic!("asked for a {prompt}")), path)
}

/// Opens an encrypted key, and reports whether it asked for a passphrase.
pub(crate) fn open_with(path: &Path, passphrase: &str) -> Result<KeyFile, FileErrorKind> {
    let mut asked = None;
    let opened = KeyFile::open(path, |prompt| {
        asked = Some(prompt.to_owned());
        Ok(Passphrase::new(passphrase.to_owned()))
    });
    if let Some(prompt) = asked {
        assert_eq!(prompt, format!("passphrase for {}: ", path.display()));
    } else {
        assert!(opened.is_err(), "nobody was asked");
    }
    problem(opened, path)
}

/// Opens a key without a way to ask for a passphrase.
pub(crate) fn open_alone(path: &Path) -> Result<KeyFile, FileErrorKind> {
    problem(KeyFile::open(path, |_| Err(io::ErrorKind::NotFound.into())), path)
}

fn problem(opened: Result<KeyFile, FileError>, path: &Path) -> Result<KeyFile, FileErrorKind> {
    opened.map_err(|error| {
        let text = error.to_string();
        assert!(text.starts_with(&format!("cannot use the key file {}: ", path.display())), "{text}");
        assert!(!text.ends_with('.') && !text.contains('\n'), "{text}");
        assert_eq!(error.path, path);
        error.problem
    })
}

/// Whether these programs are installed. If not, prints so on the terminal itself, because the test harness captures
/// the output of passing tests.
pub(crate) fn have(programs: &[&str]) -> bool {
    use std::io::Write as _;
    let on_path = |program: &&&str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    };
    let missing = programs.iter().find(|program| !on_path(program));
    if let Some(program) = missing {
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        let _ = writeln!(std::io::stderr(), "NOT RUN: {test} needs `{program}`");
    }
    missing.is_none()
}

/// Runs a program that has to succeed. Returns its output.
pub(crate) fn run(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{command:?}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}
