//! The effect of an attack on neighbours, and the cost of a thousand live instances. Prints; asserts nothing.
//!
//! `cargo bench -p bench --bench isolation`; with words behind `--`, only the attacks whose line has them.
#![expect(clippy::expect_used, reason = "a benchmark that cannot go on has failed")]

use engine::issuer::{DemoDecider, Judgement};
use engine::{Host, Start};
use receipt::{Decision, Digest, Timestamp};
use sandbox::{Drive, Event, Halt, Sandbox, SandboxLimits};
use std::fs;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};
use store::{InstanceKey, Quotas};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use workflow::{Command, Outcome};

fn main() {
    let words: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    neighbours(&words);
    if words.is_empty() {
        live_instances();
    }
}

fn guest(name: &str) -> Vec<u8> {
    let guests = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/guests");
    fs::read(Path::new(guests).join(name)).expect("the prebuilt guest")
}

/// The duration of each attack.
const PHASE: Duration = Duration::from_secs(8);

/// Concurrent attackers: one for each thread of the runtime, and as many again; and many.
const FEW: usize = 4;
const MANY: usize = 16;

/// A core module that passes 64 MiB to the host in each of a loop of calls, all of them refused: as an artifact, or as
/// a step's name.
fn handing_over(call: &str) -> Vec<u8> {
    let frame = include_str!("../../../guests/hostile/frame.wat");
    let module = format!(
        r#"(core module $attack
             (import "host" "memory" (memory 2))
             (import "host" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
             (import "host" "post" (func $post (param i32)))
             (import "host" "begin" (func $begin (param i32 i32 i32 i32)))
             (import "host" "approve" (func $approve (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
             (export "realloc" (func $same-place)) (export "post" (func $post))
             (func $same-place (param i32 i32 i32 i32) (result i32) (i32.const 65536))
             (func (export "run") (param i32 i32 i64 i32 i32 i32 i32) (param $step i32) (result i32)
               (drop (memory.grow (i32.const 1030)))
               (loop $more {call} (br $more))
               (unreachable)))"#
    );
    wat::parse_str(frame.replacen("  ;; ATTACK", &module, 1)).expect("a component")
}

const ARTIFACT: &str = "(call $approve (i32.const 64) (i32.const 4) (i32.const 256) (i32.const 32) (i32.const 64) (i32.const 4) (i32.const 512) (i32.const 2) (i32.const 1) (i32.const 64) (i32.const 4) (i32.const 131072) (i32.const 67000000) (i32.const 2048))";
const NAME: &str = "(call $begin (local.get $step) (i32.const 131072) (i32.const 67000000) (i32.const 2048))";
const LONG_TEXT: &str =
    "(call $begin (local.get $step) (i32.const 131072) (i32.const 4000000) (i32.const 2048))";

/// Concurrent neighbours, each of which drives one instance after the other.
const NEIGHBOURS: usize = 2;

/// Drives of neighbours without an attack and during each attack, on a runtime of two threads.
fn neighbours(words: &[String]) {
    println!(
        "drives of a neighbour (to the first request for permission, recorded in memory), two at a time, two threads"
    );
    println!(
        "{:<52} {:>7} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "meanwhile", "drives", "p50", "p99", "longest", "most RSS", "p99/spin"
    );
    // The p99 beside as many guests that spin. The target beside those that pass bytes is twice that.
    let mut beside_spinning = None;
    let hostile = || guest("hostile.wasm");
    for (attackers, component, attack, what) in [
        (0, hostile(), "", "no attack"),
        (FEW, hostile(), "spin", "four guests spin"),
        (FEW, hostile(), "memory", "four guests fill memory, again and again"),
        (FEW, hostile(), "call-loop", "four guests call the host in a loop"),
        (MANY, hostile(), "spin", "sixteen guests spin"),
        (MANY, handing_over(ARTIFACT), "", "sixteen guests hand over artifacts"),
        (MANY, handing_over(NAME), "", "sixteen guests hand over names that are too long"),
        (MANY, handing_over(LONG_TEXT), "", "sixteen guests hand over four megabytes of text"),
        (0, hostile(), "", "no attack, again"),
    ] {
        if !words.is_empty() && !words.iter().any(|word| what.contains(word)) {
            continue;
        }
        let mut took = phase(attackers, component, attack);
        took.sort_unstable();
        let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
        let millis = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1e3);
        if (attackers, attack) == (MANY, "spin") {
            beside_spinning = Some(at(0.99));
        }
        let ratio = beside_spinning.filter(|_| attackers == MANY);
        let ratio = ratio.map(|spinning| at(0.99).as_secs_f64() / spinning.as_secs_f64());
        println!(
            "{what:<52} {:>7} {:>9} {:>9} {:>9} {:>9} {:>9}",
            took.len(),
            millis(at(0.5)),
            millis(at(0.99)),
            millis(at(1.0)),
            format!("{} MiB", most_resident() >> 10),
            ratio.map(|ratio| format!("{ratio:.1}")).unwrap_or_default()
        );
    }
}

/// The duration of each drive.
fn phase(attackers: usize, component: Vec<u8>, attack: &'static str) -> Vec<Duration> {
    // The most that is resident is counted anew.
    let _ = fs::write("/proc/self/clear_refs", "5");
    let fixture = Fixture::new(component);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    let runtime = runtime.expect("a runtime");
    let attacks: Vec<_> = (0..attackers).map(|_| runtime.spawn(fixture.clone().attack(attack))).collect();
    let end = Instant::now() + PHASE;
    let neighbours: Vec<_> = (0..NEIGHBOURS).map(|_| runtime.spawn(fixture.clone().live(end))).collect();
    let took = neighbours.into_iter().flat_map(|neighbour| runtime.block_on(neighbour).expect("drives"));
    let took = took.collect();
    attacks.iter().for_each(|attack| attack.abort());
    runtime.shutdown_timeout(Duration::from_secs(1));
    took
}

/// KiB that this process has had in memory at most.
fn most_resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

/// A host, and both parties' workflows.
#[derive(Clone)]
struct Fixture {
    host: Host,
    hostile: engine::Workflow,
    honest: engine::Workflow,
    _folder: std::sync::Arc<TempDir>,
}

impl Fixture {
    fn new(hostile: Vec<u8>) -> Self {
        // Not the disk is measured.
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() };
        let folder = folder.expect("a folder");
        let quotas = Quotas { requests_per_hour: u64::MAX, ..Quotas::default() };
        let host = Host::builder(folder.path()).quotas(quotas).open().expect("a host");
        let [hostile, honest] =
            [hostile, guest("tenant-workflow.wasm")].map(|component| host.load(component).expect("a guest"));
        Self { host, hostile, honest, _folder: std::sync::Arc::new(folder) }
    }

    fn start(&self, tenant: &str, workflow: &engine::Workflow, params: &str) -> InstanceKey {
        let (tenant, actor) = (tenant.parse().expect("a tenant"), "agent:bench".parse().expect("an actor"));
        let start = Start::new(tenant, actor, "bench", params);
        self.host.start(workflow, start).expect("an instance")
    }

    /// Attacks without end: an attack that a limit ends begins again.
    async fn attack(self, attack: &str) {
        loop {
            let key = self.start("mallory", &self.hostile, &format!(r#"{{"attack":"{attack}"}}"#));
            while let Some(request) = self.host.drive(&key).await.expect("a drive").request() {
                let by = DemoDecider::new("operator".parse().expect("a name"));
                let judgement = Judgement { decision: Decision::Approved, by, reason: None };
                self.host.decide(request, &judgement).expect("a receipt");
            }
        }
    }

    /// Drives one instance after the other until `end`. Decides each, so that there is room for the next.
    async fn live(self, end: Instant) -> Vec<Duration> {
        let mut took = Vec::new();
        while Instant::now() < end {
            let (key, began) = (self.start("acme", &self.honest, "{}"), Instant::now());
            let status = self.host.drive(&key).await.expect("a drive");
            took.push(began.elapsed());
            let request = status.request().expect("it asks");
            let by = DemoDecider::new("operator".parse().expect("a name"));
            let judgement = Judgement { decision: Decision::Denied, by, reason: None };
            self.host.decide(request, &judgement).expect("a receipt");
            self.host.drive(&key).await.expect("a drive");
            // A drive of so little work never waits, and a task that never waits keeps its thread from every other.
            tokio::task::yield_now().await;
        }
        took
    }
}

/// Live instances at once.
const LIVE: usize = 1_000;

/// A thousand instances in the middle of their work. Each computes until the runtime takes the thread back from it, and is left there.
fn live_instances() {
    let sandbox = Sandbox::new(SandboxLimits::default()).expect("a sandbox");
    let runtime = Runtime::new().expect("a runtime");
    let _entered = runtime.enter();
    println!(
        "\n{LIVE} live instances of a Rust guest with its standard library, each stopped in the middle of a computation"
    );
    let program = sandbox.load(&guest("hostile.wasm")).expect("a guest");
    let (limits, before) = (SandboxLimits::default(), ProcessMemory::now());
    let mut live: Vec<Pin<Box<dyn Future<Output = Drive> + '_>>> = Vec::new();
    for number in 0..LIVE {
        let refuse = |_: Command| Err::<Outcome, Halt>("no command is answered".into());
        let mut drive = Box::pin(sandbox.run(&program, event(number), &limits, Box::new(refuse)));
        let first = drive.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(first.is_pending(), "it ended: {first:?}");
        live.push(drive);
    }
    let after = ProcessMemory::now();
    let each = |after: u64, before: u64| after.saturating_sub(before) as f64 / LIVE as f64;
    println!("private memory, each {:>8.1} KiB", each(after.private, before.private));
    println!("mappings, each       {:>8.1}", each(after.mappings, before.mappings));
}

fn event(number: usize) -> Event {
    Event {
        payload: r#"{"attack":"spin"}"#.to_owned(),
        started_at: Timestamp::from_millis(0),
        seed: Digest::of(b""),
        instance: "wf_bench".to_owned(),
        workflow: "bench".to_owned(),
        // Each has a tenant of its own, so that none waits for another in the throttle.
        tenant: format!("tenant-{number}"),
    }
}

/// This process's memory.
struct ProcessMemory {
    /// KiB that no other process shares.
    private: u64,
    mappings: u64,
}

impl ProcessMemory {
    fn now() -> Self {
        let mappings = fs::read_to_string("/proc/self/maps").expect("Linux").lines().count() as u64;
        Self { private: bench::private_memory().expect("Linux"), mappings }
    }
}
