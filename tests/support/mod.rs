//! What the tests share: the prebuilt guests, a host in a folder of its own, and a way of driving it to the end.
#![allow(dead_code, unreachable_pub, clippy::allow_attributes, reason = "each test uses its part")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

pub mod cli;
pub mod desk;
pub mod held;
pub mod people;
pub mod recount;
pub mod script;
pub mod stored;
pub mod worker;

use host::Host;
use host::InstanceKey;
use host::Start;
use host::Status;
use host::authority::DemoDecider;
use host::authority::Judgement;
use receipt::Decision;
use serde_json::Value;
use std::future::Future;
use std::path::Path;
use std::path::PathBuf;
use tempfile::TempDir;
use workflow::Entry;

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The path of a prebuilt guest.
pub fn guest_path(name: &str) -> PathBuf {
    root().join("tests/guests").join(format!("{name}.wasm"))
}

/// The bytes of a prebuilt guest.
pub fn guest(name: &str) -> Vec<u8> {
    std::fs::read(guest_path(name)).unwrap()
}

/// Runs a future to its end.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

/// Starts a prebuilt guest for tenant `acme`.
pub fn start(host: &Host, guest_name: &str, params: &str) -> InstanceKey {
    start_for(host, "acme", guest_name, params)
}

/// Starts a prebuilt guest.
pub fn start_for(host: &Host, tenant: &str, guest_name: &str, params: &str) -> InstanceKey {
    let workflow = host.load(guest(guest_name)).unwrap();
    let (tenant, actor) = (tenant.parse().unwrap(), "agent:builder".parse().unwrap());
    host.start(&workflow, Start::new(tenant, actor, guest_name, params)).unwrap()
}

/// A judgement by the demo decider.
pub fn judgement(decision: Decision) -> Judgement {
    Judgement { decision, by: DemoDecider::new("operator".parse().unwrap()), reason: None }
}

/// Drives an instance to its end, deciding whatever it waits for.
pub fn finish(host: &Host, key: &InstanceKey, decision: Decision) -> Status {
    loop {
        match block_on(host.drive(key)).unwrap() {
            Status::Waiting(wait) => {
                drop(host.decide(wait.request().unwrap(), &judgement(decision)).unwrap())
            }
            end => return end,
        }
    }
}

/// A host in a new folder.
pub fn new_host() -> (TempDir, Host) {
    let folder = TempDir::new().unwrap();
    let host = Host::builder(folder.path()).open().unwrap();
    (folder, host)
}

/// Runs one attack of the hostile guest, with everything approved, and returns how it ended and the facts.
pub fn attack(name: &str) -> (Status, Vec<Entry>) {
    let (_folder, host) = new_host();
    let key = start(&host, "hostile", &format!(r#"{{"attack":"{name}"}}"#));
    let status = finish(&host, &key, Decision::Approved);
    (status, entries(&host, &key))
}

/// The entries of an instance.
pub fn entries(host: &Host, key: &InstanceKey) -> Vec<Entry> {
    host.audit(Some(key)).unwrap().into_iter().map(|fact| fact.entry).collect()
}

/// The number of entries of a kind.
pub fn count(entries: &[Entry], kind: &str) -> usize {
    let of_kind = |entry: &&Entry| serde_json::to_value(entry).unwrap()["fact"] == kind;
    entries.iter().filter(of_kind).count()
}

/// The result of a workflow that completed.
pub fn result(status: &Status) -> Value {
    match status {
        Status::Completed(output) => serde_json::from_str(output).unwrap(),
        other => panic!("the workflow did not complete: {other:?}"),
    }
}

/// The name and message of a workflow's failure.
pub fn failure(status: &Status) -> (String, String) {
    match status {
        Status::Failed(failure) => (failure.name.clone(), failure.message.clone()),
        other => panic!("the workflow did not fail: {other:?}"),
    }
}
