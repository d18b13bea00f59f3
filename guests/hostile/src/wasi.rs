//! WASI, called by hand: asks every interface that the host links for what the host must not give.

use crate::{CAPABILITY, RESOURCE, approve};
use guest_sdk::serde_json::{Value, json};
use guest_sdk::{Failure, Step};
use wasip2::{cli, clocks, filesystem, io, random};

pub(crate) fn attack(name: &str, step: Step<'_>) -> Option<Result<Value, Failure>> {
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
        "wasi-zeroes-at-once" => {
            let written = cli::stderr::get_stderr().blocking_write_zeroes_and_flush(1 << 40);
            json!({ "survived": written.is_ok() })
        }
        "wasi-write" => json!({ "survived": cli::stdout::get_stdout().write(&vec![0; 1 << 20]).is_ok() }),
        "wasi-streams" => streams(),
        "wasi-numbers" => return Some(numbers(step)),
        "wasi-resolution" => resolution(),
        "wasi-clock" => clock(),
        "wasi-wait" => wait(),
        "wasi-poll-nothing" => json!({ "survived": io::poll::poll(&[]).len() }),
        "wasi-pollables" => pollables(),
        "wasi-exit" => {
            cli::exit::exit(Ok(()));
            json!({ "survived": true })
        }
        "wasi-exit-code" => {
            cli::exit::exit_with_code(7);
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

/// Uses a directory that was never opened.
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

/// Asks for a terabyte of zeroes, which the host would have to produce itself.
fn zeroes() -> Value {
    let written = cli::stdout::get_stdout().write_zeroes(1 << 40);
    json!({ "survived": written.is_ok() })
}

/// Makes each call of an input that has ended and of an output that accepts everything.
fn streams() -> Value {
    let (input, output) = (cli::stdin::get_stdin(), cli::stdout::get_stdout());
    let closed = [
        input.read(u64::MAX).is_err(),
        input.skip(u64::MAX).is_err(),
        input.blocking_skip(u64::MAX).is_err(),
        output.splice(&input, 1).is_err(),
        output.blocking_splice(&input, 1).is_err(),
    ];
    let (readable, writable) = (input.subscribe(), output.subscribe());
    let ready = readable.ready() && writable.ready() && io::poll::poll(&[&readable, &writable]).len() == 2;
    let taken = [
        output.check_write().is_ok_and(|room| room > 0),
        output.write(b"written").is_ok(),
        output.flush().is_ok(),
        output.blocking_write_and_flush(b"written").is_ok(),
        output.blocking_flush().is_ok(),
        output.blocking_write_zeroes_and_flush(7).is_ok(),
    ];
    json!({ "closed": closed, "ready": ready, "taken": taken })
}

/// Draws from each source of random numbers, and begins a step with the numbers in its name: other numbers would make another step.
fn numbers(step: Step<'_>) -> Result<Value, Failure> {
    let drawn = (
        random::random::get_random_u64(),
        random::insecure::get_insecure_random_u64(),
        random::insecure_seed::insecure_seed(),
        random::random::get_random_bytes(4),
        random::insecure::get_insecure_random_bytes(4),
    );
    step.run(&format!("drew {drawn:?}"), || Ok::<_, Failure>(0))?;
    approve(CAPABILITY, RESOURCE).map(|_| json!({ "same": true }))
}

fn resolution() -> Value {
    let wall = clocks::wall_clock::resolution();
    json!({ "monotonic": clocks::monotonic_clock::resolution(), "wall": wall.nanoseconds })
}

/// Reads the clocks repeatedly: the time does not advance by more than the reading itself.
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
