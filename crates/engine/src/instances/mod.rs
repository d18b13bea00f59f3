//! What is done to an instance from outside: created, signalled, deleted.

mod create;
mod deletion;
pub(crate) mod signal;

pub use create::{Start, Workflow};
pub(crate) use deletion::delete;
pub use signal::Back;
