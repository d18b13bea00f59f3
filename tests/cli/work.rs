//! `pp-host work`, `submit` and `watch`, as processes: due instances are driven, other commands are served meanwhile,
//! and no end of a process loses state.

use crate::support::cli::*;
use crate::support::worker::*;
use rustix::process::Signal;
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Stdio;
use tempfile::TempDir;

/// A folder where alice decides, and her key's file.
fn office() -> (TempDir, String) {
    let data = TempDir::new().unwrap();
    let key = decider(data.path(), "alice");
    (data, key)
}

fn approve(data: &Path, request: &Value, key: &str) -> String {
    let request = request["request"].as_str().unwrap();
    succeeds(data, &["approve", request, "--as", "alice", "--key", key])
}

#[test]
fn what_is_submitted_waits_for_a_server() {
    let (data, key) = office();
    let data = data.path();
    let instance = submit(data, "tenant-workflow", &["--id", "nightly-1"]);
    assert_eq!(instance, "nightly-1");
    assert_eq!(shown(data, &instance)["status"], "queued");
    let worker = Worker::begin(data);
    let requested = until(data, &instance, "requested");
    let said = approve(data, &requested, &key);
    assert!(
        said.contains("local/nightly-1 continues in the process that drives this folder's instances"),
        "{said}"
    );
    until(data, &instance, "completed");
    let ran = worker.stop();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for note in ["requested", "signed", "decided", "performed", "completed"] {
        assert!(ran.stdout.contains(&format!("local/nightly-1  {note}")), "{note}: {}", ran.stdout);
    }
    assert!(!ran.stdout.contains("  step  "), "only what is of note: {}", ran.stdout);
    assert!(ran.stderr.contains("stopped"), "{}", ran.stderr);
    let shown = shown(data, &instance);
    assert_eq!(shown["status"], "complete");
    let stages: Vec<_> = shown["calls"].as_array().unwrap().iter().map(|call| &call["stage"]).collect();
    assert_eq!(stages, ["completed", "approved", "completed", "succeeded"]);
}

#[test]
fn the_same_submitted_again_is_said_to_be_there_and_another_input_is_refused() {
    let data = TempDir::new().unwrap();
    let (data, guest) = (data.path(), "tests/guests/paces.wasm");
    let again = |worker: &str| {
        let same = ["submit", guest, "--id", "a", "--params", r#"{"steps":2}"#];
        let new = succeeds(data, &["submit", guest, "--id", worker, "--params", r#"{"steps":2}"#]);
        assert_eq!(new, format!("local/{worker}\n"));
        assert!(succeeds(data, &same).contains("local/a"));
        assert_eq!(succeeds(data, &same), "local/a  was submitted before, with the same input\n");
        let json = lines(&succeeds(data, &[&same[..], &["--json"]].concat()));
        assert_eq!(json[0]["created"], "before");
        let other = fails(data, &["submit", guest, "--id", "a", "--params", "{}"], 1);
        assert!(other.contains("local/a exists, with other parameters"), "{other}");
        let tenant = succeeds(data, &["submit", guest, "--id", worker, "--tenant", "acme"]);
        assert_eq!(tenant, format!("acme/{worker}\n"), "a name is a tenant's own");
    };
    again("alone");
    let worker = Worker::begin(data);
    again("served");
    until(data, "a", "completed");
    assert_eq!(worker.stop().code, Some(0));
    assert!(fails(data, &["submit", guest, "--params", "{"], 1).contains("parameters"));
    assert!(fails(data, &["submit", guest, "--params", "@/nowhere"], 1).contains("/nowhere"));
    fails(data, &["submit", guest, "--id", "not a name"], 2);
}

/// Commands that only read need no owner.
#[test]
fn everything_can_be_looked_at_while_a_server_runs() {
    let (data, key) = office();
    let data = data.path();
    let instance = submit(data, "tenant-workflow", &[]);
    let worker = Worker::begin(data);
    let requested = until(data, &instance, "requested");
    let request = requested["request"].as_str().unwrap();
    for list in [&["approvals"][..], &["approvals", "list"]] {
        assert!(succeeds(data, list).contains(request));
    }
    assert!(succeeds(data, &["approvals", "show", request]).contains("the signature covers"));
    assert!(succeeds(data, &["approvals", "stats"]).contains("waiting         1"));
    assert!(succeeds(data, &["policy", "explain", "--request", request]).contains("ask"));
    assert!(succeeds(data, &["audit", &instance]).contains(request));
    let shown = succeeds(data, &["instances", "show", &instance]);
    assert!(shown.contains(&format!("for a decision on {request}")), "{shown}");
    succeeds(data, &["logs", &instance]);
    succeeds(data, &["deployments"]);
    for (mine, instead) in [(&["run", GUEST][..], " submit, "), (&["drive", &instance], " watch ")] {
        let said = fails(data, mine, 1);
        assert!(said.contains("another pp-host has") && said.contains(instead), "{said}");
    }
    approve(data, &requested, &key);
    until(data, &instance, "completed");
    assert_eq!(worker.stop().code, Some(0));
}

#[test]
fn killed_at_any_moment_the_next_server_loses_nothing() {
    let (data, key) = office();
    let data = data.path();
    let names: Vec<String> = (0..8).map(|n| format!("i{n}")).collect();
    let worker = Worker::begin(data);
    for name in &names {
        submit(data, "tenant-workflow", &["--id", name]);
    }
    let requested = until(data, &names[0], "requested");
    approve(data, &requested, &key);
    worker.signal(Signal::KILL);
    let (_, status) = worker.ended();
    assert_eq!(status.signal(), Some(9));
    let worker = Worker::begin(data);
    for name in &names {
        if name != "i0" {
            approve(data, &until(data, name, "requested"), &key);
        }
        until(data, name, "completed");
    }
    assert_eq!(worker.stop().code, Some(0));
    for kind in ["requested", "decided", "issued", "redeemed", "performed", "attested", "completed"] {
        let facts = lines(&succeeds(data, &["audit", "--json"]));
        assert_eq!(facts.iter().filter(|fact| fact["fact"] == kind).count(), names.len(), "{kind}");
    }
}

/// A guest that computes forever does not keep the worker from stopping, and its instance continues another time.
#[test]
fn a_drive_that_does_not_end_is_put_off() {
    let data = TempDir::new().unwrap();
    let data = data.path();
    let spinning = ["--id", "spins", "--params", r#"{"attack":"spin"}"#];
    submit(data, "hostile", &spinning);
    let worker = Worker::begin_with(data, &["--grace", "0", "--limit", "wall-clock-seconds=3600"]);
    // It is driven when another has been driven that came later.
    submit(data, "paces", &["--id", "after"]);
    until(data, "after", "completed");
    let ran = worker.stop();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(["queued", "running"].contains(&shown(data, "spins")["status"].as_str().unwrap()));
}

#[test]
fn a_second_signal_to_stop_waits_for_nothing() {
    let data = TempDir::new().unwrap();
    let data = data.path();
    submit(data, "hostile", &["--id", "spins", "--params", r#"{"attack":"spin"}"#]);
    let worker = Worker::begin_with(data, &["--grace", "3600", "--limit", "wall-clock-seconds=3600"]);
    submit(data, "paces", &["--id", "after"]);
    until(data, "after", "completed");
    worker.signal(Signal::TERM);
    worker.signal(Signal::INT);
    let (ran, status) = worker.ended();
    assert_eq!(status.code(), Some(0), "{}", ran.stderr);
    assert!(ran.stderr.contains("stopped now"), "{}", ran.stderr);
}

#[test]
fn a_second_server_is_refused_in_the_same_folder() {
    let data = TempDir::new().unwrap();
    let worker = Worker::begin(data.path());
    let second = fails(data.path(), &["work"], 1);
    assert!(second.contains("in use by another pp-host"), "{second}");
    assert_eq!(worker.stop().code, Some(0));
    assert!(!data.path().join("control.sock").exists());
}

#[test]
fn watching_ends_as_the_instance_ends() {
    let data = TempDir::new().unwrap();
    let data = data.path();
    let worker = Worker::begin(data);
    let all = command(data, &["watch", "--json"]).stdout(Stdio::piped()).spawn();
    let mut all = all.unwrap();
    submit(data, "paces", &["--id", "well", "--params", r#"{"steps":3}"#]);
    submit(data, "hostile", &["--id", "badly", "--params", r#"{"attack":"panic"}"#]);
    let well = succeeds(data, &["watch", "well"]);
    assert_eq!(well.lines().filter(|line| line.contains("local/well  step")).count(), 6, "{well}");
    assert!(well.lines().last().unwrap().contains("local/well  completed"), "{well}");
    let badly = run(data, &["watch", "badly"]);
    assert_eq!(badly.code, Some(1), "{}", badly.stdout);
    assert!(!badly.stdout.contains('\u{1b}'), "a guest's words are only words");
    assert!(fails(data, &["watch", "nobody"], 1).contains("there is no instance local/nobody"));
    fails(data, &["watch", "well", "--tenant", "acme"], 1);
    all.kill().unwrap();
    let seen = lines(&String::from_utf8(all.wait_with_output().unwrap().stdout).unwrap());
    let facts = lines(&succeeds(data, &["audit", "--json"]));
    assert!(facts.ends_with(&seen) || seen.len() < facts.len(), "what was seen is what was recorded");
    assert!(seen.iter().all(|fact| facts.contains(fact)));
    assert_eq!(worker.stop().code, Some(0));
}

#[test]
fn json_of_who_works_is_every_fact() {
    let data = TempDir::new().unwrap();
    let data = data.path();
    submit(data, "paces", &["--id", "a", "--params", r#"{"steps":2}"#]);
    let worker = Worker::begin_with(data, &["--json"]);
    until(data, "a", "completed");
    let told = lines(&worker.stop().stdout);
    let facts = lines(&succeeds(data, &["audit", "a", "--json"]));
    assert_eq!(told, facts[2..], "all that happened while it worked");
}

#[test]
fn of_many_events_at_once_none_is_lost() {
    let data = TempDir::new().unwrap();
    let data = data.path();
    let each = r#"{"event":{"name":"go","ms":3600000}}"#;
    let id = submit(data, "durable", &["--params", &format!(r#"{{"program":[{}]}}"#, [each; 64].join(","))]);
    let worker = Worker::begin(data);
    std::thread::scope(|scope| {
        for n in 0..64 {
            let id = &id;
            scope.spawn(move || {
                succeeds(data, &["instances", "send-event", id, "go", "--payload", &n.to_string()])
            });
        }
    });
    until(data, &id, "completed");
    let output: Value = serde_json::from_str(shown(data, &id)["output"].as_str().unwrap()).unwrap();
    let mut told: Vec<_> =
        output.as_array().unwrap().iter().map(|event| event["event"].as_u64().unwrap()).collect();
    told.sort_unstable();
    assert_eq!(told, (0..64).collect::<Vec<_>>());
    assert_eq!(worker.stop().code, Some(0));
}

#[test]
fn of_many_decisions_at_once_one_counts_and_the_others_are_told_so() {
    let data = TempDir::new().unwrap();
    let data = data.path();
    let key = decider(data, "alice");
    let id = submit(data, "tenant-workflow", &[]);
    let worker = Worker::begin(data);
    let requested = until(data, &id, "requested");
    let request = requested["request"].as_str().unwrap();
    let ends: Vec<Ran> = std::thread::scope(|scope| {
        let decide = || run(data, &["approve", request, "--as", "alice", "--key", &key]);
        let deciding: Vec<_> = (0..64).map(|_| scope.spawn(decide)).collect();
        deciding.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let issued = ends.iter().filter(|ran| ran.code == Some(0)).count();
    assert_eq!(issued, 1);
    for ran in ends.iter().filter(|ran| ran.code != Some(0)) {
        let clear = ["does not wait for a decision", "has already signed this decision", "was decided"];
        assert!(clear.iter().any(|words| ran.stderr.contains(words)), "{}", ran.stderr);
    }
    until(data, &id, "completed");
    assert_eq!(lines(&succeeds(data, &["receipts", "list", "--json"])).len(), 1);
    assert_eq!(worker.stop().code, Some(0));
}

/// `run` at a terminal owns the folder, and other commands can still send signals to the instance.
#[test]
fn a_workflow_that_is_run_hears_what_it_is_told() {
    let data = TempDir::new().unwrap();
    let data = data.path();
    let waits = r#"{"program":[{"event":{"name":"go","ms":3600000}}]}"#;
    let mut run = command(data, &["run", "tests/guests/durable.wasm", "--params", waits, "--json"]);
    let mut run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut facts = BufReader::new(run.stdout.take().unwrap())
        .lines()
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let waiting = facts.find(|fact| fact["fact"] == "wait-started").unwrap();
    let instance = waiting["instance"].as_str().unwrap();
    succeeds(data, &["instances", "send-event", instance, "go", "--payload", "7"]);
    let end = facts.find(|fact| fact["fact"] == "completed").unwrap();
    assert_eq!(end["output"], r#"[{"event":7}]"#);
    assert_eq!(run.wait().unwrap().code(), Some(0));
}

#[test]
fn the_benchmark_measures_what_it_is_asked_to() {
    let parent = TempDir::new().unwrap();
    let data = parent.path().join("data");
    let figures = lines(&succeeds(&data, &["bench", "--quick", "--json", "steps"]));
    assert!(
        figures.iter().all(|figure| figure["section"] == "steps" && figure["figure"].as_f64().unwrap() > 0.0)
    );
    assert!(!figures.is_empty() && !data.exists(), "the folder itself is left alone");
    assert!(fails(&data, &["bench", "nonsense"], 2).contains("steps, entries, instances"));
}

#[test]
fn without_deciders_the_demo_decider_decides() {
    let data = TempDir::new().unwrap();
    let data = data.path();
    let worker = Worker::begin(data);
    for (name, manner, status) in [("yes", "--approve", "APPROVED"), ("no", "--deny", "DENIED")] {
        let instance = submit(data, "tenant-workflow", &["--id", name]);
        until(data, &instance, "requested");
        let ran = run(data, &["drive", &instance, manner]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(format!("{}{}", ran.stdout, ran.stderr).contains(status), "{}{}", ran.stdout, ran.stderr);
        until(data, &instance, "completed");
    }
    let said = fails(data, &["drive", "yes", "--approve"], 1);
    assert!(said.contains("waits for no decision"), "{said}");
    assert_eq!(worker.stop().code, Some(0));
}

#[test]
fn where_people_decide_there_are_no_demo_decisions() {
    let (data, _key) = office();
    let data = data.path();
    let worker = Worker::begin(data);
    let instance = submit(data, "tenant-workflow", &[]);
    until(data, &instance, "requested");
    let said = fails(data, &["drive", &instance, "--approve"], 1);
    assert!(said.contains("signed by people"), "{said}");
    assert_eq!(worker.stop().code, Some(0));
}

/// Another program has the journal locked, longer than a command waits: it is named, once, with what to do.
#[test]
fn a_journal_that_another_program_has_locked_names_the_program() {
    let data = TempDir::new().unwrap();
    let data = data.path();
    assert_eq!(run(data, &["run", GUEST]).code, Some(0));
    let holder = rusqlite::Connection::open(data.join("journal.sqlite")).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (id, name) = (std::process::id(), std::fs::read_to_string("/proc/self/comm").unwrap());
    for words in [&["run", GUEST][..], &["work"]] {
        let refused = fails(data, words, 1);
        let holder = format!("pp-host: the journal is locked by {} (process {id})", name.trim_end());
        assert_eq!(refused.matches(&holder).count(), 1, "{refused}");
        assert_eq!(refused.matches("locked").count(), 1, "{refused}");
        assert!(refused.contains("try again"), "{refused}");
    }
    holder.execute_batch("ROLLBACK").unwrap();
    assert_eq!(run(data, &["run", GUEST]).code, Some(0));
}
