//! Durable execution: the primitives of a workflow, the worker, signals from outside, and crashes at every point.

mod clock_set_back;
mod concurrency;
pub(crate) mod crash_after_entry;
mod crash_around_effect;
mod docs_examples;
mod events;
mod rollback;
mod sigkill;
mod signals;
mod steps;
mod worker;
