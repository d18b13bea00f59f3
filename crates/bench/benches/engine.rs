//! The cost of durability on this machine. Prints; asserts nothing.
//!
//! `cargo bench -p bench --bench engine [-- [--quick] [SECTION…]]`

use bench::{Bench, RunLength, Section};
use std::process::ExitCode;

/// The allocator of `pp-host`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Cargo adds an argument of its own.
    let words: Vec<_> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let run_length =
        if words.iter().any(|word| word == "--quick") { RunLength::Quick } else { RunLength::Whole };
    let bench = Bench { folder: std::env::temp_dir(), run_length };
    let named = |section: &Section| words.iter().any(|word| word == section.name());
    let sections: Vec<_> = match Section::ALL.into_iter().filter(named).collect::<Vec<_>>() {
        none if none.is_empty() => Section::ALL.to_vec(),
        some => some,
    };
    for section in sections {
        println!("{}", section.name());
        if let Err(error) = bench.run(section, &mut |line| println!("  {line}")) {
            eprintln!("{}: {error}", section.name());
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
