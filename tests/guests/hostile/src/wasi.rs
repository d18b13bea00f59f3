//! WASI, called by hand: every interface that the host links, asked for what it must not give.

use guest_sdk::Failure;
use guest_sdk::serde_json::Value;
use guest_sdk::serde_json::json;
use wasip2::cli;
use wasip2::clocks;
use wasip2::filesystem;
use wasip2::io;
use wasip2::random;

pub(crate) fn attack(name: &str) -> Option<Result<Value, Failure>> {
    Some(Ok(match name {
        "wasi-environment" => environment(),
        "wasi-directories" => json!({ "directories": filesystem::preopens::get_directories().len() }),
        "wasi-descriptor" => descriptor(),
        "wasi-input" => input(),
        "wasi-terminals" => terminals(),
        "wasi-random" => json!({ "survived": random::random::get_random_bytes(1 << 40).len() }),
        "wasi-insecure-random" => {
            json!({ "survived": random::insecure::get_insecure_random_bytes(1 << 40).len() })
        }
        "wasi-zeroes" => zeroes(),
        "wasi-clock" => clock(),
        "wasi-wait" => wait(),
        "wasi-poll-nothing" => json!({ "survived": io::poll::poll(&[]).len() }),
        "wasi-pollables" => pollables(),
        "wasi-exit" => {
            cli::exit::exit(Ok(()));
            json!({ "survived": true })
        }
        _ => return None,
    }))
}

fn environment() -> Value {
    json!({
        "variables": cli::environment::get_environment().len(),
        "arguments": cli::environment::get_arguments().len(),
        "folder": cli::environment::initial_cwd(),
    })
}

/// A directory that was never opened.
fn descriptor() -> Value {
    // SAFETY: none. That is the attack.
    let root = unsafe { filesystem::types::Descriptor::from_handle(3) };
    let opened = root.open_at(
        filesystem::types::PathFlags::SYMLINK_FOLLOW,
        "/etc/passwd",
        filesystem::types::OpenFlags::empty(),
        filesystem::types::DescriptorFlags::READ,
    );
    json!({ "survived": opened.is_ok() })
}

fn input() -> Value {
    let read = cli::stdin::get_stdin().blocking_read(u64::MAX);
    json!({ "read": read.map_or_else(|error| error.to_string(), |bytes| bytes.len().to_string()) })
}

fn terminals() -> Value {
    json!({
        "input": cli::terminal_stdin::get_terminal_stdin().is_some(),
        "output": cli::terminal_stdout::get_terminal_stdout().is_some(),
        "error": cli::terminal_stderr::get_terminal_stderr().is_some(),
    })
}

/// A terabyte that the host would have to make itself.
fn zeroes() -> Value {
    let written = cli::stdout::get_stdout().write_zeroes(1 << 40);
    json!({ "survived": written.is_ok() })
}

/// The time, as often as one likes: it does not move by more than the asking.
fn clock() -> Value {
    let (wall, ticks) = (clocks::wall_clock::now(), clocks::monotonic_clock::now());
    let mut work = 0_u64;
    for number in 0..1_000_000_u64 {
        work = std::hint::black_box(work.wrapping_add(number));
    }
    let again = clocks::wall_clock::now();
    let moved = (again.seconds, again.nanoseconds) != (wall.seconds, wall.nanoseconds);
    json!({ "wall moved": moved, "ticks": clocks::monotonic_clock::now() - ticks })
}

fn wait() -> Value {
    clocks::monotonic_clock::subscribe_duration(u64::MAX).block();
    json!({ "survived": true })
}

fn pollables() -> Value {
    let held: Vec<_> = (0..1_000_000_u64).map(clocks::monotonic_clock::subscribe_instant).collect();
    json!({ "survived": held.len() })
}
