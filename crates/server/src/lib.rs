//! Serves a host over HTTP: an API for tenants and operators, a page on which people decide, and metrics. Notifies people of requests.
//!
//! ```text
//! http       connections; one request: Host, origin, body, answer     page     HTML for people
//! routes     every route, in one table                                api      JSON for programs, health, metrics, keys
//! request    a handler's view of a request: caller, path, body        problem  errors in the form of RFC 9457
//! notify     notices to people: a command, a webhook                  feed     notifications of facts
//! telemetry  metrics; spans for an OTLP collector (feature otlp)      net      the site's URL, certificates, requests to receivers
//! ```
//!
//! A handler translates a request to an operation or a query of [`engine::api`], and the engine's answer to JSON or HTML. Whether the
//! caller may do it is decided there, by one table.

mod api;
mod feed;
mod http;
mod net;
mod notify;
mod page;
mod problem;
mod request;
mod routes;
mod telemetry;

pub use feed::Feed;
pub use net::site::{InvalidUrl, SiteUrl};
pub use net::tls::{TlsError, TlsFiles};
pub use notify::{Notifier, NotifyError};
#[cfg(feature = "otlp")]
pub use telemetry::traces::{Traces, TracesError};

use engine::Host;
use engine::limits::HttpLimits;
use engine::limits::http_names::BODY_MEMORY_BYTES;
use request::state::AppState;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;

/// Settings of the server.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The URL that people's browsers use. Default: `localhost`, on the port that the server listens on.
    pub url: Option<SiteUrl>,
    /// The limits of callers.
    pub limits: HttpLimits,
    /// The largest component that any tenant may have, in bytes.
    pub component_bytes: usize,
    /// The certificate, if the server itself ends TLS.
    pub tls: Option<TlsFiles>,
    /// Called with messages for the operator, one line each.
    pub problems: fn(&str),
}

/// The OpenAPI document of the API, as `/openapi.json` answers it.
#[must_use]
pub fn openapi() -> serde_json::Value {
    routes::document()
}

/// Every route: its method, and its path with the names of its parts in braces.
pub fn routes() -> impl Iterator<Item = (&'static str, &'static str)> {
    routes::all().map(|route| (route.method.as_str(), route.path))
}

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The listener.
    #[error("cannot listen: {0}")]
    Listener(#[from] io::Error),
    /// The certificate or its key.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system has no random bytes.
    #[error(transparent)]
    Entropy(#[from] engine::NoEntropy),
    /// A component of the largest size would never fit into the memory of all bodies.
    #[error(
        "limit {BODY_MEMORY_BYTES} is {body_memory_bytes} bytes, less than component-bytes, {component_bytes} bytes: a component of the largest size \
         could not be uploaded; set --limit {BODY_MEMORY_BYTES}={component_bytes} or more, or a lower component-bytes"
    )]
    Bodies {
        /// The bytes of all bodies together.
        body_memory_bytes: u64,
        /// The largest component that any tenant may have, in bytes.
        component_bytes: usize,
    },
}

/// A server that listens but does not answer yet.
pub struct Server {
    listener: TcpListener,
    state: Arc<AppState>,
}

impl Server {
    /// A server on a listener.
    ///
    /// # Errors
    /// When the listener or the certificate cannot be used, or the limits contradict each other.
    pub fn new(
        listener: TcpListener,
        host: Host,
        feed: Feed,
        options: ServerOptions,
    ) -> Result<Self, ServerError> {
        let (body_memory_bytes, component_bytes) =
            (options.limits.body_memory_bytes, options.component_bytes);
        if body_memory_bytes < component_bytes as u64 {
            return Err(ServerError::Bodies { body_memory_bytes, component_bytes });
        }
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(AppState::new(host, feed, port, options)?);
        Ok(Self { listener, state })
    }

    /// The URL at which it is reached.
    #[must_use]
    pub fn url(&self) -> &SiteUrl {
        self.state.site.url()
    }

    /// Answers until `stop` completes, then ends requests in progress. Needs a Tokio runtime with IO and time.
    ///
    /// # Errors
    /// When the listener cannot be used on that runtime.
    pub async fn run(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        http::listen::run(listener, self.state, stop).await;
        Ok(())
    }
}
