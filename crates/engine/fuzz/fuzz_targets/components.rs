//! See `fuzzing::components`. An input that is a module is used as it is; from any other input a module is generated.
#![no_main]

#[path = "../../../../tests/fuzzing/mod.rs"]
mod fuzzing;

use arbitrary::Unstructured;
use std::sync::LazyLock;
use wasm_smith::{Config, Module};

static SHAPE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    #[expect(clippy::unwrap_used, reason = "a text of our own")]
    wat::parse_str(fuzzing::components::SHAPE).unwrap()
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if input.starts_with(b"\0asm") {
        let _ = fuzzing::components::stand(input);
        return;
    }
    let mut u = Unstructured::new(input);
    if let Ok(module) = u.ratio(1, 2).and_then(|tame| Module::new(config(tame), &mut u)) {
        let module = module.to_bytes();
        assert!(fuzzing::components::stand(&module), "a valid module was refused");
    }
});

/// The features that the host's runtime allows, bounded as here.
fn config(disallow_traps: bool) -> Config {
    Config {
        module_shape: Some(SHAPE.clone()),
        disallow_traps,
        max_funcs: 20,
        max_instructions: 200,
        max_memories: 0,
        max_table_elements: 500,
        custom_page_sizes_enabled: false,
        exceptions_enabled: false,
        gc_enabled: false,
        memory64_enabled: false,
        reference_types_enabled: false,
        relaxed_simd_enabled: false,
        shared_everything_threads_enabled: false,
        tail_call_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        ..Config::default()
    }
}
