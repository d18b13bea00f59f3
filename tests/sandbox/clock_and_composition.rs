//! The time that a guest sees, and the messages for guests that break.

use crate::support;
use engine::{Clock, Host, Start, Status};
use receipt::{Digest, Timestamp};
use sandbox::{Drive, End, Event, Halt, Sandbox, SandboxLimits};
use std::fs;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use store::InstanceKey;
use tempfile::TempDir;
use workflow::{Command, Failure, Outcome};

/// A workflow around a core module. `more` are additional imports of the module.
fn framed(before: &str, more: &str, module: &str) -> Vec<u8> {
    let frame = fs::read_to_string(support::root().join("guests/hostile/frame.wat")).unwrap();
    let last = r#"(export "drop-receipt" (func $drop-receipt))"#;
    let frame = frame.replacen(last, &format!("{last} {more}"), 1);
    wat::parse_str(frame.replacen("  ;; ATTACK", &format!("{before}\n{module}"), 1)).unwrap()
}

const IMPORTS: &str = r#"
  (import "host" "memory" (memory 2))
  (import "host" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
  (import "host" "post" (func $post (param i32)))
  (export "realloc" (func $realloc))
  (export "post" (func $post))"#;

fn run(component: &[u8], limits: &SandboxLimits) -> Drive {
    let sandbox = Sandbox::new(limits.clone()).unwrap();
    let event = Event {
        payload: "{}".to_owned(),
        started_at: Timestamp::from_millis(0),
        seed: Digest::of(b"seed"),
        instance: "wf_test".to_owned(),
        workflow: "test".to_owned(),
        tenant: "acme".to_owned(),
    };
    let nobody = |command: Command| Err::<Outcome, Halt>(format!("{command:?}").into());
    let program = sandbox.load(component).unwrap();
    support::block_on(sandbox.run(&program, event, limits, Box::new(nobody)))
}

fn broke(component: &[u8], limits: &SandboxLimits) -> Failure {
    match run(component, limits).end {
        End::Broke(failure) => failure,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_trap_says_its_kind_and_its_place_by_the_guest_s_own_names() {
    let module = |body: &str| {
        let module = format!(
            r#"(core module $attack {IMPORTS}
                 (func $tell-the-reason (param i32) (result i32) {body})
                 (func $reckon (param i32) (result i32) (call $tell-the-reason (local.get 0)))
                 (func (export "run") (param i32 i32 i64 i32 i32 i32 i32) (param $step i32) (result i32)
                   (call $reckon (i32.const 0))))"#
        );
        framed("", "", &module)
    };
    let limits = SandboxLimits::default();
    for (body, name, kind) in [
        ("(unreachable)", "panicked", "unreachable instruction"),
        ("(i32.div_u (i32.const 1) (local.get 0))", "trapped", "integer divide by zero"),
        ("(i32.load (i32.const -4))", "trapped", "outside its memory"),
    ] {
        let failure = broke(&module(body), &limits);
        assert_eq!(failure.name, name);
        assert!(failure.message.contains(kind), "{failure}");
        assert!(
            failure.message.contains(r#"in "tell-the-reason", called by "reckon", called by "#),
            "{failure}"
        );
    }
    // A guest chooses its own names, and each is shown within one line.
    let long = format!("a{}", "\u{1b}".repeat(10_000));
    let text = format!(
        r#"(core module $attack {IMPORTS} (func $f (@name "{}") (unreachable))
        (func (export "run") (param i32 i32 i64 i32 i32 i32 i32 i32) (result i32) (call $f) (i32.const 0)))"#,
        long.replace('\u{1b}', "\\1b")
    );
    let failure = broke(&framed("", "", &text), &limits);
    assert!(failure.message.len() < 2_000 && !failure.message.contains('\u{1b}'), "{failure}");
}

#[test]
fn what_a_guest_printed_before_it_broke_is_in_its_output() {
    let (folder, host) = support::new_host();
    let key = support::start(&host, "hostile", r#"{"attack":"panic"}"#);
    let status = support::finish(&host, &key, receipt::Decision::Denied);
    let (name, message) = support::failure(&status);
    assert_eq!(name, "panicked");
    assert!(message.contains("; in "), "{message}");
    let logs = engine::ReadOnlyHost::open(folder.path(), None).unwrap().store().output(&key).wait().unwrap();
    assert!(logs.contains("panicked at"), "{logs}");
}

/// Passes texts of these lengths, as a step's name or as an artifact.
fn handing_over(name: u32, artifact: u32) -> Vec<u8> {
    let module = format!(
        r#"(core module $attack {IMPORTS}
             (import "host" "begin" (func $begin (param i32 i32 i32 i32)))
             (import "host" "approve" (func $approve (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
             (func (export "run") (param i32 i32 i64 i32 i32 i32 i32) (param $step i32) (result i32)
               (drop (memory.grow (i32.const 1600)))
               (if (i32.const {name}) (then (call $begin (local.get $step) (i32.const 131072) (i32.const {name}) (i32.const 2048))))
               (call $approve (i32.const 64) (i32.const 4) (i32.const 256) (i32.const 32) (i32.const 64) (i32.const 4) (i32.const 512) (i32.const 2)
                 (i32.const 1) (i32.const 64) (i32.const 4) (i32.const 131072) (i32.const {artifact}) (i32.const 2048))
               (unreachable)))"#
    );
    // Imports come first.
    let (imports, rest) = module.split_once(r#"  (export "realloc""#).unwrap();
    let (exports, rest) = rest.split_once("(import").unwrap();
    let (more, rest) = rest.split_once("(func (export").unwrap();
    let module = format!(r#"{imports} (import{more} (export "realloc"{exports} (func (export{rest}"#);
    framed("", "", &module)
}

#[test]
fn a_long_text_is_refused_and_an_artifact_costs_fuel_for_each_byte() {
    let limits = SandboxLimits::default();
    let failure = broke(&handing_over(5 << 20, 0), &limits);
    assert!(failure.message.contains("limit text-bytes reached: at most 4194304 "), "{failure}");
    let halted = |artifact: u32| {
        let drive = run(&handing_over(0, artifact), &limits);
        let End::Halted(halt) = drive.end else { panic!("{:?}", drive.end) };
        (halt.to_string(), drive.fuel)
    };
    let ((small, little), (large, much)) = (halted(1_000), halted(8 << 20));
    assert!(small.contains("bytes: 1000") && large.contains("bytes: 8388608"), "{small} {large}");
    let zeros = Digest::of(&vec![0; 8 << 20]);
    assert!(large.contains(&zeros.to_string()), "it is measured whole: {large}");
    assert!(much - little >= 8 << 20, "{little} {much}");
    let poor = SandboxLimits { fuel: 1_000_000, ..SandboxLimits::default() };
    let failure = broke(&handing_over(0, 8 << 20), &poor);
    assert!(failure.message.contains("limit fuel reached"), "{failure}");
}

/// A clock that stands still until it is set.
#[derive(Clone)]
struct StoppedClock(Arc<AtomicI64>);

impl Clock for StoppedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }

    fn until(&self, _: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(std::future::pending())
    }
}

const WALL_CLOCK: &str = r#"
  (import "wasi:clocks/wall-clock@0.2.0" (instance $clock
    (type $datetime' (record (field "seconds" u64) (field "nanoseconds" u32)))
    (export "datetime" (type $datetime (eq $datetime')))
    (export "now" (func (result $datetime)))))
  (core func $now (canon lower (func $clock "now") (memory (core memory $own "memory"))))"#;

/// Sleeps an hour, reads the clock, sleeps another hour, and returns the second that it read.
const LOOKS_BETWEEN_SLEEPS: &str = r#"
  (func $sleep (param $step i32)
    (call $start-sleep (local.get $step) (i32.const 64) (i32.const 4) (i32.const 0) (i64.const 3600000) (i32.const 1024))
    (i32.store (i32.const 3000) (i32.load (i32.const 1028)))
    (call $first (i32.const 3000) (i32.const 1) (i32.const 1024))
    (call $drop-pending (i32.load (i32.const 3000))))
  (func (export "run") (param i32 i32 i64 i32 i32 i32 i32) (param $step i32) (result i32)
    (local $seconds i64) (local $at i32)
    (call $sleep (local.get $step))
    (call $now (i32.const 4096))
    (local.set $seconds (i64.load (i32.const 4096)))
    (call $sleep (local.get $step))
    (call $drop-step (local.get $step))
    (local.set $at (i32.const 5010))
    (loop $digit
      (local.set $at (i32.sub (local.get $at) (i32.const 1)))
      (i32.store8 (local.get $at)
        (i32.add (i32.const 48) (i32.wrap_i64 (i64.rem_u (local.get $seconds) (i64.const 10)))))
      (local.set $seconds (i64.div_u (local.get $seconds) (i64.const 10)))
      (br_if $digit (i64.ne (local.get $seconds) (i64.const 0))))
    (i32.store (i32.const 20) (local.get $at))
    (i32.store (i32.const 24) (i32.sub (i32.const 5010) (local.get $at)))
    (i32.const 16))"#;

#[test]
fn the_guest_s_clock_shows_that_time_passed_and_shows_the_same_on_every_run() {
    const BEGIN: i64 = 1_800_000_000;
    let clock = StoppedClock(Arc::new(AtomicI64::new(BEGIN * 1_000)));
    let folder = TempDir::new().unwrap();
    let host = Host::builder(folder.path()).clock(clock.clone()).open().unwrap();
    let module = format!(
        r#"(core module $attack
  (import "host" "start-sleep" (func $start-sleep (param i32 i32 i32 i32 i64 i32)))
  (import "host" "first" (func $first (param i32 i32 i32)))
  (import "host" "drop-pending" (func $drop-pending (param i32)))
  (import "host" "drop-step" (func $drop-step (param i32)))
  (import "host" "now" (func $now (param i32)))
  {IMPORTS} {LOOKS_BETWEEN_SLEEPS})"#
    );
    let workflow = host.load(framed(WALL_CLOCK, r#"(export "now" (func $now))"#, &module)).unwrap();
    let start = Start::new("acme".parse().unwrap(), "agent:a".parse().unwrap(), "clock", "{}");
    let key: InstanceKey = host.start(&workflow, start).unwrap();
    let drive_at = |seconds: i64| {
        clock.0.store((BEGIN + seconds) * 1_000, Ordering::SeqCst);
        support::block_on(host.drive(&key)).unwrap()
    };
    assert!(matches!(drive_at(0), Status::Waiting(_)));
    assert!(matches!(drive_at(3_700), Status::Waiting(_)));
    // A later run gets the same answers.
    let Status::Completed(looked) = drive_at(100_000) else { panic!("it sleeps on") };
    assert_eq!(looked, (BEGIN + 3_700).to_string());
}
