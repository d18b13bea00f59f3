//! Asking for permission.

use super::steps::Started;
use super::{Guest, ReceiptHandle, unexpected};
use crate::bindings::permission_protocol::tenant::pp;
use wasmtime::component::Resource;
use workflow::{Action, Approval, Artifact, Command, Outcome, Start};

/// What a guest is told of the end of a request.
pub(super) type Answer = Result<Resource<ReceiptHandle>, pp::Refusal>;

impl Guest {
    /// The end of a request, as the guest is told it.
    pub(super) fn answer(&mut self, approval: Approval) -> wasmtime::Result<Answer> {
        Ok(Err(match approval {
            Approval::Granted { receipt, document } => {
                return Ok(Ok(self.table.push(ReceiptHandle { id: receipt, document })?));
            }
            Approval::Denied { request, receipt, decider, reason } => {
                let (request_id, receipt_id) = (request.to_string(), receipt.to_string());
                pp::Refusal::Denied(pp::Denial { request_id, receipt_id, decider, reason })
            }
            Approval::Withdrawn { request, reason } => {
                pp::Refusal::Withdrawn(pp::Withdrawal { request_id: request.to_string(), reason })
            }
            Approval::Expired { request } => pp::Refusal::Expired(request.to_string()),
        }))
    }
}

impl pp::Host for Guest {
    async fn require_approval(&mut self, action: pp::Action) -> wasmtime::Result<Answer> {
        match self.ask(Command::RequireApproval(action.into())).await? {
            Outcome::Approval(approval) => self.answer(approval),
            Outcome::Rejected(message) => Ok(Err(pp::Refusal::Invalid(message))),
            other => unexpected(&other),
        }
    }

    async fn start_require_approval(&mut self, action: pp::Action) -> wasmtime::Result<Started> {
        self.start_beside(Start::RequireApproval(action.into())).await
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
