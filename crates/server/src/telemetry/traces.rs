//! Traces for an OTLP collector, over HTTP: one trace for each instance, whichever hosts drive it and however often it waits.
//!
//! The ids of the trace and of its root span are derived from the instance's key, so that every drive on every host joins the
//! same trace without asking another host.

use crate::net::outbound::{Receiver, ReceiverError};
use async_trait::async_trait;
use axum::body::Bytes;
use axum::http::{Request, Response, StatusCode};
use http_body_util::Full;
use opentelemetry::trace::{
    Span as _, SpanBuilder, SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
    Tracer as _, TracerProvider as _,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{IdGenerator, SdkTracer, SdkTracerProvider};
use receipt::{Digest, Timestamp};
use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use store::{Fact, InstanceKey};
use tokio::runtime::Runtime;
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::registry::LookupSpan;
use workflow::Entry;

/// The domain separator from which a trace's id is derived, together with the instance's key.
const DOMAIN: &str = "permission-protocol trace of an instance, version 1";

/// The path that is added to a collector's URL without one.
const PATH: &str = "/v1/traces";

/// The time in which a collector must answer a request. The exporter sends one request at a time and sets no limit for a client that is
/// passed to it: without this limit, a connection that hangs would stop all exports.
const ANSWER: Duration = Duration::from_secs(10);

/// The time to send remaining spans when the process ends.
const LAST: Duration = Duration::from_secs(3);

/// A collector that cannot be used, or an exporter that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// The URL.
    #[error(
        "{0} is no URL of a collector: https://HOST[:PORT][/PATH], or http:// on this machine (localhost, 127.0.0.1, [::1])"
    )]
    Url(String),
    /// The certificates that are trusted.
    #[error("cannot trust a collector: {0}")]
    Tls(String),
    /// The exporter.
    #[error("cannot export traces: {0}")]
    Exporter(String),
}

/// An exporter of traces. Pass a clone's [`place`](Self::place) to [`Builder::on_drive_span`](engine::Builder::on_drive_span), and its
/// [`fact`](Self::fact) to [`Builder::on_fact`](engine::Builder::on_fact).
#[derive(Debug, Clone)]
pub struct Traces {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Traces {
    /// Exports to the collector at a URL. Threads of their own send spans, and no drive waits for them: spans beyond a bound are dropped.
    ///
    /// # Errors
    /// When the URL or the exporter cannot be used.
    pub fn begin(url: &str) -> Result<Self, TracesError> {
        let url = with_path(url);
        let receiver = Receiver::new(&url, None).map_err(|error| match error {
            ReceiverError::Url => TracesError::Url(workflow::Quoted(&url).to_string()),
            ReceiverError::Tls(problem) => TracesError::Tls(problem),
        })?;
        let failed = |error: &dyn fmt::Display| TracesError::Exporter(error.to_string());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let (receiver, runtime) = (Arc::new(receiver), runtime.map_err(|error| failed(&error))?);
        let client = Client { receiver, runtime, is_failing: AtomicBool::new(false) };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(&url)
            .build()
            .map_err(|error| failed(&error))?;
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_id_generator(Ids)
            .with_resource(Resource::builder().with_service_name("pp-host").build())
            .build();
        let tracer = provider.tracer("pp-host");
        Ok(Self { provider, tracer })
    }

    /// The layer that records spans.
    pub fn layer<S: Subscriber + for<'span> LookupSpan<'span>>(&self) -> impl Layer<S> {
        tracing_opentelemetry::layer()
            .with_tracer(self.tracer.clone())
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
    }

    /// Places a span in its instance's trace.
    pub fn place(key: &InstanceKey, span: &tracing::Span) {
        let (trace, root) = ids(key);
        let parent = SpanContext::new(trace, root, TraceFlags::SAMPLED, true, TraceState::default());
        // A span that is not recorded has no parent.
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }

    /// Begins the trace of an instance with its first fact: the root span of all its drives.
    pub fn fact(&self, fact: &Fact) {
        if !matches!(fact.entry, Entry::Started { .. }) {
            return;
        }
        let at = time(fact.at);
        let attributes =
            [("tenant", fact.key.tenant.to_string()), ("instance", fact.key.instance.to_string())];
        let attributes = attributes.map(|(name, value)| KeyValue::new(name, value));
        let builder =
            SpanBuilder::from_name("instance").with_start_time(at).with_attributes(attributes.to_vec());
        NEXT.set(Some(ids(&fact.key)));
        let mut root = self.tracer.build_with_context(builder, &Context::new());
        NEXT.set(None);
        root.end_with_timestamp(at);
    }

    /// Sends the remaining spans, within the time limit.
    pub fn finish(&self) {
        let _ = self.provider.shutdown_with_timeout(LAST);
    }
}

/// The URL, with [`PATH`] if it has no path or only `/`.
fn with_path(url: &str) -> String {
    match (url.matches('/').count(), url.strip_suffix('/')) {
        (..=2, _) => format!("{url}{PATH}"),
        (3, Some(origin)) => format!("{origin}{PATH}"),
        _ => url.to_owned(),
    }
}

fn time(at: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(at.as_millis()).unwrap_or(0))
}

/// The ids of an instance's trace, and of its root span.
fn ids(key: &InstanceKey) -> (TraceId, SpanId) {
    let digest = Digest::of(format!("{DOMAIN}\n{}\n{}", key.tenant, key.instance).as_bytes());
    let (mut trace, mut root) = ([0; 16], [0; 8]);
    trace.copy_from_slice(&digest.as_bytes()[..16]);
    root.copy_from_slice(&digest.as_bytes()[16..24]);
    (TraceId::from_bytes(trace), SpanId::from_bytes(root))
}

thread_local! {
    /// The derived ids of the span that this thread begins next, if it is a root span.
    static NEXT: Cell<Option<(TraceId, SpanId)>> = const { Cell::new(None) };
}

/// Ids of spans: derived for a root span, random for all others.
#[derive(Debug)]
struct Ids;

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        NEXT.get().map_or_else(|| TraceId::from_bytes(random()), |(trace, _)| trace)
    }

    fn new_span_id(&self) -> SpanId {
        NEXT.get().map_or_else(|| SpanId::from_bytes(random()), |(_, root)| root)
    }
}

/// A random id. Without entropy the id is invalid, and the span is not exported.
fn random<const N: usize>() -> [u8; N] {
    let mut id = [0; N];
    if let Ok(bytes) = engine::random_bytes() {
        id.copy_from_slice(&bytes[..N]);
    }
    id
}

/// The exporter's HTTP client. The exporter's threads have no async runtime of their own.
struct Client {
    receiver: Arc<Receiver>,
    runtime: Runtime,
    /// Whether the last request failed. Only the first failure is logged.
    is_failing: AtomicBool,
}

impl Client {
    async fn send(&self, request: Request<Full<Bytes>>) -> Result<StatusCode, HttpError> {
        let receiver = Arc::clone(&self.receiver);
        let answered = async move { tokio::time::timeout(ANSWER, receiver.send(request)).await };
        match self.runtime.spawn(answered).await? {
            Ok(status) => Ok(status?),
            Err(_) => Err(format!("it gave no answer in {} s", ANSWER.as_secs()).into()),
        }
    }

    /// Logs the first failure after a success. The exporter itself reports none.
    fn log(&self, answered: &Result<StatusCode, HttpError>) {
        let problem = match answered {
            Ok(status) if status.is_success() => return self.is_failing.store(false, Ordering::Relaxed),
            Ok(status) => format!("it answered {}", status.as_u16()),
            Err(error) => error.to_string(),
        };
        if !self.is_failing.swap(true, Ordering::Relaxed) {
            tracing::warn!(collector = %self.receiver, problem, "spans are lost: the collector does not accept them");
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.receiver)
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let mut sent = self.receiver.request().body(Full::new(body))?;
        for (name, value) in &parts.headers {
            sent.headers_mut().entry(name).or_insert_with(|| value.clone());
        }
        let answered = self.send(sent).await;
        self.log(&answered);
        Ok(Response::builder().status(answered?).body(Bytes::new())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_a_path_gets_the_path_of_traces() {
        for (url, expected) in [
            ("http://localhost:4318", "http://localhost:4318/v1/traces"),
            ("http://localhost:4318/", "http://localhost:4318/v1/traces"),
            ("https://collector.example/v1/traces", "https://collector.example/v1/traces"),
            ("https://collector.example/otlp/", "https://collector.example/otlp/"),
        ] {
            assert_eq!(with_path(url), expected);
        }
    }
}
