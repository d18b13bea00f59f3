//! What a workflow can do: each primitive through a real guest on a real host, by a clock that the test moves.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

#[path = "durable/beside.rs"]
mod beside;
#[path = "durable/crashes.rs"]
mod crashes;
#[path = "durable/events.rs"]
mod events;
#[path = "durable/killed.rs"]
mod killed;
#[path = "durable/manual.rs"]
mod manual;
#[path = "durable/rollback.rs"]
mod rollback;
#[path = "durable/steps.rs"]
mod steps;
mod support;
