//! `pp-host`: see `pp-host --help`.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
