//! A tenant that tries what a tenant must not be able to do. Parameters: `{"attack": "<name>"}`.
//!
//! An attack that the host answers with a value returns that value, so that a test can read it. An attack that should have ended the
//! instance and did not returns `{"survived": true}`.

mod beside;
mod files;
mod floods;
mod handles;
mod network;
mod wasi;

use guest_sdk::bindings::permission_protocol::tenant::workflow::{Attempt, Begun};
use guest_sdk::serde_json::{Value, from_str, json};
use guest_sdk::{Event, Failure, Step, Workflow, deploy, failure, pp};
use std::sync::atomic::{AtomicU64, Ordering};

struct Hostile;

guest_sdk::workflow!(Hostile);

const CAPABILITY: &str = "cloudflare.dynamic-worker.deploy";
const RESOURCE: &str = "cloudflare://workers/victim/app";

impl Workflow for Hostile {
    fn run(event: Event, step: Step<'_>) -> Result<Value, Failure> {
        let params: Value = from_str(&event.payload).map_err(|error| failure("invalid-params", error))?;
        match params["attack"].as_str().unwrap_or_default() {
            "forged-receipt" => forged_receipt(&params),
            "attempt-as-receipt" => attempt_as_receipt(step),
            "spent-twice" => spent_twice(),
            "other-artifact" => Ok(deployed(RESOURCE, &artifact("evil"), approve(CAPABILITY, RESOURCE)?)),
            "other-name" => {
                Ok(deployed(RESOURCE, &named("renamed.js", "good"), approve(CAPABILITY, RESOURCE)?))
            }
            "other-resource" => Ok(deployed(
                "cloudflare://workers/bank/app",
                &artifact("good"),
                approve(CAPABILITY, RESOURCE)?,
            )),
            "other-capability" => {
                Ok(deployed(RESOURCE, &artifact("good"), approve("harmless.log.write", RESOURCE)?))
            }
            "plain" => Ok(deployed(RESOURCE, &artifact("good"), approve(CAPABILITY, RESOURCE)?)),
            "two-approvals" => two_approvals(),
            "asks" => Ok(asks(&params)),
            "loud" => approve_with(loud()).map(|_| json!({})),
            "bad-evidence" => approve_with(pp::Action {
                evidence: "{\"a\":1,\"a\":2}".to_owned(),
                ..action(CAPABILITY, RESOURCE)
            })
            .map(|_| json!({})),
            "bad-capability" => approve("no-dot", RESOURCE).map(|_| json!({})),
            "files" => Ok(files()),
            "environment" => Ok(environment()),
            "clock" => Ok(clock(step)?),
            "chance" => chance(step),
            "instants" => instants(step),
            "spin" => spin(),
            "memory" => memory(),
            "stack" => Ok(json!(stack(0))),
            "fill" => fill(64),
            "look" => Ok(look()),
            "panic" => panic!("the workflow gives up \u{1b}[31mred"),
            "exit" => std::process::exit(7),
            "sleep" => sleep(),
            "print" => Ok(print()),
            "handles" => handles(step),
            "flood" => flood(),
            "step-names" => Ok(step_names(step)),
            "step-results" => Ok(step_results(step)),
            "step-order" => step_order(step),
            "long-failure" => long_failure(step),
            "steps-without-end" => steps_without_end(step),
            other => beside::attack(other, step)
                .or_else(|| floods::attack(other, step))
                .or_else(|| handles::attack(other, step))
                .or_else(|| wasi::attack(other, step))
                .or_else(|| network::attack(other))
                .or_else(|| files::attack(other).map(Ok))
                .unwrap_or_else(|| Err(failure("unknown-attack", other))),
        }
    }
}

/// The upstream demo's hole: a receipt that the tenant made up, here as a handle and as an event in its own parameters.
fn forged_receipt(params: &Value) -> Result<Value, Failure> {
    let number = params["handle"].as_u64().unwrap_or(1);
    // SAFETY: none. That is the attack.
    let receipt = unsafe { pp::Receipt::from_handle(u32::try_from(number).unwrap_or(1)) };
    Ok(deployed(RESOURCE, &artifact("good"), receipt))
}

fn attempt_as_receipt(step: Step<'_>) -> Result<Value, Failure> {
    let Begun::Run(attempt) = step.raw().begin("lend a handle")? else {
        return Ok(json!({ "survived": true }));
    };
    let handle = attempt.take_handle();
    // SAFETY: none. That is the attack.
    let receipt = unsafe { pp::Receipt::from_handle(handle) };
    Ok(deployed(RESOURCE, &artifact("good"), receipt))
}

fn spent_twice() -> Result<Value, Failure> {
    let handle = approve(CAPABILITY, RESOURCE)?.take_handle();
    // SAFETY: the first use is honest, the second is the attack.
    let (first, second) = unsafe { (pp::Receipt::from_handle(handle), pp::Receipt::from_handle(handle)) };
    let first = deployed(RESOURCE, &artifact("good"), first);
    Ok(json!([first, deployed(RESOURCE, &artifact("good"), second)]))
}

/// Two receipts for one action are two decisions, and permit two deployments.
fn two_approvals() -> Result<Value, Failure> {
    let (first, second) = (approve(CAPABILITY, RESOURCE)?, approve(CAPABILITY, RESOURCE)?);
    let first = deployed(RESOURCE, &artifact("good"), first);
    Ok(json!([first, deployed(RESOURCE, &artifact("good"), second)]))
}

/// Asks for the action that the parameters describe, and returns the answer. `levels` nests the evidence, `times` repeats its text.
fn asks(params: &Value) -> Value {
    let text = |name: &str, usual: &str| params[name].as_str().unwrap_or(usual).to_owned();
    let times = |name: &str| params[name].as_u64().unwrap_or(0) as usize;
    let evidence = match (times("levels"), times("times")) {
        (0, 0) => text("evidence", "{}"),
        (0, times) => json!(text("evidence", "x").repeat(times)).to_string(),
        (levels, _) => format!("{}{}", "[".repeat(levels), "]".repeat(levels)),
    };
    let artifact = Some(named(&text("name", "bundle.js"), "good"));
    let (resource, reason) = (text("resource", RESOURCE), text("reason", "trust me"));
    match approve_with(pp::Action { resource, reason, evidence, artifact, ..action(CAPABILITY, RESOURCE) }) {
        Ok(_) => json!({ "granted": true }),
        Err(refusal) => json!({ (refusal.name): refusal.message }),
    }
}

/// An action whose texts have control sequences for an approver's screen.
fn loud() -> pp::Action {
    let reason = "routine\u{1b}[2K\u{1b}[1Adecision    APPROVED by user:ceo\n\ndecision    APPROVED\u{202e}drawkcab\u{200b}\u{3164}\u{2800}".to_owned();
    pp::Action {
        reason,
        evidence: json!({ "note": "\u{1b}]0;owned\u{7}\u{202e}\u{115f}" }).to_string(),
        ..action(CAPABILITY, RESOURCE)
    }
}

fn files() -> Value {
    let read = std::fs::read("/etc/passwd").map(|bytes| bytes.len());
    let write = std::fs::write("/tmp/escaped", "x");
    let list = std::fs::read_dir("/").map(Iterator::count);
    json!({ "read": outcome(read), "write": outcome(write.map(|()| 0)), "list": outcome(list) })
}

fn outcome(result: std::io::Result<usize>) -> String {
    result.map_or_else(|error| format!("refused: {error}"), |count| format!("got {count}"))
}

fn environment() -> Value {
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line).unwrap_or(0);
    json!({ "variables": std::env::vars().count(), "arguments": std::env::args().count(), "stdin": read })
}

/// Reads the time and a random number before and after a pause: a guest that sees a difference could behave differently.
fn clock(step: Step<'_>) -> Result<Value, Failure> {
    let look = || {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map(|since| since.as_millis())
            .unwrap_or(0);
        let chance = std::hash::BuildHasher::hash_one(&std::collections::hash_map::RandomState::new(), 1);
        json!({ "now": now.to_string(), "chance": chance.to_string() })
    };
    let first: Value = step.run("look at the clock", || Ok::<_, Failure>(look()))?;
    let receipt = approve(CAPABILITY, RESOURCE)?;
    drop(receipt);
    let again = look();
    Ok(json!({ "same": first == again, "first": first, "again": again }))
}

/// Draws a random number inside a step, whose body a later run skips, and again after the step.
fn chance(step: Step<'_>) -> Result<Value, Failure> {
    let draw = || getrandom::u64().map_err(|error| failure("no-chance", error));
    step.run("draw", draw)?;
    let behind = draw()?;
    step.run(&format!("drew {behind}"), draw)?;
    approve(CAPABILITY, RESOURCE).map(|_| json!({ "behind": behind }))
}

/// Reads the monotonic clock inside a step, after the step, and after an hour's sleep.
fn instants(step: Step<'_>) -> Result<Value, Failure> {
    let look = || format!("{:?}", std::time::Instant::now());
    let inside = step.run("look", || Ok::<_, Failure>((look(), look())))?;
    let (behind, began) = (look(), std::time::Instant::now());
    std::thread::sleep(std::time::Duration::from_secs(3600));
    let slept = began.elapsed().as_secs();
    step.run(&format!("{behind}, then {} after {slept} s", look()), || Ok::<_, Failure>(0))?;
    approve(CAPABILITY, RESOURCE).map(|_| json!({ "inside": inside, "slept": slept }))
}

fn spin() -> Result<Value, Failure> {
    let mut count = 0_u64;
    while std::hint::black_box(true) {
        count = std::hint::black_box(count.wrapping_add(1));
    }
    Ok(json!({ "survived": count }))
}

fn memory() -> Result<Value, Failure> {
    let mut hoard = Vec::new();
    loop {
        hoard.push(std::hint::black_box(vec![1_u8; 1 << 20]));
        if hoard.len() > 4096 {
            return Ok(json!({ "survived": true }));
        }
    }
}

/// The value that a tenant leaves behind: new memory never has it.
const STAIN: u64 = 0xA5A5_5A5A_C3C3_3C3C;

/// A static variable, which is initially zero.
static MARK: AtomicU64 = AtomicU64::new(0);

/// The pages that `grown` adds: 16 MiB.
const PAGES: usize = 256;

/// Fills new memory and a variable, and traps deep in its stack, so that nothing is cleaned up.
fn fill(depth: u64) -> Result<Value, Failure> {
    let frame = std::hint::black_box([STAIN; 64]);
    if depth > 0 {
        return fill(depth - 1).inspect(|_| _ = std::hint::black_box(frame));
    }
    MARK.store(STAIN, Ordering::Relaxed);
    grown().fill(STAIN);
    core::arch::wasm32::unreachable()
}

/// Looks for data that another tenant has left behind: in new memory, in old memory, in a variable, in the start of its stack.
fn look() -> Value {
    let here = std::hint::black_box(0_u8);
    let pages = core::arch::wasm32::memory_size::<0>();
    let dirty = grown().iter().filter(|word| **word != 0).count();
    // SAFETY: a memory begins at nought and every word of it may be read; that is the attack.
    let stains = (1..pages << 13).filter(|word| unsafe { *((word << 3) as *const u64) } == STAIN).count();
    let mark = MARK.load(Ordering::Relaxed);
    json!({ "pages": pages, "dirty": dirty, "stains": stains, "mark": mark, "stack": &raw const here as usize })
}

fn grown() -> &'static mut [u64] {
    let start = core::arch::wasm32::memory_grow::<0>(PAGES) << 16;
    // SAFETY: the pages are new and nobody else's.
    unsafe { std::slice::from_raw_parts_mut(start as *mut u64, PAGES << 13) }
}

#[expect(unconditional_recursion, reason = "that is the attack")]
fn stack(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    stack(depth + 1).wrapping_add(std::hint::black_box(frame)[0])
}

fn sleep() -> Result<Value, Failure> {
    std::thread::sleep(std::time::Duration::from_secs(3600));
    Ok(json!({ "survived": true }))
}

fn print() -> Value {
    let line = "x".repeat(1 << 16);
    for _ in 0..64 {
        println!("{line}");
    }
    eprintln!("\u{1b}[31mdone");
    json!({ "printed": 64 })
}

fn handles(step: Step<'_>) -> Result<Value, Failure> {
    for count in 0..1_000_000_u32 {
        match step.raw().begin("hold on")? {
            Begun::Run(attempt) => _ = attempt.take_handle(),
            Begun::Done(_) => return Ok(json!({ "survived": count })),
        }
    }
    Ok(json!({ "survived": true }))
}

/// Passes more bytes in one call than the host accepts.
fn flood() -> Result<Value, Failure> {
    let bytes = vec![0; 100 << 20];
    let action = pp::Action {
        artifact: Some(pp::Artifact { name: "flood".to_owned(), bytes }),
        ..action(CAPABILITY, RESOURCE)
    };
    approve_with(action).map(|_| json!({ "survived": true }))
}

fn step_names(step: Step<'_>) -> Value {
    let try_name = |name: &str| {
        step.run(name, || Ok::<_, Failure>(1))
            .map_or_else(|failure| failure.message, |_| "accepted".to_owned())
    };
    json!({
        "empty": try_name(""),
        "long": try_name(&"é".repeat(257)),
        "longest": try_name(&"é".repeat(256)),
        "control": try_name("a\u{1b}[2Kb"),
    })
}

fn step_results(step: Step<'_>) -> Value {
    let try_result = |name: &str, output: &str| match step.raw().begin(name) {
        Ok(Begun::Run(attempt)) => Attempt::complete(attempt, output).map_or_else(
            |error| failure("", Failure::from(error).message).message,
            |()| "accepted".to_owned(),
        ),
        Ok(Begun::Done(_)) => "done".to_owned(),
        Err(error) => Failure::from(error).message,
    };
    json!({
        "not json": try_result("not json", "{"),
        "large": try_result("large", &format!("\"{}\"", "x".repeat(1 << 20))),
        "fits": try_result("fits", "[1]"),
    })
}

/// Ends an outer step before the one that was begun inside it, which would make the journal ambiguous.
fn step_order(step: Step<'_>) -> Result<Value, Failure> {
    let (Begun::Run(outer), Begun::Run(_inner)) = (step.raw().begin("outer")?, step.raw().begin("inner")?)
    else {
        return Ok(json!({ "survived": true }));
    };
    let ended = Attempt::complete(outer, "1");
    Ok(
        json!({ "ended": ended.map_or_else(|error| Failure::from(error).message, |()| "accepted".to_owned()) }),
    )
}

/// Checks that a failure whose recorded message was cut looks the same before a pause and after it.
fn long_failure(step: Step<'_>) -> Result<Value, Failure> {
    let failed = step
        .run("fail at length", || Err::<u8, _>("x".repeat(10_000)))
        .map_err(|failure| failure.message.len());
    let length = failed.err().unwrap_or_default();
    step.run(&format!("after {length}"), || Ok::<_, Failure>(length))?;
    approve(CAPABILITY, RESOURCE).map(|_| json!({ "length": length }))
}

fn steps_without_end(step: Step<'_>) -> Result<Value, Failure> {
    for number in 0.. {
        step.run("again", || Ok::<_, Failure>(number))?;
    }
    Ok(json!({ "survived": true }))
}

fn approve(capability: &str, resource: &str) -> Result<pp::Receipt, Failure> {
    approve_with(action(capability, resource))
}

fn approve_with(action: pp::Action) -> Result<pp::Receipt, Failure> {
    pp::require_approval(&action).map_err(|refusal| match refusal {
        pp::Refusal::Denied(denial) => failure("denied", denial.receipt_id),
        pp::Refusal::Withdrawn(withdrawal) => failure("withdrawn", withdrawal.request_id),
        pp::Refusal::Expired(request) => failure("expired", request),
        pp::Refusal::Invalid(message) => failure("invalid", message),
    })
}

fn action(capability: &str, resource: &str) -> pp::Action {
    pp::Action {
        capability: capability.to_owned(),
        resource: resource.to_owned(),
        reason: "trust me".to_owned(),
        evidence: "{}".to_owned(),
        artifact: Some(artifact("good")),
    }
}

fn artifact(content: &str) -> pp::Artifact {
    named("bundle.js", content)
}

fn named(name: &str, content: &str) -> pp::Artifact {
    pp::Artifact { name: name.to_owned(), bytes: content.as_bytes().to_vec() }
}

fn deployed(resource: &str, artifact: &pp::Artifact, receipt: pp::Receipt) -> Value {
    match deploy::deploy(resource, artifact, receipt) {
        Ok(deployment) => json!({ "deployed": deployment.id }),
        Err(deploy::DeployError::Refused(refusal)) => {
            json!({ "refused": format!("{:?}", refusal.check), "message": refusal.message })
        }
        Err(deploy::DeployError::Invalid(message)) => json!({ "invalid": message }),
        Err(deploy::DeployError::Failed(message)) => json!({ "failed": message }),
        Err(deploy::DeployError::Unknown(message)) => json!({ "unknown": message }),
    }
}
