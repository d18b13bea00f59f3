//! Guests: from bytes to a program, what a program may call, and that it always does the same.

mod compile;
mod determinism;
mod fuzz;
mod loader;
mod prebuilt_guests;
mod wasi;
