//! Every route, in one table.

use crate::api::{approvals, audit, follow, instances, openapi, public, receipts, views, workflows};
use crate::page;
use crate::problem::Problem;
use crate::request::RequestContext;
use crate::request::route::{BodyKind, Route, delete, get, post};
use crate::request::shape::shape;
use axum::http::StatusCode;
use axum::response::Response;

/// Every route.
pub(crate) fn all() -> impl Iterator<Item = &'static Route> {
    OPEN.iter().chain(API.iter()).chain(page::ROUTES.iter())
}

/// The OpenAPI document.
pub(crate) fn document() -> serde_json::Value {
    openapi::document(all(), |route| API.iter().any(|own| own.path == route.path))
}

fn describe(_: &RequestContext) -> Result<Response, Problem> {
    Ok(public::as_json(StatusCode::OK, document().to_string()))
}

/// The routes for any caller.
static OPEN: [Route; 6] = [
    get("/healthz", "The process answers.", public::health).anywhere(),
    get("/readyz", "The data folder can be read.", public::ready).anywhere(),
    get("/metrics", "Counters, in the text form of Prometheus.", public::metrics).anywhere(),
    get("/openapi.json", "This document.", describe),
    get("/.well-known/permission-protocol/keys.json", "The public key set.", public::keys),
    post(
        "/api/v1/receipts/verify",
        "Verify a receipt: the one in artifact, or a stored one of the caller's tenant by receiptId.",
        public::verify,
    )
    .with(BodyKind::Json)
    .gives(shape::<views::VerificationResult>),
];

/// The routes for tenants' programs.
static API: [Route; 31] = [
    get(
        "/api/v1/receipts/{receipt}",
        "Get a receipt in the form of the protocol's clients.",
        public::receipt,
    ),
    post("/v1/workflows", "Upload a workflow: a component or a bundle.", workflows::upload)
        .with(BodyKind::Component)
        .gives(shape::<workflows::Workflow>),
    get("/v1/workflows", "List uploaded workflows.", workflows::list).gives(shape::<workflows::WorkflowList>),
    get("/v1/workflows/{workflow}", "Inspect an uploaded workflow.", workflows::inspect)
        .gives(shape::<workflows::Workflow>),
    delete("/v1/workflows/{workflow}", "Delete an upload. Its instances continue.", workflows::forget)
        .gives_nothing(),
    post("/v1/instances", "Create an instance; idempotent if the body names an id.", instances::create)
        .takes(shape::<instances::NewInstance>)
        .gives(shape::<instances::CreatedInstance>)
        .brief(),
    get(
        "/v1/instances",
        "List instances, newest first: ?status, ?limit, and ?after the last one of the page before.",
        instances::list,
    )
    .gives(shape::<views::InstancePage>),
    get("/v1/instances/{instance}", "Show an instance.", instances::show)
        .gives(shape::<views::Instance>)
        .brief(),
    get("/v1/instances/{instance}/output", "Show the guest's output.", instances::output)
        .gives(shape::<views::Output>),
    get(
        "/v1/instances/{instance}/events",
        "Follow an instance's facts as server-sent events; Last-Event-ID or ?from resumes.",
        follow::events,
    ),
    post("/v1/instances/{instance}/events", "Send an event.", instances::send_event)
        .takes(shape::<instances::NewEvent>)
        .gives(shape::<instances::ChangedInstance>)
        .brief(),
    post("/v1/instances/{instance}/pause", "Pause.", instances::pause)
        .gives(shape::<instances::ChangedInstance>)
        .brief(),
    post("/v1/instances/{instance}/resume", "Resume.", instances::resume)
        .gives(shape::<instances::ChangedInstance>)
        .brief(),
    post("/v1/instances/{instance}/terminate", "Terminate.", instances::terminate)
        .takes(shape::<instances::CommandReason>)
        .gives(shape::<instances::ChangedInstance>),
    post(
        "/v1/instances/{instance}/restart",
        "Restart, at the beginning or at an earlier call.",
        instances::restart,
    )
    .takes(shape::<instances::RestartOptions>)
    .gives(shape::<instances::ChangedInstance>),
    post(
        "/v1/instances/{instance}/resolve",
        "Record a finding about an action whose outcome is unknown.",
        instances::resolve,
    )
    .takes(shape::<instances::Resolution>)
    .gives(shape::<instances::ChangedInstance>),
    delete("/v1/instances/{instance}", "Delete an instance that has ended.", instances::delete)
        .gives(shape::<instances::ChangedInstance>),
    get(
        "/v1/approvals",
        "List requests that wait for a decision: ?limit, and ?after the last request of the page before.",
        approvals::list,
    )
    .gives(shape::<views::RequestPage>),
    get("/v1/approvals/{request}", "Show a request: the exact text and digests.", approvals::show)
        .gives(shape::<views::Request>),
    get(
        "/v1/approvals/{request}/explanation",
        "Show the policy's answer and its reasons.",
        approvals::explain,
    )
    .gives(shape::<views::Explanation>),
    post(
        "/v1/approvals/{request}/statement",
        "Get the statement that a person would sign.",
        approvals::statement,
    )
    .takes(shape::<approvals::DecisionDraft>)
    .gives(shape::<approvals::Statement>),
    post(
        "/v1/approvals/{request}/signatures",
        "Submit a statement that a person has signed.",
        approvals::sign,
    )
    .takes(shape::<approvals::SignedStatement>)
    .gives(shape::<approvals::DecisionResult>),
    post("/v1/approvals/{request}/withdraw", "Withdraw a request.", approvals::withdraw)
        .takes(shape::<instances::CommandReason>)
        .gives(shape::<approvals::DecisionResult>),
    get(
        "/v1/receipts",
        "List receipts and revocations, oldest first: ?limit, and ?after the last id of the page before.",
        receipts::list,
    )
    .gives(shape::<views::ReceiptPage>),
    get("/v1/receipts/{receipt}", "Show a receipt.", receipts::show).gives(shape::<views::Receipt>),
    get("/v1/receipts/{receipt}/export", "Export a receipt: ?extent=owner or public.", receipts::export),
    post("/v1/receipts/{receipt}/revoke", "Revoke a receipt before it is spent.", receipts::revoke)
        .takes(shape::<instances::CommandReason>)
        .gives(shape::<receipts::RevocationResult>),
    get(
        "/v1/deployments",
        "List deployments, oldest first: ?limit, and ?after the last receipt_id of the page before.",
        receipts::deployments,
    )
    .gives(shape::<views::DeploymentPage>),
    get("/v1/usage", "Show the tenant's usage.", receipts::usage).gives(shape::<views::Usage>),
    get("/v1/limits", "Show the tenant's limits.", receipts::limits).gives(shape::<views::Limits>),
    get(
        "/v1/audit",
        "The audit as JSON lines, oldest first: of the tenant, or ?instance. ?limit lines; the header Link leads to the next page.",
        audit::audit,
    ),
];
