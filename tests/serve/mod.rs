//! A host over HTTP.

mod access;
mod api;
mod bounds;
mod command;
mod logs;
mod notices;
mod open;
mod openapi;
mod page;
mod problems;
mod sessions;
mod tls;
mod transport;
