//! The crate's promises, tested from outside. One binary, so that it links once.

#![expect(clippy::unwrap_used, clippy::panic, reason = "in a test, what cannot be had has failed")]

mod common;
mod strategies;

#[cfg(feature = "cedar")]
mod agreement;
#[cfg(feature = "cedar")]
mod cedar;
#[cfg(feature = "cedar")]
mod cedar_refusals;
mod docs;
mod explanations;
mod laws;
mod refusals;
mod rules;
