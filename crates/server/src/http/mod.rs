//! Connections, and the handling of one request.

pub(crate) mod app;
pub(crate) mod body;
pub(crate) mod listen;
pub(crate) mod timed_stream;
