//! Sessions with the server: where it is, TLS, the clock, and the sessions that reads share.

pub(crate) mod clock;
pub(crate) mod connection;
pub(crate) mod location;
mod one_server;
pub(crate) mod readers;
pub(crate) mod server;
pub(crate) mod shared;
pub(crate) mod tls;
