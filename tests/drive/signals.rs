//! A signal reaches an instance while any driver runs, and loses nothing of the drive.

use crate::support;
use crate::support::faulty::Faulty;
use crate::support::held_action::Held;
use crate::support::{block_on, count, entries, judgement, start};
use engine::api::RestartPoint;
use engine::{Error, Host, Status};
use receipt::Decision;
use rusqlite::Connection;
use sandbox::SandboxLimits;
use serde_json::json;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Barrier, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use store::{Fact, InstanceKey, RequestFilter, Write, Writer};
use tempfile::TempDir;
use workflow::{Effect, Entry, RequestId};

/// An instance in the middle of its deployment.
struct Acting {
    _folder: TempDir,
    host: Host,
    key: InstanceKey,
    let_go: Sender<()>,
    driving: JoinHandle<Status>,
}

impl Acting {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let (held, has_entered, let_go) = Held::in_folder(folder.path());
        let host = crate::support::storage::builder(folder.path()).capability(held).open().unwrap();
        let key = start(&host, "tenant-workflow", "{}");
        let driving = std::thread::spawn({
            let (host, key) = (host.clone(), key.clone());
            move || support::finish(&host, &key, Decision::Approved)
        });
        has_entered.recv().unwrap();
        Self { _folder: folder, host, key, let_go, driving }
    }

    /// Lets the action continue, and returns the end of the drive.
    fn let_go(self) -> (TempDir, Host, InstanceKey, Status) {
        self.let_go.send(()).unwrap();
        (self._folder, self.host, self.key, self.driving.join().unwrap())
    }
}

fn assert_acted_once(host: &Host, key: &InstanceKey) {
    let entries = entries(host, key);
    for kind in ["redeemed", "performed", "attested"] {
        assert_eq!(count(&entries, kind), 1, "{kind}");
    }
    let succeeded =
        |entry: &Entry| matches!(entry, Entry::Performed { effect: Effect::Succeeded { .. }, .. });
    assert!(entries.iter().any(succeeded), "the outcome is known");
}

#[test]
fn an_event_in_the_middle_of_an_action_costs_it_nothing() {
    let acting = Acting::new();
    for _ in 0..3 {
        acting.host.send_event(&acting.key, &"noticed".parse().unwrap(), "{}").unwrap();
    }
    let (_folder, host, key, status) = acting.let_go();
    assert_eq!(support::result(&status)["status"], "deployed");
    assert_acted_once(&host, &key);
    assert_eq!(count(&entries(&host, &key), "event-received"), 3);
}

/// Observers get the recorded facts: place, index and time, and each fact once.
#[test]
fn observers_are_told_what_is_on_record() {
    let folder = TempDir::new().unwrap();
    let (held, has_entered, let_go) = Held::in_folder(folder.path());
    let told = Arc::<Mutex<Vec<Fact>>>::default();
    let also = Arc::clone(&told);
    let host = crate::support::storage::builder(folder.path())
        .capability(held)
        .on_fact(move |fact| also.lock().unwrap().push(fact.clone()))
        .open()
        .unwrap();
    let others: Vec<_> = (0..3).map(|_| start(&host, "paces", r#"{"steps":20}"#)).collect();
    let key = start(&host, "tenant-workflow", "{}");
    let driving = std::thread::spawn({
        let (host, key) = (host.clone(), key.clone());
        move || support::finish(&host, &key, Decision::Approved)
    });
    has_entered.recv().unwrap();
    // Its outcome is in the way of these, and has another place than the drive expects.
    for _ in 0..3 {
        host.send_event(&key, &"noticed".parse().unwrap(), "{}").unwrap();
    }
    for other in &others {
        block_on(host.drive(other)).unwrap();
    }
    let_go.send(()).unwrap();
    driving.join().unwrap();
    let mut told = told.lock().unwrap().clone();
    told.sort_by_key(|fact| fact.seq);
    assert_eq!(told, host.audit(None).unwrap());
}

#[test]
fn an_instance_that_is_paused_in_the_middle_of_an_action_stops_after_it() {
    let acting = Acting::new();
    acting.host.pause(&acting.key, "ops").unwrap();
    let (_folder, host, key, status) = acting.let_go();
    assert_eq!(status, Status::Paused { by: "ops".to_owned() });
    assert_acted_once(&host, &key);
    assert_eq!(block_on(host.drive(&key)).unwrap(), status, "it stands still");
    assert!(matches!(host.pause(&key, "ops"), Err(Error::AlreadyStopped(..))));
    host.resume(&key, "ops").unwrap();
    assert!(matches!(host.resume(&key, "ops"), Err(Error::NotStopped(..))));
    assert_eq!(support::result(&block_on(host.drive(&key)).unwrap())["status"], "deployed");
    assert_acted_once(&host, &key);
}

#[test]
fn no_operator_ends_an_instance_in_the_middle_of_an_action() {
    let acting = Acting::new();
    let refused = acting.host.terminate(&acting.key, "ops", None);
    assert!(matches!(refused, Err(Error::ActionInProgress(_))), "{refused:?}");
    let refused = acting.host.restart(&acting.key, &RestartPoint::Beginning, None, "ops");
    assert!(matches!(refused, Err(Error::ActionInProgress(_))), "{refused:?}");
    let (_folder, host, key, status) = acting.let_go();
    assert_eq!(support::result(&status)["status"], "deployed");
    assert!(matches!(host.terminate(&key, "ops", None), Err(Error::Ended(..))));
    assert!(matches!(host.pause(&key, "ops"), Err(Error::Ended(..))));
    let late = host.send_event(&key, &"late".parse().unwrap(), "{}");
    assert!(matches!(late, Err(Error::Ended(..))), "{late:?}");
}

/// A host whose guests may spin for as long as they like.
fn patient_host() -> (TempDir, Host) {
    let folder = TempDir::new().unwrap();
    let limits =
        SandboxLimits { fuel: u64::MAX, wall_clock: Duration::from_secs(3_600), ..SandboxLimits::default() };
    let host = crate::support::storage::builder(folder.path()).sandbox(limits).open().unwrap();
    (folder, host)
}

#[test]
fn a_guest_that_never_ends_is_ended() {
    let (_folder, host) = patient_host();
    let key = start(&host, "hostile", r#"{"attack":"spin"}"#);
    let driving = std::thread::spawn({
        let (host, key) = (host.clone(), key.clone());
        move || {
            loop {
                match block_on(host.drive(&key)) {
                    Err(Error::Busy(_)) => {}
                    driven => return driven.unwrap(),
                }
            }
        }
    });
    // Another drive is refused as soon as this one is under way; until then its future is dropped at once.
    let glance = || block_on(async { tokio::time::timeout(Duration::ZERO, host.drive(&key)).await });
    while !matches!(glance(), Ok(Err(Error::Busy(_)))) {}
    host.terminate(&key, "ops", Some("it spins")).unwrap();
    let ended = Status::Terminated { by: "ops".to_owned(), reason: Some("it spins".to_owned()) };
    assert_eq!(driving.join().unwrap(), ended);
    assert_eq!(host.status(&key).unwrap(), ended);
}

/// A signal unwinds a guest that computes. Its output until then is kept.
#[test]
fn what_a_guest_printed_before_it_was_unwound_is_kept() {
    let (_folder, host) = patient_host();
    let spin = json!({ "spin": { "name": "a", "ms": 600_000, "retries": 0, "inside": false } });
    let program = json!({ "program": [spin] }).to_string();
    let pause: fn(&Host, &InstanceKey) = |host, key| host.pause(key, "ops").unwrap();
    let terminate: fn(&Host, &InstanceKey) = |host, key| host.terminate(key, "ops", None).unwrap();
    for tell in [pause, terminate] {
        let key = start(&host, "durable", &program);
        let driving = std::thread::spawn({
            let (host, key) = (host.clone(), key.clone());
            move || block_on(host.drive(&key)).unwrap()
        });
        // The beginning of the step is recorded some time after its body began, which prints first, and then computes
        // forever.
        while count(&entries(&host, &key), "step-started") == 0 {}
        tell(&host, &key);
        driving.join().unwrap();
        assert!(host.store().output(&key).wait().unwrap().contains("ran a 1"));
    }
}

fn waiting_on(status: &Status) -> RequestId {
    status.request().unwrap_or_else(|| panic!("it waits for no decision: {status:?}")).clone()
}

#[test]
fn of_many_decisions_at_once_one_counts_and_the_others_hear_why_theirs_do_not() {
    const AT_ONCE: usize = 64;
    let (_folder, host) = support::new_host();
    let key = start(&host, "tenant-workflow", "{}");
    let request = waiting_on(&block_on(host.drive(&key)).unwrap());
    let barrier = Barrier::new(AT_ONCE);
    let decide = |place: usize| {
        let decision = if place.is_multiple_of(2) { Decision::Approved } else { Decision::Denied };
        barrier.wait();
        host.decide(&request, &judgement(decision))
    };
    let answers: Vec<_> = std::thread::scope(|scope| {
        let decide = &decide;
        let threads: Vec<_> = (0..AT_ONCE).map(|place| scope.spawn(move || decide(place))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    for refused in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert!(matches!(refused, Error::NotWaiting { .. }), "{refused}");
    }
    assert_eq!(count(&entries(&host, &key), "decided"), 1);
    assert_eq!(host.store().receipts(store::ReceiptPage::ALL).wait().unwrap().len(), 1);
}

#[test]
fn of_many_events_at_once_each_is_kept_once() {
    const AT_ONCE: usize = 64;
    let (_folder, host) = support::new_host();
    let key = start(&host, "tenant-workflow", "{}");
    std::thread::scope(|scope| {
        let (host, key) = (&host, &key);
        for number in 0..AT_ONCE {
            scope.spawn(move || host.send_event(key, &"n".parse().unwrap(), &number.to_string()).unwrap());
        }
        let status = block_on(host.drive(key)).unwrap();
        waiting_on(&status);
    });
    let payloads: std::collections::BTreeSet<_> = entries(&host, &key)
        .into_iter()
        .filter_map(
            |entry| if let Entry::EventReceived { payload, .. } = entry { Some(payload) } else { None },
        )
        .collect();
    assert_eq!(payloads.len(), AT_ONCE);
    assert_eq!(support::result(&support::finish(&host, &key, Decision::Approved))["status"], "deployed");
}

/// Renames the first step in the journal.
fn rename_first_step(folder: &TempDir, from: &str, to: &str) {
    let journal = Connection::open(folder.path().join("journal.sqlite")).unwrap();
    let rename = "UPDATE entries SET body = replace(body, ?1, ?2), sum = NULL WHERE instr(body, ?1) > 0";
    assert!(journal.execute(rename, [from, to]).unwrap() > 0);
}

#[test]
fn a_divergence_is_recorded_and_the_instance_stands_still() {
    let (folder, host) = support::new_host();
    let key = start(&host, "tenant-workflow", "{}");
    let request = waiting_on(&block_on(host.drive(&key)).unwrap());
    host.decide(&request, &judgement(Decision::Approved)).unwrap();
    rename_first_step(&folder, "build generated worker", "another step");
    let status = block_on(host.drive(&key)).unwrap();
    let Status::Diverged { call: 0, message } = &status else { panic!("{status:?}") };
    assert!(message.contains("another step") && message.contains("build generated worker"), "{message}");
    assert_eq!(block_on(host.drive(&key)).unwrap(), status, "it is not tried again");
    assert_eq!(count(&entries(&host, &key), "diverged"), 1);
    rename_first_step(&folder, "another step", "build generated worker");
    host.resume(&key, "ops").unwrap();
    assert_eq!(
        support::result(&block_on(host.drive(&key)).unwrap())["status"],
        "deployed",
        "nothing was lost"
    );
}

#[test]
fn an_instance_goes_back_and_asks_again() {
    let (_folder, host) = support::new_host();
    let key = start(&host, "tenant-workflow", "{}");
    let first = waiting_on(&block_on(host.drive(&key)).unwrap());
    let lost = host.restart(&key, &RestartPoint::Call { name: "nowhere".to_owned(), nth: 0 }, None, "ops");
    assert!(matches!(lost, Err(Error::NoSuchCall(..))), "{lost:?}");
    host.restart(&key, &RestartPoint::Beginning, None, "ops").unwrap();
    let entries = entries(&host, &key);
    let withdrawn = |entry: &Entry| matches!(entry, Entry::Withdrawn { request, .. } if *request == first);
    assert!(entries.iter().any(withdrawn), "nobody is to decide what nobody waits for");
    let second = waiting_on(&block_on(host.drive(&key)).unwrap());
    assert_ne!(first, second);
    let waiting = host.store().requests(RequestFilter::Waiting).wait().unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(support::result(&support::finish(&host, &key, Decision::Approved))["status"], "deployed");
    host.restart(&key, &RestartPoint::Beginning, None, "ops").unwrap();
    assert_eq!(support::result(&support::finish(&host, &key, Decision::Approved))["status"], "deployed");
    assert_eq!(
        host.store().receipts(store::ReceiptPage::ALL).wait().unwrap().len(),
        2,
        "each time with a receipt of its own"
    );
    assert_eq!(host.store().usage(&key.tenant).wait().unwrap().instances, 0);
}

/// Reverses a decision after the fact: the instance had ended with its request open, and continues.
#[test]
fn a_request_waits_again_where_its_instance_goes_on() {
    let (_folder, host) = support::new_host();
    let key = start(&host, "tenant-workflow", "{}");
    let request = waiting_on(&block_on(host.drive(&key)).unwrap());
    host.terminate(&key, "ops", None).unwrap();
    assert_eq!(host.store().requests(RequestFilter::Waiting).wait().unwrap().len(), 0);
    host.restart(&key, &RestartPoint::Current, None, "ops").unwrap();
    assert_eq!(
        host.store().requests(RequestFilter::Waiting).wait().unwrap().len(),
        1,
        "deciders see it again"
    );
    assert_eq!(host.store().usage(&key.tenant).wait().unwrap().pending_approvals, 1);
    host.decide(&request, &judgement(Decision::Approved)).unwrap();
    assert_eq!(support::result(&block_on(host.drive(&key)).unwrap())["status"], "deployed");
}

/// Cancelled before its turn came, and deleted: no other waits for it.
#[test]
fn work_goes_on_past_an_instance_that_is_gone() {
    let (_folder, host) = support::new_host();
    let gone = start(&host, "paces", r#"{"steps":1}"#);
    let other = start(&host, "paces", r#"{"steps":1}"#);
    host.terminate(&gone, "ops", None).unwrap();
    host.delete(&gone, "ops").unwrap();
    let done = async {
        while !host.status(&other).unwrap().has_ended() {
            tokio::task::yield_now().await;
        }
    };
    block_on(host.work(engine::WorkerOptions::default(), done)).unwrap();
    assert!(matches!(host.status(&gone), Err(Error::Store(store::StoreError::NoInstance(_)))));
}

/// Decisions can be awaited concurrently on one thread; one of them wins, and the workflow continues with it.
#[test]
fn of_decisions_that_are_awaited_at_once_one_wins() {
    let (_folder, host) = support::new_host();
    let key = start(&host, "tenant-workflow", "{}");
    let request = waiting_on(&block_on(host.drive(&key)).unwrap());
    let approval = judgement(Decision::Approved);
    let (first, second) = block_on(async {
        tokio::join!(host.decide_async(&request, &approval), host.decide_async(&request, &approval))
    });
    assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
    assert_eq!(support::result(&block_on(host.drive(&key)).unwrap())["status"], "deployed");
}

/// A step's beginning waits for the next entry. It is written alone because the step takes long, and an event has taken its place by then.
#[test]
fn a_beginning_whose_place_an_event_has_taken_is_written_before_its_end() {
    let folder = TempDir::new().unwrap();
    let to: Arc<Mutex<Option<(Host, InstanceKey)>>> = Arc::default();
    let receiver = Arc::clone(&to);
    let send = move |write: &Write<'_>| {
        let Write::Append { batch, writer: Writer::Driver, .. } = write else { return };
        if matches!(&*batch.entries, [Entry::StepStarted { .. }])
            && let Some((host, key)) = receiver.lock().unwrap().take()
        {
            host.send_event(&key, &"note".parse().unwrap(), "1").unwrap();
        }
    };
    let host = support::storage::builder(folder.path())
        .wrap_store(|inner| Box::new(Faulty::observed(inner, send)))
        .open()
        .unwrap();
    let spins = json!({ "program": [{ "spin": { "name": "a", "ms": 300, "retries": 0, "inside": false } }] });
    let key = start(&host, "durable", &spins.to_string());
    *to.lock().unwrap() = Some((host.clone(), key.clone()));
    let end = block_on(host.drive(&key)).unwrap();
    assert!(matches!(end, Status::Completed(_)), "{end:?}");
    assert!(to.lock().unwrap().is_none(), "the beginning was written alone");
    let entries = entries(&host, &key);
    let kinds = ["event-received", "step-started", "step-failed", "completed"].map(|kind| {
        assert_eq!(count(&entries, kind), 1, "{kind}: {entries:?}");
        entries.iter().position(|entry| serde_json::to_value(entry).unwrap()["fact"] == kind)
    });
    assert!(kinds.is_sorted(), "{entries:?}");
}
