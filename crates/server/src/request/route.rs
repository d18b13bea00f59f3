//! A route: its method and path, its audience, its body and answer, and its handler.

use crate::problem::Problem;
use crate::request::RequestContext;
use crate::request::shape::Shape;
use axum::response::Response;
use axum::routing::MethodFilter;

/// A route's handler.
type Handler = fn(&RequestContext) -> Result<Response, Problem>;

/// One route.
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    /// The route's summary, in one line.
    pub(crate) about: &'static str,
    pub(crate) audience: Audience,
    pub(crate) reach: Reach,
    pub(crate) body: BodyKind,
    pub(crate) takes: Option<fn() -> Shape>,
    pub(crate) gives: ResponseKind,
    pub(crate) latency: HandlerLatency,
    pub(crate) handler: Handler,
}

/// The callers of a route, which determine how a problem is shown.
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

/// The host names under which a route answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Only under the server's own name.
    Site,
    /// Any name: monitoring uses the machine's address.
    Any,
}

/// The body of a request.
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

/// The body of a successful answer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ResponseKind {
    /// Text, or a document whose form another specification defines.
    Document,
    /// JSON of that shape.
    Shape(fn() -> Shape),
    /// Nothing: 204.
    Nothing,
}

/// The time that a handler takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HandlerLatency {
    /// The handler reads or writes one instance. Only the disk may delay it: `http-timeout-seconds` does not end it.
    Brief,
    /// The handler may take long.
    Any,
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
        gives: ResponseKind::Document,
        latency: HandlerLatency::Any,
        handler,
    }
}

pub(crate) const fn get(path: &'static str, about: &'static str, handler: Handler) -> Route {
    route(Method::Get, path, about, handler)
}

pub(crate) const fn post(path: &'static str, about: &'static str, handler: Handler) -> Route {
    route(Method::Post, path, about, handler)
}

pub(crate) const fn delete(path: &'static str, about: &'static str, handler: Handler) -> Route {
    route(Method::Delete, path, about, handler)
}

impl Route {
    pub(crate) const fn anywhere(self) -> Self {
        Self { reach: Reach::Any, ..self }
    }

    pub(crate) const fn brief(self) -> Self {
        Self { latency: HandlerLatency::Brief, ..self }
    }

    pub(crate) const fn for_people(self) -> Self {
        Self { audience: Audience::People, ..self }
    }

    pub(crate) const fn with(self, body: BodyKind) -> Self {
        Self { body, ..self }
    }

    /// A JSON body of that shape.
    pub(crate) const fn takes(self, takes: fn() -> Shape) -> Self {
        Self { body: BodyKind::Json, takes: Some(takes), ..self }
    }

    pub(crate) const fn gives(self, gives: fn() -> Shape) -> Self {
        Self { gives: ResponseKind::Shape(gives), ..self }
    }

    /// A success without a body.
    pub(crate) const fn gives_nothing(self) -> Self {
        Self { gives: ResponseKind::Nothing, ..self }
    }
}
