//! A host in a temporary folder, used for many inputs and then replaced.

use super::recount::recount;
use engine::issuer::{DemoDecider, Judgement};
use engine::{Host, Start};
use receipt::Decision;
use sandbox::SandboxLimits;
use std::future::Future;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use store::InstanceKey;
use tempfile::TempDir;
use workflow::{Entry, Limits, Replay, RequestId};

/// The number of instances of one host. Counting usage takes longer with each.
const INSTANCES: u32 = 200;

/// A host and its folder.
pub struct Fixture {
    host: Host,
    folder: TempDir,
    instances: u32,
}

/// Lends the host of a target for one input.
pub fn lend(place: &Mutex<Option<Fixture>>, body: impl FnOnce(&Fixture)) {
    let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
    let mut fixture =
        place.take().filter(|fixture| fixture.instances < INSTANCES).unwrap_or_else(Fixture::new);
    fixture.instances += 1;
    body(&fixture);
    // After a finding, the host is not used again.
    *place = Some(fixture);
}

/// Small limits: an input takes milliseconds, and the limits are reached too.
pub fn sandbox_limits() -> SandboxLimits {
    let mut limits = SandboxLimits {
        component_bytes: 512 << 10,
        memory_bytes: 4 << 20,
        fuel: 2_000_000,
        wall_clock: Duration::from_secs(10),
        table_elements: 1_000,
        handles: 12,
        call_bytes: 256 << 10,
        output_bytes: 4 << 10,
        live_instances: 2,
        ..SandboxLimits::default()
    };
    limits.load.functions = 2_000;
    limits.load.function_bytes = 16 << 10;
    limits
}

/// Small limits on records.
pub fn limits() -> Limits {
    Limits { calls: 20, journal_bytes: 64 << 10, result_bytes: 64 << 10, ..Limits::default() }
}

impl Fixture {
    fn new() -> Self {
        // The data are not needed after the run, so they are in a folder in memory where there is one.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap();
        let host = Host::builder(folder.path()).limits(limits()).sandbox(sandbox_limits()).open().unwrap();
        Self { host, folder, instances: 0 }
    }

    pub fn host(&self) -> &Host {
        &self.host
    }

    /// A tenant for one input alone.
    fn tenant(&self) -> String {
        format!("tenant-{}", self.instances)
    }

    pub fn start(&self, component: &[u8], params: &str) -> Result<InstanceKey, engine::Error> {
        let workflow = self.host.load(component.to_vec()).unwrap();
        let (tenant, actor) = (self.tenant().parse().unwrap(), "agent:builder".parse().unwrap());
        let params = params.to_owned();
        self.host.start(&workflow, Start::new(tenant, actor, "fuzz", params))
    }

    pub fn decide(&self, request: &RequestId, decision: Decision) {
        let by = DemoDecider::new("operator".parse().unwrap());
        self.host.decide(request, &Judgement { decision, by, reason: None }).unwrap();
    }

    pub fn entries(&self, key: &InstanceKey) -> Vec<Entry> {
        self.host.audit(Some(key)).unwrap().into_iter().map(|fact| fact.entry).collect()
    }

    /// The journal folds and lacks no effect that took place, and the counters are right.
    pub fn check(&self, key: &InstanceKey) {
        let entries = self.entries(key);
        Replay::fold(&entries, limits()).unwrap();
        let count = |of: fn(&Entry) -> bool| entries.iter().filter(|entry| of(entry)).count();
        let approved = count(|entry| matches!(entry, Entry::Issued { decision: Decision::Approved, .. }));
        let redeemed = count(|entry| matches!(entry, Entry::Redeemed { .. }));
        let performed = count(|entry| matches!(entry, Entry::Performed { .. }));
        let attested = count(|entry| matches!(entry, Entry::Attested { .. }));
        assert!(redeemed <= approved, "{redeemed} spent of {approved} approved: {entries:?}");
        assert_eq!((performed, attested), (redeemed, redeemed), "{entries:?}");
        let usage = self.host.store().usage(&key.tenant).wait().unwrap();
        assert_eq!(usage, recount(self.folder.path(), key.tenant.as_str()));
    }
}

/// Runs a future to its end.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}
