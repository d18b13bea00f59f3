//! `pp-host`: see `pp-host --help`.

#![forbid(unsafe_code)]

mod cli;

/// What is allocated on one thread is freed on another here, all the time; and the one that comes with Linux has them wait for each other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::main()
}
