//! The crate's promises, tested from outside. One binary, so that it links once.

#![expect(clippy::unwrap_used, clippy::panic, reason = "in a test, what cannot be had has failed")]

mod common;
mod strategies;

mod approvals;
mod attesting;
mod build_rule;
mod deciders;
mod differential;
mod docs;
mod dsse;
mod fuzzing;
mod json;
mod keys;
mod minting;
mod opening;
mod passkeys;
mod projection;
mod quorum;
mod requests;
mod rules;
mod schema;
mod statements;
mod tamper;
mod timestamps;
mod vectors;
