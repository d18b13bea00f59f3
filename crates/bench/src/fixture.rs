//! The place of a measurement: a host in a folder of its own, with limits that no measurement reaches.

use crate::MeasureError;
use engine::capability::{Capability, Execution, OnInterruption, PerformError, Performed, Permit};
use engine::issuer::{DemoDecider, Judgement, Reversibility};
use engine::{Builder, DEPLOY, Host, Start, Status, Workflow};
use receipt::Decision;
use sandbox::SandboxLimits;
use std::path::Path;
use std::sync::Arc;
use store::{InstanceKey, Quotas};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use workflow::{Artifact, RequestId};

const PACES: &[u8] = include_bytes!("../../../tests/guests/paces.wasm");
const DEMO: &[u8] = include_bytes!("../../../tests/guests/tenant-workflow.wasm");

/// The workflow that is measured.
#[derive(Debug, Clone, Copy)]
pub(super) enum Guest {
    /// As many steps as its parameters say, then an optional approval and action.
    Paces,
    /// The demo workflow: a step, an approval, a deployment in a step.
    Demo,
}

impl Guest {
    pub(super) fn bytes(self) -> &'static [u8] {
        match self {
            Self::Paces => PACES,
            Self::Demo => DEMO,
        }
    }
}

/// A host whose limits no measurement reaches.
pub(super) fn unlimited(builder: Builder) -> Builder {
    let sandbox = SandboxLimits { live_instances: IN_FLIGHT_MAX, ..SandboxLimits::default() };
    let quotas = Quotas {
        instances: u64::MAX,
        pending_approvals: u64::MAX,
        requests_per_hour: u64::MAX,
        stored_bytes: u64::MAX,
        drives: u64::MAX,
        ..Quotas::default()
    };
    builder.sandbox(sandbox).quotas(quotas)
}

/// The effect of an approved action.
#[derive(Debug, Clone, Copy)]
pub(super) enum Action {
    /// It deploys.
    Deploys,
    /// It does nothing, at once.
    DoesNothing,
}

/// Instances in flight at most.
pub(super) const IN_FLIGHT_MAX: u32 = 1_024;

/// A host to measure, and the workflow that it runs.
pub(super) struct Fixture {
    pub(super) host: Host,
    pub(super) workflow: Workflow,
    pub(super) runtime: Arc<Runtime>,
    pub(super) folder: TempDir,
    guest: Guest,
    action: Action,
}

impl Fixture {
    /// The guest of many paces, whose action deploys.
    pub(super) fn new(parent: &Path) -> Result<Self, MeasureError> {
        Self::of(parent, Guest::Paces, Action::Deploys)
    }

    pub(super) fn of(parent: &Path, guest: Guest, action: Action) -> Result<Self, MeasureError> {
        let folder = tempfile::Builder::new().prefix("pp-host-bench-").tempdir_in(parent)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build()?;
        Self::on(folder, Arc::new(runtime), guest, action)
    }

    fn on(
        folder: TempDir,
        runtime: Arc<Runtime>,
        guest: Guest,
        action: Action,
    ) -> Result<Self, MeasureError> {
        let mut builder = unlimited(Host::builder(folder.path()));
        if let Action::DoesNothing = action {
            builder = builder.capability(Nothing);
        }
        let host = builder.open()?;
        let workflow = host.load(guest.bytes().to_vec())?;
        Ok(Self { host, workflow, runtime, folder, guest, action })
    }

    /// Closes the host and opens another on the same folder.
    pub(super) fn reopened(self) -> Result<Self, MeasureError> {
        let Self { host, workflow, runtime, folder, guest, action } = self;
        drop((host, workflow));
        Self::on(folder, runtime, guest, action)
    }

    pub(super) fn start(&self, params: &str) -> Result<Start, MeasureError> {
        Ok(Start::new("acme".parse()?, "agent:bench".parse()?, "paces", params))
    }

    /// Creates an instance.
    pub(super) async fn create(&self, params: &str) -> Result<InstanceKey, MeasureError> {
        Ok(self.host.create(&self.workflow, self.start(params)?).await?)
    }

    /// Creates an instance and runs it until it waits for a decision.
    pub(super) async fn park(&self, params: &str) -> Result<(InstanceKey, RequestId), MeasureError> {
        let key = self.create(params).await?;
        let request = self.asked(&key).await?;
        Ok((key, request))
    }

    pub(super) async fn asked(&self, key: &InstanceKey) -> Result<RequestId, MeasureError> {
        let status = self.host.drive(key).await?;
        Ok(status.request().cloned().ok_or_else(|| format!("the instance does not wait: {status:?}"))?)
    }

    /// Approves a request.
    pub(super) async fn approve(&self, request: RequestId) -> Result<(), MeasureError> {
        let by = DemoDecider::new("bench".parse()?);
        let judgement = Judgement { decision: Decision::Approved, by, reason: None };
        self.host.decide_async(&request, &judgement).await?;
        Ok(())
    }

    /// Runs an instance to its end.
    pub(super) async fn finish(&self, key: &InstanceKey) -> Result<(), MeasureError> {
        match self.host.drive(key).await? {
            Status::Completed(_) => Ok(()),
            other => Err(format!("the instance does not complete: {other:?}").into()),
        }
    }
}

/// A target that does nothing, at once.
struct Nothing;

impl Capability for Nothing {
    fn name(&self) -> &str {
        DEPLOY
    }

    fn reversibility(&self) -> Reversibility {
        Reversibility::Reversible
    }

    fn on_interruption(&self) -> OnInterruption {
        OnInterruption::PerformAgain
    }

    fn perform(&self, _: &Permit, _: &Artifact, _: Execution) -> Result<Performed, PerformError> {
        Ok(Performed { id: "dep_bench".to_owned(), location: "nowhere".to_owned(), deployment: None })
    }
}
