//! The only room that names the WebAssembly runtime: load, check imports, link, limit, run.
//!
//! ```text
//!   bytes ──load──► Program (compiled, its imports known, its sha256)
//!   Program ──run──► one store, one drive: guest import ──► Command ──► Handler ──► Outcome ──► guest
//!                    the store is dropped whatever the end
//! ```
//!
//! What a guest asks for goes to a [`Handler`]; this room decides nothing. When the handler answers with an error, the error unwinds
//! the guest and comes out as [`End::Halted`]: that is how an instance is parked.

mod bindings;
mod end;
mod guest;
mod imports;
mod limits;
mod load;
mod moment;
mod output;
mod wasi;

pub use end::End;
pub use limits::SandboxLimits;
pub use limits::names as limit_names;
pub use load::LoadError;
pub use load::Program;

use bindings::exports::permission_protocol::tenant::entrypoint;
use guest::Guest;
use guest::HasGuest;
use guest::StepHandle;
use limits::HostTime;
use limits::Meter;
use moment::Moment;
use output::Output;
use receipt::Digest;
use receipt::Timestamp;
use std::pin::pin;
use std::time::Duration;
use std::time::Instant;
use tokio::time::error::Elapsed;
use wasmtime::Config;
use wasmtime::Engine;
use wasmtime::EngineWeak;
use wasmtime::OptLevel;
use wasmtime::Store;
use wasmtime::Strategy;
use wasmtime::component::Linker;
use wasmtime_wasi::ResourceTable;
use workflow::Command;
use workflow::Outcome;

/// Why a handler does not answer. It unwinds the guest and is handed back whole by [`Sandbox::run`].
pub type Halt = Box<dyn std::error::Error + Send + Sync>;

/// Whoever answers a guest's commands.
pub trait Handler: Send {
    /// Answers one command, or halts the drive.
    ///
    /// # Errors
    /// Whatever is to unwind the guest and come out of [`Sandbox::run`].
    fn handle(&mut self, command: Command) -> Result<Outcome, Halt>;

    /// The place of the last answer in the instance's journal. The guest's clock and random numbers follow from it.
    fn position(&self) -> usize {
        0
    }
}

/// A closure is a handler: enough for a test.
impl<F: FnMut(Command) -> Result<Outcome, Halt> + Send> Handler for F {
    fn handle(&mut self, command: Command) -> Result<Outcome, Halt> {
        self(command)
    }
}

/// What a guest is told of its start.
#[derive(Debug, Clone)]
pub struct Event {
    /// The parameters, as JSON text.
    pub payload: String,
    /// When the instance was started. The guest's clock stands still there.
    pub started_at: Timestamp,
    /// What the guest's random numbers follow from.
    pub seed: Digest,
    /// The instance's id.
    pub instance: String,
    /// The workflow's name.
    pub workflow: String,
}

/// One drive, ended.
#[derive(Debug)]
pub struct Drive {
    /// How it ended.
    pub end: End,
    /// What the guest printed in this drive, bounded.
    pub output: String,
    /// The fuel used. The same component with the same journal always uses the same.
    pub fuel: u64,
}

/// A runtime. Cheap to share by reference; drives run side by side, each with limits of its own.
pub struct Sandbox {
    engine: Engine,
    linker: Linker<Guest>,
    largest: SandboxLimits,
}

/// How often a running guest gives way to others, and its time is looked at.
const TICK: Duration = Duration::from_millis(10);

impl Sandbox {
    /// A runtime for drives whose limits are at most these.
    ///
    /// # Errors
    /// When this machine cannot run compiled WebAssembly.
    pub fn new(largest: SandboxLimits) -> Result<Self, LoadError> {
        Self::build(largest).map_err(|error| LoadError::Runtime(format!("{error:#}")))
    }

    fn build(largest: SandboxLimits) -> wasmtime::Result<Self> {
        let engine = Engine::new(&config())?;
        let mut linker = Linker::new(&engine);
        wasi::add_to_linker(&mut linker)?;
        bindings::TenantWorkflow::add_to_linker::<_, HasGuest>(&mut linker, |guest| guest)?;
        tick(engine.weak())?;
        Ok(Self { engine, linker, largest })
    }

    /// Checks and compiles a component.
    ///
    /// # Errors
    /// When it is not a component of the world, imports anything else, or is too large.
    pub fn load(&self, bytes: &[u8]) -> Result<Program, LoadError> {
        load::load(&self.engine, &self.linker, bytes, self.largest.component_bytes)
    }

    /// Runs a workflow from its first line until it returns, halts, breaks or reaches one of `limits`.
    pub async fn run(
        &self,
        program: &Program,
        event: Event,
        limits: &SandboxLimits,
        handler: Box<dyn Handler>,
    ) -> Drive {
        let output = Output::new(limits.log_bytes);
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles);
        let (moment, host_time) = (Moment::default(), HostTime::default());
        let wasi = wasi::context(event.started_at, &event.seed, &moment, &output);
        let meter = Meter::new(limits);
        let guest = Guest { handler, table, wasi, meter, moment, host_time: host_time.clone() };
        let mut store = Store::new(&self.engine, guest);
        let result = match bound(&mut store, limits) {
            Ok(()) => within(limits.wall_clock, &host_time, call(&mut store, program, event)).await,
            Err(error) => Ok(Err(error)),
        };
        let fuel = limits.fuel.saturating_sub(store.get_fuel().unwrap_or(0));
        let output = output.text();
        let end = end::classify(result, limits, store.data().meter.refused(), &output);
        Drive { end, output, fuel }
    }
}

fn bound(store: &mut Store<Guest>, limits: &SandboxLimits) -> wasmtime::Result<()> {
    store.limiter(|guest| &mut guest.meter);
    store.set_fuel(limits.fuel)?;
    store.epoch_deadline_async_yield_and_update(1);
    store.set_epoch_deadline(1);
    store.set_hostcall_fuel(limits.call_bytes);
    store.set_max_component_handles(limits.handles);
    Ok(())
}

/// Runs a drive for as long as it may take, the host's own time not counted.
async fn within<T>(
    limit: Duration,
    host_time: &HostTime,
    drive: impl Future<Output = T>,
) -> Result<T, Elapsed> {
    let (mut drive, began) = (pin!(drive), Instant::now());
    let mut granted = Duration::ZERO;
    loop {
        match tokio::time::timeout_at((began + limit + granted).into(), &mut drive).await {
            Err(_) if host_time.total() > granted => granted = host_time.total(),
            ended => return ended,
        }
    }
}

async fn call(
    store: &mut Store<Guest>,
    program: &Program,
    event: Event,
) -> wasmtime::Result<Result<String, entrypoint::Failure>> {
    let world = program.pre.instantiate_async(&mut *store).await?;
    let step = store.data_mut().table.push(StepHandle)?;
    let event = entrypoint::Event {
        payload: event.payload,
        timestamp_ms: u64::try_from(event.started_at.as_millis()).unwrap_or(0),
        instance_id: event.instance,
        workflow_name: event.workflow,
    };
    world.permission_protocol_tenant_entrypoint().call_run(store, &event, step).await
}

/// The same bytes have to behave the same everywhere, and everything that a guest could use up is bounded.
fn config() -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .wasm_tail_call(false)
        .wasm_multi_memory(false)
        .max_wasm_stack(512 << 10)
        .async_stack_size(2 << 20)
        .consume_fuel(true)
        .epoch_interruption(true)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(20));
    config
}

/// Advances the engine's epoch for as long as the engine lives.
fn tick(engine: EngineWeak) -> wasmtime::Result<()> {
    let tick = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            std::thread::sleep(TICK);
        }
    };
    std::thread::Builder::new().name("pp-host-epoch".to_owned()).spawn(tick)?;
    Ok(())
}
