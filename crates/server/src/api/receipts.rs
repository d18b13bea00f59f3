//! Receipts, deployments, usage and limits.

use crate::api::instances::CommandReason;
use crate::api::{json, unexpected, viewed};
use crate::problem::Problem;
use crate::request::RequestContext;
use axum::http::StatusCode;
use axum::response::Response;
use engine::api::{DeploymentRow, ExportAudience, Operation, OperationOutcome, Query, View};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use workflow::{ReceiptId, TenantId};

/// The result of a revocation.
#[derive(Serialize, ToSchema)]
pub(crate) struct RevocationResult {
    /// The revocation's own id.
    revocation: String,
}

/// Deployments, in the order in which they took place.
#[derive(Serialize)]
struct DeploymentPage {
    view: &'static str,
    deployments: Vec<Value>,
    /// Whether there are more: `?after` with the last receipt continues.
    more: bool,
}

pub(crate) fn list(context: &RequestContext) -> Result<Response, Problem> {
    let tenant = context.query_value::<TenantId>("tenant")?;
    let (after, limit) = (context.query_value::<ReceiptId>("after")?, context.page_length()?);
    viewed(
        &context
            .view(&context.principal()?, Query::Receipts { tenant, after, newest_first: false, limit })?,
    )
}

pub(crate) fn show(context: &RequestContext) -> Result<Response, Problem> {
    viewed(&context.view(&context.principal()?, Query::Receipt { receipt: context.part("receipt")? })?)
}

/// The published form itself, as `pp-host receipts export` prints it.
pub(crate) fn export(context: &RequestContext) -> Result<Response, Problem> {
    let audience = match context.query_value::<String>("extent")?.as_deref() {
        None | Some("owner") => ExportAudience::Owner,
        Some("public") => ExportAudience::Public,
        Some(_) => return Err(Problem::invalid("extent is owner or public")),
    };
    match context
        .view(&context.principal()?, Query::Export { receipt: context.part("receipt")?, audience })?
    {
        View::Export { document } => json(StatusCode::OK, &document),
        other => Err(unexpected(&other)),
    }
}

pub(crate) fn revoke(context: &RequestContext) -> Result<Response, Problem> {
    let principal = context.principal()?;
    let receipt: ReceiptId = context.part("receipt")?;
    let CommandReason { reason } = context.json()?;
    match context.operate(&principal, Operation::Revoke { receipt, reason })? {
        OperationOutcome::Revoked { revocation } => {
            json(StatusCode::OK, &RevocationResult { revocation: revocation.to_string() })
        }
        other => Err(unexpected(&other)),
    }
}

pub(crate) fn deployments(context: &RequestContext) -> Result<Response, Problem> {
    let tenant = context.query_value::<TenantId>("tenant")?;
    let (after, limit) = (context.query_value::<ReceiptId>("after")?, context.page_length()?);
    let query = Query::Deployments { tenant, after, limit };
    let View::Deployments { deployments, more } = context.view(&context.principal()?, query)? else {
        return Err(unexpected(&"no deployments"));
    };
    let deployments = deployments.iter().map(own).collect::<Result<_, _>>()?;
    json(StatusCode::OK, &DeploymentPage { view: "deployments", deployments, more })
}

/// A deployment without its redemption's place among the facts of all tenants.
fn own(deployment: &DeploymentRow) -> Result<Value, Problem> {
    let mut deployment = serde_json::to_value(deployment).map_err(|error| Problem::internal(&error))?;
    if let Some(deployment) = deployment.as_object_mut() {
        deployment.remove("order");
    }
    Ok(deployment)
}

pub(crate) fn usage(context: &RequestContext) -> Result<Response, Problem> {
    let principal = context.principal()?;
    let tenant = context.tenant(&principal)?;
    viewed(&context.view(&principal, Query::Usage { tenant })?)
}

pub(crate) fn limits(context: &RequestContext) -> Result<Response, Problem> {
    let principal = context.principal()?;
    let tenant = Some(context.tenant(&principal)?);
    match context.view(&principal, Query::Limits { tenant })? {
        View::Limits { mut limits } => {
            // Callers do not learn which file of this machine sets a limit.
            for limit in &mut limits {
                (limit.file, limit.line) = (None, None);
            }
            viewed(&View::Limits { limits })
        }
        other => Err(unexpected(&other)),
    }
}
