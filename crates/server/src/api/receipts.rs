//! Receipts, deployments, usage and limits.

use crate::api::instances::Why;
use crate::api::{json, unexpected, viewed};
use crate::problem::Problem;
use crate::request::Asked;
use axum::http::StatusCode;
use axum::response::Response;
use engine::api::{DeploymentRow, ExportAudience, Operation, OperationOutcome, Query, View};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use workflow::{ReceiptId, TenantId};

/// The result of a revocation.
#[derive(Serialize, ToSchema)]
pub(crate) struct Revoked {
    /// The revocation's own id.
    revocation: String,
}

/// Deployments, in the order in which they took place.
#[derive(Serialize)]
struct DeploymentPage {
    view: &'static str,
    deployments: Vec<Value>,
    /// There are more than were asked for: `?after` the last one's receipt continues.
    more: bool,
}

pub(crate) fn list(asked: &Asked) -> Result<Response, Problem> {
    let tenant = asked.query_value::<TenantId>("tenant")?;
    let (after, limit) = (asked.query_value::<ReceiptId>("after")?, asked.page_length()?);
    viewed(&asked.view(&asked.principal()?, Query::Receipts { tenant, after, newest_first: false, limit })?)
}

pub(crate) fn show(asked: &Asked) -> Result<Response, Problem> {
    viewed(&asked.view(&asked.principal()?, Query::Receipt { receipt: asked.part("receipt")? })?)
}

/// The published form itself, as `pp-host receipts export` prints it.
pub(crate) fn export(asked: &Asked) -> Result<Response, Problem> {
    let audience = match asked.query_value::<String>("extent")?.as_deref() {
        None | Some("owner") => ExportAudience::Owner,
        Some("public") => ExportAudience::Public,
        Some(_) => return Err(Problem::invalid("extent is owner or public")),
    };
    match asked.view(&asked.principal()?, Query::Export { receipt: asked.part("receipt")?, audience })? {
        View::Export { document } => json(StatusCode::OK, &document),
        other => Err(unexpected(&other)),
    }
}

pub(crate) fn revoke(asked: &Asked) -> Result<Response, Problem> {
    let principal = asked.principal()?;
    let receipt: ReceiptId = asked.part("receipt")?;
    let Why { reason } = asked.json()?;
    match asked.operate(&principal, Operation::Revoke { receipt, reason })? {
        OperationOutcome::Revoked { revocation } => {
            json(StatusCode::OK, &Revoked { revocation: revocation.to_string() })
        }
        other => Err(unexpected(&other)),
    }
}

pub(crate) fn deployments(asked: &Asked) -> Result<Response, Problem> {
    let tenant = asked.query_value::<TenantId>("tenant")?;
    let (after, limit) = (asked.query_value::<ReceiptId>("after")?, asked.page_length()?);
    let query = Query::Deployments { tenant, after, limit };
    let View::Deployments { deployments, more } = asked.view(&asked.principal()?, query)? else {
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

pub(crate) fn usage(asked: &Asked) -> Result<Response, Problem> {
    let principal = asked.principal()?;
    let tenant = asked.tenant(&principal)?;
    viewed(&asked.view(&principal, Query::Usage { tenant })?)
}

pub(crate) fn limits(asked: &Asked) -> Result<Response, Problem> {
    let principal = asked.principal()?;
    let tenant = Some(asked.tenant(&principal)?);
    match asked.view(&principal, Query::Limits { tenant })? {
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
