//! Every route, in one table.

use crate::app::State;
use crate::open;
use crate::problem::Problem;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::MethodFilter;
use std::str::FromStr;
use std::sync::Arc;

/// One route.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) reach: Reach,
    pub(crate) body: BodyKind,
    pub(crate) handler: fn(&Asked) -> Result<Response, Problem>,
    /// How a problem is told: to a program, or to a person.
    pub(crate) refuse: fn(Problem) -> Response,
}

/// A method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
}

impl Method {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }

    pub(crate) fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
        }
    }
}

/// Under which names a route answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The server's own only.
    Site,
    /// Any: whoever looks after machines asks by their addresses.
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
    /// A part of the path.
    pub(crate) fn part<T: FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<T, Problem> {
        let text = self.path.iter().find(|(part, _)| part == name).map_or("", |(_, value)| value);
        text.parse().map_err(|error| Problem::invalid(format!("{}: {error}", workflow::Quoted(text))))
    }
}

/// All of them.
pub(crate) fn all() -> impl Iterator<Item = &'static Route> {
    OPEN.iter()
}

const fn get(path: &'static str, handler: fn(&Asked) -> Result<Response, Problem>) -> Route {
    Route {
        method: Method::Get,
        path,
        reach: Reach::Site,
        body: BodyKind::None,
        handler,
        refuse: Problem::into_response,
    }
}

const fn post(path: &'static str, body: BodyKind, handler: fn(&Asked) -> Result<Response, Problem>) -> Route {
    Route { method: Method::Post, path, reach: Reach::Site, body, handler, refuse: Problem::into_response }
}

const fn anywhere(route: Route) -> Route {
    Route { reach: Reach::Any, ..route }
}

/// For everybody.
static OPEN: [Route; 5] = [
    anywhere(get("/healthz", open::health)),
    anywhere(get("/readyz", open::ready)),
    anywhere(get("/metrics", open::metrics)),
    get("/.well-known/permission-protocol/keys.json", open::keys),
    post("/api/v1/receipts/verify", BodyKind::Json, open::verify),
];
