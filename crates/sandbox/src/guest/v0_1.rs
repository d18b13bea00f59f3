//! The world of version 0.1.0 (`wit/before`), in the words of today's: instances keep the code that they started with.

use super::{AttemptHandle, Guest, ReceiptHandle, StepHandle, linked_elsewhere};
use crate::guest::bindings::before::permission_protocol::tenant::{
    deploy as old_deploy, pp as old_pp, workflow as old,
};
use crate::guest::bindings::permission_protocol::tenant::{deploy, pp, workflow as new};
use wasmtime::component::Resource;

impl old::Host for Guest {}

impl old::HostStep for Guest {
    async fn begin(
        &mut self,
        step: Resource<StepHandle>,
        name: String,
    ) -> wasmtime::Result<Result<old::Begun, old::StepError>> {
        let begun = new::HostStep::begin(self, step, name).await?;
        Ok(begun.map(Into::into).map_err(Into::into))
    }

    async fn drop(&mut self, step: Resource<StepHandle>) -> wasmtime::Result<()> {
        new::HostStep::drop(self, step).await
    }
}

impl old::HostAttempt for Guest {
    async fn complete(
        &mut self,
        attempt: Resource<AttemptHandle>,
        output: String,
    ) -> wasmtime::Result<Result<(), old::StepError>> {
        Ok(new::HostAttempt::complete(self, attempt, output).await?.map_err(Into::into))
    }

    async fn fail(
        &mut self,
        attempt: Resource<AttemptHandle>,
        old::Failure { name, message }: old::Failure,
    ) -> wasmtime::Result<old::Failure> {
        Ok(new::HostAttempt::fail(self, attempt, new::Failure { name, message }).await?.into())
    }

    async fn drop(&mut self, attempt: Resource<AttemptHandle>) -> wasmtime::Result<()> {
        new::HostAttempt::drop(self, attempt).await
    }
}

impl old_pp::Host for Guest {
    async fn require_approval(
        &mut self,
        _: old_pp::Action,
    ) -> wasmtime::Result<Result<Resource<ReceiptHandle>, old_pp::Refusal>> {
        linked_elsewhere()
    }
}

impl old_pp::HostReceipt for Guest {
    async fn id(&mut self, receipt: Resource<ReceiptHandle>) -> wasmtime::Result<String> {
        pp::HostReceipt::id(self, receipt).await
    }

    async fn document(&mut self, receipt: Resource<ReceiptHandle>) -> wasmtime::Result<String> {
        pp::HostReceipt::document(self, receipt).await
    }

    async fn drop(&mut self, receipt: Resource<ReceiptHandle>) -> wasmtime::Result<()> {
        pp::HostReceipt::drop(self, receipt).await
    }
}

impl old_deploy::Host for Guest {
    async fn deploy(
        &mut self,
        _: String,
        _: old_pp::Artifact,
        _: Resource<ReceiptHandle>,
    ) -> wasmtime::Result<Result<old_deploy::Deployment, old_deploy::DeployError>> {
        linked_elsewhere()
    }
}

impl From<new::Begun> for old::Begun {
    fn from(begun: new::Begun) -> Self {
        match begun {
            new::Begun::Done(output) => Self::Done(output),
            new::Begun::Run(attempt) => Self::Run(attempt),
        }
    }
}

impl From<new::StepError> for old::StepError {
    fn from(error: new::StepError) -> Self {
        match error {
            new::StepError::Rejected(message) => Self::Rejected(message),
            new::StepError::Failed(failure) => Self::Failed(failure.into()),
        }
    }
}

impl From<new::Failure> for old::Failure {
    fn from(new::Failure { name, message }: new::Failure) -> Self {
        Self { name, message }
    }
}

/// World 0.1.0 has no case for a withdrawn request; the guest gets the same answer as for a lapsed one.
impl From<pp::Refusal> for old_pp::Refusal {
    fn from(refusal: pp::Refusal) -> Self {
        match refusal {
            pp::Refusal::Denied(pp::Denial { request_id, receipt_id, decider, reason }) => {
                Self::Denied(old_pp::Denial { request_id, receipt_id, decider, reason })
            }
            pp::Refusal::Withdrawn(withdrawal) => Self::Expired(withdrawal.request_id),
            pp::Refusal::Expired(request) => Self::Expired(request),
            pp::Refusal::Invalid(message) => Self::Invalid(message),
        }
    }
}

impl From<deploy::Deployment> for old_deploy::Deployment {
    fn from(deployment: deploy::Deployment) -> Self {
        let deploy::Deployment { id, location, artifact_sha256, receipt_id } = deployment;
        Self { id, location, artifact_sha256, receipt_id }
    }
}

impl From<deploy::DeployError> for old_deploy::DeployError {
    fn from(error: deploy::DeployError) -> Self {
        match error {
            deploy::DeployError::Refused(deploy::GateRefusal { check, message }) => {
                Self::Refused(old_deploy::GateRefusal { check: check.into(), message })
            }
            deploy::DeployError::Invalid(message) => Self::Invalid(message),
            deploy::DeployError::Failed(message) => Self::Failed(message),
            deploy::DeployError::Unknown(message) => Self::Unknown(message),
        }
    }
}

/// World 0.1.0 has fewer checks: it reports a revoked receipt as spent, and approvals that no longer count as a wrong
/// decision.
impl From<deploy::Check> for old_deploy::Check {
    fn from(check: deploy::Check) -> Self {
        match check {
            deploy::Check::Verification => Self::Verification,
            deploy::Check::Decision
            | deploy::Check::Approvals
            | deploy::Check::Policy
            | deploy::Check::Freeze => Self::Decision,
            deploy::Check::Scope => Self::Scope,
            deploy::Check::Tenant => Self::Tenant,
            deploy::Check::Instance => Self::Instance,
            deploy::Check::Code => Self::Code,
            deploy::Check::Capability => Self::Capability,
            deploy::Check::Resource => Self::Resource,
            deploy::Check::Artifact => Self::Artifact,
            deploy::Check::Expiry => Self::Expiry,
            deploy::Check::Redemption | deploy::Check::Revocation => Self::Redemption,
        }
    }
}
