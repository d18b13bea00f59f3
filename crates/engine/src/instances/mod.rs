//! Actions on an instance from outside: create, signal, delete.

mod create;
mod deletion;
pub(crate) mod signal;
mod sweep;

pub use create::{ComponentBytes, Start, Workflow};
pub(crate) use deletion::{Deletion, delete};
pub use signal::RestartPoint;
pub(crate) use sweep::sweep_artifacts;
