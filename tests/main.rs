//! The integration tests of the workspace: one program, a folder for each part of the system.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]
#![expect(unreachable_pub, reason = "helpers are public for the tests, and nothing imports a test program")]

mod approvals;
mod cli;
mod drive;
mod fuzzing;
mod operations;
mod promises;
mod sandbox;
mod scale;
mod scripts;
mod serve;
mod store;
mod support;
