//! A host over HTTP.

mod access;
mod api;
mod command;
mod open;
mod openapi;
mod page;
mod transport;
