//! The core's promises, tested from outside. One binary, so that it links once.

#![expect(clippy::unwrap_used, clippy::panic, reason = "in a test, what cannot be had has failed")]

mod common;
mod strategies;

mod breaks;
mod crashes;
mod decisions;
mod digest;
mod display;
mod divergence;
mod entries;
mod limits;
mod news;
mod operator;
mod outcomes;
mod positions;
mod prefixes;
mod retries;
mod started_calls;
mod table;
mod waits;
