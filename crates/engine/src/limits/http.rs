//! The limits of HTTP callers. The engine itself serves no HTTP; these bounds are here so that one table has all of
//! them.

use std::time::Duration;

/// The bounds on HTTP, for all callers together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpLimits {
    /// Connections at once. Default 12 000.
    pub connections: u64,
    /// Requests being answered at once. Default 256.
    pub requests: u64,
    /// Event streams at once. Default 10 000.
    pub followers: u64,
    /// The head of a request: its line and its headers. Default 16 KiB.
    pub head_bytes: u64,
    /// Time to send a head, and idle time between two requests. Default 10 s.
    pub head_timeout: Duration,
    /// Bytes of a request's body, other than an uploaded workflow, which `component-bytes` bounds. Default 4 MiB.
    pub body_bytes: u64,
    /// Bodies of requests and of answers under way, together, without the first 4 KiB of each. Events that followers have
    /// not read have a second bound of that size, and bodies from callers without a valid token or session have an
    /// eighth of it. Default 256 MiB.
    pub body_memory_bytes: u64,
    /// Time to send a body, to answer, and to read a piece of the answer. Default 30 s.
    pub timeout: Duration,
    /// The longest time of an event stream. Default one hour.
    pub stream_time: Duration,
    /// Requests a minute of one token. Default 600.
    pub token_requests: u32,
    /// Requests of one token being answered at once. Default 64.
    pub token_concurrency: u32,
}

/// The names of the bounds in errors, settings and on the command line.
pub mod http_names {
    /// The name of [`HttpLimits::connections`](super::HttpLimits::connections).
    pub const CONNECTIONS: &str = "http-connections";
    /// The name of [`HttpLimits::requests`](super::HttpLimits::requests).
    pub const REQUESTS: &str = "http-requests";
    /// The name of [`HttpLimits::followers`](super::HttpLimits::followers).
    pub const FOLLOWERS: &str = "http-followers";
    /// The name of [`HttpLimits::head_bytes`](super::HttpLimits::head_bytes).
    pub const HEAD_BYTES: &str = "http-head-bytes";
    /// The name of [`HttpLimits::head_timeout`](super::HttpLimits::head_timeout).
    pub const HEAD_TIMEOUT_SECONDS: &str = "http-head-timeout-seconds";
    /// The name of [`HttpLimits::body_bytes`](super::HttpLimits::body_bytes).
    pub const BODY_BYTES: &str = "http-body-bytes";
    /// The name of [`HttpLimits::body_memory_bytes`](super::HttpLimits::body_memory_bytes).
    pub const BODY_MEMORY_BYTES: &str = "http-body-memory-bytes";
    /// The name of [`HttpLimits::timeout`](super::HttpLimits::timeout).
    pub const TIMEOUT_SECONDS: &str = "http-timeout-seconds";
    /// The name of [`HttpLimits::stream_time`](super::HttpLimits::stream_time).
    pub const STREAM_SECONDS: &str = "http-stream-seconds";
    /// The name of [`HttpLimits::token_requests`](super::HttpLimits::token_requests).
    pub const TOKEN_REQUESTS: &str = "http-token-requests";
    /// The name of [`HttpLimits::token_concurrency`](super::HttpLimits::token_concurrency).
    pub const TOKEN_CONCURRENCY: &str = "http-token-concurrency";
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections: 12_000,
            requests: 256,
            followers: 10_000,
            head_bytes: 16 << 10,
            head_timeout: Duration::from_secs(10),
            body_bytes: 4 << 20,
            body_memory_bytes: 256 << 20,
            timeout: Duration::from_secs(30),
            stream_time: Duration::from_secs(3_600),
            token_requests: 600,
            token_concurrency: 64,
        }
    }
}
