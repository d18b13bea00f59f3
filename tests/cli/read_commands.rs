//! What commands say of what is there, and of what is not.

use crate::support;
use crate::support::cli::*;
use crate::support::worker::{Worker, fails, submit, succeeds, until};
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use tempfile::TempDir;

#[test]
fn programs_see_which_deployment_is_current_and_who_is_invited() {
    let data = TempDir::new().unwrap();
    let data = data.path();
    for _ in 0..2 {
        assert_eq!(run(data, &["run", GUEST]).code, Some(0));
    }
    let deployed = lines(&succeeds(data, &["deployments", "--json"]));
    let current: Vec<_> = deployed.iter().map(|one| one["current"].as_bool()).collect();
    assert_eq!(current, [Some(false), Some(true)]);
    succeeds(data, &["deciders", "invite", "dora", "--role", "release"]);
    let people = lines(&succeeds(data, &["deciders", "list", "--json"]));
    assert_eq!((&people[0]["invited"], &people[0]["roles"][0]), (&"dora".into(), &"release".into()));
    assert!(people[0]["registered"].is_null() && people[0]["expires_at"].is_string(), "{people:?}");
}

#[test]
fn a_list_of_nothing_is_not_asked_for() {
    let data = folder();
    for words in [&["instances", "list"][..], &["approvals", "log"], &["audit"]] {
        let error = fails(data.path(), &[words, &["--limit", "0"]].concat(), 2);
        assert!(error.contains("--limit"), "{words:?}: {error}");
        assert!(run(data.path(), &[words, &["--limit", "1"]].concat()).stderr.contains("there are more"));
    }
}

#[test]
fn an_audit_of_one_name_shows_its_deletion() {
    let data = TempDir::new().unwrap();
    let data = data.path();
    let remove = |id: &str| {
        submit(data, "paces", &["--id", id]);
        succeeds(data, &["instances", "terminate", id]);
        succeeds(data, &["instances", "delete", id]);
    };
    remove("a");
    remove("b");
    let audit = succeeds(data, &["audit", "a"]);
    assert_eq!(audit.lines().count(), 1, "{audit}");
    assert!(audit.contains("local/a  deleted     by"), "{audit}");
    assert_eq!(lines(&succeeds(data, &["audit", "a", "--json"]))[0]["instance"], "a");
    // Another instance of the same name begins after it.
    submit(data, "paces", &["--id", "a"]);
    let audit = succeeds(data, &["audit", "a"]);
    assert!(audit.lines().next().unwrap().contains("deleted") && audit.lines().count() > 1, "{audit}");
    assert!(fails(data, &["audit", "c"], 1).contains("there is no instance local/c"));
}

#[test]
fn following_ends_when_its_reader_is_gone_though_nothing_happens() {
    let data = TempDir::new().unwrap();
    let data = data.path();
    submit(data, "paces", &["--id", "one"]);
    for words in [&["watch", "one"][..], &["watch"]] {
        let mut child = command(data, words).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        if words.len() > 1 {
            output.read_line(&mut String::new()).unwrap();
        }
        drop(output);
        let mut code = None;
        support::until("it ends", || {
            code = child.try_wait().unwrap();
            code.is_some()
        });
        assert_eq!(code.unwrap().code(), Some(0), "{words:?}");
    }
}

#[test]
fn resuming_beside_a_worker_names_what_goes_on_there() {
    let data = TempDir::new().unwrap();
    let data = data.path();
    let worker = Worker::begin(data);
    submit(data, "tenant-workflow", &["--id", "one"]);
    until(data, "one", "requested");
    succeeds(data, &["instances", "pause", "one"]);
    let error = fails(data, &["drive", "one"], 1);
    assert!(error.contains(" instances resume one ends a pause") && error.contains(" watch one "), "{error}");
    assert!(!error.contains("submit"), "{error}");
    assert!(fails(data, &["run", GUEST], 1).contains("submit"));
    worker.stop();
}
