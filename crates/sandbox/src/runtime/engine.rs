//! The runtime's configuration: the form of compiled code, and the memory of instances.

use crate::SandboxLimits;
use receipt::Digest;
use rustix::process::{Resource, getrlimit};
use std::hash::{Hash as _, Hasher};
use std::time::Duration;
use wasmtime::{
    Config, Enabled, Engine, EngineWeak, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig,
    Strategy,
};

/// The runtime's exact version. A patch release may fix its code generator, so code of another version is not used.
pub(crate) const RUNTIME: &str = "48.0.8";

/// The interval at which a running guest yields to others, and its time is checked.
pub(crate) const TICK: Duration = Duration::from_millis(2);

/// The bytes of a memory or a table that are cleared in place when its instance ends. The rest is returned to the
/// system, which provides zeroed pages. If the kernel can report which pages were written, only those are cleared.
const CLEANED_IN_PLACE: usize = 1 << 20;

/// The bytes cleared in place of the stack of a guest and its host calls. No guest can read it; clearing it is a second
/// line of defence.
const STACK_CLEANED_IN_PLACE: usize = 64 << 10;

/// The engine that guests run on, and why it has no pool, if it has none.
pub(crate) struct Running {
    pub(crate) engine: Engine,
    pub(crate) addressing: Addressing,
    pub(crate) note: Option<String>,
}

/// How memory accesses are confined. Code is compiled for one of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Addressing {
    /// Address space for every address that a 32-bit index reaches: 4 GiB per memory.
    Reserved,
    /// A comparison at each access, if a process may not reserve as much (`ulimit -v`).
    Checked,
}

impl Addressing {
    /// The addressing that this process has address space for.
    fn of_this_process() -> Self {
        match getrlimit(Resource::As).current {
            Some(_) => Self::Checked,
            None => Self::Reserved,
        }
    }

    /// The number that the compiler's process gets.
    pub(crate) fn number(self) -> u64 {
        match self {
            Self::Reserved => 0,
            Self::Checked => 1,
        }
    }

    pub(crate) fn of_number(number: u64) -> Option<Self> {
        [Self::Reserved, Self::Checked].into_iter().find(|addressing| addressing.number() == number)
    }
}

/// Reserves a pool for all instances that may be live at the same time. If the address space does not allow it,
/// instances take their memory from the system one by one: slower to start, and equally isolated.
pub(crate) fn running(limits: &SandboxLimits) -> wasmtime::Result<Running> {
    let mut pooled = running_config(limits, Addressing::Reserved);
    pooled.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(limits)));
    let running = match Engine::new(&pooled) {
        Ok(engine) => Running { engine, addressing: Addressing::Reserved, note: None },
        Err(error) => {
            let addressing = Addressing::of_this_process();
            let note = format!(
                "no pool of memory for {} instances, so each takes its own from the system, which is slower: {error:#} (lower limit \
                 live-instances, or raise the process's limit on address space)",
                limits.live_instances
            );
            Running {
                engine: Engine::new(&running_config(limits, addressing))?,
                addressing,
                note: Some(note),
            }
        }
    };
    tick(running.engine.weak())?;
    Ok(running)
}

/// An engine that compiles the same code and reserves nothing.
pub(crate) fn compiling(addressing: Addressing) -> wasmtime::Result<Engine> {
    Engine::new(&config(addressing))
}

/// Everything that affects compiled code: target, processor features, settings, the runtime's version, this program's.
pub(crate) fn config_digest(engine: &Engine) -> Digest {
    let mut bytes = ByteCollector(env!("CARGO_PKG_VERSION").as_bytes().to_vec());
    engine.precompile_compatibility_hash().hash(&mut bytes);
    Digest::of(&bytes.0)
}

/// Collects the hashed bytes, for a digest that is the same in every process.
struct ByteCollector(Vec<u8>);

impl Hasher for ByteCollector {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

/// [`config`], with the settings that running code needs and that do not affect how code is compiled.
fn running_config(limits: &SandboxLimits, addressing: Addressing) -> Config {
    // The host's calls run on the same stack, above the guest's part of it.
    const HOST_STACK: usize = 3 << 19;
    let stack = limits.stack_bytes.clamp(1 << 12, 1 << 30);
    let mut config = config(addressing);
    config.max_wasm_stack(stack).async_stack_size(stack + HOST_STACK);
    config
}

/// The settings that affect compilation: the same bytes have to behave the same everywhere, and everything that a guest
/// could use up is bounded.
fn config(addressing: Addressing) -> Config {
    let mut config = Config::new();
    config
        .strategy(Strategy::Cranelift)
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_nan_canonicalization(true)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .wasm_tail_call(false)
        // Needed for the adapters that the runtime puts between two memories of a component. A guest's own module with
        // more than one memory is refused.
        .wasm_multi_memory(true)
        .async_stack_zeroing(true)
        .consume_fuel(true)
        .epoch_interruption(true)
        .memory_init_cow(true)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(20));
    if addressing == Addressing::Checked {
        config.memory_reservation(0).memory_guard_size(0).memory_reservation_for_growth(0);
    }
    config
}

/// Room for every instance that may be live at the same time, so that no guest can take another's. An instance has at
/// most this many parts of each kind. Memories are counted when an instance starts, because each reserves 4 GiB of
/// address space; a separate limit bounds the memory that an instance may use.
fn pool(limits: &SandboxLimits) -> PoolingAllocationConfig {
    let live = limits.live_instances.max(1);
    let (parts, tables) = (limits.core_instances.max(1), limits.memories.max(1));
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(live)
        .total_stacks(live)
        .total_memories(live)
        .total_core_instances(live.saturating_mul(parts))
        .total_tables(live.saturating_mul(tables))
        .max_core_instances_per_component(parts)
        .max_memories_per_component(tables.min(live))
        .max_tables_per_component(tables)
        .max_tables_per_module(tables)
        .table_elements(limits.table_elements)
        .linear_memory_keep_resident(CLEANED_IN_PLACE)
        .table_keep_resident(CLEANED_IN_PLACE)
        .async_stack_keep_resident(STACK_CLEANED_IN_PLACE)
        .pagemap_scan(Enabled::Auto);
    pool
}

/// Advances the engine's epoch while the engine exists.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_compiled_without_the_pool_is_the_same() {
        let running = running(&SandboxLimits::default()).unwrap();
        assert_eq!(config_digest(&running.engine), config_digest(&compiling(Addressing::Reserved).unwrap()));
    }

    #[test]
    fn any_setting_of_the_compiler_changes_the_digest() {
        let ours = config_digest(&compiling(Addressing::Reserved).unwrap());
        assert_ne!(config_digest(&compiling(Addressing::Checked).unwrap()), ours);
        let changes: [fn(&mut Config) -> &mut Config; 4] = [
            |config| config.cranelift_opt_level(OptLevel::None),
            |config| config.consume_fuel(false),
            |config| config.cranelift_nan_canonicalization(false),
            |config| config.memory_reservation(1 << 20),
        ];
        for change in changes {
            let mut other = config(Addressing::Reserved);
            change(&mut other);
            assert_ne!(config_digest(&Engine::new(&other).unwrap()), ours);
        }
    }

    #[test]
    fn the_version_is_the_one_that_is_built() {
        let lock = include_str!("../../../../Cargo.lock");
        assert!(lock.contains(&format!("name = \"wasmtime\"\nversion = \"{RUNTIME}\"")));
    }
}
