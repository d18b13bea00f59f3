//! Every route, in one table.

use crate::api::{approvals, audit, follow, instances, receipts, workflows};
use crate::app::State;
use crate::openapi::{Shape, shape};
use crate::page;
use crate::problem::Problem;
use crate::{open, openapi};
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::MethodFilter;
use std::str::FromStr;
use std::sync::Arc;

/// What a request is answered with.
type Handler = fn(&Asked) -> Result<Response, Problem>;

/// One route.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    /// What it does, in one line.
    pub(crate) about: &'static str,
    pub(crate) audience: Audience,
    pub(crate) reach: Reach,
    pub(crate) body: BodyKind,
    pub(crate) takes: Option<fn() -> Shape>,
    pub(crate) gives: Option<fn() -> Shape>,
    pub(crate) handler: Handler,
}

/// Whom a route is for: how a problem is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    Programs,
    People,
}

/// A method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Delete,
}

impl Method {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Delete => "DELETE",
        }
    }

    pub(crate) fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

/// Under which names a route answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The server's own only.
    Site,
    /// Any: monitoring asks by the address of the machine.
    Any,
}

/// What a request brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyKind {
    /// Nothing.
    None,
    /// A JSON document.
    Json,
    /// A form's fields.
    Form,
    /// The bytes of a workflow.
    Component,
}

/// A request, as a handler sees it. Its body is whole.
pub(crate) struct Asked {
    pub(crate) state: Arc<State>,
    /// Whether it was made on this machine, and not through a proxy.
    pub(crate) is_local: bool,
    pub(crate) path: Vec<(String, String)>,
    pub(crate) query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    /// What stands behind a name in the query, once.
    pub(crate) fn query_value<T: FromStr<Err: std::fmt::Display>>(
        &self,
        name: &str,
    ) -> Result<Option<T>, Problem> {
        let query = self.query.as_deref().unwrap_or_default().as_bytes();
        let mut values = form_urlencoded::parse(query).filter(|(found, _)| found == name);
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some((_, value)), None) => match value.parse() {
                Ok(value) => Ok(Some(value)),
                Err(error) => Err(Problem::invalid(format!("{name}={}: {error}", workflow::Quoted(&value)))),
            },
            (Some(_), Some(_)) => Err(Problem::invalid(format!("{name} stands in the query twice"))),
        }
    }

    /// A part of the path.
    pub(crate) fn part<T: FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<T, Problem> {
        let text = self.path.iter().find(|(part, _)| part == name).map_or("", |(_, value)| value);
        text.parse().map_err(|error| Problem::invalid(format!("{}: {error}", workflow::Quoted(text))))
    }
}

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Route> {
    OPEN.iter().chain(API.iter()).chain(page::ROUTES.iter())
}

const fn route(method: Method, path: &'static str, about: &'static str, handler: Handler) -> Route {
    Route {
        method,
        path,
        about,
        audience: Audience::Programs,
        reach: Reach::Site,
        body: BodyKind::None,
        takes: None,
        gives: None,
        handler,
    }
}

pub(crate) const fn get(path: &'static str, about: &'static str, handler: Handler) -> Route {
    route(Method::Get, path, about, handler)
}

pub(crate) const fn post(path: &'static str, about: &'static str, handler: Handler) -> Route {
    route(Method::Post, path, about, handler)
}

const fn delete(path: &'static str, about: &'static str, handler: Handler) -> Route {
    route(Method::Delete, path, about, handler)
}

impl Route {
    const fn anywhere(self) -> Self {
        Self { reach: Reach::Any, ..self }
    }

    pub(crate) const fn for_people(self) -> Self {
        Self { audience: Audience::People, ..self }
    }

    pub(crate) const fn with(self, body: BodyKind) -> Self {
        Self { body, ..self }
    }

    /// A JSON body of that shape.
    const fn takes(self, takes: fn() -> Shape) -> Self {
        Self { body: BodyKind::Json, takes: Some(takes), ..self }
    }

    const fn gives(self, gives: fn() -> Shape) -> Self {
        Self { gives: Some(gives), ..self }
    }
}

/// For everybody.
static OPEN: [Route; 7] = [
    get("/healthz", "The process answers.", open::health).anywhere(),
    get("/readyz", "The data folder can be read.", open::ready).anywhere(),
    get("/metrics", "Counters, in the text form of Prometheus.", open::metrics).anywhere(),
    get("/openapi.json", "This document.", openapi::serve),
    get("/.well-known/permission-protocol/keys.json", "The public key set.", open::keys),
    post(
        "/api/v1/receipts/verify",
        "Verify a receipt: one that is sent along as artifact, or one of the caller's by receiptId.",
        open::verify,
    )
    .with(BodyKind::Json),
    get("/api/v1/receipts/{receipt}", "A receipt in the shape of the protocol's clients.", open::receipt),
];

/// For tenants' programs.
static API: [Route; 30] = [
    post("/v1/workflows", "Upload a workflow: a component or a bundle.", workflows::upload)
        .with(BodyKind::Component)
        .gives(shape::<workflows::Workflow>),
    get("/v1/workflows", "List uploaded workflows.", workflows::list).gives(shape::<workflows::Workflows>),
    get("/v1/workflows/{workflow}", "Inspect an uploaded workflow.", workflows::inspect)
        .gives(shape::<workflows::Workflow>),
    delete("/v1/workflows/{workflow}", "Forget an upload. Its instances go on.", workflows::forget),
    post("/v1/instances", "Create an instance; the same again is the same instance.", instances::create)
        .takes(shape::<instances::NewInstance>)
        .gives(shape::<instances::CreatedInstance>),
    get("/v1/instances", "List instances, newest first: ?status, ?limit.", instances::list),
    get("/v1/instances/{instance}", "Show an instance.", instances::show),
    get("/v1/instances/{instance}/output", "What the guest has printed.", instances::output),
    get(
        "/v1/instances/{instance}/events",
        "Follow an instance's facts as server-sent events; Last-Event-ID or ?from resumes.",
        follow::events,
    ),
    post("/v1/instances/{instance}/events", "Send an event.", instances::send_event)
        .takes(shape::<instances::NewEvent>)
        .gives(shape::<instances::Standing>),
    post("/v1/instances/{instance}/pause", "Pause.", instances::pause).gives(shape::<instances::Standing>),
    post("/v1/instances/{instance}/resume", "Resume.", instances::resume).gives(shape::<instances::Standing>),
    post("/v1/instances/{instance}/terminate", "Terminate.", instances::terminate)
        .takes(shape::<instances::Why>)
        .gives(shape::<instances::Standing>),
    post("/v1/instances/{instance}/restart", "Send back to an earlier place.", instances::restart)
        .takes(shape::<instances::Restart>)
        .gives(shape::<instances::Standing>),
    post(
        "/v1/instances/{instance}/resolve",
        "Record what was found out about an action whose outcome is unknown.",
        instances::resolve,
    )
    .takes(shape::<instances::Resolution>)
    .gives(shape::<instances::Standing>),
    delete("/v1/instances/{instance}", "Delete an instance that has ended.", instances::delete)
        .gives(shape::<instances::Standing>),
    get("/v1/approvals", "List requests that wait for a decision.", approvals::list),
    get("/v1/approvals/{request}", "Show a request: the exact text and digests.", approvals::show),
    get("/v1/approvals/{request}/explanation", "What the policy says, and why.", approvals::explain),
    post("/v1/approvals/{request}/statement", "Draw up what a person would sign.", approvals::statement)
        .takes(shape::<approvals::Draft>)
        .gives(shape::<approvals::Statement>),
    post("/v1/approvals/{request}/signatures", "Hand in what a person has signed.", approvals::sign)
        .takes(shape::<approvals::Signed>)
        .gives(shape::<approvals::Decided>),
    post("/v1/approvals/{request}/withdraw", "Take a request back.", approvals::withdraw)
        .takes(shape::<instances::Why>)
        .gives(shape::<approvals::Decided>),
    get("/v1/receipts", "List receipts and revocations.", receipts::list),
    get("/v1/receipts/{receipt}", "Show a receipt.", receipts::show),
    get("/v1/receipts/{receipt}/export", "Export a receipt: ?extent=owner or public.", receipts::export),
    post("/v1/receipts/{receipt}/revoke", "Take a receipt back before it is spent.", receipts::revoke)
        .takes(shape::<instances::Why>)
        .gives(shape::<receipts::Revoked>),
    get("/v1/deployments", "List deployments.", receipts::deployments),
    get("/v1/usage", "What the tenant keeps.", receipts::usage),
    get("/v1/limits", "The tenant's limits.", receipts::limits),
    get("/v1/audit", "The audit as JSON lines: of the tenant, or ?instance.", audit::audit),
];
