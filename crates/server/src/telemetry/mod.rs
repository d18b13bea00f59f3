//! Metrics and traces.

pub(crate) mod metrics;
#[cfg(feature = "otlp")]
pub(crate) mod traces;
