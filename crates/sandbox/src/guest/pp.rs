//! Asking for permission.

use super::steps::Started;
use super::{Guest, ReceiptHandle, linked_elsewhere, unexpected};
use crate::guest::bindings::permission_protocol::tenant::pp;
use wasmtime::component::Resource;
use workflow::{Action, Approval, Command, Outcome, ReceiptId};

/// The end of a request, as the guest gets it.
pub(super) type Answer = Result<Resource<ReceiptHandle>, pp::Refusal>;

impl Guest {
    /// Asks for approval, and waits.
    pub(super) async fn ask_permission(&mut self, action: Action) -> wasmtime::Result<Answer> {
        match self.ask(Command::RequireApproval(action)).await? {
            Outcome::Approval(approval) => self.answer(approval),
            Outcome::Rejected(message) => Ok(Err(pp::Refusal::Invalid(message))),
            other => unexpected(&other),
        }
    }

    /// Translates the end of a request for the guest.
    pub(super) fn answer(&mut self, approval: Approval) -> wasmtime::Result<Answer> {
        Ok(Err(match approval {
            Approval::Granted { receipt, document } => {
                if self.script.is_some() {
                    self.granted.insert(receipt.clone(), document.clone());
                }
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

    /// Another handle for a receipt that this drive was granted. It permits no more than the first: the gate decides.
    pub(crate) fn granted_again(&mut self, id: &str) -> wasmtime::Result<Option<Resource<ReceiptHandle>>> {
        let granted = id.parse().ok().and_then(|id: ReceiptId| self.granted.get_key_value(&id));
        let handle =
            granted.map(|(id, document)| ReceiptHandle { id: id.clone(), document: document.clone() });
        Ok(handle.map(|handle| self.table.push(handle)).transpose()?)
    }
}

/// The functions are linked in [`super::artifacts`].
impl pp::Host for Guest {
    async fn require_approval(&mut self, _: pp::Action) -> wasmtime::Result<Answer> {
        linked_elsewhere()
    }

    async fn start_require_approval(&mut self, _: pp::Action) -> wasmtime::Result<Started> {
        linked_elsewhere()
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
