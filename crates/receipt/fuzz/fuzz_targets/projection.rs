//! See `bodies::projection`.
#![no_main]

#[path = "../../tests/fuzzing/bodies.rs"]
#[expect(dead_code, reason = "every target uses one body")]
mod bodies;
#[path = "../../tests/common/mod.rs"]
#[expect(dead_code, reason = "every target uses its own part of this")]
mod common;

libfuzzer_sys::fuzz_target!(|input: &[u8]| bodies::projection(input));
