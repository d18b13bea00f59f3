//! The host's side of the world: each import becomes a command, each outcome becomes the guest's value.

use crate::sandbox::Handler;
use crate::sandbox::bindings::permission_protocol::tenant::deploy;
use crate::sandbox::bindings::permission_protocol::tenant::pp;
use crate::sandbox::bindings::permission_protocol::tenant::workflow as wit;
use crate::sandbox::end::Marked;
use crate::sandbox::limits::HostTime;
use crate::sandbox::limits::Meter;
use crate::sandbox::moment::Clock;
use crate::sandbox::moment::Moment;
use serde::Deserialize;
use wasmtime::component::HasData;
use wasmtime::component::Resource;
use wasmtime_wasi::ResourceTable;
use wasmtime_wasi::WasiCtx;
use wasmtime_wasi::WasiCtxView;
use wasmtime_wasi::WasiView;
use workflow::Action;
use workflow::Approval;
use workflow::Artifact;
use workflow::Begun;
use workflow::Call;
use workflow::Check;
use workflow::Command;
use workflow::Failure;
use workflow::Invocation;
use workflow::Outcome;
use workflow::Performance;
use workflow::ReceiptId;

/// What stands behind a guest's `step` handle: nothing. Holding the handle is all there is to it.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct StepHandle;

/// What stands behind a guest's `attempt` handle.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct AttemptHandle(Call);

/// What stands behind a guest's `receipt` handle. It has no authority of its own: the gate verifies the receipt of that id.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct ReceiptHandle {
    id: ReceiptId,
    document: String,
}

/// The state of one store.
pub(crate) struct Guest {
    pub(crate) handler: Box<dyn Handler>,
    pub(crate) table: ResourceTable,
    pub(crate) wasi: WasiCtx,
    pub(crate) meter: Meter,
    pub(crate) moment: Moment,
    /// Time spent in the handler: the host's, not the guest's.
    pub(crate) host_time: HostTime,
}

impl Guest {
    async fn ask(&mut self, command: Command) -> wasmtime::Result<Outcome> {
        let outcome = self.host_time.during(self.handler.handle(command)).await;
        self.moment.answered(self.handler.position());
        outcome.map_err(|halt| wasmtime::Error::new(Marked(halt)))
    }

    /// The part of the state that the guest's monotonic clock works on.
    pub(crate) fn clock(&mut self) -> Clock<'_> {
        Clock { moment: &self.moment, table: &mut self.table }
    }

    async fn end(
        &mut self,
        attempt: Resource<AttemptHandle>,
        result: Result<String, Failure>,
    ) -> wasmtime::Result<Result<(), Failure>> {
        let AttemptHandle(call) = self.table.delete(attempt)?;
        match self.ask(Command::EndStep { call, result }).await? {
            Outcome::Ended(ended) => Ok(ended),
            other => unexpected(&other),
        }
    }
}

/// Says which part of a store's state the imports work on: all of it.
pub(crate) struct HasGuest;

impl HasData for HasGuest {
    type Data<'a> = &'a mut Guest;
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl wit::Host for Guest {}

impl wit::HostStep for Guest {
    async fn begin(
        &mut self,
        _: Resource<StepHandle>,
        name: String,
    ) -> wasmtime::Result<Result<wit::Begun, wit::StepError>> {
        match self.ask(Command::BeginStep { name }).await? {
            Outcome::Begun(Begun::Run(call)) => {
                Ok(Ok(wit::Begun::Run(self.table.push(AttemptHandle(call))?)))
            }
            Outcome::Begun(Begun::Done(output)) => Ok(Ok(wit::Begun::Done(output))),
            Outcome::Begun(Begun::Failed(failure)) => Ok(Err(wit::StepError::Failed(failure.into()))),
            Outcome::Rejected(message) => Ok(Err(wit::StepError::Rejected(message))),
            other => unexpected(&other),
        }
    }

    async fn drop(&mut self, step: Resource<StepHandle>) -> wasmtime::Result<()> {
        self.table.delete(step).map(drop).map_err(Into::into)
    }
}

impl wit::HostAttempt for Guest {
    async fn complete(
        &mut self,
        attempt: Resource<AttemptHandle>,
        output: String,
    ) -> wasmtime::Result<Result<(), wit::StepError>> {
        let ended = self.end(attempt, Ok(output)).await?;
        Ok(ended.map_err(|failure| wit::StepError::Failed(failure.into())))
    }

    async fn fail(
        &mut self,
        attempt: Resource<AttemptHandle>,
        failure: wit::Failure,
    ) -> wasmtime::Result<wit::Failure> {
        let ended = self.end(attempt, Err(failure.clone().into())).await?;
        Ok(ended.map_or_else(Into::into, |()| failure))
    }

    async fn drop(&mut self, attempt: Resource<AttemptHandle>) -> wasmtime::Result<()> {
        self.table.delete(attempt).map(drop).map_err(Into::into)
    }
}

impl pp::Host for Guest {
    async fn require_approval(
        &mut self,
        action: pp::Action,
    ) -> wasmtime::Result<Result<Resource<ReceiptHandle>, pp::Refusal>> {
        match self.ask(Command::RequireApproval(action.into())).await? {
            Outcome::Approval(Approval::Granted { receipt, document }) => {
                let handle = ReceiptHandle { id: receipt, document };
                Ok(Ok(self.table.push(handle)?))
            }
            Outcome::Approval(Approval::Denied { request, receipt, decider, reason }) => {
                let (request_id, receipt_id) = (request.to_string(), receipt.to_string());
                Ok(Err(pp::Refusal::Denied(pp::Denial { request_id, receipt_id, decider, reason })))
            }
            // The guest's world has no word of its own for it yet; to the guest it comes to the same.
            Outcome::Approval(Approval::Expired { request } | Approval::Withdrawn { request, .. }) => {
                Ok(Err(pp::Refusal::Expired(request.to_string())))
            }
            Outcome::Rejected(message) => Ok(Err(pp::Refusal::Invalid(message))),
            other => unexpected(&other),
        }
    }
}

impl pp::HostReceipt for Guest {
    async fn id(&mut self, receipt: Resource<ReceiptHandle>) -> wasmtime::Result<String> {
        Ok(self.table.get(&receipt)?.id.to_string())
    }

    async fn document(&mut self, receipt: Resource<ReceiptHandle>) -> wasmtime::Result<String> {
        Ok(self.table.get(&receipt)?.document.clone())
    }

    async fn drop(&mut self, receipt: Resource<ReceiptHandle>) -> wasmtime::Result<()> {
        self.table.delete(receipt).map(drop).map_err(Into::into)
    }
}

impl deploy::Host for Guest {
    async fn deploy(
        &mut self,
        resource: String,
        artifact: pp::Artifact,
        receipt: Resource<ReceiptHandle>,
    ) -> wasmtime::Result<Result<deploy::Deployment, deploy::DeployError>> {
        let receipt = self.table.delete(receipt)?.id;
        let invocation =
            Invocation { capability: crate::DEPLOY.to_owned(), resource, artifact: artifact.into(), receipt };
        match self.ask(Command::Perform(invocation)).await? {
            Outcome::Performed(Performance::Done(output)) => {
                Ok(Ok(serde_json::from_str::<Deployment>(&output)?.into()))
            }
            Outcome::Performed(Performance::Refused { check, message }) => {
                let refusal = deploy::GateRefusal { check: check.into(), message };
                Ok(Err(deploy::DeployError::Refused(refusal)))
            }
            Outcome::Performed(Performance::Failed(message)) => Ok(Err(deploy::DeployError::Failed(message))),
            Outcome::Performed(Performance::Unknown(message)) => {
                Ok(Err(deploy::DeployError::Unknown(message)))
            }
            Outcome::Rejected(message) => Ok(Err(deploy::DeployError::Invalid(message))),
            other => unexpected(&other),
        }
    }
}

/// What the deploy capability returns, as this interface needs it.
#[derive(Deserialize)]
struct Deployment {
    id: String,
    location: String,
    artifact_sha256: String,
    receipt_id: String,
}

impl From<Deployment> for deploy::Deployment {
    fn from(Deployment { id, location, artifact_sha256, receipt_id }: Deployment) -> Self {
        Self { id, location, artifact_sha256, receipt_id }
    }
}

impl From<pp::Artifact> for Artifact {
    fn from(artifact: pp::Artifact) -> Self {
        Artifact::new(artifact.name, artifact.bytes)
    }
}

impl From<pp::Action> for Action {
    fn from(action: pp::Action) -> Self {
        let pp::Action { capability, resource, reason, evidence, artifact } = action;
        Self { capability, resource, reason, evidence, artifact: artifact.map(Into::into) }
    }
}

impl From<wit::Failure> for Failure {
    fn from(wit::Failure { name, message }: wit::Failure) -> Self {
        Self { name, message }
    }
}

impl From<Failure> for wit::Failure {
    fn from(Failure { name, message }: Failure) -> Self {
        Self { name, message }
    }
}

impl From<Check> for deploy::Check {
    fn from(check: Check) -> Self {
        match check {
            Check::Verification => Self::Verification,
            Check::Decision => Self::Decision,
            Check::Scope => Self::Scope,
            Check::Tenant => Self::Tenant,
            Check::Instance => Self::Instance,
            Check::Code => Self::Code,
            Check::Capability => Self::Capability,
            Check::Resource => Self::Resource,
            Check::Artifact => Self::Artifact,
            Check::Expiry => Self::Expiry,
            Check::Redemption | Check::Revocation => Self::Redemption,
            Check::Approvals | Check::Policy | Check::Freeze => Self::Decision,
        }
    }
}

/// The handler answered one kind of command with another kind's outcome: an error of the host, which ends the drive and not the instance.
fn unexpected<T>(outcome: &Outcome) -> wasmtime::Result<T> {
    Err(wasmtime::Error::new(Marked(format!("the host answered with {outcome:?}").into())))
}
