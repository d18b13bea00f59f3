//! The state that all requests share.

use crate::{ServerError, ServerOptions};

use crate::feed::Feed;
use crate::net::site::{Site, SiteUrl};
use crate::net::tls::Tls;
use crate::request::challenges::Challenges;
use crate::request::rates::Rates;
use crate::request::sessions::Sessions;
use crate::telemetry::metrics::Metrics;
use engine::Host;
use engine::limits::HttpLimits;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// The state that all requests share.
pub(crate) struct AppState {
    pub(crate) host: Host,
    pub(crate) feed: Feed,
    pub(crate) site: Site,
    pub(crate) limits: HttpLimits,
    pub(crate) metrics: Metrics,
    pub(crate) sessions: Sessions,
    pub(crate) challenges: Challenges,
    pub(crate) rates: Arc<Rates>,
    /// The largest component that any tenant may have.
    pub(crate) component_bytes: usize,
    /// The certificate, if this server ends TLS.
    pub(crate) tls: Option<Arc<Tls>>,
    /// Called with messages for the operator.
    pub(crate) problems: fn(&str),
    /// One permit for each request that may be answered at once.
    pub(crate) turns: Arc<Semaphore>,
    /// Permits like those of `turns`, for the routes of monitoring, which callers of the others cannot delay.
    pub(crate) monitoring_turns: Arc<Semaphore>,
    /// One permit for each byte of a request's or an answer's body that may be in memory.
    pub(crate) bodies: Arc<Semaphore>,
    /// Permits like those of `bodies`, for the requests of anonymous callers.
    pub(crate) anonymous_bodies: Arc<Semaphore>,
    /// One permit for each byte of an event that a follower's caller has not read.
    pub(crate) unread_events: Arc<Semaphore>,
    /// One permit for each follower that may read facts at once.
    pub(crate) follower_reads: Arc<Semaphore>,
}

/// The most followers that read facts at the same time.
const FOLLOWER_READS: usize = 16;

/// The most monitoring requests that are answered at the same time.
const MONITORING_TURNS: u64 = 16;

/// The part of the memory for bodies that anonymous callers have: an eighth.
const ANONYMOUS_BODIES: u64 = 8;

impl AppState {
    pub(crate) fn new(
        host: Host,
        feed: Feed,
        port: u16,
        options: ServerOptions,
    ) -> Result<Self, ServerError> {
        let ServerOptions { url, limits, component_bytes, tls, problems } = options;
        let tls = tls.map(Tls::open).transpose()?;
        let local = if tls.is_some() { SiteUrl::localhost_with_tls } else { SiteUrl::localhost };
        Ok(Self {
            host,
            feed,
            site: Site::new(url, local(port), port),
            metrics: Metrics::default(),
            sessions: Sessions::default(),
            challenges: Challenges::new()?,
            rates: Arc::new(Rates::new(limits.token_requests, limits.token_concurrency)),
            component_bytes,
            turns: permits(limits.requests),
            monitoring_turns: permits(MONITORING_TURNS),
            bodies: permits(limits.body_memory_bytes),
            anonymous_bodies: permits(limits.body_memory_bytes / ANONYMOUS_BODIES),
            unread_events: permits(limits.body_memory_bytes),
            follower_reads: Arc::new(Semaphore::new(FOLLOWER_READS)),
            limits,
            tls: tls.map(Arc::new),
            problems,
        })
    }
}

fn permits(count: u64) -> Arc<Semaphore> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)))
}
