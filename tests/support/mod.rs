//! Shared by the tests: the prebuilt guests, a host in a folder of its own, and a way of driving it to the end.

pub mod bare_store;
pub mod child;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod compiled;
pub mod faulty;
pub mod formats;
pub mod harness;
pub mod held_action;
pub mod http;
pub mod network;
pub mod people;
pub mod postgres;
#[cfg(feature = "s3")]
pub mod s3;
pub mod script;
pub mod serving;
pub mod sources;
pub mod storage;
pub mod tls;
pub mod worker;

pub use crate::fuzzing::recount;

use engine::capability::Deployment;
use engine::issuer::{DemoDecider, Judgement};
use engine::{Host, Start, Status};
use receipt::Decision;
use rustix::fs::{CWD, Mode, mkfifoat};
use serde_json::Value;
use std::future::Future;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use store::{DeploymentFilter, DeploymentPage, InstanceKey};
use tempfile::TempDir;
use workflow::Entry;

/// The time limit of every wait, which may include a takeover, on a busy machine.
pub const TIMEOUT: Duration = Duration::from_secs(240);

/// Waits until the condition holds.
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    awaited(what, || is_so().then_some(()));
}

/// Waits until there is a result.
pub fn awaited<T>(what: &str, mut result: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + TIMEOUT;
    loop {
        if let Some(result) = result() {
            return result;
        }
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The files in a folder and those below it.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// The path of a prebuilt guest.
pub fn guest_path(name: &str) -> PathBuf {
    root().join("tests/guests").join(format!("{name}.wasm"))
}

/// The bytes of a prebuilt guest.
pub fn guest(name: &str) -> Vec<u8> {
    std::fs::read(guest_path(name)).unwrap()
}

/// The output of cargo. It may download packages first: only for tests that are ignored by default.
pub fn cargo(arguments: &[&str]) -> String {
    let ran = Command::new(env!("CARGO")).current_dir(root()).args(arguments).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).unwrap()
}

/// Makes a named pipe.
pub fn make_pipe(path: &Path) {
    mkfifoat(CWD, path, Mode::RUSR | Mode::WUSR).unwrap();
}

/// Whether these programs are installed. If not, prints so on the terminal itself, because the test harness captures
/// the output of passing tests.
pub fn installed(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_here = |program: &str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let missing = programs.iter().find(|program| !is_here(program));
    if let Some(program) = missing {
        let words = format!("NOT RUN: {program} is not installed\n");
        std::io::stderr().write_all(words.as_bytes()).unwrap();
    }
    missing.is_none()
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

/// Drives an instance to its end, and decides every request that it waits for.
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
    let host = storage::builder(folder.path()).open().unwrap();
    (folder, host)
}

/// An attack of the hostile guest, after its end.
pub struct Attacked {
    /// Its final state.
    pub status: Status,
    /// The host's entries.
    pub entries: Vec<Entry>,
    /// The target's own record.
    pub deployments: Vec<Deployment>,
}

/// Runs one attack of the hostile guest on a host of its own, with everything approved.
pub fn attack(name: &str) -> Attacked {
    let (folder, host) = new_host();
    let key = start(&host, "hostile", &format!(r#"{{"attack":"{name}"}}"#));
    let status = finish(&host, &key, Decision::Approved);
    Attacked { status, entries: entries(&host, &key), deployments: deployments(folder.path()) }
}

/// A data folder with a journal from elsewhere, and keys of its own.
pub fn put_journal(from: &Path, data: &Path) {
    drop(storage::builder(data).open().unwrap());
    for name in ["journal.sqlite-wal", "journal.sqlite-shm"] {
        let _ = std::fs::remove_file(data.join(name));
    }
    std::fs::copy(from, data.join("journal.sqlite")).unwrap();
}

/// The deployments of a data folder, read from the record of deployments by another connection than the host's.
pub fn deployments(folder: &Path) -> Vec<Deployment> {
    let store = storage::store(folder);
    let page = DeploymentPage { after: 0, limit: u32::MAX, filter: DeploymentFilter::All };
    store.deployments(page).wait().unwrap().into_iter().map(|recorded| recorded.deployment).collect()
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
