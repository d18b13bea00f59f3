//! Workflows that are source text: JavaScript and TypeScript on the built-in engine.

mod api;
mod bodies;
mod bytecode;
mod code;
mod conformance;
mod event_loop;
mod hostile;
mod manual;
mod mistakes;
mod random;
mod rollback;
mod typescript;
mod upstream;
