//! A copy of a data folder in use: complete, of one moment, and usable.

use crate::support::cli::*;
use crate::support::worker::*;
use rusqlite::Connection;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_copy_that_is_made_under_load_opens_verifies_and_goes_on() {
    let (desk, parent) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (data, copy) = (desk.path(), parent.path().join("copy"));
    let key = decider(data, "alice");
    fs::write(data.join("pp-host.toml"), "[limits]\ninstances = 5000\n").unwrap();
    let worker = Worker::begin(data);
    let waits = submit(data, "tenant-workflow", &[]);
    let deployed = submit(data, "tenant-workflow", &[]);
    let requested = until(data, &deployed, "requested");
    succeeds(data, &["approve", requested["request"].as_str().unwrap(), "--as", "alice", "--key", &key]);
    until(data, &deployed, "completed");
    until(data, &waits, "requested");
    let enough = AtomicBool::new(false);
    let printed = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !enough.load(Ordering::Relaxed) {
                submit(data, "paces", &["--params", r#"{"steps":50,"result":"xxxxxxxxxxxxxxxxxxxx"}"#]);
            }
        });
        let printed = succeeds(data, &["backup", copy.to_str().unwrap()]);
        enough.store(true, Ordering::Relaxed);
        printed
    });
    assert!(printed.contains("left out cache, control.sock, lock"), "{printed}");
    assert_eq!((mode(&copy), mode(&copy.join("journal.sqlite"))), (0o700, 0o600));
    let names = |folder: &Path| {
        let mut names: Vec<_> =
            fs::read_dir(folder.join("keys")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(data), names(&copy));
    let private = fs::read_dir(copy.join("keys")).unwrap().map(|entry| entry.unwrap().path());
    private
        .filter(|path| path.extension().is_some_and(|kind| kind == "pem"))
        .for_each(|path| assert_eq!(mode(&path), 0o600));
    assert_eq!(fs::read(copy.join("pp-host.toml")).unwrap(), fs::read(data.join("pp-host.toml")).unwrap());
    assert_eq!(worker.stop().code, Some(0));
    drop(desk);
    the_copy_goes_on(&copy, &waits);
}

fn the_copy_goes_on(copy: &Path, waits: &str) {
    let journal = Connection::open(copy.join("journal.sqlite")).unwrap();
    let verdict: String = journal.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    drop(journal);
    let receipts = lines(&succeeds(copy, &["receipts", "list", "--json"]));
    let receipt = receipts[0]["receipt_id"].as_str().unwrap();
    succeeds(copy, &["receipts", "show", receipt]);
    assert_eq!(lines(&succeeds(copy, &["deployments", "--json"])).len(), 1);
    let key = copy.join("alice.pem").display().to_string();
    let worker = Worker::begin(copy);
    let requested = until(copy, waits, "requested");
    succeeds(copy, &["approve", requested["request"].as_str().unwrap(), "--as", "alice", "--key", &key]);
    until(copy, waits, "completed");
    for line in lines(&succeeds(copy, &["instances", "list", "--json", "--limit", "100000"])) {
        until(copy, line["instance"].as_str().unwrap(), "completed");
    }
    assert_eq!(worker.stop().code, Some(0));
}

#[test]
fn a_copy_overwrites_nothing_and_does_not_copy_itself() {
    let (data, parent) = (folder(), TempDir::new().unwrap());
    let data = data.path();
    let there = parent.path().join("there");
    fs::create_dir(&there).unwrap();
    let to = |path: &Path| fails(data, &["backup", path.to_str().unwrap()], 1);
    assert!(to(&there).contains("exists already"));
    assert!(to(&data.join("inside")).contains("would lie in the folder"));
    assert!(to(Path::new("/nowhere/at/all")).contains("/nowhere/at/all"));
    let copy = parent.path().join("copy");
    fs::create_dir(parent.path().join("copy.partial")).unwrap();
    assert!(to(&copy).contains("copy.partial"));
    assert!(!copy.exists());
    fs::remove_dir(parent.path().join("copy.partial")).unwrap();
    let json = lines(&succeeds(data, &["backup", copy.to_str().unwrap(), "--json"]));
    assert!(json[0]["files"].as_u64().unwrap() >= 5, "{json:?}");
    assert!(to(&copy).contains("exists already"));
    let nothing = TempDir::new().unwrap();
    let none = fails(nothing.path(), &["backup", parent.path().join("none").to_str().unwrap()], 1);
    assert!(none.contains("there is no data"), "{none}");
}

/// A damaged journal is not copied.
#[test]
fn a_damaged_journal_is_said_to_be_so_and_leaves_nothing_behind() {
    let (data, parent) = (folder(), TempDir::new().unwrap());
    let journal = data.path().join("journal.sqlite");
    let mut bytes = fs::read(&journal).unwrap();
    let length = bytes.len();
    for place in (8_192..length).step_by(512) {
        bytes[place] ^= 0xff;
    }
    fs::write(&journal, bytes).unwrap();
    let copy = parent.path().join("copy");
    fails(data.path(), &["backup", copy.to_str().unwrap()], 1);
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
}
