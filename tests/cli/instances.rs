//! `pp-host instances`: an operator's view and commands, with and without a running worker.

use crate::support;
use crate::support::cli::*;
use crate::support::worker::*;
use engine::capability::{Capability, Execution, OnInterruption, PerformError, Performed, Permit};
use engine::issuer::Reversibility;
use engine::{Host, Status};
use receipt::Decision;
use serde_json::Value;
use std::path::Path;
use store::InstanceKey;
use tempfile::TempDir;
use workflow::Artifact;

#[test]
fn the_newest_are_listed_first_and_each_by_what_is_asked_for() {
    let data = TempDir::new().unwrap();
    let data = data.path();
    for name in ["a", "b", "c"] {
        submit(data, "paces", &["--id", name]);
    }
    submit(data, "paces", &["--id", "a", "--tenant", "acme"]);
    let names = |arguments: &[&str]| {
        let listed = lines(&succeeds(data, &[&["instances", "list", "--json"], arguments].concat()));
        let name =
            |line: &serde_json::Value| format!("{}/{}", line["tenant"], line["instance"]).replace('"', "");
        listed.iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(names(&[]), ["acme/a", "local/c", "local/b", "local/a"]);
    assert_eq!(names(&["--tenant", "local"]), ["local/c", "local/b", "local/a"]);
    assert_eq!(names(&["--tenant", "nobody"]), [""; 0]);
    assert_eq!(names(&["--limit", "1"]), ["acme/a"]);
    succeeds(data, &["drive", "b"]);
    assert_eq!(names(&["--status", "complete"]), ["local/b"]);
    assert_eq!(names(&["--status", "queued", "--tenant", "acme"]), ["acme/a"]);
    let more = run(data, &["instances", "list", "--limit", "2"]);
    assert!(more.stderr.contains("there are more"), "{}", more.stderr);
    let words = succeeds(data, &["instances", "list"]);
    assert!(words.contains("complete    local/b  workflow \"paces\"  since 20"), "{words}");
    fails(data, &["instances", "list", "--status", "happy"], 2);
}

#[test]
fn a_list_says_what_is_waited_for_and_what_was_denied() {
    let folder = folder();
    let data = folder.path();
    assert_eq!(run(data, &["run", GUEST, "--wait"]).code, Some(3));
    let listed = succeeds(data, &["instances", "list"]);
    let [waiting, denied, done] = listed.lines().collect::<Vec<_>>().try_into().unwrap();
    assert!(waiting.starts_with("waiting ") && waiting.contains("  for a decision on apr_"), "{listed}");
    assert!(denied.ends_with("  an action was denied"), "{listed}");
    assert!(done.starts_with("complete ") && !done.contains("denied"), "{listed}");
}

#[test]
fn an_instance_is_found_in_its_tenant_and_in_no_other() {
    let data = TempDir::new().unwrap();
    let data = data.path();
    submit(data, "paces", &["--id", "a", "--tenant", "acme"]);
    for command in [&["instances", "show"][..], &["audit"], &["logs"], &["drive"], &["watch"]] {
        let other = fails(data, &[command, &["a"]].concat(), 1);
        assert!(other.contains("there is no instance local/a"), "{other}");
    }
    let shown = succeeds(data, &["instances", "show", "a", "--tenant", "acme"]);
    assert!(shown.starts_with("acme/a\n  status     queued since"), "{shown}");
}

#[test]
fn what_a_guest_says_is_only_words() {
    let data = TempDir::new().unwrap();
    let data = data.path();
    let loud = r#"{"attack":"loud"}"#;
    submit(data, "hostile", &["--id", "a", "--params", loud, "--name", "\u{1b}[31mred\u{202e}"]);
    run(data, &["drive", "a"]);
    submit(data, "hostile", &["--id", "b", "--params", r#"{"attack":"panic"}"#]);
    run(data, &["drive", "b"]);
    for show in [&["instances", "show", "a"][..], &["instances", "show", "b"], &["instances", "list"]] {
        for arguments in [show.to_vec(), [show, &["--json"]].concat()] {
            let printed = succeeds(data, &arguments);
            let visible = |c: char| c == '\n' || workflow::is_visible(c);
            assert!(printed.chars().all(visible), "{arguments:?}: {printed:?}");
        }
    }
}

/// The process that drives due instances, so that an instance gets where a test needs it.
enum Drives<'a> {
    /// Only the test, in between.
    Nobody(&'a Path),
    Worker(&'a Path),
}

impl Drives<'_> {
    fn data(&self) -> &Path {
        match self {
            Self::Nobody(data) | Self::Worker(data) => data,
        }
    }

    /// Comes back when that was recorded of an instance of tenant `local`.
    fn until(&self, instance: &str, fact: &str) {
        if let Self::Nobody(data) = self {
            let host = Host::builder(data).open().unwrap();
            let key = InstanceKey { tenant: "local".parse().unwrap(), instance: instance.parse().unwrap() };
            support::block_on(host.drive(&key)).unwrap();
        }
        until(self.data(), instance, fact);
    }

    fn submit(&self, program: &str) -> String {
        submit(self.data(), "durable", &["--params", &format!(r#"{{"program":[{program}]}}"#)])
    }

    /// `instances WORD INSTANCE …`, which has to succeed.
    fn handle(&self, word: &str, instance: &str, rest: &[&str]) -> String {
        succeeds(self.data(), &[&["instances", word, instance], rest].concat())
    }

    fn refused(&self, word: &str, instance: &str, rest: &[&str]) -> String {
        fails(self.data(), &[&["instances", word, instance], rest].concat(), 1)
    }
}

/// The same alone, and while a server runs.
fn both_ways(check: fn(&Drives<'_>)) {
    let data = TempDir::new().unwrap();
    check(&Drives::Nobody(data.path()));
    let worker = Worker::begin(data.path());
    check(&Drives::Worker(data.path()));
    let ran = worker.stop();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

const GO: &str = r#"{"event":{"name":"go","ms":3600000}}"#;

#[test]
fn an_event_reaches_the_wait_for_it() {
    both_ways(|here| {
        let id = here.submit(GO);
        here.until(&id, "wait-started");
        let shown = shown(here.data(), &id);
        assert_eq!((&shown["status"], &shown["waits_for"][0]["type"]), (&"waiting".into(), &"go".into()));
        let words = succeeds(here.data(), &["instances", "show", &id]);
        assert!(words.contains("for an event go"), "{words}");
        assert!(here.refused("send-event", &id, &["go", "--payload", "{"]).contains("JSON"));
        fails(here.data(), &["instances", "send-event", &id, "no type"], 2);
        let sent = here.handle("send-event", &id, &["go", "--payload", r#"{"n":1}"#]);
        assert!(sent.contains("event go is received"), "{sent}");
        here.until(&id, "completed");
        let shown = support::worker::shown(here.data(), &id);
        assert_eq!(shown["output"], r#"[{"event":{"n":1}}]"#);
        assert_eq!(shown["events"], serde_json::json!({ "received": 1, "taken": 1 }));
        assert!(here.refused("send-event", &id, &["go"]).contains("complete"));
    });
}

#[test]
fn a_paused_instance_stays_stopped() {
    both_ways(|here| {
        let id = here.submit(GO);
        here.until(&id, "wait-started");
        assert_eq!(here.handle("pause", &id, &[]), format!("local/{id}  is paused\n"));
        assert!(here.refused("pause", &id, &[]).contains("paused"));
        here.handle("send-event", &id, &["go"]);
        let shown = succeeds(here.data(), &["instances", "show", &id]);
        assert!(
            shown.contains("paused since") && shown.contains(&format!("instances resume {id}")),
            "{shown}"
        );
        let resumed = lines(&here.handle("resume", &id, &["--json"]));
        assert_eq!(resumed[0]["instance"], *id);
        here.until(&id, "completed");
        here.refused("resume", &id, &[]);
    });
}

#[test]
fn a_terminated_instance_says_who_ended_it_and_why() {
    both_ways(|here| {
        let id = here.submit(GO);
        here.until(&id, "wait-started");
        here.handle("terminate", &id, &["--reason", "no longer \u{1b}[31mneeded"]);
        let shown = shown(here.data(), &id);
        assert_eq!(
            (&shown["status"], &shown["reason"]),
            (&"terminated".into(), &"no longer \u{1b}[31mneeded".into())
        );
        let words = succeeds(here.data(), &["instances", "show", &id]);
        assert!(words.contains("needed") && !words.contains('\u{1b}'), "{words}");
        for word in ["terminate", "pause", "resume"] {
            assert!(here.refused(word, &id, &[]).contains("terminated"), "{word}");
        }
        assert_eq!(run(here.data(), &["watch", &id]).code, Some(1));
    });
}

#[test]
fn a_workflow_goes_back_to_where_it_is_sent() {
    both_ways(|here| {
        let id = here.submit(&format!(
            r#"{{"once":{{"name":"a"}}}},{GO},{{"once":{{"name":"b"}}}},{{"once":{{"name":"b"}}}}"#
        ));
        here.until(&id, "wait-started");
        here.handle("send-event", &id, &["go"]);
        here.until(&id, "completed");
        let nowhere = here.refused("restart", &id, &["--from", "nowhere"]);
        assert!(nowhere.contains("nowhere"), "{nowhere}");
        here.handle("restart", &id, &["--from", "b", "--nth", "2"]);
        here.until(&id, "completed");
        let done = || {
            let shown = shown(here.data(), &id);
            let calls = shown["calls"].as_array().unwrap().clone();
            calls.iter().map(|call| call["superseded"].as_bool().unwrap()).collect::<Vec<_>>()
        };
        if let Drives::Worker(_) = here {
            return;
        }
        assert_eq!(done(), [false, false, false, true, false]);
        here.handle("restart", &id, &["--from", "b"]);
        here.until(&id, "completed");
        assert_eq!(done(), [false, false, true, true, true, false, false]);
        fails(here.data(), &["instances", "restart", &id, "--nth", "2"], 2);
    });
}

/// Approvals were given for other code: changed code asks again.
#[test]
fn a_workflow_goes_on_with_other_code_where_it_is_given_some() {
    let data = TempDir::new().unwrap();
    let data = data.path();
    let id = submit(data, "tenant-workflow", &[]);
    assert_eq!(run(data, &["drive", &id, "--deny"]).code, Some(4));
    let first = shown(data, &id)["component"].clone();
    let other = ["instances", "restart", &id, "--component", "tests/guests/tenant-workflow-std.wasm"];
    succeeds(data, &other);
    assert_eq!(run(data, &["drive", &id, "--approve"]).code, Some(0));
    let after = shown(data, &id);
    assert_ne!(after["component"], first);
    assert_eq!(after["status"], "complete");
    let nonsense = fails(data, &["instances", "restart", &id, "--component", "Cargo.toml"], 1);
    assert!(nonsense.contains("component"), "{nonsense}");
    assert_eq!(shown(data, &id)["status"], "complete", "nothing was done");
    succeeds(data, &["instances", "delete", &id]);
    assert_eq!(support::recount::recount(data, "local").instances, 0);
}

/// Other code that makes other calls stops the instance. No state is lost: with its original code, it continues.
#[test]
fn an_instance_that_takes_another_path_says_so_and_goes_on_with_code_that_does_not() {
    let data = TempDir::new().unwrap();
    let data = data.path();
    let id = submit(data, "tenant-workflow", &[]);
    assert_eq!(run(data, &["drive", &id, "--approve"]).code, Some(0));
    let restart = |guest: &str, from: &[&str]| {
        let guest = format!("tests/guests/{guest}.wasm");
        succeeds(data, &[&["instances", "restart", &id, "--component", &guest][..], from].concat());
        run(data, &["drive", &id])
    };
    let other = restart("paces", &["--from", "deploy dynamic worker"]);
    assert_eq!(other.code, Some(1), "{}", other.stdout);
    assert!(other.stdout.contains("diverged"), "{}", other.stdout);
    assert_eq!(shown(data, &id)["status"], "diverged");
    let words = succeeds(data, &["instances", "show", &id]);
    assert!(words.contains("at call #0: ") && words.contains(&format!("instances restart {id}")), "{words}");
    assert!(fails(data, &["instances", "delete", &id], 1).contains("has not ended"));
    fails(data, &["instances", "restart", &id, "--keep-calls"], 2);
    restart("tenant-workflow", &["--keep-calls"]);
    let shown = shown(data, &id);
    assert!(["complete", "errored"].contains(&shown["status"].as_str().unwrap()), "{shown}");
    let calls = shown["calls"].as_array().unwrap();
    assert_eq!((&calls[0]["superseded"], &calls[0]["stage"]), (&false.into(), &"completed".into()));
    let refused = calls.iter().find(|call| call["stage"] == "refused").unwrap();
    assert!(refused["says"].as_str().unwrap().contains("redemption"), "a receipt is spent once: {refused}");
    assert_eq!(lines(&succeeds(data, &["deployments", "--json"])).len(), 1);
}

#[test]
fn only_what_has_ended_is_deleted_and_its_receipts_stay() {
    let data = TempDir::new().unwrap();
    let data = data.path();
    let key = decider(data, "alice");
    let id = submit(data, "tenant-workflow", &["--id", "a"]);
    let worker = Worker::begin(data);
    let requested = until(data, &id, "requested");
    let early = fails(data, &["instances", "delete", &id], 1);
    assert!(early.contains("local/a is waiting and has not ended"), "{early}");
    let request = requested["request"].as_str().unwrap();
    succeeds(data, &["approve", request, "--as", "alice", "--key", &key]);
    until(data, &id, "completed");
    let deleted = succeeds(data, &["instances", "delete", &id]);
    assert_eq!(deleted, "local/a  is deleted; its receipts stay\n");
    assert!(fails(data, &["instances", "show", &id], 1).contains("there is no instance local/a"));
    assert!(fails(data, &["approvals", "show", request], 1).contains("there is no request"));
    assert_eq!(succeeds(data, &["instances", "list"]), "");
    let audit = succeeds(data, &["audit"]);
    assert!(audit.contains("local/a  deleted     by") && audit.contains("facts"), "{audit}");
    let receipts = lines(&succeeds(data, &["receipts", "list", "--json"]));
    assert_eq!((receipts.len(), &receipts[0]["attested"]), (1, &true.into()));
    let receipt = receipts[0]["receipt_id"].as_str().unwrap();
    let exported = write(data, "artifact.json", &succeeds(data, &["receipts", "export", receipt]));
    let keys = write(data, "keys.json", &succeeds(data, &["keys", "export"]));
    succeeds(data, &["verify", &exported, "--keys", &keys]);
    assert_eq!(lines(&succeeds(data, &["deployments", "--json"])).len(), 1);
    let again = submit(data, "tenant-workflow", &["--id", "a"]);
    until(data, &again, "requested");
    assert_eq!(worker.stop().code, Some(0));
}

/// A deployment with an unknown outcome.
struct Lost;

impl Capability for Lost {
    fn name(&self) -> &str {
        engine::DEPLOY
    }

    fn reversibility(&self) -> Reversibility {
        Reversibility::Irreversible
    }

    fn on_interruption(&self) -> OnInterruption {
        OnInterruption::ReportUnknown
    }

    fn perform(&self, _: &Permit, _: &Artifact, _: Execution) -> Result<Performed, PerformError> {
        Err(PerformError::Unknown("the line went dead".to_owned()))
    }
}

#[test]
fn an_unknown_outcome_is_shown_until_a_finding_is_recorded() {
    both_ways(|here| {
        let data = here.data();
        let id = match here {
            Drives::Nobody(_) => "alone",
            Drives::Worker(_) => "served",
        };
        // Both were made before a server runs: that server has no such capability.
        if let Drives::Nobody(_) = here {
            for id in ["alone", "served"] {
                submit(data, "tenant-workflow", &["--id", id]);
                let host = Host::builder(data).capability(Lost).open().unwrap();
                let key = InstanceKey { tenant: "local".parse().unwrap(), instance: id.parse().unwrap() };
                let end = support::finish(&host, &key, Decision::Approved);
                assert!(matches!(end, Status::Failed(_) | Status::Completed(_)), "{end:?}");
            }
        }
        let words = succeeds(data, &["instances", "show", id]);
        let told = words.split_once("unknown ").unwrap().1;
        let unknown = shown(data, id)["unknown"][0].clone();
        let receipt = unknown["receipt"].as_str().unwrap();
        let how =
            format!("instances resolve {id} --receipt {receipt} --finding did-not-happen --reason WORDS");
        assert!(told.contains(&how), "{told}");
        assert_eq!(unknown["finding"], Value::Null);
        let kept = here.refused("delete", id, &[]);
        assert!(kept.contains("it is unknown whether") && kept.contains(receipt), "{kept}");
        let other = ["--receipt", "rcpt_none", "--finding", "happened", "--reason", "r"];
        here.refused("resolve", id, &other);
        let found =
            ["--receipt", receipt, "--finding", "did-not-happen", "--reason", "not there", "--by", "ann"];
        let said = here.handle("resolve", id, &found);
        assert!(said.contains("is resolved"), "{said}");
        here.refused("resolve", id, &found);
        assert_eq!(shown(data, id)["unknown"][0]["finding"], "failed");
        let words = succeeds(data, &["instances", "show", id]);
        assert!(!words.contains("instances resolve") && words.contains("it did not take place"), "{words}");
        assert!(succeeds(data, &["audit", id]).contains(r#"it did not take place, says "ann (recorded by "#));
        here.handle("delete", id, &[]);
    });
}
