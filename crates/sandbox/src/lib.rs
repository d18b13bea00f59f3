//! The only crate that names the WebAssembly runtime: load, check imports, link, limit, run.
//!
//! ```text
//!   bytes ──load──► Program (compiled, its imports known, its sha256)
//!   Program ──run──► one store, one drive: guest import ──► Command ──► Handler ──► Outcome ──► guest
//!                    the store is dropped at any end
//! ```
//!
//! A guest's commands go to a [`Handler`]; the sandbox decides nothing. When the handler answers with an error, the
//! error unwinds the guest and is returned as [`End::Halted`]: that is how an instance is parked.

mod bundle;
mod code;
mod error;
mod guest;
mod imports;
mod limits;
mod load;
mod runtime;
pub mod script;
mod wasi;

pub use code::{COMPILE, Compiler, Provenance, compile_for_parent};
pub use error::LoadError;
pub use guest::exit::End;
pub use limits::{LoadLimits, SandboxLimits, names as limit_names};
pub use load::Program;
pub use load::inspect::Inspection;
pub use runtime::output::Output;

use code::{Loader, Outline};
use guest::bindings::exports::permission_protocol::tenant::entrypoint;
use guest::{Guest, HasGuest, StepHandle};
use limits::{HostTime, Meter};
use load::Examined;
use load::rejected::RejectedComponents;
use receipt::{Digest, Timestamp};
use runtime::determinism::VirtualTime;
use runtime::live::LiveInstances;
use runtime::throttle::CpuThrottle;
use script::{Bundle, LoadContext, Scripts};
use std::collections::HashMap;
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::time::error::Elapsed;
use wasmtime::component::{Linker, Resource};
use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wasi::ResourceTable;
use workflow::{Command, Outcome};

/// The interface that a workflow exports.
pub(crate) const ENTRYPOINT: &str = "permission-protocol:tenant/entrypoint@0.2.0";

/// The name of a guest's call `deploy`, and of the capability that every host has for it.
pub const DEPLOY: &str = "cloudflare.dynamic-worker.deploy";

/// Why a handler does not answer. It unwinds the guest, and [`Sandbox::run`] returns it unchanged.
pub type Halt = Box<dyn std::error::Error + Send + Sync>;

/// A handler's answer.
pub enum HandlerAnswer<'a> {
    /// The answer is available.
    Here(Result<Outcome, Halt>),
    /// The answer comes later. Other instances are driven in the meantime.
    Later(Pin<Box<dyn Future<Output = Result<Outcome, Halt>> + Send + 'a>>),
}

/// The side that answers a guest's commands.
pub trait Handler: Send {
    /// Answers one command, or halts the drive: an error unwinds the guest and comes out of [`Sandbox::run`].
    fn handle(&mut self, command: Command) -> HandlerAnswer<'_>;

    /// The place of the last answer in the instance's journal. The guest's random numbers follow from it.
    fn position(&self) -> usize {
        0
    }

    /// The recorded time of the last answer. The guest's clock derives from it; with `None` the clock stays at the
    /// instance's start.
    fn time(&self) -> Option<Timestamp> {
        None
    }
}

/// A closure is a handler: enough for a test.
impl<F: FnMut(Command) -> Result<Outcome, Halt> + Send> Handler for F {
    fn handle(&mut self, command: Command) -> HandlerAnswer<'_> {
        HandlerAnswer::Here(self(command))
    }
}

/// The event with which a guest starts.
#[derive(Debug, Clone)]
pub struct Event {
    /// The parameters, as JSON text.
    pub payload: String,
    /// When the instance was started. The guest's clock begins there.
    pub started_at: Timestamp,
    /// The seed of the guest's random numbers.
    pub seed: Digest,
    /// The instance's id.
    pub instance: String,
    /// The workflow's name.
    pub workflow: String,
    /// The tenant.
    pub tenant: String,
}

/// The result of one drive.
#[derive(Debug)]
pub struct Drive {
    /// The end.
    pub end: End,
    /// The guest's output in this drive, bounded.
    pub output: String,
    /// The fuel used. The same component with the same journal always uses the same.
    pub fuel: u64,
}

/// A runtime. Cheap to share by reference; drives run concurrently, each with its own limits.
pub struct Sandbox {
    engine: Engine,
    linker: Linker<Guest>,
    scripts: Scripts,
    loader: Loader,
    refusals: RejectedComponents,
    largest: SandboxLimits,
    live: LiveInstances,
    artifact_buffer: Arc<Semaphore>,
    throttle: CpuThrottle,
    note: Option<String>,
}

impl Sandbox {
    /// A runtime for drives whose limits are at most these. It compiles in this process and keeps no code.
    ///
    /// # Errors
    /// When this machine cannot run compiled WebAssembly.
    pub fn new(largest: SandboxLimits) -> Result<Self, LoadError> {
        Self::build(largest).map_err(|error| {
            let of_the_system = error.downcast_ref().map(error::with_way_out);
            LoadError::Runtime(of_the_system.unwrap_or_else(|| format!("{error:#}")))
        })
    }

    fn build(largest: SandboxLimits) -> wasmtime::Result<Self> {
        let runtime::engine::Running { engine, addressing, note } = runtime::engine::running(&largest)?;
        let mut linker = Linker::new(&engine);
        wasi::add_to_linker(&mut linker)?;
        wasi::network::add_to_linker(&mut linker)?;
        guest::bindings::TenantWorkflow::add_to_linker::<_, HasGuest>(&mut linker, |guest| guest)?;
        guest::bindings::before::TenantWorkflow::add_to_linker::<_, HasGuest>(&mut linker, |guest| guest)?;
        guest::add_to_linker(&mut linker)?;
        let loader = Loader::new(engine.clone(), addressing);
        let mut for_bundles = linker.clone();
        script::add_to_linker(&mut for_bundles)?;
        let scripts = Scripts::new(for_bundles);
        let live = LiveInstances::new(largest.live_instances);
        let (refusals, throttle) = (RejectedComponents::default(), CpuThrottle::new());
        let artifact_buffer = Arc::new(guest::artifact_buffer(largest.artifact_buffer_bytes));
        Ok(Self { engine, linker, scripts, loader, refusals, largest, live, artifact_buffer, throttle, note })
    }

    /// Keeps compiled code in a folder, where it is found again by this process and later ones.
    ///
    /// # Errors
    /// When the folder cannot be used.
    pub fn cached_in(mut self, folder: &Path) -> Result<Self, LoadError> {
        self.loader.cache_in(folder, self.largest.load.cache_bytes)?;
        Ok(self)
    }

    /// Compiles with another compiler than this process.
    #[must_use]
    pub fn compiled_by(mut self, compiler: Compiler) -> Self {
        self.loader.compile_with(compiler);
        self
    }

    /// A note for the operator on how this runtime had to be configured. `None` if there is none.
    #[must_use]
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// Checks and compiles a component.
    ///
    /// # Errors
    /// The bytes are not a component of the world, import anything else, or cost too much to compile.
    pub fn load(&self, bytes: &[u8]) -> Result<Program, LoadError> {
        self.load_as(Digest::of(bytes), bytes)
    }

    /// [`Self::load`] for bytes whose digest is known. A component that was refused is refused again without reading
    /// it.
    pub fn load_as(&self, digest: Digest, bytes: &[u8]) -> Result<Program, LoadError> {
        if let Some(refusal) = self.refusals.find(&digest) {
            return Err(refusal);
        }
        let loaded = match Bundle::is_meant(bytes) {
            true => error::check_size(bytes.len(), self.largest.component_bytes)
                .and_then(|()| self.scripts.load(digest, bytes, self.load_context())),
            false => self
                .examine(digest, bytes)
                .and_then(|examined| examined.program(&self.linker, imports::is_allowed)),
        };
        loaded.map_err(LoadError::bounded).inspect_err(|refusal| self.refusals.keep(digest, refusal))
    }

    /// The imports of a component, without compiling it; or why it is refused, as far as that is known without
    /// compiling.
    pub fn imports_of(&self, digest: Digest, bytes: &[u8]) -> Result<Vec<String>, LoadError> {
        if let Some(refusal) = self.refusals.find(&digest) {
            return Err(refusal);
        }
        error::check_size(bytes.len(), self.largest.component_bytes)?;
        if Bundle::is_meant(bytes) {
            return self.load_as(digest, bytes).map(|program| program.imports().to_vec());
        }
        error::check_header(bytes)?;
        let outline = Outline::read(bytes, &self.largest).map_err(LoadError::bounded)?;
        outline.check(&self.largest, code::Origin::Tenant).map_err(LoadError::bounded)?;
        Ok(outline.imports)
    }

    /// The properties of a component, without running any of its code. Not being a workflow is an answer, not an error.
    #[must_use]
    pub fn inspect(&self, bytes: &[u8]) -> Inspection {
        let (digest, started) = (Digest::of(bytes), Instant::now());
        if Bundle::is_meant(bytes) {
            let loaded = self.load_as(digest, bytes);
            let loaded =
                loaded.and_then(|program| Ok((program, self.scripts.workflows(bytes, self.load_context())?)));
            return Inspection::of_bundle(digest, bytes.len() as u64, started.elapsed(), loaded);
        }
        let refused = self.refusals.find(&digest);
        let examined = refused.map_or_else(|| self.examine(digest, bytes), Err);
        let took = started.elapsed();
        let outline = examined.is_err().then(|| Outline::read(bytes, &self.largest).ok()).flatten();
        let known =
            Inspection::before_compiling(digest, bytes.len() as u64, took, outline.unwrap_or_default());
        let inspection = known.with(examined, &self.linker);
        inspection.verdict.as_ref().err().inspect(|refusal| self.refusals.keep(digest, refusal));
        inspection
    }

    /// The imports and exports of a module of source text, as the current engine parses it, in an instance of its own.
    ///
    /// # Errors
    /// The source text cannot be parsed: the error has the fault and its position.
    pub fn examine_module(&self, name: &str, module: &script::Module) -> Result<script::Summary, LoadError> {
        self.scripts.examine(name, module, self.load_context()).map_err(LoadError::bounded)
    }

    fn load_context(&self) -> LoadContext<'_> {
        LoadContext { loader: &self.loader, limits: &self.largest, live: &self.live }
    }

    /// Keeps the engines that bundles run on in a folder, where they are found again by later versions of this program.
    #[must_use]
    pub fn engines_in(mut self, folder: &Path) -> Self {
        self.scripts.keep_engines(script::Engines::kept_in(folder));
        self
    }

    fn examine(&self, digest: Digest, bytes: &[u8]) -> Result<Examined, LoadError> {
        error::check_size(bytes.len(), self.largest.component_bytes)?;
        error::check_header(bytes)?;
        let (component, provenance) =
            self.loader.load(&digest, bytes, &self.largest, code::Origin::Tenant)?;
        Ok(Examined::new(component, provenance, digest, bytes.len() as u64))
    }

    /// Runs a workflow from its first line until it returns, halts, breaks or reaches one of `limits`.
    pub async fn run(
        &self,
        program: &Program,
        event: Event,
        limits: &SandboxLimits,
        handler: Box<dyn Handler>,
    ) -> Drive {
        let output = Output::new(limits.output_bytes);
        let (end, fuel) = self.run_into(&output, program, event, limits, handler).await;
        Drive { end, output: output.text(), fuel }
    }

    /// [`Self::run`] for a caller that needs the guest's output even if the drive is dropped before its end.
    pub async fn run_into(
        &self,
        output: &Output,
        program: &Program,
        event: Event,
        limits: &SandboxLimits,
        handler: Box<dyn Handler>,
    ) -> (End, u64) {
        // Waited for before the drive's time begins.
        let _live = self.live.take(program.memories()).await;
        let (turn, host_time) = (self.throttle.permit(&event.tenant), HostTime::default());
        if turn.is_in_debt() {
            self.throttle.next_turn(&turn, &host_time).await;
        }
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles);
        let moment = VirtualTime::beginning(event.started_at);
        let wasi = wasi::context(&event.seed, &moment, output);
        let meter = Meter::new(limits);
        let guest = Guest {
            handler,
            table,
            wasi,
            meter,
            moment,
            throttle: self.throttle.clone(),
            turn: turn.clone(),
            artifact_buffer: Arc::clone(&self.artifact_buffer),
            artifact_buffer_units: guest::units(self.largest.artifact_buffer_bytes),
            text_bytes: limits.text_bytes,
            handles: limits.handles,
            host_time: host_time.clone(),
            script: program.script.clone(),
            granted: HashMap::new(),
            tenant: event.tenant.clone(),
            started_at: event.started_at,
        };
        let mut store = Store::new(&self.engine, guest);
        let result = match bound(&mut store, limits) {
            Ok(()) => within(limits.wall_clock, &host_time, call(&mut store, program, event)).await,
            Err(error) => Ok(Err(error)),
        };
        let fuel = limits.fuel.saturating_sub(store.get_fuel().unwrap_or(0));
        let end = guest::exit::classify(result, limits, store.data().meter.refused(), output);
        // The cleanup after a guest counts as its tenant's time too.
        drop(store);
        turn.leave_thread();
        (end, fuel)
    }
}

fn bound(store: &mut Store<Guest>, limits: &SandboxLimits) -> wasmtime::Result<()> {
    store.limiter(|guest| &mut guest.meter);
    store.set_fuel(limits.fuel)?;
    store.epoch_deadline_callback(|store| {
        let Guest { throttle, turn, host_time, .. } = store.data();
        let wait = if turn.is_throttled() { throttle.next_turn(turn, host_time) } else { turn.pause() };
        Ok(UpdateDeadline::YieldCustom(1, wait))
    });
    store.set_epoch_deadline(1);
    store.set_hostcall_fuel(limits.call_bytes);
    store.set_max_component_handles(limits.handles);
    Ok(())
}

/// Runs a drive for at most `limit`, without counting the host's own time.
async fn within<T>(
    limit: Duration,
    host_time: &HostTime,
    drive: impl Future<Output = T>,
) -> Result<T, Elapsed> {
    let (mut drive, began) = (pin!(drive), Instant::now());
    let mut end = began + limit;
    loop {
        match tokio::time::timeout_at(end.into(), &mut drive).await {
            // Host time extends the drive only while guest time is left: a host that uses part of every extension would
            // otherwise extend the drive without end.
            Err(_) if began + limit + host_time.total() > Instant::now() => {
                end = began + limit + host_time.total()
            }
            ended => return ended,
        }
    }
}

/// A workflow's result.
type Returned = Result<String, entrypoint::Failure>;

async fn call(store: &mut Store<Guest>, program: &Program, event: Event) -> wasmtime::Result<Returned> {
    let instance = program.pre.instantiate_async(&mut *store).await?;
    let run = instance.get_typed_func::<(&entrypoint::Event, Resource<StepHandle>), (Returned,)>(
        &mut *store,
        &program.run,
    )?;
    let step = store.data_mut().table.push(StepHandle)?;
    let event = entrypoint::Event {
        payload: event.payload,
        timestamp_ms: u64::try_from(event.started_at.as_millis()).unwrap_or(0),
        instance_id: event.instance,
        workflow_name: event.workflow,
    };
    let (returned,) = run.call_async(store, (&event, step)).await?;
    Ok(returned)
}
