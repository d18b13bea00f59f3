//! `pp-host`: see `pp-host --help`.

#![forbid(unsafe_code)]

mod cli;

/// Memory is constantly allocated on one thread and freed on another here; with Linux' default allocator the threads
/// would wait for each other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::on_own_stack(cli::main)
}
