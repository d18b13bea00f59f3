//! WASI for guests whose standard library needs it: every call is answered, and nothing is behind the calls.

pub(crate) mod network;

use crate::guest::Guest;
use crate::runtime::determinism::{HasClock, SeededRandom, VirtualTime};
use crate::runtime::output::Output;
use receipt::Digest;
use std::time::Duration;
use wasmtime::component::Linker;
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings;
use wasmtime_wasi::random::WasiRandom;
use wasmtime_wasi::{HostWallClock, WasiCtx, WasiView as _};

/// The largest block of random bytes a guest gets in one call. 64 KiB is what browsers allow.
const RANDOM_BYTES: u64 = 64 << 10;

/// Links the interfaces named in [`super::imports`], one by one. The runtime's sockets are not linked at all: what answers in their
/// place ([`super::network`]) has none.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(linker)?;
    // The runtime's monotonic clock is in there; ours takes its place.
    linker.allow_shadowing(true);
    bindings::clocks::monotonic_clock::add_to_linker::<_, HasClock>(linker, Guest::clock)?;
    linker.allow_shadowing(false);
    bindings::random::insecure::add_to_linker::<_, WasiRandom>(linker, |guest| guest.ctx().ctx.random())?;
    bindings::random::insecure_seed::add_to_linker::<_, WasiRandom>(linker, |guest| {
        guest.ctx().ctx.random()
    })?;
    bindings::cli::environment::add_to_linker::<_, WasiCli>(linker, Guest::cli)?;
    bindings::cli::exit::add_to_linker::<_, WasiCli>(linker, Guest::cli)?;
    bindings::cli::terminal_input::add_to_linker::<_, WasiCli>(linker, Guest::cli)?;
    bindings::cli::terminal_output::add_to_linker::<_, WasiCli>(linker, Guest::cli)?;
    bindings::cli::terminal_stdin::add_to_linker::<_, WasiCli>(linker, Guest::cli)?;
    bindings::cli::terminal_stdout::add_to_linker::<_, WasiCli>(linker, Guest::cli)?;
    bindings::cli::terminal_stderr::add_to_linker::<_, WasiCli>(linker, Guest::cli)?;
    bindings::filesystem::preopens::add_to_linker::<_, WasiFilesystem>(linker, Guest::filesystem)?;
    bindings::filesystem::types::add_to_linker::<_, WasiFilesystem>(linker, Guest::filesystem)
}

/// A context without resources. The wall clock shows the given moment.
pub(crate) fn context(seed: &Digest, moment: &VirtualTime, output: &Output) -> WasiCtx {
    let mut insecure_seed = [0; 16];
    insecure_seed.copy_from_slice(&seed.as_bytes()[..16]);
    let mut builder = WasiCtx::builder();
    builder
        .stdout(output.clone())
        .stderr(output.clone())
        .secure_random(SeededRandom::new(moment.clone(), seed, "random"))
        .insecure_random(SeededRandom::new(moment.clone(), seed, "insecure"))
        .insecure_random_seed(u128::from_le_bytes(insecure_seed))
        .max_random_size(RANDOM_BYTES)
        .wall_clock(Wall(moment.clone()));
    builder.build()
}

/// The time at which the guest was answered last.
struct Wall(VirtualTime);

impl HostWallClock for Wall {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.wall().as_millis()).unwrap_or(0))
    }
}
