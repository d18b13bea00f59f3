//! Making a key.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use signer::{FileErrorKind, generate};

use crate::common::{folder, open, place, set_mode};

#[test]
fn a_new_key_is_the_owners_only_and_opens() {
    let folder = folder();
    let path = folder.path().join("key.pem");
    let public = generate(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(open(&path).unwrap().public_key(), public);
    assert_ne!(generate(&folder.path().join("other.pem")).unwrap(), public);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside the keys");
}

#[test]
fn nothing_is_overwritten() {
    let folder = folder();
    let taken = place(&folder, "taken", "precious");
    let dangling = folder.path().join("dangling");
    symlink(folder.path().join("nowhere"), &dangling).unwrap();
    for path in [&taken, &dangling] {
        let error = generate(path).unwrap_err();
        assert!(matches!(error.problem, FileErrorKind::Exists), "{error}");
    }
    assert_eq!(fs::read_to_string(&taken).unwrap(), "precious");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside them");
}

#[test]
fn a_folder_that_is_not_there_is_not_made() {
    let folder = folder();
    let error = generate(&folder.path().join("missing/key.pem")).unwrap_err();
    assert!(matches!(error.problem, FileErrorKind::Io(_)), "{error}");
    let file = place(&folder, "file", "");
    set_mode(&file, 0o600);
    assert!(generate(&file.join("key.pem")).is_err());
}

#[test]
fn of_many_at_once_one_makes_the_key() {
    let folder = folder();
    let path = folder.path().join("key.pem");
    let made = std::thread::scope(|scope| {
        let threads = (0..8).map(|_| scope.spawn(|| generate(&path))).collect::<Vec<_>>();
        threads.into_iter().filter_map(|thread| thread.join().unwrap().ok()).collect::<Vec<_>>()
    });
    assert_eq!(made, [open(&path).unwrap().public_key()]);
}
