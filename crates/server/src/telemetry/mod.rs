//! What the server tells those who watch it: metrics and traces.

pub(crate) mod metrics;
#[cfg(feature = "otlp")]
pub(crate) mod traces;
