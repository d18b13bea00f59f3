//! The deploy capability.

use super::{Guest, ReceiptHandle, linked_elsewhere, unexpected};
use crate::guest::bindings::permission_protocol::tenant::{deploy, pp};
use serde::Deserialize;
use wasmtime::component::Resource;
use workflow::{Artifact, Check, Command, Invocation, Outcome, Performance};

/// The function is linked in [`super::artifacts`].
impl deploy::Host for Guest {
    async fn deploy(
        &mut self,
        _: String,
        _: pp::Artifact,
        _: Resource<ReceiptHandle>,
    ) -> wasmtime::Result<Result<deploy::Deployment, deploy::DeployError>> {
        linked_elsewhere()
    }
}

impl Guest {
    /// Acts, and spends the receipt.
    pub(super) async fn perform(
        &mut self,
        call: &'static str,
        resource: String,
        artifact: Artifact,
        receipt: Resource<ReceiptHandle>,
    ) -> wasmtime::Result<Result<deploy::Deployment, deploy::DeployError>> {
        let receipt = self.table.delete(receipt)?.id;
        let invocation = Invocation { capability: call.to_owned(), resource, artifact, receipt };
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

/// The deploy capability's output, in this interface's form.
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
            Check::Redemption => Self::Redemption,
            Check::Revocation => Self::Revocation,
            Check::Approvals => Self::Approvals,
            Check::Policy => Self::Policy,
            Check::Freeze => Self::Freeze,
        }
    }
}
