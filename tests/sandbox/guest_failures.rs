//! The messages for guests that break.

use crate::support;
use receipt::{Digest, Timestamp};
use sandbox::{Drive, End, Event, Halt, Sandbox, SandboxLimits};
use std::fs;
use workflow::{Command, Failure, Outcome};

/// A workflow around a core module. `more` are additional imports of the module.
pub(super) fn framed(before: &str, more: &str, module: &str) -> Vec<u8> {
    let frame = fs::read_to_string(support::root().join("guests/hostile/frame.wat")).unwrap();
    let last = r#"(export "drop-receipt" (func $drop-receipt))"#;
    let frame = frame.replacen(last, &format!("{last} {more}"), 1);
    wat::parse_str(frame.replacen("  ;; ATTACK", &format!("{before}\n{module}"), 1)).unwrap()
}

pub(super) const IMPORTS: &str = r#"
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
