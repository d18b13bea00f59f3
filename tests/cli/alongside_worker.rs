//! Every command while `pp-host work` has the folder.

use crate::support::cli::*;
use crate::support::commands::{every, stopped};
use crate::support::worker::{Worker, decider, fails, shown, submit, succeeds, until};
use std::collections::BTreeSet;
use std::path::Path;
use tempfile::TempDir;

/// The request that waits, as soon as there is one.
fn request(data: &Path) -> String {
    loop {
        let waiting = lines(&succeeds(data, &["approvals", "--json"]));
        if let Some(first) = waiting.first() {
            return first["request"].as_str().unwrap().to_owned();
        }
    }
}

/// Submits the demo workflow, and comes back when it asks: its instance and its request.
fn asked(data: &Path) -> (String, String) {
    let instance = submit(data, "tenant-workflow", &[]);
    until(data, &instance, "requested");
    (instance, request(data))
}

/// Commands that need the folder for themselves name the alternative; the others do not need the lock.
fn the_rest_meets_no_lock(data: &Path, instance: &str, mut tried: BTreeSet<String>) {
    for (command, target, instead) in [("run", GUEST, " submit, "), ("drive", instance, " watch ")] {
        tried.insert(command.to_owned());
        assert!(fails(data, &[command, target], 1).contains(instead), "{command}");
    }
    tried.extend(["work", "authority", "serve", "bench", "drill"].map(str::to_owned));
    for command in every().into_iter().filter(|command| !tried.contains(command)) {
        let words: Vec<&str> = command.split(' ').collect();
        let ran = stopped(data, &words);
        assert!(!ran.stderr.contains("in use by"), "{command}: {}", ran.stderr);
    }
}

/// The commands that end keys and deciders.
fn keys_end(here: &Path, works: &mut impl FnMut(&str, &[&str]) -> String) {
    let bob = lines(&succeeds(here, &["deciders", "list", "--json"]));
    let bob = bob.iter().find(|person| person["decider"] == "bob").unwrap()["keys"][0]["key_id"].clone();
    works("deciders revoke-key", &[bob.as_str().unwrap(), "--reason", "lost"]);
    works("deciders remove", &["bob", "--reason", "left"]);
    let rotated = lines(&succeeds(here, &["keys", "list", "--json"]));
    let rotated = rotated.iter().find(|key| key["status"] == "rotated").unwrap()["key_id"].clone();
    works("keys revoke", &[rotated.as_str().unwrap()]);
}

#[test]
fn every_command_works_alongside_it() {
    let data = TempDir::new().unwrap();
    let here = data.path();
    let key = decider(here, "alice");
    let elsewhere = TempDir::new().unwrap();
    let path = |name: &str| elsewhere.path().join(name).display().to_string();
    let (bob, bob_public, copy) = (path("bob"), path("bob.pub"), path("copy"));
    let worker = Worker::begin(here);
    let mut tried = BTreeSet::new();
    let mut works = |command: &str, arguments: &[&str]| {
        tried.insert(command.to_owned());
        let words: Vec<&str> = command.split(' ').collect();
        succeeds(here, &[&words, arguments].concat())
    };
    let (one, asks) = asked(here);
    works("approvals list", &[]);
    works("approvals show", &[&asks]);
    works("policy explain", &["--request", &asks]);
    works("approve", &[&asks, "--as", "alice", "--key", &key]);
    until(here, &one, "completed");
    let receipt = receipt_id(here, "APPROVED");
    let file = write(elsewhere.path(), "receipt.json", &works("receipts export", &[&receipt]));
    let keys = write(elsewhere.path(), "keys.json", &works("keys export", &[]));
    works("verify", &[&file, "--keys", &keys]);
    for (command, arguments) in [
        ("receipts list", &[][..]),
        ("receipts show", &[receipt.as_str()]),
        ("instances list", &[]),
        ("instances show", &[one.as_str()]),
        ("audit", &[]),
        ("logs", &[one.as_str()]),
        ("watch", &[one.as_str()]),
        ("deployments", &[]),
        ("limits", &[]),
        ("inspect", &[GUEST]),
        ("policy check", &[]),
        ("keys list", &[]),
        ("keys rotate", &[]),
        ("deciders list", &[]),
        ("deciders export", &[]),
        ("deciders new-key", &[bob.as_str()]),
        ("deciders add", &["bob", "--role", "release", "--key", bob_public.as_str()]),
        ("backup", &[copy.as_str()]),
        ("freeze", &["--reason", "drill"]),
        ("thaw", &["--reason", "over"]),
        ("instances restart", &[one.as_str()]),
    ] {
        works(command, arguments);
    }
    let denied = request(here);
    works("deny", &[&denied, "--as", "alice", "--key", &key]);
    while shown(here, &one)["status"] != "complete" {}
    works("instances delete", &[&one]);
    let (two, asks) = asked(here);
    works("instances pause", &[&two]);
    works("instances resume", &[&two]);
    works("instances send-event", &[&two, "go"]);
    works("withdraw", &[&asks]);
    let (three, asks) = asked(here);
    works("instances pause", &[&three]);
    works("approve", &[&asks, "--as", "alice", "--key", &key]);
    let unspent = lines(&succeeds(here, &["receipts", "list", "--json"]));
    let unspent = unspent.iter().rev().find(|receipt| receipt["status"] == "APPROVED").unwrap();
    works("revoke", &[unspent["receipt_id"].as_str().unwrap()]);
    works("instances terminate", &[&three]);
    works("submit", &[GUEST]);
    keys_end(here, &mut works);
    the_rest_meets_no_lock(here, &two, tried);
    let ended = worker.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn keys_are_rotated_and_revoked_at_once() {
    let data = TempDir::new().unwrap();
    let here = data.path();
    let key = decider(here, "alice");
    let worker = Worker::begin(here);
    let signs = |status: &str| {
        let keys = lines(&succeeds(here, &["keys", "list", "--json"]));
        let mut ids =
            keys.iter().filter(|key| key["status"] == status).map(|key| key["key_id"].as_str().unwrap());
        ids.find(|id| !id.starts_with("pp_demo_")).unwrap().to_owned()
    };
    let approve = |asks: &str| ["approve", asks, "--as", "alice", "--key", &key].map(ToOwned::to_owned);
    let run = |arguments: &[String]| run(here, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let first = signs("active");
    let (waits, asks) = asked(here);
    assert!(succeeds(here, &["keys", "rotate"]).contains("publish the new key set"));
    let second = signs("active");
    assert_ne!(first, second);
    assert_eq!(run(&approve(&asks)).code, Some(0));
    until(here, &waits, "completed");
    let receipt = receipt_id(here, "APPROVED");
    let shown_receipt = succeeds(here, &["receipts", "show", &receipt]);
    assert!(shown_receipt.contains(&second), "{shown_receipt}");
    assert_eq!(lines(&succeeds(here, &["deployments", "--json"])).len(), 1);
    // Approved, and before it is spent its key is revoked.
    let (waits, asks) = asked(here);
    succeeds(here, &["instances", "pause", &waits]);
    assert_eq!(run(&approve(&asks)).code, Some(0));
    succeeds(here, &["keys", "revoke", &second]);
    succeeds(here, &["instances", "resume", &waits]);
    until(here, &waits, "failed");
    assert_eq!(lines(&succeeds(here, &["deployments", "--json"])).len(), 1, "{}", shown(here, &waits));
    // Without a key nothing is signed, and an operator still has the host in hand.
    let (_, asks) = asked(here);
    let unsigned = run(&approve(&asks));
    assert_eq!(unsigned.code, Some(1));
    assert!(unsigned.stderr.contains("no active key for production receipts"), "{}", unsigned.stderr);
    succeeds(here, &["freeze", "--reason", "the key is lost"]);
    succeeds(here, &["thaw", "--reason", "over"]);
    succeeds(here, &["keys", "rotate"]);
    assert!(fails(here, &["keys", "revoke", "pp_none"], 1).contains("pp_none"));
    assert_eq!(run(&approve(&asks)).code, Some(0));
    worker.stop();
}
