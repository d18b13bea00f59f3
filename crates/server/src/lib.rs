//! Serves a host over HTTP: an API for tenants and operators, a page on which people decide, and metrics. Notifies people of requests.
//!
//! ```text
//! http      connections; one request: Host, origin, body, answer      page   HTML for people
//! notify    notices to people: a command, a webhook                   tls    certificates
//! routes    every route, in one table                                 api    JSON for programs, health, metrics, keys
//! request   what a handler sees: the caller, the path, the body       feed   news of facts for followers
//! outbound  requests to an operator's receivers                       traces spans for an OTLP collector (feature otlp)
//! ```
//!
//! A handler is a translation: a request to an operation or a query of [`engine::api`], and what that answers to JSON or HTML. Whether the
//! caller may do it is decided there, by one table.

mod api;
mod feed;
mod http;
mod metrics;
mod notify;
mod outbound;
mod page;
mod problem;
mod request;
mod routes;
mod site;
mod tls;
#[cfg(feature = "otlp")]
mod traces;

pub use feed::Feed;
pub use notify::{Notifier, NotifyError};
pub use site::{InvalidUrl, SiteUrl};
pub use tls::{TlsError, TlsFiles};
#[cfg(feature = "otlp")]
pub use traces::{Traces, TracesError};

use engine::Host;
use engine::limits::HttpLimits;
use request::state::State;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;

/// How a host is served.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Where it is reached by people's browsers. Default: `localhost`, on the port that it listens on.
    pub url: Option<SiteUrl>,
    /// What callers may use.
    pub limits: HttpLimits,
    /// The largest component that any tenant may have, in bytes.
    pub component_bytes: usize,
    /// The certificate, where the server itself ends TLS.
    pub tls: Option<TlsFiles>,
    /// Called with what an operator should know, in words of one line.
    pub problems: fn(&str),
}

/// The OpenAPI document of the API, as `/openapi.json` answers it.
#[must_use]
pub fn openapi() -> serde_json::Value {
    api::openapi::document(routes::all())
}

/// Every route: its method, and its path with the names of its parts in braces.
pub fn routes() -> impl Iterator<Item = (&'static str, &'static str)> {
    routes::all().map(|route| (route.method.as_str(), route.path))
}

/// A server that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The listener.
    #[error("cannot listen: {0}")]
    Listener(#[from] io::Error),
    /// The certificate or its key.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// A server that listens and does not answer yet.
pub struct Server {
    listener: TcpListener,
    state: Arc<State>,
}

impl Server {
    /// Serves what comes to a listener.
    ///
    /// # Errors
    /// When the listener or the certificate cannot be used.
    pub fn new(
        listener: TcpListener,
        host: Host,
        feed: Feed,
        options: ServerOptions,
    ) -> Result<Self, ServerError> {
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(State::new(host, feed, port, options)?);
        Ok(Self { listener, state })
    }

    /// Where it is reached.
    #[must_use]
    pub fn url(&self) -> &SiteUrl {
        self.state.site.url()
    }

    /// Answers until `stop` comes, then ends what is under way. Needs a Tokio runtime with IO and time.
    ///
    /// # Errors
    /// When the listener cannot be used there.
    pub async fn run(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        http::listen::run(listener, self.state, stop).await;
        Ok(())
    }
}
