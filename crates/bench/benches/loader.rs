//! The cost of loading, starting and bounding a guest, compared with a bare runtime in the same run. Prints; asserts
//! nothing.
//!
//! `cargo bench -p bench --bench loader`
#![expect(clippy::expect_used, reason = "a benchmark that cannot go on has failed")]

use divan::Bencher;
use receipt::{Digest, Timestamp};
use sandbox::{End, Event, Halt, Provenance, Sandbox, SandboxLimits};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::{Config, Engine, Instance, InstanceAllocationStrategy, Module, Store};
use workflow::{Begun, Command, Outcome};

fn main() {
    divan::main();
}

fn guest() -> Vec<u8> {
    std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/guests/tenant-workflow.wasm"))
        .expect("the prebuilt guest")
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
}

fn sandbox(limits: SandboxLimits) -> Sandbox {
    Sandbox::new(limits).expect("a sandbox")
}

fn event() -> Event {
    Event {
        payload: "{}".to_owned(),
        started_at: Timestamp::from_millis(0),
        seed: Digest::of(b""),
        instance: "wf_bench".to_owned(),
        workflow: "bench".to_owned(),
        tenant: "acme".to_owned(),
    }
}

/// Set up a runtime: reserve the pool, link the world.
#[divan::bench]
fn set_up() -> Sandbox {
    sandbox(SandboxLimits::default())
}

/// New bytes: check, compile in this process, seal, write.
#[divan::bench(sample_count = 20)]
fn load_cold(bencher: Bencher) {
    let folder = TempDir::new().expect("a folder");
    let sandbox = sandbox(SandboxLimits::default()).cached_in(folder.path()).expect("a cache");
    let mut number = 0_u32;
    bencher
        .with_inputs(|| {
            number += 1;
            let mut bytes = guest();
            bytes.extend([0, 6, 1, b'v']);
            bytes.extend(number.to_le_bytes());
            bytes
        })
        .bench_local_values(|bytes| {
            let program = sandbox.load(&bytes).expect("a guest");
            assert_eq!(program.provenance(), Provenance::Compiled);
        });
}

/// From the cache: hash the component, read and verify the file, load the code, check the imports, link.
#[divan::bench]
fn load_from_cache(bencher: Bencher) {
    let folder = TempDir::new().expect("a folder");
    let sandbox = sandbox(SandboxLimits::default()).cached_in(folder.path()).expect("a cache");
    let bytes = guest();
    sandbox.load(&bytes).expect("the demo guest");
    bencher.bench_local(|| {
        let program = sandbox.load(&bytes).expect("the demo guest");
        assert_eq!(program.provenance(), Provenance::Cached);
        program
    });
}

/// A store, an instance, a call up to the first host call, and everything dropped.
#[divan::bench]
fn instantiate_and_halt_from_the_pool(bencher: Bencher) {
    instantiate_and_halt(bencher, &sandbox(SandboxLimits::default()));
}

/// The same without address space for a pool: more instances than any machine has room for.
#[divan::bench]
fn instantiate_and_halt_on_demand(bencher: Bencher) {
    let limits = SandboxLimits { live_instances: 1_000_000, ..SandboxLimits::default() };
    let sandbox = sandbox(limits);
    assert!(sandbox.note().is_some(), "this machine has room for a pool of a million");
    instantiate_and_halt(bencher, &sandbox);
}

fn instantiate_and_halt(bencher: Bencher, sandbox: &Sandbox) {
    let (program, runtime) = (sandbox.load(&guest()).expect("the demo guest"), runtime());
    bencher.bench_local(|| {
        let halt = |_: Command| Err::<Outcome, Halt>("enough".into());
        let drive =
            runtime.block_on(sandbox.run(&program, event(), &SandboxLimits::default(), Box::new(halt)));
        assert!(matches!(drive.end, End::Halted(_)));
    });
}

/// A bare store and a bare instance, nothing called, from a bare pool.
#[divan::bench]
fn bare_instantiate_from_the_pool(bencher: Bencher) {
    let mut config = Config::new();
    config.allocation_strategy(InstanceAllocationStrategy::pooling());
    bare_instantiate(bencher, &config);
}

/// The same without a pool.
#[divan::bench]
fn bare_instantiate_on_demand(bencher: Bencher) {
    bare_instantiate(bencher, &Config::new());
}

fn bare_instantiate(bencher: Bencher, config: &Config) {
    let engine = Engine::new(config).expect("an engine");
    let component = Component::from_binary(&engine, &guest()).expect("the demo guest");
    let mut linker: Linker<()> = Linker::new(&engine);
    linker.define_unknown_imports_as_traps(&component).expect("imports");
    let (pre, runtime): (InstancePre<()>, _) =
        (linker.instantiate_pre(&component).expect("a linked guest"), runtime());
    bencher.bench_local(|| {
        let mut store = Store::new(&engine, ());
        runtime.block_on(pre.instantiate_async(&mut store)).expect("an instance");
    });
}

/// A thousand calls to the host, each with a string and a handle, in one drive of a guest that begins steps without end.
#[divan::bench]
fn thousand_host_calls(bencher: Bencher) {
    let sandbox = sandbox(SandboxLimits { handles: 10_000, ..SandboxLimits::default() });
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/guests/hostile.wasm");
    let hostile = std::fs::read(path).expect("the prebuilt guest");
    let (program, runtime) = (sandbox.load(&hostile).expect("the hostile guest"), runtime());
    bencher.bench_local(|| {
        let mut calls = 0;
        let answer = move |_: Command| {
            calls += 1;
            match calls {
                ..1000 => Ok(Outcome::Begun(Begun::Done("0".to_owned()))),
                _ => Err::<Outcome, Halt>("enough".into()),
            }
        };
        let event = Event { payload: r#"{"attack":"steps-without-end"}"#.to_owned(), ..event() };
        let drive =
            runtime.block_on(sandbox.run(&program, event, &SandboxLimits::default(), Box::new(answer)));
        assert!(matches!(drive.end, End::Halted(_)));
    });
}

/// The cost of a bound on computing for a guest that only computes.
#[divan::bench(args = ["neither", "fuel", "epochs", "both"], sample_count = 20)]
fn compute(bencher: Bencher, bounds: &str) {
    let mut config = Config::new();
    config.consume_fuel(matches!(bounds, "fuel" | "both"));
    config.epoch_interruption(matches!(bounds, "epochs" | "both"));
    let engine = Engine::new(&config).expect("an engine");
    let module = Module::new(&engine, wat::parse_str(COMPUTE).expect("a module")).expect("a module");
    bencher.bench_local(|| {
        let mut store = Store::new(&engine, ());
        let _ = store.set_fuel(u64::MAX);
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = Instance::new(&mut store, &module, &[]).expect("an instance");
        let run = instance.get_typed_func::<i32, i64>(&mut store, "run").expect("a function");
        run.call(&mut store, 200).expect("a result")
    });
}

/// Shuffles 64 KiB of memory `$rounds` times.
const COMPUTE: &str = r#"(module (memory 1) (func (export "run") (param $rounds i32) (result i64)
    (local $at i32) (local $sum i64)
    (loop $round
        (local.set $at (i32.const 0))
        (loop $word
            (local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 6364136223846793005))
                (i64.xor (i64.load (local.get $at)) (i64.extend_i32_u (local.get $at)))))
            (if (i64.eqz (i64.and (local.get $sum) (i64.const 7)))
                (then (local.set $sum (i64.rotl (local.get $sum) (i64.const 13)))))
            (i64.store (local.get $at) (local.get $sum))
            (br_if $word (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.const 65528))))
        (br_if $round (local.tee $rounds (i32.sub (local.get $rounds) (i32.const 1)))))
    (local.get $sum)))"#;
