//! Durable execution: the primitives of a workflow, the worker, signals from outside, and crashes at every point.

mod backwards;
mod concurrency;
pub(crate) mod crash_after_entry;
mod crash_around_effect;
mod events;
mod manual;
mod rollback;
mod sigkill;
mod signals;
mod steps;
mod worker;
