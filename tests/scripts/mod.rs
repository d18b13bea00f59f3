//! Workflows that are source text: JavaScript and TypeScript on the built-in engine.

mod api;
mod bodies;
mod bytecode;
mod code;
mod conformance;
mod docs_examples;
mod event_loop;
mod hostile;
mod mistakes;
mod random;
mod rollback;
mod typescript;
mod upstream;
