//! The state that all requests share.

use crate::ServerOptions;
use crate::feed::Feed;
use crate::metrics::Metrics;
use crate::request::sessions::Sessions;
use crate::site::Site;
use engine::Host;
use engine::limits::HttpLimits;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What all requests share.
pub(crate) struct State {
    pub(crate) host: Host,
    pub(crate) feed: Feed,
    pub(crate) site: Site,
    pub(crate) limits: HttpLimits,
    pub(crate) metrics: Metrics,
    pub(crate) sessions: Sessions,
    /// The largest component that any tenant may have.
    pub(crate) component_bytes: usize,
    /// One permit for each request that may be answered at a time.
    pub(crate) turns: Arc<Semaphore>,
}

impl State {
    pub(crate) fn new(host: Host, feed: Feed, port: u16, options: ServerOptions) -> Self {
        let ServerOptions { url, limits, component_bytes } = options;
        let turns = usize::try_from(limits.requests).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self {
            host,
            feed,
            site: Site::new(url, port),
            metrics: Metrics::default(),
            sessions: Sessions::default(),
            component_bytes,
            turns: Arc::new(Semaphore::new(turns)),
            limits,
        }
    }
}
