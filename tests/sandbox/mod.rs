//! Guests: from bytes to a program, the calls of a program, and its determinism.

mod clock_and_composition;
mod compile;
mod determinism;
mod fuzz;
mod languages;
mod loader;
mod prebuilt_guests;
mod wasi;
