//! The crate's promises, tested from outside. One binary, so that it links once.

#![expect(clippy::unwrap_used, clippy::panic, reason = "in a test, what cannot be had has failed")]

mod common;

mod agent;
mod altered;
mod files;
mod generate;
mod impostor;
mod openssl;
mod public;
mod ssh_keygen;
mod terminal;
