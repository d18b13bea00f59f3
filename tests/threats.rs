//! The six threats of the original design, and what a hostile tenant tries beyond them. Each is tried by a real guest on a real host.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use host::Error;
use host::Host;
use host::Status;
use host::sandbox::LoadError;
use host::sandbox::SandboxLimits;
use receipt::Decision;
use receipt::Timestamp;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use support::attack;
use support::count;
use support::failure;
use support::finish;
use support::result;
use tempfile::TempDir;
use workflow::Entry;
use workflow::Limits;
use workflow::Wait;

// Threat 1: self-approval by generated code.

#[test]
fn a_forged_receipt_handle_is_not_a_receipt() {
    let (status, entries) = attack("forged-receipt");
    assert_eq!(failure(&status).0, "boundary");
    assert_eq!(count(&entries, "redeemed") + count(&entries, "performed"), 0);
}

#[test]
fn a_receipt_in_the_parameters_is_text() {
    let (_folder, host) = support::new_host();
    let forged = r#"{"attack":"forged-receipt","event":{"type":"pp-approval","decision":"approved","receipt":{"id":"rcpt_forged"}}}"#;
    let key = support::start(&host, "hostile", forged);
    let status = finish(&host, &key, Decision::Approved);
    assert_eq!(failure(&status).0, "boundary");
    assert!(host.store().receipts().unwrap().is_empty());
}

#[test]
fn another_kind_of_handle_is_not_a_receipt() {
    let (status, entries) = attack("attempt-as-receipt");
    assert!(failure(&status).1.contains("wrong type"), "{status:?}");
    assert_eq!(count(&entries, "redeemed"), 0);
}

#[test]
fn the_acting_agent_cannot_approve_itself() {
    let (_folder, host) = support::new_host();
    let key = support::start(&host, "tenant-workflow", "{}");
    let Status::Waiting(Wait::Approval { request, .. }) = support::block_on(host.drive(&key)).unwrap() else {
        panic!()
    };
    let mut own = support::judgement(Decision::Approved);
    own.by = host::authority::DemoDecider::new("agent:builder".parse().unwrap());
    assert!(matches!(host.decide(&request, &own), Err(Error::SelfApproval(..))));
    assert!(matches!(host.status(&key).unwrap(), Status::Waiting(_)));
}

// Threat 2: a capability reached without a receipt, or with one for something else.

#[test]
fn a_receipt_for_another_capability_is_refused() {
    let (status, entries) = attack("other-capability");
    assert_eq!(result(&status)["refused"], "Check::Capability");
    assert_eq!(count(&entries, "redeemed") + count(&entries, "performed"), 0);
}

#[test]
fn a_receipt_for_another_resource_is_refused() {
    let (status, entries) = attack("other-resource");
    assert_eq!(result(&status)["refused"], "Check::Resource");
    assert_eq!(count(&entries, "performed"), 0);
}

// Threat 3: a spoofed resume.

#[test]
fn only_a_decision_resumes_a_gated_workflow() {
    let (_folder, host) = support::new_host();
    let key = support::start(&host, "tenant-workflow", "{}");
    let Status::Waiting(Wait::Approval { request, .. }) = support::block_on(host.drive(&key)).unwrap() else {
        panic!()
    };
    // Driving it again and again is not a decision.
    for _ in 0..3 {
        assert!(matches!(support::block_on(host.drive(&key)).unwrap(), Status::Waiting(_)));
    }
    // Nor is a decision about a request that nobody made.
    let invented = "apr_invented".parse().unwrap();
    assert!(matches!(
        host.decide(&invented, &support::judgement(Decision::Approved)),
        Err(Error::NoRequest(_))
    ));
    // And a request is decided once.
    host.decide(&request, &support::judgement(Decision::Denied)).unwrap();
    let again = host.decide(&request, &support::judgement(Decision::Approved));
    assert!(matches!(again, Err(Error::NotWaiting { .. })), "{again:?}");
    assert_eq!(result(&finish(&host, &key, Decision::Approved))["status"], "blocked");
    let late = host.decide(&request, &support::judgement(Decision::Approved));
    assert!(matches!(late, Err(Error::NotWaiting { .. })), "{late:?}");
}

#[test]
fn of_many_decisions_at_once_one_wins() {
    let (_folder, host) = support::new_host();
    let key = support::start(&host, "tenant-workflow", "{}");
    let Status::Waiting(Wait::Approval { request, .. }) = support::block_on(host.drive(&key)).unwrap() else {
        panic!()
    };
    let deciders: Vec<_> = (0..64)
        .map(|number| {
            let (host, request) = (host.clone(), request.clone());
            let decision = if number % 2 == 0 { Decision::Approved } else { Decision::Denied };
            std::thread::spawn(move || host.decide(&request, &support::judgement(decision)).is_ok())
        })
        .collect();
    let won = deciders.into_iter().map(|decider| decider.join().unwrap()).filter(|won| *won).count();
    assert_eq!(won, 1);
    assert_eq!(host.store().receipts().unwrap().len(), 1);
}

// Threat 4: approve one thing, do another.

#[test]
fn other_bytes_than_the_approved_ones_are_refused() {
    for name in ["other-artifact", "other-name"] {
        let (status, entries) = attack(name);
        assert_eq!(result(&status)["refused"], "Check::Artifact", "{name}");
        assert_eq!(count(&entries, "refused"), 1);
        assert_eq!(count(&entries, "redeemed") + count(&entries, "performed"), 0);
    }
}

// Threat 5: a way out through the network or the file system.

#[test]
fn an_import_outside_the_world_is_refused_by_its_full_name() {
    let (_folder, host) = support::new_host();
    for name in [
        "wasi:sockets/tcp@0.2.0",
        "wasi:http/outgoing-handler@0.2.0",
        "wasi:keyvalue/store@0.2.0",
        "acme:bank/transfer@1.0.0",
    ] {
        let component = wat::parse_str(format!(r#"(component (import "{name}" (instance)))"#)).unwrap();
        let Err(Error::Load(error @ LoadError::ForbiddenImports(_))) = host.load(component).map(drop) else {
            panic!("{name}")
        };
        assert!(error.to_string().contains(name), "{error}");
    }
    let function = wat::parse_str(r#"(component (import "fetch" (func)))"#).unwrap();
    assert!(
        matches!(host.load(function).map(drop), Err(Error::Load(LoadError::ForbiddenImports(names))) if names == ["fetch"])
    );
}

#[test]
fn a_standard_library_finds_nothing_behind_its_calls() {
    let files = result(&attack("files").0);
    for call in ["read", "write", "list"] {
        assert!(files[call].as_str().unwrap().starts_with("refused"), "{files}");
    }
    assert_eq!(
        result(&attack("environment").0),
        serde_json::json!({ "variables": 0, "arguments": 0, "stdin": 0 })
    );
}

#[test]
fn time_and_chance_are_the_same_before_and_after_a_pause() {
    let looked = result(&attack("clock").0);
    assert_eq!(looked["first"], looked["again"]);
    assert_ne!(looked["first"]["now"], "0");
}

/// A guest that could tell a run from its repetition could take another path then. Each of these names a step after what it sees.
#[test]
fn chance_and_clocks_are_the_same_whether_a_step_ran_or_was_left_out() {
    assert!(result(&attack("chance").0)["behind"].is_u64());
    let instants = result(&attack("instants").0);
    assert!(instants["slept"].as_u64().unwrap() >= 3600, "{instants}");
}

// Threat 6: a durable workflow that uses its permission later, elsewhere, or twice.

#[test]
fn a_receipt_cannot_be_used_twice() {
    let (status, entries) = attack("spent-twice");
    assert!(failure(&status).1.contains("unknown handle"), "{status:?}");
    assert_eq!((count(&entries, "redeemed"), count(&entries, "performed")), (1, 1));
}

#[test]
fn two_deployments_need_two_decisions() {
    let (status, entries) = attack("two-approvals");
    assert_eq!(result(&status).as_array().map(Vec::len), Some(2));
    assert_eq!((count(&entries, "decided"), count(&entries, "redeemed")), (2, 2));
}

/// A clock that the test sets.
fn host_with_clock(folder: &TempDir) -> (Host, Arc<AtomicI64>) {
    let time = Arc::new(AtomicI64::new(1_800_000_000_000));
    let clock = Arc::clone(&time);
    let host = Host::builder(folder.path())
        .clock(move || Timestamp::from_millis(clock.load(Ordering::Relaxed)))
        .open()
        .unwrap();
    (host, time)
}

#[test]
fn a_receipt_expires_and_setting_the_clock_back_does_not_revive_it() {
    const MINUTE: i64 = 60_000;
    let folder = TempDir::new().unwrap();
    let (host, time) = host_with_clock(&folder);
    let key = support::start(&host, "hostile", r#"{"attack":"plain"}"#);
    let Status::Waiting(Wait::Approval { request, .. }) = support::block_on(host.drive(&key)).unwrap() else {
        panic!()
    };
    host.decide(&request, &support::judgement(Decision::Approved)).unwrap();
    // Something is recorded sixteen minutes later, and then somebody sets the clock back an hour.
    time.fetch_add(16 * MINUTE, Ordering::Relaxed);
    support::start(&host, "hostile", "{}");
    time.fetch_sub(60 * MINUTE, Ordering::Relaxed);
    let status = finish(&host, &key, Decision::Approved);
    assert_eq!(result(&status)["refused"], "Check::Expiry");
}

#[test]
fn a_request_lapses_after_a_day() {
    let folder = TempDir::new().unwrap();
    let (host, time) = host_with_clock(&folder);
    let key = support::start(&host, "tenant-workflow", "{}");
    let Status::Waiting(Wait::Approval { request, .. }) = support::block_on(host.drive(&key)).unwrap() else {
        panic!()
    };
    time.fetch_add(24 * 60 * 60_000, Ordering::Relaxed);
    let late = host.decide(&request, &support::judgement(Decision::Approved));
    assert!(matches!(late, Err(Error::NotWaiting { .. })), "{late:?}");
    let status = support::block_on(host.drive(&key)).unwrap();
    assert_eq!(result(&status)["cause"], "expired");
    assert!(host.store().receipts().unwrap().is_empty());
}

// Beyond the six: a tenant that breaks itself breaks nothing else, and is told why.

fn ends_with(attack: &str, limits: SandboxLimits, name: &str, words: &str) {
    let folder = TempDir::new().unwrap();
    let host = Host::builder(folder.path()).sandbox(limits).open().unwrap();
    let key = support::start(&host, "hostile", &format!(r#"{{"attack":"{attack}"}}"#));
    let status = finish(&host, &key, Decision::Approved);
    let (found, message) = failure(&status);
    assert_eq!(found, name, "{message}");
    assert!(message.contains(words), "{message}");
    let neighbour = support::start(&host, "tenant-workflow", "{}");
    assert_eq!(result(&finish(&host, &neighbour, Decision::Approved))["status"], "deployed");
}

#[test]
fn a_loop_without_end_runs_out_of_fuel() {
    let limits = SandboxLimits { fuel: 50_000_000, ..SandboxLimits::default() };
    ends_with("spin", limits, "limit-exceeded", "limit fuel reached: at most 50000000");
}

#[test]
fn a_loop_without_end_runs_out_of_time() {
    let limits =
        SandboxLimits { wall_clock: Duration::from_secs(1), fuel: u64::MAX, ..SandboxLimits::default() };
    ends_with("spin", limits, "limit-exceeded", "limit wall-clock-seconds reached");
}

/// To sleep takes no time: the guest's clock is moved on instead.
#[test]
fn a_guest_that_sleeps_is_there_at_once() {
    assert_eq!(result(&attack("sleep").0)["survived"], true);
}

#[test]
fn a_hoarder_runs_out_of_memory() {
    ends_with(
        "memory",
        SandboxLimits::default(),
        "limit-exceeded",
        "limit memory-bytes reached: at most 134217728",
    );
}

#[test]
fn a_collector_runs_out_of_handles() {
    ends_with("handles", SandboxLimits::default(), "limit-exceeded", "limit handles reached");
}

#[test]
fn a_flood_of_bytes_does_not_reach_the_host() {
    let limits = SandboxLimits { memory_bytes: 1 << 30, ..SandboxLimits::default() };
    ends_with("flood", limits, "limit-exceeded", "limit call-bytes reached");
}

#[test]
fn an_endless_recursion_a_panic_and_an_exit_end_the_instance_alone() {
    ends_with("stack", SandboxLimits::default(), "trapped", "outside its memory");
    ends_with("panic", SandboxLimits::default(), "panicked", "the workflow gives up");
    ends_with("exit", SandboxLimits::default(), "exited", "returning from run");
}

#[test]
fn what_a_guest_prints_is_kept_up_to_a_bound() {
    let (_folder, host) = support::new_host();
    let key = support::start(&host, "hostile", r#"{"attack":"print"}"#);
    finish(&host, &key, Decision::Approved);
    let output = host.store().output(&key).unwrap();
    assert!(output.len() < (256 << 10) + 100, "{}", output.len());
    assert!(output.ends_with("more bytes not kept: limit log-bytes is 262144]\n"));
}

#[test]
fn steps_have_bounds_that_say_how_to_raise_them() {
    let names = result(&attack("step-names").0);
    assert_eq!(names["longest"], "accepted");
    for (name, words) in [
        ("empty", "at least one character"),
        ("long", "--limit step-name-chars=N"),
        ("control", "control characters"),
    ] {
        assert!(names[name].as_str().unwrap().contains(words), "{names}");
    }
    let results = result(&attack("step-results").0);
    assert_eq!(results["fits"], "accepted");
    assert!(results["large"].as_str().unwrap().contains("--limit result-bytes=N"), "{results}");
    assert!(results["not json"].as_str().unwrap().contains("not JSON"), "{results}");
    let folder = TempDir::new().unwrap();
    let host = Host::builder(folder.path()).limits(Limits { calls: 20, ..Limits::default() }).open().unwrap();
    let key = support::start(&host, "hostile", r#"{"attack":"steps-without-end"}"#);
    let (_, message) = failure(&finish(&host, &key, Decision::Approved));
    assert!(message.contains("limit calls reached: at most 20"), "{message}");
}

#[test]
fn a_step_that_ends_before_one_inside_it_ends_the_instance() {
    let (name, message) = failure(&attack("step-order").0);
    assert_eq!(name, "step-order");
    assert!(message.contains("has to end before it"), "{message}");
}

#[test]
fn a_failure_that_is_cut_is_the_same_after_a_pause() {
    let length = result(&attack("long-failure").0)["length"].as_u64().unwrap();
    assert!((4096..5000).contains(&length), "{length}");
}

#[test]
fn an_action_that_is_none_is_rejected_and_never_shown_to_an_approver() {
    for (name, words) in [("bad-evidence", "duplicate key"), ("bad-capability", "dotted name")] {
        let (status, entries) = attack(name);
        assert!(failure(&status).1.contains(words), "{status:?}");
        assert_eq!((count(&entries, "rejected"), count(&entries, "requested")), (1, 0));
    }
}

#[test]
fn what_an_approver_sees_is_printable_and_marked() {
    let (_folder, host) = support::new_host();
    let key = support::start(&host, "hostile", r#"{"attack":"loud"}"#);
    let Status::Waiting(Wait::Approval { request, .. }) = support::block_on(host.drive(&key)).unwrap() else {
        panic!()
    };
    let view = host.request(&request).unwrap().to_string();
    let unseen = |character: char| {
        character.is_control() && character != '\n'
            || "\u{202e}\u{200b}\u{3164}\u{2800}\u{115f}".contains(character)
    };
    assert!(!view.contains(unseen), "{view}");
    let (host_says, guest_says) =
        view.split_once("written by the workflow, not checked by anybody:").unwrap();
    assert!(!host_says.contains("APPROVED"), "{view}");
    assert!(guest_says.contains("APPROVED"), "{view}");
    assert_eq!(guest_says.lines().count(), 3, "each of the workflow's texts is one line: {view}");
}

#[test]
fn one_tenant_s_instance_means_nothing_to_another() {
    let (_folder, host) = support::new_host();
    let mine = support::start_for(&host, "acme", "tenant-workflow", "{}");
    let theirs = host::InstanceKey { tenant: "mallory".parse().unwrap(), instance: mine.instance.clone() };
    for outcome in [
        support::block_on(host.drive(&theirs)).map(drop),
        host.audit(Some(&theirs)).map(drop),
        host.status(&theirs).map(drop),
    ] {
        assert!(matches!(outcome, Err(Error::Store(host::store::StoreError::NoInstance(_)))), "{outcome:?}");
    }
}

#[test]
fn a_denied_workflow_acts_on_nothing() {
    let (_folder, host) = support::new_host();
    let key = support::start(&host, "tenant-workflow", "{}");
    let status = finish(&host, &key, Decision::Denied);
    assert_eq!(result(&status)["status"], "blocked");
    let entries = support::entries(&host, &key);
    assert!(entries.iter().any(|entry| matches!(entry, Entry::Issued { decision: Decision::Denied, .. })));
    assert_eq!(count(&entries, "redeemed") + count(&entries, "performed"), 0);
}
