//! The files that commands read and make: too long ones, full disks, and what git takes up.

use crate::support;
use crate::support::child::with_file_size;
use crate::support::cli::*;
use crate::support::worker::{fails, submit, succeeds};
use rusqlite::config::DbConfig;
use std::fs;
use std::fs::File;
use std::path::Path;
use tempfile::TempDir;

/// A file that is longer than any memory, and takes no room.
fn endless(folder: &Path, name: &str) -> String {
    let path = folder.join(name);
    File::create(&path).unwrap().set_len(1 << 40).unwrap();
    path.display().to_string()
}

#[test]
fn a_workflow_that_is_longer_than_its_limit_is_not_read() {
    let here = TempDir::new().unwrap();
    let (data, wasm, ts) =
        (here.path().join("data"), endless(here.path(), "w.wasm"), endless(here.path(), "w.ts"));
    let refused = |arguments: &[&str], said: &str| {
        let error = fails(&data, arguments, 1);
        assert!(error.contains(said), "{arguments:?}: {error}");
    };
    for guest in [&wasm, &ts] {
        for command in ["run", "submit", "inspect"] {
            refused(&[command, guest], "has 1099511627776 bytes; limit component-bytes is 33554432");
        }
        let restart = ["instances", "restart", "i", "--component", guest];
        refused(&restart, "limit component-bytes is 33554432");
    }
    refused(&["pack", &ts], "longer than the 268435456 bytes of a workflow that are read");
    refused(&["run", &wasm, "--limit", "component-bytes=1GiB"], "limit component-bytes is 1073741824");
    // Of what is no plain file, only reading shows the length.
    refused(
        &["run", "/dev/zero", "--limit", "component-bytes=1000"],
        "has 1001 bytes; limit component-bytes is 1000",
    );
    let zeros = ["approve", "apr_0", "--envelope", &endless(here.path(), "envelope.json")];
    refused(&zeros, "longer than the 4194304 bytes that are read");
    assert!(!data.exists());
}

#[test]
fn parameters_and_events_that_are_longer_than_their_limit_are_not_read() {
    let here = TempDir::new().unwrap();
    let data = here.path().join("data");
    let file = format!("@{}", endless(here.path(), "params.json"));
    for command in ["run", "submit"] {
        for (params, limit) in [(file.as_str(), "1048576"), ("@/dev/zero", "1048576")] {
            let error = fails(&data, &[command, GUEST, "--params", params], 1);
            assert!(error.contains(&format!("longer than limit result-bytes, {limit} bytes")), "{error}");
        }
    }
    assert!(!data.exists(), "the parameters are read first");
    submit(&data, "paces", &["--id", "one"]);
    let error = fails(&data, &["instances", "send-event", "one", "go", "--payload", &file], 1);
    assert!(error.contains("longer than limit event-bytes, 1048576 bytes"), "{error}");
}

/// On a disk that is full SQLite cannot make the index of the log, which a reader needs.
#[test]
fn what_a_folder_keeps_is_read_where_nothing_can_be_written() {
    let data = folder();
    let here = data.path().display().to_string();
    let read = |words: &[&str]| -> Ran {
        let program = [&[env!("CARGO_BIN_EXE_pp-host"), "--data", &here], words].concat();
        with_file_size(1024, &program).output().unwrap().into()
    };
    let denied = lines(&succeeds(data.path(), &["instances", "list", "--json"]))[0]["instance"].clone();
    let words = [
        &["audit"][..],
        &["approvals"],
        &["instances", "list"],
        &["instances", "show", denied.as_str().unwrap()],
        &["deployments"],
        &["receipts", "list"],
    ];
    let plain = words.map(|words| run(data.path(), words).stdout);
    let without = |ending: &str| {
        let _ = fs::remove_file(data.path().join(format!("journal.sqlite-{ending}")));
    };
    without("shm");
    let all_are_read = || {
        for (words, plain) in words.iter().zip(&plain) {
            let ran = read(words);
            assert!(
                ran.code == Some(0) && ran.stdout.contains(plain),
                "{words:?}: {}{}",
                ran.stdout,
                ran.stderr
            );
        }
    };
    all_are_read();
    // What only the log has is read too, and stays there.
    let log = data.path().join("journal.sqlite-wal");
    {
        let journal = rusqlite::Connection::open(data.path().join("journal.sqlite")).unwrap();
        journal.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
        let edit = r#"UPDATE receipts SET body = replace(body, '"status":"DENIED"', '"status":"APPROVED"')"#;
        journal.execute(edit, []).unwrap();
    }
    without("shm");
    let before = fs::read(&log).unwrap();
    assert!(before.len() > 4096);
    all_are_read();
    let listed = read(&["receipts", "list"]);
    assert!(listed.stderr.contains("the status in the envelope of"), "{}", listed.stderr);
    assert_eq!(before, fs::read(&log).unwrap());
    without("shm");
    let refused = read(&["freeze", "--reason", "r"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("disk is full"), "{}", refused.stderr);
}

#[test]
fn git_takes_up_neither_keys_nor_dependencies() {
    if !support::installed(&["git"]) {
        return;
    }
    let here = TempDir::new().unwrap();
    for lang in ["ts", "rust"] {
        let repository = here.path().join(lang);
        succeeds(here.path(), &["new", &repository.display().to_string(), "--lang", lang]);
        let data = repository.join(".pp-host");
        // Compiled code of an earlier command may be there before the data.
        support::compiled::put_guests(&data);
        succeeds(&data, &["submit", GUEST]);
        assert!(data.join("keys").is_dir());
        let (dependencies, built) = (repository.join("node_modules"), repository.join("target"));
        let folder = if lang == "ts" { dependencies } else { built };
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("big"), "").unwrap();
        let git = |words: &[&str]| {
            let ran =
                std::process::Command::new("git").arg("-C").arg(&repository).args(words).output().unwrap();
            assert!(ran.status.success(), "{ran:?}");
            String::from_utf8(ran.stdout).unwrap()
        };
        git(&["init", "-q"]);
        let taken = git(&["status", "--porcelain", "--untracked-files=all"]);
        assert!(taken.contains(".gitignore") && taken.contains("src/"), "{taken}");
        for name in [".pp-host", "node_modules", "target"] {
            assert!(!taken.contains(name), "{taken}");
        }
    }
}

#[test]
fn a_new_workflow_that_does_not_fit_leaves_nothing_and_can_be_made_again() {
    let here = TempDir::new().unwrap();
    for lang in ["ts", "rust"] {
        let path = here.path().join(lang);
        let words = ["new", &path.display().to_string(), "--lang", lang];
        let program = [&[env!("CARGO_BIN_EXE_pp-host")], &words[..]].concat();
        let full: Ran = with_file_size(1024, &program).output().unwrap().into();
        assert!(full.code == Some(1) && full.stderr.contains("cannot write"), "{}", full.stderr);
        assert!(!path.exists());
        succeeds(here.path(), &words);
        let again = fails(here.path(), &words, 1);
        assert!(again.contains("already exists"), "{again}");
    }
}
