//! WASI for guests whose standard library insists on it: everything answers, nothing is there.

use crate::sandbox::output::Output;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use receipt::Digest;
use receipt::Timestamp;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use wasmtime::component::Linker;
use wasmtime_wasi::HostMonotonicClock;
use wasmtime_wasi::HostWallClock;
use wasmtime_wasi::WasiCtx;
use wasmtime_wasi::WasiView;
use wasmtime_wasi::cli::WasiCli;
use wasmtime_wasi::cli::WasiCliView as _;
use wasmtime_wasi::filesystem::WasiFilesystem;
use wasmtime_wasi::filesystem::WasiFilesystemView as _;
use wasmtime_wasi::p2::bindings;
use wasmtime_wasi::random::WasiRandom;

/// The largest block of random bytes a guest gets in one call. 64 KiB is what browsers allow.
const RANDOM_BYTES: u64 = 64 << 10;

/// Links the interfaces named in [`super::imports`], one by one. Sockets are not linked at all, so that a mistake in the check of
/// imports would still not reach a network.
pub(crate) fn add_to_linker<T: WasiView>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_proxy_interfaces_async(linker)?;
    bindings::random::insecure::add_to_linker::<T, WasiRandom>(linker, |t| t.ctx().ctx.random())?;
    bindings::random::insecure_seed::add_to_linker::<T, WasiRandom>(linker, |t| t.ctx().ctx.random())?;
    bindings::cli::environment::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    bindings::cli::exit::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    bindings::cli::terminal_input::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    bindings::cli::terminal_output::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    bindings::cli::terminal_stdin::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    bindings::cli::terminal_stdout::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    bindings::cli::terminal_stderr::add_to_linker::<T, WasiCli>(linker, T::cli)?;
    bindings::filesystem::preopens::add_to_linker::<T, WasiFilesystem>(linker, T::filesystem)?;
    bindings::filesystem::types::add_to_linker::<T, WasiFilesystem>(linker, T::filesystem)
}

/// A context with nothing in it. Time stands still at the instance's start and random numbers follow from its seed, so that every
/// run of an instance sees the same.
pub(crate) fn context(started_at: Timestamp, seed: &Digest, output: &Output) -> WasiCtx {
    let random = || ChaCha20Rng::from_seed(*seed.as_bytes());
    let mut insecure_seed = [0; 16];
    insecure_seed.copy_from_slice(&seed.as_bytes()[..16]);
    let mut builder = WasiCtx::builder();
    builder
        .stdout(output.clone())
        .stderr(output.clone())
        .secure_random(random())
        .insecure_random(random())
        .insecure_random_seed(u128::from_le_bytes(insecure_seed))
        .max_random_size(RANDOM_BYTES)
        .wall_clock(StartTime(started_at))
        .monotonic_clock(Ticks(AtomicU64::new(0)));
    builder.build()
}

/// The time at which the instance was started, for good.
struct StartTime(Timestamp);

impl HostWallClock for StartTime {
    fn resolution(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn now(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.as_millis()).unwrap_or(0))
    }
}

/// A clock that advances by a nanosecond whenever it is read: monotonic, and the same on every run.
struct Ticks(AtomicU64);

impl HostMonotonicClock for Ticks {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}
