//! A host over HTTP.

mod access;
mod api;
mod command;
mod notices;
mod open;
mod openapi;
mod page;
mod tls;
mod transport;
