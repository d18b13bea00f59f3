//! Guests: from bytes to a program, the calls of a program, and its determinism.

mod compile;
mod determinism;
mod fuzz;
mod guest_clock;
mod guest_failures;
mod languages;
mod loader;
mod prebuilt_guests;
mod wasi;
