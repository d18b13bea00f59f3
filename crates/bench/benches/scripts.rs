//! The cost of source text: loading it for the first time and from the sealed cache, reaching a parked approval, a step, and
//! the memory of a live instance. Prints; asserts nothing.
//!
//! Times depend on the machine and on what else it does. The guest's fuel does not, and the page faults hardly do.
//!
//! `cargo bench -p bench --bench scripts`
#![expect(clippy::expect_used, reason = "a benchmark that cannot go on has failed")]

use bench::private_memory;
use receipt::{Digest, Timestamp};
use sandbox::script::{Bundle, Kind, Module, current_engine};
use sandbox::{Drive, End, Event, Halt, Handler, HandlerAnswer, Program, Sandbox, SandboxLimits};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use workflow::{Begun, Call, Command, Outcome, Ready, Start};

const SMALL: &str = include_str!("../../../examples/tenant-workflow.ts");

const PARAMS: &str =
    r#"{"actor":"agent:builder","resource":"cloudflare://workers/acme/app","workflowId":"wf-1"}"#;

fn main() {
    let folder = TempDir::new().expect("a folder");
    let sandbox = Sandbox::new(SandboxLimits::default()).expect("a sandbox");
    let sandbox = sandbox.cached_in(folder.path()).expect("a cache");
    let bench = Bench { sandbox, runtime: runtime(), number: 0 };
    bench.print(folder);
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
}

struct Bench {
    sandbox: Sandbox,
    runtime: Runtime,
    number: u32,
}

impl Bench {
    fn print(mut self, folder: TempDir) {
        report("the engine, compiled in this process", &[cost(|| self.load(&bundle("w.ts", SMALL)))]);
        for (what, runs, length) in
            [("the upstream example", 60, 0), ("and 50 kB more", 30, 50_000), ("and 500 kB more", 5, 500_000)]
        {
            let bundles: Vec<_> = (0..runs).map(|_| self.unseen(length)).collect();
            let unseen: Vec<_> =
                bundles.iter().map(|bundle| cost(|| self.park(&self.load(bundle)))).collect();
            report(&format!("{what}, unseen, to its approval"), &unseen);
            let program = self.load(&self.source(0, length));
            let parked: Vec<_> = (0..runs * 4).map(|_| cost(|| self.park(&program))).collect();
            report(&format!("{what}, prepared, to its approval"), &parked);
        }
        let typed: Vec<_> = (0..20).map(|_| self.unseen(58_000 - SMALL.len())).collect();
        report(
            "58 kB of TypeScript, unseen",
            &typed.iter().map(|bundle| cost(|| self.load(bundle))).collect::<Vec<_>>(),
        );
        for (what, source, replayed) in [
            ("no step", NOTHING, false),
            ("100 steps made", STEPS, false),
            ("100 steps replayed", STEPS, true),
        ] {
            let program = self.load(&bundle("w.js", source));
            let runs: Vec<_> = (0..40).map(|_| cost(|| self.run_with(&program, answers(replayed)))).collect();
            report(&format!("a whole workflow: {what}"), &runs);
        }
        self.print_live();
        let bytes = bundle("w.ts", SMALL).bytes();
        let again: Vec<_> = (0..10)
            .map(|_| {
                let sandbox = Sandbox::new(SandboxLimits::default()).expect("a sandbox");
                let sandbox = sandbox.cached_in(folder.path()).expect("a cache");
                cost(|| sandbox.load(&bytes).expect("a workflow"))
            })
            .collect();
        report("the engine and a bundle out of the cache, in a new runtime", &again);
    }

    fn unseen(&mut self, length: usize) -> Bundle {
        self.number += 1;
        self.source(self.number, length)
    }

    fn source(&self, number: u32, length: usize) -> Bundle {
        bundle("w.ts", &format!("{SMALL}\n// {number}\n{}", filler(length)))
    }

    fn load(&self, bundle: &Bundle) -> Program {
        self.sandbox.load(&bundle.bytes()).expect("a workflow")
    }

    fn park(&self, program: &Program) -> Drive {
        let drive = self.run(program);
        assert!(matches!(drive.end, End::Halted(_)), "{:?}", drive.end);
        drive
    }

    fn run(&self, program: &Program) -> Drive {
        self.run_with(program, answers(false))
    }

    fn run_with(&self, program: &Program, handler: impl Handler + 'static) -> Drive {
        let (limits, handler) = (SandboxLimits::default(), Box::new(handler));
        self.runtime.block_on(self.sandbox.run(program, event("acme"), &limits, handler))
    }

    /// The private memory of instances that wait for the answer to their first step.
    fn print_live(&self) {
        let (program, limits, reached) =
            (self.load(&bundle("w.ts", SMALL)), SandboxLimits::default(), Arc::new(AtomicU64::new(0)));
        let _entered = self.runtime.enter();
        let before = private_memory().expect("Linux");
        let live: Vec<_> = (0..LIVE)
            .map(|number| {
                // Each has a tenant of its own, so that none waits for another in the throttle.
                let event = event(&format!("tenant-{number}"));
                let handler = Box::new(Unanswered(Arc::clone(&reached)));
                let mut drive = Box::pin(self.sandbox.run(&program, event, &limits, handler));
                // It may yield on the way.
                while reached.load(Ordering::Relaxed) <= number {
                    let polled = drive.as_mut().poll(&mut Context::from_waker(Waker::noop()));
                    assert!(polled.is_pending(), "it ended: {polled:?}");
                }
                drive
            })
            .collect();
        let taken = private_memory().expect("Linux").saturating_sub(before);
        println!("{LIVE} live instances, private memory of each {:>34.1} KiB", taken as f64 / LIVE as f64);
        drop(live);
    }
}

/// Instances that live at once.
const LIVE: u64 = 100;

/// Counts its first command, and never answers it.
struct Unanswered(Arc<AtomicU64>);

impl Handler for Unanswered {
    fn handle(&mut self, _: Command) -> HandlerAnswer<'_> {
        self.0.fetch_add(1, Ordering::Relaxed);
        HandlerAnswer::Later(Box::pin(std::future::pending()))
    }
}

fn event(tenant: &str) -> Event {
    Event {
        payload: PARAMS.to_owned(),
        started_at: Timestamp::from_millis(0),
        seed: Digest::of(b""),
        instance: "wf_bench".to_owned(),
        workflow: "bench".to_owned(),
        tenant: tenant.to_owned(),
    }
}

const NOTHING: &str = "import { WorkflowEntrypoint } from 'cloudflare:workers';
export class W extends WorkflowEntrypoint { async run() { return 1; } }";

const STEPS: &str = "import { WorkflowEntrypoint } from 'cloudflare:workers';
export class W extends WorkflowEntrypoint {
  async run(event, step) { for (let n = 0; n < 100; n += 1) await step.do(`step ${n}`, async () => n); }
}";

/// Answers from memory, until the guest asks for an approval. Steps are made, or have been made before.
fn answers(replayed: bool) -> impl FnMut(Command) -> Result<Outcome, Halt> {
    let (mut next, mut ended) = (0, HashMap::<Call, String>::new());
    move |command| match command {
        Command::Start(Start::Step { .. }) if replayed => {
            next += 1;
            ended.insert(next - 1, "1".to_owned());
            Ok(Outcome::Started(next - 1))
        }
        Command::Start(Start::Step { .. }) => {
            next += 1;
            Ok(Outcome::Begun(Begun::Run(next - 1)))
        }
        Command::EndStep { call, result } => {
            ended.insert(call, result.unwrap_or_default());
            Ok(Outcome::Ended(Ok(())))
        }
        Command::Await { calls } => {
            let call = calls.first().copied().ok_or("it waits for nothing")?;
            Ok(Outcome::Woken { call, ready: Ready::Step(Ok(ended.remove(&call).unwrap_or_default())) })
        }
        other => Err(format!("{other:?}").into()),
    }
}

fn bundle(name: &str, text: &str) -> Bundle {
    let module = Module { kind: Kind::of(name).expect("a module"), content: text.as_bytes().to_vec() };
    Bundle {
        engine: current_engine(),
        main: name.to_owned(),
        class: None,
        modules: BTreeMap::from([(name.to_owned(), module)]),
    }
}

/// Functions such as people write them.
fn filler(length: usize) -> String {
    let mut text = String::new();
    let mut number = 0;
    while text.len() < length {
        text += &format!(
            "function f{number}(a: number, list: string[]) {{ const out: string[] = []; for (const one of list) {{ if (one.length > a) out.push(`${{one}}-{number}`); else out.unshift(one); }} return {{ a, out, when: {number} }}; }}\n"
        );
        number += 1;
    }
    text
}

/// What a piece of work took.
#[derive(Clone, Copy)]
struct Cost {
    time: Duration,
    page_faults: i64,
    /// Of a drive only.
    fuel: u64,
}

/// Work that may have used fuel.
trait Work {
    fn fuel(&self) -> u64 {
        0
    }
}

impl Work for Drive {
    fn fuel(&self) -> u64 {
        self.fuel
    }
}

impl Work for Program {}

fn cost<W: Work>(work: impl FnOnce() -> W) -> Cost {
    let (faults, started) = (page_faults(), Instant::now());
    let fuel = work().fuel();
    Cost { time: started.elapsed(), page_faults: page_faults() - faults, fuel }
}

/// Page faults of this process so far that needed no disk.
fn page_faults() -> i64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = stat.rsplit(") ").next().unwrap_or_default();
    after_name.split(' ').nth(7).and_then(|faults| faults.parse().ok()).unwrap_or(0)
}

fn report(what: &str, costs: &[Cost]) {
    let mut costs = costs.to_vec();
    costs.sort_unstable_by_key(|cost| cost.time);
    let median = costs.get(costs.len() / 2).copied();
    let micros = |cost: Option<Cost>| cost.map_or(0.0, |cost| cost.time.as_secs_f64() * 1e6);
    let (faults, fuel) = median.map_or((0, 0), |cost| (cost.page_faults, cost.fuel));
    println!(
        "{what:<60} min {:>12.1} µs   median {:>12.1} µs   {faults:>7} faults   {fuel:>9} fuel",
        micros(costs.first().copied()),
        micros(median)
    );
}
