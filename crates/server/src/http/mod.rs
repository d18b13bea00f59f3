//! Connections, and one request from its head to its answer.

pub(crate) mod app;
pub(crate) mod listen;
pub(crate) mod paced;
