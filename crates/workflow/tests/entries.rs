//! Entries as JSON text. Every text that a host has ever written must read back as exactly the same entry, forever.

use crate::common::program::{Op, Program, Startable, Try};
use crate::common::shell::{run, run_straight};
use crate::common::{about, action, artifact, at, failure, origin, receipt_id, request_id};
use crate::prefixes::{check_same, cuts, tried};
use crate::strategies;
use proptest::prelude::*;
use receipt::Decision;
use serde_json::Value;
use std::collections::BTreeSet;
use workflow::{Backoff, CallMode, Check, Effect, Entry, Finding, StepConfig};

/// One line per entry: journal formats 1 and 2; each includes the earlier ones. A line never changes.
const GOLDEN: &str = concat!(include_str!("golden/v1.jsonl"), include_str!("golden/v2.jsonl"));

/// A complete journal of format 2.
const RUN: &str = include_str!("golden/v2-run.jsonl");

/// The kinds of entry, as they are spelled in a journal.
pub(crate) const KINDS: [&str; 34] = [
    "loaded",
    "started",
    "step-started",
    "step-completed",
    "step-failed",
    "attempt-failed",
    "attempt-started",
    "sleep-started",
    "sleep-ended",
    "wait-started",
    "wait-matched",
    "wait-timed-out",
    "event-received",
    "awaiting",
    "told",
    "resolved",
    "paused",
    "resumed",
    "diverged",
    "restarted",
    "terminated",
    "rejected",
    "requested",
    "decided",
    "issued",
    "lapsed",
    "signed",
    "withdrawn",
    "redeemed",
    "refused",
    "performed",
    "attested",
    "completed",
    "failed",
];

/// The checks of the gate.
pub(crate) const CHECKS: [Check; 15] = [
    Check::Verification,
    Check::Decision,
    Check::Scope,
    Check::Tenant,
    Check::Instance,
    Check::Code,
    Check::Capability,
    Check::Resource,
    Check::Artifact,
    Check::Expiry,
    Check::Redemption,
    Check::Revocation,
    Check::Approvals,
    Check::Policy,
    Check::Freeze,
];

/// The kind of an entry. A new variant does not compile before it is added here, and then in [`KINDS`] and in the
/// golden file.
pub(crate) fn kind(entry: &Entry) -> &'static str {
    match entry {
        Entry::Loaded { .. } => "loaded",
        Entry::Started { .. } => "started",
        Entry::StepStarted { .. } => "step-started",
        Entry::StepCompleted { .. } => "step-completed",
        Entry::StepFailed { .. } => "step-failed",
        Entry::AttemptFailed { .. } => "attempt-failed",
        Entry::AttemptStarted { .. } => "attempt-started",
        Entry::SleepStarted { .. } => "sleep-started",
        Entry::SleepEnded { .. } => "sleep-ended",
        Entry::WaitStarted { .. } => "wait-started",
        Entry::WaitMatched { .. } => "wait-matched",
        Entry::WaitTimedOut { .. } => "wait-timed-out",
        Entry::EventReceived { .. } => "event-received",
        Entry::Awaiting { .. } => "awaiting",
        Entry::Delivered { .. } => "told",
        Entry::Resolved { .. } => "resolved",
        Entry::Paused { .. } => "paused",
        Entry::Resumed { .. } => "resumed",
        Entry::Diverged { .. } => "diverged",
        Entry::Restarted { .. } => "restarted",
        Entry::Terminated { .. } => "terminated",
        Entry::Rejected { .. } => "rejected",
        Entry::Requested { .. } => "requested",
        Entry::Decided { .. } => "decided",
        Entry::Issued { .. } => "issued",
        Entry::Lapsed { .. } => "lapsed",
        Entry::Signed { .. } => "signed",
        Entry::Withdrawn { .. } => "withdrawn",
        Entry::Redeemed { .. } => "redeemed",
        Entry::Refused { .. } => "refused",
        Entry::Performed { .. } => "performed",
        Entry::Attested { .. } => "attested",
        Entry::Completed { .. } => "completed",
        Entry::Failed { .. } => "failed",
    }
}

/// The content of the golden file, line by line: first every kind, then every other form of a part of an entry.
fn golden() -> Vec<Entry> {
    let (request, receipt) = (|| request_id(3), || receipt_id(3));
    let mut entries = origin();
    entries.extend([
        about::step_started(0),
        about::step_completed(0),
        about::step_failed(1),
        about::rejected(2),
        about::requested(3),
        about::decided(request(), Decision::Approved),
        about::issued(request(), receipt(), Decision::Approved),
        Entry::Lapsed { request: request_id(4) },
        about::redeemed(5, receipt()),
        about::refused(6, receipt()),
        about::performed(5, receipt()),
        about::attested(5, receipt()),
        about::completed(),
        about::failed(),
    ]);
    entries.extend(other_forms());
    entries.extend(CHECKS.map(refused_by));
    entries.extend([
        about::signed(request(), Decision::Approved),
        about::withdrawn(request()),
        answered_for(origin().remove(1)),
    ]);
    entries.extend(second_format());
    entries
}

fn second_format() -> Vec<Entry> {
    let (call, none) = (u32::MAX, || None);
    let configured = |backoff| {
        let config = StepConfig { retries: 3, delay_ms: 250, backoff, timeout_ms: u64::MAX };
        Entry::StepStarted { call, name: "tried".to_owned(), config: Some(config), mode: CallMode::Started }
    };
    vec![
        about::started_step(7),
        configured(Backoff::Constant),
        configured(Backoff::Linear),
        about::attempt_failed(7, 1),
        Entry::AttemptStarted { call: 7, attempt: 2 },
        about::sleep_started(8, CallMode::Blocking),
        about::sleep_started(8, CallMode::Started),
        Entry::SleepEnded { call: 8 },
        about::wait_started(9, CallMode::Blocking),
        about::wait_started(9, CallMode::Started),
        Entry::WaitMatched { call: 9, event: 0 },
        Entry::WaitTimedOut { call: 9 },
        about::event("paid", 7),
        Entry::Awaiting { calls: vec![7, 8, 9] },
        Entry::Delivered { call: 7 },
        started(about::requested(10)),
        about::resolved(5),
        Entry::Resolved { call, finding: Finding::Failed, by: String::new(), reason: none() },
        about::paused(),
        about::resumed(),
        about::diverged(),
        about::restarted(7),
        about::terminated(),
        Entry::Terminated { by: "ann".to_owned(), reason: none() },
    ]
}

fn started(mut entry: Entry) -> Entry {
    if let Entry::Requested { mode, .. } = &mut entry {
        *mode = CallMode::Started;
    }
    entry
}

fn other_forms() -> Vec<Entry> {
    let message = || "line one\nline \"two\" \u{1f600}".to_owned();
    let (call, receipt) = (u32::MAX, receipt_id(3));
    let performed = |effect| Entry::Performed { call, receipt: receipt.clone(), effect };
    let decider = "demo:ann".to_owned();
    vec![
        Entry::Loaded { component: receipt::Digest::of(b""), bytes: u64::MAX, imports: vec![] },
        Entry::StepFailed { call, failure: failure("", &message()) },
        Entry::Decided { request: request_id(3), decision: Decision::Denied, decider, reason: None },
        about::issued(request_id(3), receipt.clone(), Decision::Denied),
        without_artifact(about::requested(0)),
        performed(Effect::Failed { message: message(), started_at: at(-1), finished_at: at(999) }),
        performed(Effect::Unknown { message: message() }),
    ]
}

fn without_artifact(mut entry: Entry) -> Entry {
    if let Entry::Requested { artifact, .. } = &mut entry {
        *artifact = None;
    }
    entry
}

fn answered_for(mut entry: Entry) -> Entry {
    if let Entry::Started { operator, submitter, .. } = &mut entry {
        (*operator, *submitter) = (Some("ann".parse().unwrap()), Some("bob".parse().unwrap()));
    }
    entry
}

fn refused_by(by: Check) -> Entry {
    let mut entry = about::refused(0, receipt_id(3));
    if let Entry::Refused { check, .. } = &mut entry {
        *check = by;
    }
    entry
}

fn parse(text: &str) -> Result<Entry, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn write(entry: &Entry) -> String {
    serde_json::to_string(entry).unwrap()
}

/// Every object in `value` as a path to it, `value` itself first.
fn objects(value: &Value, path: &str, found: &mut Vec<String>) {
    if let Value::Object(members) = value {
        found.push(path.to_owned());
        members.iter().for_each(|(name, member)| objects(member, &format!("{path}/{name}"), found));
    }
}

#[test]
fn the_golden_file_reads_as_exactly_these_entries() {
    let lines: Vec<_> = GOLDEN.lines().collect();
    let expected = golden();
    assert_eq!(lines.len(), expected.len());
    for (line, expected) in lines.into_iter().zip(expected) {
        assert_eq!(parse(line).unwrap_or_else(|error| panic!("{error}: {line}")), expected);
        assert_eq!(write(&expected), line, "an entry is still written as it was");
    }
}

#[test]
fn the_golden_file_has_every_kind_and_every_check() {
    let entries: Vec<_> = GOLDEN.lines().map(|line| parse(line).unwrap()).collect();
    let kinds: BTreeSet<_> = entries.iter().map(kind).collect();
    assert_eq!(kinds, BTreeSet::from(KINDS));
    for (line, entry) in GOLDEN.lines().zip(&entries) {
        assert!(line.starts_with(&format!(r#"{{"fact":"{}""#, kind(entry))), "{line}");
    }
    for check in CHECKS {
        assert!(GOLDEN.contains(&format!(r#""check":"{check}""#)), "{check}");
    }
}

#[test]
fn an_unknown_member_is_refused_wherever_it_stands() {
    for line in GOLDEN.lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        let mut paths = Vec::new();
        objects(&value, "", &mut paths);
        for path in paths {
            let mut odd = value.clone();
            odd.pointer_mut(&path).unwrap()["surprise"] = Value::from(1);
            let error = parse(&odd.to_string()).unwrap_err();
            assert!(error.contains("surprise"), "{error} for {odd}");
        }
    }
}

#[test]
fn a_missing_member_is_refused_unless_it_is_optional() {
    for line in GOLDEN.lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        let names: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        for name in names {
            let mut short = value.clone();
            short.as_object_mut().unwrap().remove(&name);
            let optional = matches!(
                (value["fact"].as_str(), name.as_str()),
                (Some("decided" | "withdrawn" | "resolved" | "terminated"), "reason")
                    | (Some("step-started"), "config" | "manner")
                    | (Some("sleep-started" | "wait-started" | "requested"), "manner")
                    | (Some("requested"), "artifact")
                    | (Some("started"), "operator" | "submitter")
            );
            assert_eq!(parse(&short.to_string()).is_ok(), optional, "{short} without {name}");
        }
    }
}

#[test]
fn what_is_not_an_entry_is_refused() {
    let line = |kind| GOLDEN.lines().find(|line| line.contains(&format!(r#""fact":"{kind}""#))).unwrap();
    let replaced = |kind, from: &str, to: &str| {
        assert!(line(kind).contains(from), "{from} is not in {}", line(kind));
        line(kind).replacen(from, to, 1)
    };
    let odd = [
        String::new(),
        "{}".to_owned(),
        "null".to_owned(),
        replaced("lapsed", "lapsed", "elapsed"),
        replaced("lapsed", r#""request_4""#, r#""request 4""#),
        replaced("lapsed", r#""fact":"lapsed""#, r#""fact":"lapsed","fact":"lapsed""#),
        replaced("lapsed", r#""request":"#, r#""request":"request_5","request":"#),
        replaced("decided", "APPROVED", "approved"),
        replaced("decided", "APPROVED", "MAYBE"),
        replaced("refused", "expiry", "Expiry"),
        replaced("performed", "succeeded", "success"),
        replaced("performed", "Z", "+00:00"),
        replaced("step-started", r#""call":0"#, r#""call":-1"#),
        replaced("step-started", r#""call":0"#, r#""call":4294967296"#),
        replaced("step-started", r#""call":0"#, r#""call":"0""#),
        replaced("loaded", r#""component":""#, r#""component":"sha256:"#),
        replaced("started", r#""acme""#, r#""../acme""#),
        format!("{} {}", line("completed"), line("completed")),
    ];
    for text in odd {
        assert!(parse(&text).is_err(), "{text}");
    }
}

/// The facts of an artifact are the bytes' own, so a journal's digest is comparable with `sha256sum`.
#[test]
fn an_artifact_is_recorded_by_name_size_and_digest() {
    let artifact = artifact();
    assert_eq!((artifact.facts().name.as_str(), artifact.facts().bytes), ("app.wasm", 4));
    assert_eq!(artifact.facts().sha256, receipt::Digest::of(artifact.bytes()));
    assert_eq!(
        artifact.facts().to_json().canonical(),
        r#"{"bytes":4,"name":"app.wasm","sha256":"cd5d4935a48c0672cb06407bb443bc0087aff947c6b864bac886982c73b3027f"}"#
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_entry_is_read_back_as_it_was_written(entry in strategies::entry()) {
        let text = write(&entry);
        prop_assert!(!text.contains('\n'), "a journal has one entry a line");
        prop_assert_eq!(parse(&text), Ok(entry));
    }
}

/// The workflow of the golden run: one of everything that format 2 adds to format 1.
fn golden_program() -> Program {
    let starts = vec![
        tried(vec![Try::Fails], vec![Op::Wait(Startable::Sleep(5))]),
        Startable::Sleep(20_000),
        Startable::Event("sent", 1000),
        Startable::Event("never", 1000),
        Startable::Approval(action()),
    ];
    let race = vec![Startable::Sleep(7), Startable::Event("never", 9)];
    Program(vec![Op::Act { action: action(), times: 1 }, Op::Race(race), Op::All(starts)])
}

#[test]
fn a_journal_of_format_2_is_loaded_and_leads_to_the_same_end() {
    let journal: Vec<_> = RUN.lines().map(|line| parse(line).unwrap()).collect();
    let straight = run_straight(&golden_program());
    let written: String = straight.journal.iter().map(|entry| format!("{}\n", write(entry))).collect();
    assert_eq!(written, RUN, "a run is still written as it was");
    for prefix in cuts(&journal[..journal.len() - 1]) {
        check_same(&run(&golden_program(), prefix, &[]), &straight);
    }
}
