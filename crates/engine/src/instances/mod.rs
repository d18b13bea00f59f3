//! What is done to an instance from outside: created, signalled, deleted.

mod create;
mod deletion;
pub(crate) mod signal;
mod sweep;

pub use create::{Start, Workflow};
pub(crate) use deletion::{Deletion, delete};
pub use signal::Back;
pub(crate) use sweep::sweep_artifacts;
