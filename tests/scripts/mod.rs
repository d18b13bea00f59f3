//! Workflows that are source text: JavaScript and TypeScript on the engine that the program brings.

mod api;
mod bytecode;
mod code;
mod conformance;
mod event_loop;
mod hostile;
mod mistakes;
mod random;
mod typescript;
mod upstream;
