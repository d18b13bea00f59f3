//! A host over HTTP.

mod open;
mod transport;
