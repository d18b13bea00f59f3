//! What the crate promises, tested from outside. One binary, so that it links once.

#![expect(clippy::unwrap_used, clippy::panic, reason = "in a test, what cannot be had has failed")]

mod common;
mod strategies;

mod attesting;
mod build_rule;
mod differential;
mod docs;
mod fuzzing;
mod json;
mod keys;
mod minting;
mod opening;
mod projection;
mod rules;
mod schema;
mod tamper;
mod timestamps;
mod vectors;
