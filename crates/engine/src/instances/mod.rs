//! What is done to an instance from outside: created, signalled, deleted.

mod create;
mod deletion;
pub(crate) mod signal;

pub(crate) use deletion::delete;
pub use create::{Start, Workflow};
pub use signal::Back;
