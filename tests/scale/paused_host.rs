//! A host is stopped at each point of a run for longer than its claims last: another host ends the run, and the stopped host, when it continues,
//! neither acts nor appends.
//!
//! Each host is a real process: the test program runs itself, and the child stops itself at the given place.

use crate::support::postgres::{Server, shared};
use crate::support::until;
use crate::support::{self, child, count};
use engine::capability::{Capability, Deploy, Execution, OnInterruption, PerformError, Performed, Permit};
use engine::issuer::Reversibility;
use engine::{Host, StoreLocation, WorkerOptions};
use receipt::Digest;
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use store::{ClaimStore as _, HostInfo, HostSigner, JournalStore as _};
use store::{DeploymentFilter, DeploymentPage, InstanceKey, Store};
use store_postgres::Postgres;
use tempfile::TempDir;
use workflow::{Artifact, Entry};

/// Tells the child its folder, its database, and where to stop.
const FOLDER: &str = "PP_HOST_TEST_STANDSTILL_FOLDER";
const STORE: &str = "PP_HOST_TEST_STANDSTILL_STORE";
const POINT: &str = "PP_HOST_TEST_STANDSTILL_POINT";
const RECORD: &str = "PP_HOST_TEST_STANDSTILL_RECORD";

/// Within the action, before it takes effect: the receipt is spent, and the claim was checked.
const IN_THE_ACTION: &str = "in the action";

/// The file in the stopped host's folder that says that the test continues it.
const CONTINUED: &str = "continued";

const ALLOW: &str = "[[rule]]\nid = \"all\"\nthen = \"allow\"\n";

/// The child process: a host that writes down every fact that it records, and stops itself at the point.
#[test]
fn child() {
    let (Ok(folder), Ok(url), Ok(point)) =
        (std::env::var(FOLDER), std::env::var(STORE), std::env::var(POINT))
    else {
        return;
    };
    let folder = PathBuf::from(folder);
    let seen = AtomicUsize::new(0);
    let stops_after: Option<usize> = point.parse().ok();
    let facts = folder.join("facts");
    let builder = builder(&url, &folder).on_fact(move |fact| {
        let mut facts = OpenOptions::new().create(true).append(true).open(&facts).unwrap();
        writeln!(facts, "{}", serde_json::to_string(fact).unwrap()).unwrap();
        if Some(seen.fetch_add(1, Ordering::Relaxed) + 1) == stops_after {
            stop();
        }
    });
    let target = Target {
        inner: Deploy::new(folder.join("deployments")),
        record: std::env::var(RECORD).unwrap().into(),
        stops: point == IN_THE_ACTION,
    };
    let host = builder.capability(target).open().unwrap();
    support::block_on(host.work(WorkerOptions::default(), std::future::pending())).unwrap();
}

/// Stops the process. The signal may stop another thread first, so this one waits until the test continues the process.
fn stop() {
    let continued = Path::new(&std::env::var(FOLDER).unwrap()).join(CONTINUED);
    kill_process(rustix::process::getpid(), Signal::STOP).unwrap();
    while !continued.exists() {
        std::thread::yield_now();
    }
}

pub(super) fn builder(url: &str, folder: &Path) -> engine::Builder {
    let policy = Box::new(policy::Toml::parse(ALLOW).unwrap());
    Host::builder(folder).store(StoreLocation::Database(url.parse().unwrap())).policy(policy)
}

/// A deploy capability whose target has its own record, which no claim protects.
struct Target {
    inner: Deploy,
    record: PathBuf,
    /// It stops its process before it takes effect.
    stops: bool,
}

impl Capability for Target {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn reversibility(&self) -> Reversibility {
        self.inner.reversibility()
    }

    fn on_interruption(&self) -> OnInterruption {
        self.inner.on_interruption()
    }

    fn perform(
        &self,
        permit: &Permit,
        artifact: &Artifact,
        attempt: Execution,
    ) -> Result<Performed, PerformError> {
        if self.stops {
            stop();
        }
        let mut record = OpenOptions::new().create(true).append(true).open(&self.record).unwrap();
        writeln!(record, "{}", std::process::id()).unwrap();
        self.inner.perform(permit, artifact, attempt)
    }
}

/// A database with one instance that is due, and the folders of two hosts with the same keys.
struct Case {
    url: String,
    key: InstanceKey,
    folders: [TempDir; 2],
    point: String,
}

impl Case {
    fn new(server: &Server, template: &Path, point: &str) -> Self {
        let (url, folders) = (server.schema(), [(); 2].map(|()| TempDir::new().unwrap()));
        for folder in &folders {
            copy(template, folder.path());
        }
        let host = builder(&url, folders[0].path()).open().unwrap();
        let key = support::start(&host, "tenant-workflow", "{}");
        Self { url, key, folders, point: point.to_owned() }
    }

    fn host(&self, number: usize, point: &str) -> Working {
        let mut child = child::of(module_path!());
        child.env(FOLDER, self.folders[number].path()).env(STORE, &self.url).env(POINT, point);
        child.env(RECORD, self.record());
        Working(child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Continues the stopped host.
    fn resume(&self, stopped: &Working) {
        fs::write(self.folders[0].path().join(CONTINUED), "").unwrap();
        stopped.signal(Signal::CONT);
    }

    /// The record of the target of both hosts.
    fn record(&self) -> PathBuf {
        self.folders[0].path().join("record")
    }

    /// The places in the journal of the facts that a host has appended.
    fn indices(&self, number: usize) -> Vec<usize> {
        let facts = fs::read_to_string(self.folders[number].path().join("facts")).unwrap_or_default();
        let facts = facts.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        facts.map(|fact| usize::try_from(fact["index"].as_u64().unwrap()).unwrap()).collect()
    }

    fn run(&self) {
        let point = &self.point;
        let store = Postgres::open(&self.url).unwrap();
        let shares = || {
            let hosts = store.hosts().wait().unwrap().hosts;
            let alive = hosts.iter().filter(|host| host.is_alive && host.shards > 0);
            alive.map(|host| host.shards).collect::<Vec<_>>()
        };
        let stopped = self.host(0, point);
        until(&format!("it stands still {point}"), || stopped.stands_still());
        // Entries that were appended together are observed one by one: the rest may be observed later.
        let appended = store.facts(Some(&self.key)).wait().unwrap().len();
        let other = self.host(1, "nowhere");
        until(&format!("the other has ended it, {point}"), || self.has_completed(&store));
        self.resume(&stopped);
        until("they share", || shares() == [128, 128]);
        assert!(
            self.indices(0).iter().all(|index| *index < appended),
            "it has appended after it stood still {point}"
        );
        self.check(&store);
        // A host that is stopped after it has checked its claim acts late: this is the remaining window.
        if point != IN_THE_ACTION {
            let record = fs::read_to_string(self.record()).unwrap();
            assert_eq!(record.lines().count(), 1, "the target was acted on once, stopped {point}");
        }
        drop(other);
    }

    fn has_completed(&self, store: &dyn Store) -> bool {
        let facts = store.facts(Some(&self.key)).wait().unwrap();
        facts.iter().any(|fact| matches!(fact.entry, Entry::Completed { .. }))
    }

    /// Checks that each entry exists once, over all hosts.
    fn check(&self, store: &dyn Store) {
        let point = &self.point;
        let entries: Vec<Entry> =
            store.facts(Some(&self.key)).wait().unwrap().into_iter().map(|fact| fact.entry).collect();
        for kind in ["requested", "issued", "redeemed", "performed", "attested", "completed"] {
            assert_eq!(count(&entries, kind), 1, "{kind}, stopped {point}");
        }
        assert_eq!(store.receipts(store::ReceiptPage::ALL).wait().unwrap().len(), 1, "stopped {point}");
        let page = DeploymentPage { after: 0, limit: 10, filter: DeploymentFilter::All };
        assert_eq!(store.deployments(page).wait().unwrap().len(), 1, "stopped {point}");
    }
}

pub(super) struct Working(pub(super) Child);

impl Working {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.0), signal).unwrap();
    }

    /// Whether the system shows it as stopped by a signal.
    fn stands_still(&self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/stat", self.0.id())).unwrap_or_default();
        status.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Copies a host's folder for another host.
pub(super) fn copy(from: &Path, to: &Path) {
    for file in support::files(from) {
        let name = file.strip_prefix(from).unwrap();
        if !["host", "lock", "facts", "record"].iter().any(|own| name == Path::new(own)) {
            fs::create_dir_all(to.join(name).parent().unwrap()).unwrap();
            fs::copy(&file, to.join(name)).unwrap();
        }
    }
}

#[test]
fn a_host_that_stands_still_at_any_point_beyond_its_claims_neither_acts_nor_appends() {
    let Some(server) = shared() else { return };
    // An uninterrupted run gives the number of facts, and a folder with keys and compiled code.
    let straight = Case::new(server, TempDir::new().unwrap().path(), "nowhere");
    let store = Postgres::open(&straight.url).unwrap();
    let host = straight.host(0, "nowhere");
    until("it is complete", || straight.has_completed(&store));
    drop(host);
    let facts = straight.indices(0).len();
    assert!(facts >= 10, "{facts}");
    let points = (1..=facts).map(|point| point.to_string()).filter(|point| *point != facts.to_string());
    let points: Vec<String> = points.chain([IN_THE_ACTION.to_owned()]).collect();
    let template = straight.folders[0].path();
    // Each case mostly waits for claims to expire.
    for group in points.chunks(AT_ONCE) {
        let cases: Vec<Case> = group.iter().map(|point| Case::new(server, template, point)).collect();
        std::thread::scope(|scope| cases.iter().for_each(|case| drop(scope.spawn(|| case.run()))));
    }
}

/// A host has taken over but not appended yet, so the position in the journal is free: only the claim refuses the stopped host's append.
#[test]
fn a_host_that_stood_still_does_not_append_under_a_claim_that_is_anothers_by_then() {
    let Some(server) = shared() else { return };
    let case = Case::new(server, TempDir::new().unwrap().path(), "3");
    let store = Postgres::open(&case.url).unwrap();
    let stopped = case.host(0, &case.point);
    until("it stands still", || stopped.stands_still());
    let signer = HostSigner::Own(Digest::of(b"keys"));
    let (id, name, version) = ("other".parse().unwrap(), "other:1".to_owned(), "0.0.0".to_owned());
    store.register(&HostInfo { id, name, version, signer, place: String::new() }).wait().unwrap();
    let for_ever = Duration::from_secs(86_400);
    until("the other host has its claims", || store.renew(for_ever).wait().unwrap().shards.len() == 256);
    let length = || store.facts(Some(&case.key)).wait().unwrap().len();
    let before = length();
    let renewed = || {
        let hosts = store.hosts().wait().unwrap().hosts;
        hosts.iter().find(|record| record.host.id.as_str() != "other").unwrap().last_seen
    };
    let mut seen = renewed();
    case.resume(&stopped);
    // The drive continues at once. It has been refused by the time that the host has renewed its claims twice.
    for _ in 0..2 {
        until("it renews its claims", || renewed() > seen);
        seen = renewed();
    }
    assert_eq!(length(), before);
}

/// Cases at once: two processes each.
const AT_ONCE: usize = 5;
