//! The bounds on one drive.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use wasmtime::ResourceLimiter;

/// The bounds on loading a component. A component that exceeds one is refused with an error that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadLimits {
    /// Functions in a component, with the adapters between its parts. Default 100 000: a JavaScript engine has some 10 000.
    pub functions: u32,
    /// Bytes in one function. Default 512 KiB, twice the main loop of a large interpreter; the time that a compiler takes for a
    /// function grows faster than its length.
    pub function_bytes: u64,
    /// Processor time to compile a component, if a child process compiles. Default 60 s: a JavaScript engine takes 10.
    pub compile_cpu: Duration,
    /// Time on the wall for the same. Default 120 s.
    pub compile_wall: Duration,
    /// Address space to compile a component, if a child process compiles. Default 2 GiB.
    pub compile_memory_bytes: u64,
    /// Bytes of compiled code that are kept on disk. Default 256 MiB; the least recently used goes first.
    pub cache_bytes: u64,
    /// Components whose code is kept in memory. Default 256; the least recently used goes first, and comes back from disk.
    pub cached_programs: usize,
}

impl Default for LoadLimits {
    fn default() -> Self {
        Self {
            functions: 100_000,
            function_bytes: 512 << 10,
            compile_cpu: Duration::from_secs(60),
            compile_wall: Duration::from_secs(120),
            compile_memory_bytes: 2 << 30,
            cache_bytes: 256 << 20,
            cached_programs: 256,
        }
    }
}

/// The bounds on one drive of a guest. A guest that exceeds one is ended with a failure that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxLimits {
    /// Bytes in a component. Default 32 MiB: a Python interpreter with its library has 18.
    pub component_bytes: usize,
    /// Bytes of linear memory, all memories together. Default 128 MiB, as on Cloudflare.
    pub memory_bytes: usize,
    /// Units of fuel, about one a WebAssembly instruction. Default 300 000 000 000: some 30 s of an empty loop on one core of a
    /// current server, Cloudflare's bound on CPU time. Counted, not timed: the same guest always stops at the same instruction.
    pub fuel: u64,
    /// Wall time without the host's time to answer. Default 60 s.
    pub wall_clock: Duration,
    /// Elements in a table. Default 100 000.
    pub table_elements: usize,
    /// Handles that a guest may hold at once. Default 3 000: a started call counts twice while it is waited for.
    pub handles: usize,
    /// Bytes that one call may hand to the host. Default 72 MiB: the largest artifact, and its evidence.
    pub call_bytes: usize,
    /// Bytes of text that one call may hand to the host: names, reasons, results. Default 4 MiB.
    pub text_bytes: usize,
    /// Bytes of artifacts that are in the host's hands at once, over all tenants; further calls wait for their turn. Default 256 MiB.
    pub artifact_buffer_bytes: u64,
    /// Bytes of output that are kept. Default 256 KiB.
    pub output_bytes: usize,
    /// Instances that are in memory at once, over all tenants; further drives wait for their turn. An instance with several memories
    /// counts once for each. Default 1 000: each reserves 4 GiB of address space, and a process has 128 TiB.
    pub live_instances: u32,
    /// Core instances of one instance. Default 64: a component is several (including the adapters of its toolchain), and a
    /// Python interpreter, whose libraries are linked when it starts, is 40.
    pub core_instances: u32,
    /// Memories of one instance, and tables. Default 16 of each: toolchains make one or two.
    pub memories: u32,
    /// Bytes of the machine's own stack for a guest's calls. Default 4.5 MiB. Endless recursion in a script fills it
    /// about twenty times as fast as the 64 KiB that the script's engine counts, and the engine's error, which the
    /// script can catch, must come first.
    pub stack_bytes: usize,
    /// The bounds on loading.
    pub load: LoadLimits,
}

/// The names of the bounds in errors, settings and on the command line.
pub mod names {
    /// The name of [`SandboxLimits::component_bytes`](super::SandboxLimits::component_bytes).
    pub const COMPONENT_BYTES: &str = "component-bytes";
    /// The name of [`SandboxLimits::memory_bytes`](super::SandboxLimits::memory_bytes).
    pub const MEMORY_BYTES: &str = "memory-bytes";
    /// The name of [`SandboxLimits::fuel`](super::SandboxLimits::fuel).
    pub const FUEL: &str = "fuel";
    /// The name of [`SandboxLimits::wall_clock`](super::SandboxLimits::wall_clock).
    pub const WALL_CLOCK_SECONDS: &str = "wall-clock-seconds";
    /// The name of [`SandboxLimits::table_elements`](super::SandboxLimits::table_elements).
    pub const TABLE_ELEMENTS: &str = "table-elements";
    /// The name of [`SandboxLimits::handles`](super::SandboxLimits::handles).
    pub const HANDLES: &str = "handles";
    /// The name of [`SandboxLimits::call_bytes`](super::SandboxLimits::call_bytes).
    pub const CALL_BYTES: &str = "call-bytes";
    /// The name of [`SandboxLimits::text_bytes`](super::SandboxLimits::text_bytes).
    pub const TEXT_BYTES: &str = "text-bytes";
    /// The name of [`SandboxLimits::artifact_buffer_bytes`](super::SandboxLimits::artifact_buffer_bytes).
    pub const ARTIFACT_BUFFER_BYTES: &str = "artifact-buffer-bytes";
    /// The name of [`SandboxLimits::output_bytes`](super::SandboxLimits::output_bytes).
    pub const OUTPUT_BYTES: &str = "output-bytes";
    /// The name of [`SandboxLimits::live_instances`](super::SandboxLimits::live_instances).
    pub const LIVE_INSTANCES: &str = "live-instances";
    /// The name of [`SandboxLimits::core_instances`](super::SandboxLimits::core_instances).
    pub const CORE_INSTANCES: &str = "core-instances";
    /// The name of [`SandboxLimits::memories`](super::SandboxLimits::memories).
    pub const MEMORIES: &str = "memories";
    /// The name of [`SandboxLimits::stack_bytes`](super::SandboxLimits::stack_bytes).
    pub const STACK_BYTES: &str = "stack-bytes";
    /// The name of [`LoadLimits::functions`](super::LoadLimits::functions).
    pub const FUNCTIONS: &str = "functions";
    /// The name of [`LoadLimits::function_bytes`](super::LoadLimits::function_bytes).
    pub const FUNCTION_BYTES: &str = "function-bytes";
    /// The name of [`LoadLimits::compile_cpu`](super::LoadLimits::compile_cpu).
    pub const COMPILE_CPU_SECONDS: &str = "compile-cpu-seconds";
    /// The name of [`LoadLimits::compile_wall`](super::LoadLimits::compile_wall).
    pub const COMPILE_WALL_SECONDS: &str = "compile-wall-seconds";
    /// The name of [`LoadLimits::compile_memory_bytes`](super::LoadLimits::compile_memory_bytes).
    pub const COMPILE_MEMORY_BYTES: &str = "compile-memory-bytes";
    /// The name of [`LoadLimits::cache_bytes`](super::LoadLimits::cache_bytes).
    pub const CACHE_BYTES: &str = "cache-bytes";
    /// The name of [`LoadLimits::cached_programs`](super::LoadLimits::cached_programs).
    pub const CACHED_PROGRAMS: &str = "cached-programs";
}

impl Default for SandboxLimits {
    fn default() -> Self {
        Self {
            component_bytes: 32 << 20,
            memory_bytes: 128 << 20,
            fuel: 300_000_000_000,
            wall_clock: Duration::from_secs(60),
            table_elements: 100_000,
            handles: 3_000,
            call_bytes: 72 << 20,
            text_bytes: 4 << 20,
            artifact_buffer_bytes: 256 << 20,
            output_bytes: 256 << 10,
            live_instances: 1_000,
            core_instances: 64,
            memories: 16,
            stack_bytes: 9 << 19,
            load: LoadLimits::default(),
        }
    }
}

/// Time that the host took to answer a guest's calls.
#[derive(Debug, Clone, Default)]
pub(crate) struct HostTime(Arc<Mutex<Spent>>);

#[derive(Debug, Default)]
struct Spent {
    /// In calls that have been answered.
    answered: Duration,
    /// The beginning of the call that is being answered.
    since: Option<Instant>,
}

impl HostTime {
    /// Waits for an answer, on the host's time.
    pub(crate) async fn during<T>(&self, answer: impl Future<Output = T>) -> T {
        self.begin();
        let answer = answer.await;
        self.end();
        answer
    }

    /// Starts the host's time.
    pub(crate) fn begin(&self) {
        self.lock().since = Some(Instant::now());
    }

    /// Ends the host's time: from now on the time is the guest's.
    pub(crate) fn end(&self) -> Instant {
        let (mut spent, now) = (self.lock(), Instant::now());
        if let Some(since) = spent.since.take() {
            spent.answered += now.saturating_duration_since(since);
        }
        now
    }

    /// The total until now, including the call that is being answered.
    pub(crate) fn total(&self) -> Duration {
        let spent = self.lock();
        spent.answered + spent.since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, Spent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Refuses growth beyond the bounds, and remembers the refusal.
///
/// A guest sees a refused growth as a failed allocation and usually aborts; without the record its end would look like
/// any other trap.
#[derive(Debug)]
pub(crate) struct Meter {
    memory_left: usize,
    table_elements: usize,
    parts: usize,
    memories: usize,
    refused: Option<RefusedGrowth>,
}

/// The refused resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefusedGrowth {
    Memory,
    Table,
}

impl Meter {
    pub(crate) fn new(limits: &SandboxLimits) -> Self {
        Self {
            memory_left: limits.memory_bytes,
            table_elements: limits.table_elements,
            parts: limits.core_instances as usize,
            memories: limits.memories as usize,
            refused: None,
        }
    }

    pub(crate) fn refused(&self) -> Option<RefusedGrowth> {
        self.refused
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        match self.memory_left.checked_sub(desired.saturating_sub(current)) {
            Some(left) => self.memory_left = left,
            None => self.refused = Some(RefusedGrowth::Memory),
        }
        Ok(self.refused != Some(RefusedGrowth::Memory))
    }

    fn table_growing(&mut self, _: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let fits = desired <= self.table_elements;
        if !fits {
            self.refused = Some(RefusedGrowth::Table);
        }
        Ok(fits)
    }

    fn instances(&self) -> usize {
        self.parts
    }

    fn tables(&self) -> usize {
        self.memories
    }

    fn memories(&self) -> usize {
        self.memories
    }
}
