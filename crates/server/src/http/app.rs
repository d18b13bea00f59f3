//! One request: checks the host and the caller, reads the body, calls the handler and finishes the answer.

use crate::http::body;
use crate::page;
use crate::problem::Problem;
use crate::request::RequestContext;
use crate::request::route::{Audience, BodyKind, HandlerLatency, Reach, Route};
use crate::request::state::AppState;
use crate::routes;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{FromRequestParts as _, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Response as HttpResponse, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::on;
use engine::limits::http_names;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use tokio::runtime::{Handle, RuntimeFlavor};
use tower_http::csrf::{CsrfLayer, ProtectionError};
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

/// The other side of the connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Every route with the layers around it.
pub(crate) fn router(state: &Arc<AppState>) -> Router {
    let mut router = Router::new();
    for route in routes::all() {
        let state = Arc::clone(state);
        let handler = move |request: Request| dispatch(Arc::clone(&state), route, request);
        router = router.route(route.path, on(route.method.filter(), handler));
    }
    let csrf = CsrfLayer::new().with_rejection_response(|_: ProtectionError| {
        Problem::new(
            StatusCode::FORBIDDEN,
            "cross-site",
            "the request comes from a page of another site; nothing was done",
        )
        .into_response()
    });
    router
        .fallback(|headers: HeaderMap| async move {
            for_the_caller(&Problem::not_found("there is no such page or resource"), &headers)
        })
        .method_not_allowed_fallback(|uri: Uri, headers: HeaderMap| async move {
            if let Some(page) = page::of_form(uri.path()).filter(|_| accepts(&headers, "text/html")) {
                return page::go(page);
            }
            let detail = "the resource does not have that method";
            for_the_caller(&Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method", detail), &headers)
        })
        .layer(csrf)
        .layer(axum::middleware::map_response(guarded))
}

/// A problem as a page for a browser, and as JSON for a program.
fn for_the_caller(problem: &Problem, headers: &HeaderMap) -> Response {
    match accepts(headers, "text/html") {
        true => page::refusal(problem, None),
        false => problem.clone().into_response(),
    }
}

async fn dispatch(state: Arc<AppState>, route: &'static Route, request: Request) -> Response {
    let begun = Instant::now();
    let is_page = shows_page(route, request.headers());
    // The route and not the URL: a query may contain a secret of the caller's.
    let (method, path) = (route.method.as_str(), route.path);
    let span = tracing::info_span!("http", method, route = path, tenant = Empty);
    let answered = answer(&state, route, request).instrument(span.clone()).await;
    let response = match answered {
        Ok(response) => response,
        Err(problem) if is_page => page::refusal(&problem, None),
        Err(problem) => problem.into_response(),
    };
    let (status, took) = (response.status().as_u16(), begun.elapsed());
    state.metrics.answered(method, path, status, took);
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    span.in_scope(|| tracing::debug!(status, micros, "answered"));
    response
}

async fn answer(state: &Arc<AppState>, route: &'static Route, request: Request) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let host = host(&parts)?;
    if route.reach == Reach::Site && !state.site.answers_to(host) {
        return Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            "misdirected",
            format!("this server is reached as {}", state.site.url()),
        ));
    }
    let is_local = state.site.is_local(host) && is_loopback(&parts);
    check_kind(route.body, &parts.headers)?;
    let path = RawPathParams::from_request_parts(&mut parts, &()).await;
    let path = path.map_err(|_| Problem::invalid("the path is not UTF-8 behind its percent signs"))?;
    let path = path.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let query = parts.uri.query().map(ToOwned::to_owned);
    let (state, headers) = (Arc::clone(state), parts.headers);
    let context =
        RequestContext { state, is_local, path, query, headers, body: Bytes::new(), caller: OnceLock::new() };
    let (context, held) = body::read(context, route.body, body).await?;
    let state = Arc::clone(&context.state);
    let busy =
        || Problem::limit(StatusCode::SERVICE_UNAVAILABLE, http_names::REQUESTS, state.limits.requests);
    let turns = match route.reach {
        Reach::Site => &state.turns,
        Reach::Any => &state.monitoring_turns,
    };
    // Only after the body has arrived: otherwise slow callers would hold every permit.
    let turn = Arc::clone(turns).try_acquire_owned().map_err(|_| busy())?;
    let span = Span::current();
    let is_page = shows_page(route, &context.headers);
    let handle = move || {
        let _until_answered = (turn, held);
        span.in_scope(|| match (route.handler)(&context) {
            Err(problem) if is_page => Ok(page::refusal(&problem, Some(&context))),
            answered => answered,
        })
    };
    let panicked = || Err(Problem::internal(&"the handler panicked"));
    let caught = move || catch_unwind(AssertUnwindSafe(handle)).unwrap_or_else(|_| panicked());
    let answered = if is_answered_in_place(&state, route) {
        tokio::task::block_in_place(caught)
    } else {
        let answered = tokio::time::timeout(state.limits.timeout, tokio::task::spawn_blocking(caught));
        answered.await.map_err(|_| late(&state))?.unwrap_or_else(|ended| Err(Problem::internal(&ended)))
    };
    body::counted_until_sent(&state, route, answered?).await
}

fn late(state: &AppState) -> Problem {
    let most = format_args!("{} s", state.limits.timeout.as_secs());
    Problem::limit(StatusCode::GATEWAY_TIMEOUT, http_names::TIMEOUT_SECONDS, most)
}

/// Whether a handler runs on its connection's thread; the runtime moves that thread's other tasks to another. Waking a thread for the handler,
/// and the connection's again, takes longer than a brief handler over a local disk. A handler that may take long, or waits for a network, has a
/// thread of its own, and its caller gets an answer in time.
fn is_answered_in_place(state: &AppState, route: &Route) -> bool {
    let is_brief = route.latency == HandlerLatency::Brief && !state.host.shares_store();
    is_brief && Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread
}

/// The host name that a request is for. If it has two, a proxy and this server could use different ones.
fn host(parts: &Parts) -> Result<&str, Problem> {
    let mut named = parts.headers.get_all(header::HOST).iter().map(|host| host.to_str().unwrap_or_default());
    let host = named.next().unwrap_or_default();
    let target = parts.uri.authority().map(|authority| authority.as_str());
    match named.next().or(target.filter(|target| *target != host)) {
        None => Ok(host),
        Some(_) => Err(Problem::invalid(
            "the request names two hosts: it has one Host header, and no other host in its target",
        )),
    }
}

/// Whether a problem is shown as a page. The page's script asks for JSON, and gets problems in JSON.
fn shows_page(route: &Route, headers: &HeaderMap) -> bool {
    let is_script = route.body == BodyKind::Json || accepts(headers, "application/json");
    route.audience == Audience::People && !is_script
}

/// Whether this is the kind that the caller names first.
fn accepts(headers: &HeaderMap, kind: &str) -> bool {
    headers.get(header::ACCEPT).is_some_and(|kinds| kinds.as_bytes().starts_with(kind.as_bytes()))
}

fn is_loopback(parts: &Parts) -> bool {
    parts.extensions.get::<Peer>().is_some_and(|Peer(peer)| peer.ip().to_canonical().is_loopback())
}

fn check_kind(kind: BodyKind, headers: &HeaderMap) -> Result<(), Problem> {
    let expected = match kind {
        BodyKind::None | BodyKind::Component => return Ok(()),
        BodyKind::Json => "application/json",
        BodyKind::Form => "application/x-www-form-urlencoded",
    };
    let sent = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let essence = sent.split(';').next().unwrap_or_default().trim();
    match essence.eq_ignore_ascii_case(expected) {
        true => Ok(()),
        false => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "media-type",
            format!("the body has to be of type {expected}: send it with that Content-Type"),
        )),
    }
}

/// Headers of every answer: a browser loads nothing from other origins, runs only the page's script, shows no page in a frame, caches nothing.
const GUARDS: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'; require-trusted-types-for 'script'",
    ),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "publickey-credentials-get=(self), publickey-credentials-create=(self)"),
    ("cache-control", "no-store"),
];

async fn guarded(mut response: HttpResponse<Body>) -> HttpResponse<Body> {
    for (name, value) in GUARDS {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
