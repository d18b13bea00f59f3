//! Workflows that are source text: JavaScript and TypeScript on the engine that the program brings.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

#[path = "scripts/api.rs"]
mod api;
#[path = "scripts/code.rs"]
mod code;
#[path = "scripts/event_loop.rs"]
mod event_loop;
#[path = "scripts/hostile.rs"]
mod hostile;
#[path = "scripts/mistakes.rs"]
mod mistakes;
mod support;
#[path = "scripts/typescript.rs"]
mod typescript;
#[path = "scripts/upstream.rs"]
mod upstream;
