//! The same component, parameters and answers: the same commands, bit for bit, and the same fuel.

use crate::support;
use receipt::{Digest, Timestamp};
use sandbox::{Event, Halt, Program, Sandbox, SandboxLimits};
use std::fs;
use std::sync::{Arc, Mutex};
use workflow::{Approval, Begun, Command, Outcome, Performance, Ready};

/// The observable results of a run.
#[derive(Debug, PartialEq)]
struct Seen {
    commands: Vec<Command>,
    end: String,
    output: String,
    fuel: u64,
}

/// Enough for every guest here that ends by itself, and soon used up by the others.
const FUEL: u64 = 5_000_000;

fn run(sandbox: &Sandbox, program: &Program, params: &str) -> Seen {
    let commands = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&commands);
    let answer = move |command: Command| {
        let mut commands = seen.lock().unwrap();
        let outcome = outcome(&command, commands.len());
        commands.push(command);
        outcome
    };
    let event = event("acme", params);
    let limits = SandboxLimits { fuel: FUEL, ..SandboxLimits::default() };
    let drive = support::block_on(sandbox.run(program, event, &limits, Box::new(answer)));
    let commands = std::mem::take(&mut *commands.lock().unwrap());
    Seen { commands, end: format!("{:?}", drive.end), output: drive.output, fuel: drive.fuel }
}

/// The event with which every run of a tenant starts.
pub(super) fn event(tenant: &str, params: &str) -> Event {
    Event {
        payload: params.to_owned(),
        started_at: Timestamp::from_millis(1_800_000_000_000),
        seed: Digest::of(b"seed"),
        instance: "wf_same".to_owned(),
        workflow: "same".to_owned(),
        tenant: tenant.to_owned(),
    }
}

pub(super) fn outcome(command: &Command, number: usize) -> Result<Outcome, Halt> {
    let deployment = r#"{"id":"dep_1","location":"nowhere","artifact_sha256":"","receipt_id":"rcpt_1"}"#;
    Ok(match command {
        Command::BeginStep { .. } => Outcome::Begun(Begun::Run(u32::try_from(number)?)),
        Command::EndStep { .. } => Outcome::Ended(Ok(())),
        Command::Start(_) => Outcome::Started(u32::try_from(number)?),
        Command::Await { calls } => {
            let ready = Ready::TimedOut { until: Timestamp::from_millis(0) };
            Outcome::Woken { call: calls[0], ready }
        }
        Command::RequireApproval(_) => {
            let receipt = "rcpt_1".parse()?;
            Outcome::Approval(Approval::Granted { receipt, document: "{}".to_owned() })
        }
        Command::Perform(_) => Outcome::Performed(Performance::Done(deployment.to_owned())),
        other => return Err(format!("these guests do not ask for {other:?}").into()),
    })
}

/// Guests, and for each its parameters and how many commands it gives then.
const GUESTS: &[(&str, &[(&str, usize)])] = &[
    ("tenant-workflow", &[("{}", 6)]),
    ("tenant-workflow-std", &[("{}", 6)]),
    ("durable", &[(r#"{"does":"steps"}"#, 4), (r#"{"does":"race"}"#, 3)]),
    (
        "hostile",
        &[
            (r#"{"attack":"plain"}"#, 2),
            (r#"{"attack":"chance"}"#, 5),
            (r#"{"attack":"instants"}"#, 5),
            (r#"{"attack":"print"}"#, 0),
            (r#"{"attack":"panic"}"#, 0),
            (r#"{"attack":"spin"}"#, 0),
            (r#"{"attack":"memory"}"#, 0),
            (r#"{"attack":"stack"}"#, 0),
        ],
    ),
];

/// With a pool and without, in one runtime and in another.
#[test]
fn every_run_asks_for_the_same_and_uses_the_same_fuel() {
    let pooled = || Sandbox::new(SandboxLimits::default()).unwrap();
    let no_pool = SandboxLimits { live_instances: 1_000_000, ..SandboxLimits::default() };
    let sandboxes = [pooled(), pooled(), Sandbox::new(no_pool).unwrap()];
    assert!(sandboxes[2].note().is_some(), "this machine has room for a pool of a million");
    for (guest, runs) in GUESTS {
        let component = support::guest(guest);
        let programs = sandboxes.each_ref().map(|sandbox| sandbox.load(&component).unwrap());
        for (params, commands) in *runs {
            let first = run(&sandboxes[0], &programs[0], params);
            assert_eq!(first.commands.len(), *commands, "{guest} {params}: {first:?}");
            for (sandbox, program) in sandboxes.iter().zip(&programs) {
                assert_eq!(run(sandbox, program, params), first, "{guest} {params}");
            }
        }
    }
}

/// A machine may give a NaN any sign and any payload. A guest that could see them could take another path on another
/// machine.
#[test]
fn what_is_not_a_number_has_the_same_bits_everywhere() {
    let frame = fs::read_to_string(support::root().join("guests/hostile/frame.wat")).unwrap();
    let odd = "(f64.reinterpret_i64 (i64.const 0xfff4deadbeef0001))";
    let odd_single = "(f32.reinterpret_i32 (i32.const 0xffa1beef))";
    let doubles = [
        "(f64.div (f64.const 0) (f64.const 0))".to_owned(),
        "(f64.sqrt (f64.const -1))".to_owned(),
        "(f64.sub (f64.const inf) (f64.const inf))".to_owned(),
        format!("(f64.add {odd} (f64.const 1))"),
        format!("(f64.min {odd} (f64.const 1))"),
        format!("(f64.promote_f32 {odd_single})"),
        format!("(f64x2.extract_lane 1 (f64x2.mul (f64x2.splat {odd}) (f64x2.splat (f64.const 2))))"),
    ];
    let checks: String = doubles
        .iter()
        .map(|value| format!("(if (i64.ne (i64.reinterpret_f64 {value}) (i64.const 0x7ff8000000000000)) (then (unreachable)))"))
        .collect();
    let single = format!(
        "(if (i32.ne (i32.reinterpret_f32 (f32.mul {odd_single} (f32.const 3))) (i32.const 0x7fc00000)) (then (unreachable)))"
    );
    let module = format!(
        r#"(core module $attack
          (import "host" "realloc" (func $realloc (param i32 i32 i32 i32) (result i32)))
          (import "host" "post" (func $post (param i32)))
          (import "host" "drop-step" (func $drop-step (param i32)))
          (export "realloc" (func $realloc)) (export "post" (func $post))
          (func (export "run") (param i32 i32 i64 i32 i32 i32 i32) (param $step i32) (result i32)
            (call $drop-step (local.get $step)) {checks} {single} (i32.const 16)))"#
    );
    let component = wat::parse_str(frame.replacen("  ;; ATTACK", &module, 1)).unwrap();
    let sandbox = Sandbox::new(SandboxLimits::default()).unwrap();
    let seen = run(&sandbox, &sandbox.load(&component).unwrap(), "{}");
    assert_eq!(seen.end, r#"Returned(Ok("true"))"#);
}
