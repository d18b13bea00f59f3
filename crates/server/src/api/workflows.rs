//! Workflows: uploading, inspecting, listing, deleting uploads. An instance keeps its own copy.

use crate::api::json;
use crate::problem::Problem;
use crate::request::RequestContext;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use sandbox::Inspection;
use serde::Serialize;
use utoipa::ToSchema;

/// A workflow's code and the interfaces that it can use.
#[derive(Serialize, ToSchema)]
pub(crate) struct Workflow {
    /// The workflow's digest: `sha256:` and 64 hexadecimal digits.
    workflow: String,
    /// The workflow's size in bytes.
    bytes: u64,
    /// The workflow's imports.
    imports: Vec<String>,
    /// The workflow's exports.
    exports: Vec<String>,
    /// The capabilities that the workflow can use, each action with its own receipt.
    capabilities: Vec<String>,
    /// Whether it can ask for approval.
    asks_for_approval: bool,
    /// Whether it is source text rather than a component.
    script: bool,
}

/// The workflows of a tenant.
#[derive(Serialize, ToSchema)]
pub(crate) struct WorkflowList {
    /// The digests and sizes of the uploaded workflows.
    workflows: Vec<UploadedWorkflow>,
}

/// An uploaded workflow.
#[derive(Serialize, ToSchema)]
pub(crate) struct UploadedWorkflow {
    /// The workflow's digest.
    workflow: String,
    /// The workflow's size in bytes.
    bytes: u64,
}

pub(crate) fn upload(context: &RequestContext) -> Result<Response, Problem> {
    let principal = context.principal()?;
    let tenant = context.tenant(&principal)?;
    let inspection = context.state.host.upload_as(&principal, &tenant, &context.body)?;
    json(StatusCode::CREATED, &Workflow::from(&inspection))
}

pub(crate) fn inspect(context: &RequestContext) -> Result<Response, Problem> {
    let principal = context.principal()?;
    let tenant = context.tenant(&principal)?;
    let digest = crate::api::instances::digest(&context.part::<String>("workflow")?)?;
    let component = context.state.host.uploaded_as(&principal, &tenant, &digest)?;
    json(StatusCode::OK, &Workflow::from(&context.state.host.inspect_for(&tenant, component.bytes())?))
}

pub(crate) fn list(context: &RequestContext) -> Result<Response, Problem> {
    let principal = context.principal()?;
    let tenant = context.tenant(&principal)?;
    let workflows = context.state.host.uploads_as(&principal, &tenant)?.into_iter();
    let workflows =
        workflows.map(|(digest, bytes)| UploadedWorkflow { workflow: format!("sha256:{digest}"), bytes });
    json(StatusCode::OK, &WorkflowList { workflows: workflows.collect() })
}

pub(crate) fn forget(context: &RequestContext) -> Result<Response, Problem> {
    let principal = context.principal()?;
    let tenant = context.tenant(&principal)?;
    let digest = crate::api::instances::digest(&context.part::<String>("workflow")?)?;
    context.state.host.forget_upload_as(&principal, &tenant, &digest)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

impl From<&Inspection> for Workflow {
    fn from(inspection: &Inspection) -> Self {
        Self {
            workflow: format!("sha256:{}", inspection.digest),
            bytes: inspection.bytes,
            imports: inspection.imports.clone(),
            exports: inspection.exports.clone(),
            capabilities: inspection.capabilities().iter().map(ToString::to_string).collect(),
            asks_for_approval: inspection.asks(),
            script: inspection.script.is_some(),
        }
    }
}
