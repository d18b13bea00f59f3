//! The place of an attack: a host in a temporary folder.

use crate::target::{Approved, Target};
use crate::{Ending, Obstacle};
use engine::Clock as _;
use engine::issuer::{DemoDecider, Judgement};
use engine::{Error, Host, Start, Status, SystemClock};
use receipt::{Decision, Timestamp};
use sandbox::{Compiler, SandboxLimits};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use store::{InstanceKey, Quotas, StoredReceipt};
use tempfile::TempDir;
use workflow::{Entry, Limits, RequestId};

/// The guest that tries one attack a parameter.
pub(super) const HOSTILE: &[u8] = include_bytes!("../../../tests/guests/hostile.wasm");

/// The demo tenant's workflow, which means no harm: the neighbour, and the victim.
pub(super) const HONEST: &[u8] = include_bytes!("../../../tests/guests/tenant-workflow.wasm");

/// The tenant that attacks.
pub(super) const ATTACKER: &str = "mallory";

/// The tenant that is attacked, or only lives next door.
pub(super) const VICTIM: &str = "acme";

/// The configuration of a host.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub(super) limits: Limits,
    pub(super) sandbox: SandboxLimits,
    pub(super) quotas: Quotas,
    pub(super) compiler: Compiler,
    /// The policy under which people decide; `None` for demo decisions.
    pub(super) policy: Option<&'static str>,
    /// The socket of its authority, where that is elsewhere.
    pub(super) authority: Option<PathBuf>,
    /// Milliseconds that its clock is ahead of the machine's.
    pub(super) ahead: Arc<AtomicI64>,
}

impl Terms {
    /// Little of everything, so that a guest which takes all it can get is done soon. Enough for the neighbour.
    pub(super) fn tight() -> Self {
        Self {
            limits: Limits {
                calls: 50,
                started_calls: 20,
                retries: 100,
                journal_bytes: 4 << 20,
                ..Limits::default()
            },
            sandbox: SandboxLimits {
                memory_bytes: 64 << 20,
                fuel: 200_000_000,
                handles: 40,
                call_bytes: 8 << 20,
                log_bytes: 64 << 10,
                ..SandboxLimits::default()
            },
            compiler: Compiler::default(),
            authority: None,
            ahead: Arc::default(),
            quotas: Quotas { requests_per_hour: 10_000, ..Quotas::default() },
            policy: None,
        }
    }

    /// Only the clock ends a guest. Two seconds, because a neighbour must finish within them on a busy machine.
    pub(super) fn clock() -> Self {
        let tight = Self::tight();
        let (fuel, wall_clock) = (u64::MAX, Duration::from_secs(2));
        Self {
            sandbox: SandboxLimits { fuel, wall_clock, memory_bytes: 128 << 20, ..tight.sandbox },
            ..tight
        }
    }
}

/// A host, and the means to misuse it.
pub(super) struct Fixture {
    host: Host,
    terms: Terms,
    folder: Arc<TempDir>,
    target: Arc<Target>,
}

impl Fixture {
    /// A host in a new folder.
    pub(super) fn new(terms: Terms) -> Result<Self, Obstacle> {
        let folder = Arc::new(TempDir::with_prefix("pp-host-drill-")?);
        let host = open(&data(&folder), &terms)?;
        let target = Arc::new(Target::new(data(&folder)));
        Ok(Self { host, terms, folder, target })
    }

    /// Closes the host, changes its folder, and opens it again.
    pub(super) fn reopened(
        self,
        meanwhile: impl FnOnce(&Path) -> Result<(), Obstacle>,
    ) -> Result<Result<Self, Error>, Obstacle> {
        let Self { host, terms, folder, target } = self;
        drop(host);
        meanwhile(&data(&folder))?;
        Ok(open(&data(&folder), &terms).map(|host| Self { host, terms, folder, target }))
    }

    /// Closes the host, and opens it again under other terms.
    pub(super) fn reopened_under(
        mut self,
        change: impl FnOnce(&mut Terms),
    ) -> Result<Result<Self, Error>, Obstacle> {
        change(&mut self.terms);
        self.reopened(|_| Ok(()))
    }

    /// Closes the host. The folder exists as long as the returned value.
    pub(super) fn closed(self) -> Arc<TempDir> {
        let Self { host, folder, .. } = self;
        drop(host);
        folder
    }

    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    /// The data folder.
    pub(super) fn data(&self) -> PathBuf {
        data(&self.folder)
    }

    /// Sets the clock forward, or back.
    pub(super) fn move_clock(&self, minutes: i64) {
        self.terms.ahead.fetch_add(minutes * 60_000, Ordering::Relaxed);
    }

    /// The time of its clock.
    pub(super) fn now(&self) -> Timestamp {
        ahead_of_the_machine(&self.terms.ahead)
    }

    pub(super) fn start(
        &self,
        tenant: &str,
        component: &[u8],
        params: &str,
    ) -> Result<InstanceKey, Obstacle> {
        let workflow = self.host.load(component.to_vec())?;
        let (tenant, actor) = (tenant.parse()?, "agent:builder".parse()?);
        let start = Start::new(tenant, actor, "drill", params);
        Ok(self.host.start(&workflow, start)?)
    }

    /// Drives an instance once.
    pub(super) fn drive(&self, key: &InstanceKey) -> Result<Status, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(|error| Error::Internal(error.to_string()))?;
        runtime.block_on(self.host.drive(key))
    }

    /// Drives an instance to its end, and decides every request that it waits for.
    pub(super) fn finish(&self, key: &InstanceKey, decision: Decision) -> Result<Status, Error> {
        loop {
            match self.drive(key)? {
                Status::Waiting(wait) => {
                    let request =
                        wait.request().ok_or_else(|| Error::Internal(format!("it waits for {wait}")))?;
                    self.decide(request, decision)?;
                }
                end => return Ok(end),
            }
        }
    }

    /// Drives an instance to its end with everything approved, and describes the end.
    pub(super) fn ran(&self, key: &InstanceKey) -> Result<Ending, Obstacle> {
        match self.finish(key, Decision::Approved) {
            Ok(status) => Ok(Ending::Ran(status, self.entries(key)?)),
            Err(error) => Ok(Ending::Refused(error.to_string())),
        }
    }

    /// A workflow that waits for a decision, and the request that it made.
    pub(super) fn parked(
        &self,
        tenant: &str,
        component: &[u8],
        params: &str,
    ) -> Result<(InstanceKey, RequestId), Obstacle> {
        let key = self.start(tenant, component, params)?;
        let status = self.drive(&key)?;
        match status.request() {
            Some(request) => Ok((key, request.clone())),
            None => Err(format!("the workflow does not wait for a decision: {status:?}").into()),
        }
    }

    /// The victim's workflow, waiting for a decision.
    pub(super) fn victim(&self) -> Result<(InstanceKey, RequestId), Obstacle> {
        self.parked(VICTIM, HONEST, "{}")
    }

    /// The victim's workflow with an approval that it has not used yet.
    pub(super) fn approved(&self, tenant: &str) -> Result<(InstanceKey, StoredReceipt), Obstacle> {
        let (key, request) = self.parked(tenant, HONEST, "{}")?;
        Ok((key, self.decide(&request, Decision::Approved)?))
    }

    pub(super) fn decide(&self, request: &RequestId, decision: Decision) -> Result<StoredReceipt, Error> {
        let shown = self.host.request(request)?;
        let receipt = self.host.decide(request, &judgement(decision)?)?;
        if decision == Decision::Approved {
            let artifact = shown.artifact.map(|artifact| artifact.sha256);
            let action = Approved { tenant: shown.tenant, resource: shown.resource, artifact };
            self.target.approve(receipt.id.as_str(), action);
        }
        Ok(receipt)
    }

    /// Notes every approval that was signed until now, by a person or the policy, as rightly given.
    pub(super) fn note_receipts(&self) -> Result<(), Error> {
        for fact in self.host.audit(None)? {
            if let Entry::Issued { request, receipt, decision: Decision::Approved, .. } = &fact.entry {
                let shown = self.host.request(request)?;
                let artifact = shown.artifact.map(|artifact| artifact.sha256);
                let action = Approved { tenant: shown.tenant, resource: shown.resource, artifact };
                self.target.approve(receipt.as_str(), action);
            }
        }
        Ok(())
    }

    /// The folder and its records, for as long as a test reads them.
    pub(super) fn scene(&self) -> (Arc<TempDir>, Arc<Target>) {
        (Arc::clone(&self.folder), Arc::clone(&self.target))
    }

    pub(super) fn entries(&self, key: &InstanceKey) -> Result<Vec<Entry>, Error> {
        Ok(self.host.audit(Some(key))?.into_iter().map(|fact| fact.entry).collect())
    }

    /// Runs an attacker's component, while a neighbour on the same host goes about its business.
    pub(super) fn among_neighbours(&self, component: &[u8], params: &str) -> Result<Ending, Obstacle> {
        if let Err(refused) = self.host.load(component.to_vec()) {
            return Ok(Ending::Refused(refused.to_string()));
        }
        let attacker = self.start(ATTACKER, component, params)?;
        let (neighbour, _) = self.victim()?;
        let (attack, business) = std::thread::scope(|scope| {
            let business = scope.spawn(|| self.finish(&neighbour, Decision::Approved));
            (self.ran(&attacker), business.join())
        });
        match business {
            Ok(Ok(Status::Completed(output))) if output.contains("deployed") => attack,
            Ok(other) => Ok(Ending::Harm(format!("{other:?}"))),
            Err(_) => Ok(Ending::Harm("the host panicked".to_owned())),
        }
    }
}

/// A folder inside the temporary one, so that what escapes from it is still in the drill's.
fn data(folder: &TempDir) -> PathBuf {
    folder.path().join("data")
}

/// The only place where the drill makes a host.
fn open(data: &Path, terms: &Terms) -> Result<Host, Error> {
    let ahead = Arc::clone(&terms.ahead);
    let mut builder = Host::builder(data)
        .limits(terms.limits.clone())
        .sandbox(terms.sandbox.clone())
        .quotas(terms.quotas.clone())
        .compiler(terms.compiler.clone())
        .clock(move || ahead_of_the_machine(&ahead));
    if let Some(socket) = &terms.authority {
        builder = builder.authority(socket.clone());
    }
    let policy = terms.policy.map(policy::Toml::parse).transpose();
    match policy.map_err(|error| Error::Internal(error.to_string()))? {
        Some(policy) => builder.policy(Box::new(policy)),
        None => builder,
    }
    .open()
}

/// The machine's time plus so many milliseconds.
pub(super) fn ahead_of_the_machine(ahead: &AtomicI64) -> Timestamp {
    Timestamp::from_millis(SystemClock.now().as_millis().saturating_add(ahead.load(Ordering::Relaxed)))
}

/// The decider's words.
pub(super) fn judgement(decision: Decision) -> Result<Judgement, Error> {
    Ok(Judgement { decision, by: DemoDecider::new("operator".parse()?), reason: None })
}
