//! A host over HTTP.

mod access;
mod api;
mod bounds;
mod command;
mod logs;
mod notices;
mod openapi;
mod page;
mod problems;
mod public;
mod sessions;
mod tls;
mod transport;
