//! Misuse of started calls; and sleeps, waits and retries beyond the limits.

use crate::{CAPABILITY, RESOURCE, action, artifact, deployed};
use guest_sdk::bindings::permission_protocol::tenant::pp;
use guest_sdk::bindings::permission_protocol::tenant::side_by_side::{Another, Ready, first};
use guest_sdk::bindings::permission_protocol::tenant::workflow::{
    Alarm, Attempt, Begun, Expectation, Pending, StepOptions,
};
use guest_sdk::serde_json::{Value, json};
use guest_sdk::{Failure, Step, failure};

pub(crate) fn attack(name: &str, step: Step<'_>) -> Option<Result<Value, Failure>> {
    Some(match name {
        "pendings-leaked" => pendings_leaked(step),
        "started-without-end" => started_without_end(step),
        "requests-beside-without-end" => requests_beside_without_end(),
        "await-nothing" => Ok(woken(&first(&[]).ready)),
        "await-the-same-twice" => await_twice(step),
        "await-another-number" => await_another_number(),
        "await-after-drop" => await_after_drop(step),
        "await-an-attempt" => await_an_attempt(step),
        "await-from-inside" => await_from_inside(step),
        "pending-as-receipt" => pending_as_receipt(step),
        "another-attempt-twice" => another_attempt_twice(step),
        "attempts-out-of-order" => attempts_out_of_order(step),
        "tries-without-end" => tries_without_end(step),
        "sleep-for-ever" => Ok(sleep_for_ever(step)),
        "sleep-into-the-past" => Ok(said(step.raw().start_sleep("nap", Alarm::At(1)))),
        "sleep-names" => Ok(sleep_names(step)),
        "wait-for-ever" => Ok(waits(step, &[Some(u64::MAX), Some(0)])),
        "event-types" => Ok(event_types(step)),
        _ => return None,
    })
}

fn nap(step: Step<'_>) -> Result<Pending, Failure> {
    step.raw().start_sleep("nap", Alarm::After(0)).map_err(|message| failure("rejected", message))
}

fn woken(ready: &Ready) -> Value {
    json!({ "survived": format!("{ready:?}") })
}

fn said<T>(answer: Result<T, String>) -> Value {
    answer.map_or_else(Value::from, |_| json!({ "survived": true }))
}

/// Waits for ended calls and keeps their results, until the host has no room for more.
fn pendings_leaked(step: Step<'_>) -> Result<Value, Failure> {
    loop {
        let pending = nap(step)?;
        first(&[&pending]);
        let _leaked = pending.take_handle();
    }
}

/// Starts calls, drops their handles, and never waits for them.
fn started_without_end(step: Step<'_>) -> Result<Value, Failure> {
    loop {
        drop(nap(step)?);
    }
}

fn requests_beside_without_end() -> Result<Value, Failure> {
    loop {
        let started = pp::start_require_approval(&action(CAPABILITY, RESOURCE));
        drop(started.map_err(|message| failure("rejected", message))?);
    }
}

fn await_twice(step: Step<'_>) -> Result<Value, Failure> {
    let pending = nap(step)?;
    first(&[&pending, &pending]);
    Ok(woken(&first(&[&pending]).ready))
}

fn await_another_number() -> Result<Value, Failure> {
    // SAFETY: none. That is the attack.
    let forged = unsafe { Pending::from_handle(77) };
    Ok(woken(&first(&[&forged]).ready))
}

fn await_after_drop(step: Step<'_>) -> Result<Value, Failure> {
    let handle = nap(step)?.take_handle();
    // SAFETY: the first is dropped, the second is the attack.
    let (dropped, gone) = unsafe { (Pending::from_handle(handle), Pending::from_handle(handle)) };
    drop(dropped);
    Ok(woken(&first(&[&gone]).ready))
}

fn await_an_attempt(step: Step<'_>) -> Result<Value, Failure> {
    let Begun::Run(attempt) = step.raw().begin("lend a handle")? else {
        return Ok(json!({ "survived": true }));
    };
    // SAFETY: none. That is the attack.
    let pending = unsafe { Pending::from_handle(attempt.take_handle()) };
    Ok(woken(&first(&[&pending]).ready))
}

/// Waits inside a step for a call that was started outside it: the next run skips that step's body.
fn await_from_inside(step: Step<'_>) -> Result<Value, Failure> {
    let pending = nap(step)?;
    step.run("inside", || Ok::<_, Failure>(woken(&first(&[&pending]).ready)))
}

fn pending_as_receipt(step: Step<'_>) -> Result<Value, Failure> {
    let handle = nap(step)?.take_handle();
    // SAFETY: none. That is the attack.
    let receipt = unsafe { guest_sdk::pp::Receipt::from_handle(handle) };
    Ok(deployed(RESOURCE, &artifact("good"), receipt))
}

/// Starts a step that is retried without delay, and returns its handle and its first attempt.
fn tried(step: Step<'_>, retries: u32) -> Result<(Pending, Attempt), Failure> {
    let (delay_ms, timeout_ms) = (Some(0), None);
    let options = StepOptions { retries: Some(retries), delay_ms, backoff: None, timeout_ms };
    let started = step.raw().start("try", options).map_err(|message| failure("step-rejected", message))?;
    let none = || failure("survived", "there is no first attempt");
    Ok((started.pending, started.attempt.ok_or_else(none)?))
}

fn another_attempt_twice(step: Step<'_>) -> Result<Value, Failure> {
    let (pending, attempt) = tried(step, 5)?;
    Attempt::fail(attempt, &failure("broken", "the first time").into());
    let Ready::Again(Another { attempt, .. }) = first(&[&pending]).ready else {
        return Ok(json!({ "survived": true }));
    };
    let handle = attempt.take_handle();
    // SAFETY: the first use is honest, the second is the attack.
    let (attempt, again) = unsafe { (Attempt::from_handle(handle), Attempt::from_handle(handle)) };
    Attempt::complete(attempt, "1")?;
    Attempt::complete(again, "2")?;
    Ok(json!({ "survived": true }))
}

/// Ends the outer of two open attempts before the inner one.
fn attempts_out_of_order(step: Step<'_>) -> Result<Value, Failure> {
    let ((_outer, outer), (_inner, inner)) = (tried(step, 5)?, tried(step, 5)?);
    Attempt::fail(outer, &failure("broken", "too early").into());
    Attempt::complete(inner, "1")?;
    Ok(json!({ "survived": true }))
}

/// Asks for the largest number of retries that is allowed, and for one more.
fn tries_without_end(step: Step<'_>) -> Result<Value, Failure> {
    let most = match tried(step, u32::MAX) {
        Ok(_) => return Ok(json!({ "survived": true })),
        Err(rejected) => rejected.message,
    };
    let retries = most.split("at most ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
    let (pending, mut attempt) = tried(step, retries.unwrap_or_default())?;
    for made in 1.. {
        Attempt::fail(attempt, &failure("broken", "as ever").into());
        match first(&[&pending]).ready {
            Ready::Again(another) => attempt = another.attempt,
            _ => return Err(failure("given-up", format!("after {made} attempts; {most}"))),
        }
    }
    Ok(json!({ "survived": true }))
}

fn sleep_for_ever(step: Step<'_>) -> Value {
    let (after, at) = (Alarm::After(u64::MAX), Alarm::At(u64::MAX));
    let options = |delay_ms, timeout_ms| StepOptions { retries: None, delay_ms, backoff: None, timeout_ms };
    let start = |options| said(step.raw().start("try", options));
    json!([
        said(step.raw().sleep("nap", after)),
        said(step.raw().sleep("nap", at)),
        start(options(Some(u64::MAX), None)),
        start(options(None, Some(u64::MAX))),
        start(options(None, Some(0))),
    ])
}

fn sleep_names(step: Step<'_>) -> Value {
    let long = "x".repeat(1 << 20);
    let start = |name| said(step.raw().start_sleep(name, Alarm::After(0)));
    ["", "nap\u{1b}[2J", &long].into_iter().map(start).collect()
}

fn waits(step: Step<'_>, timeouts: &[Option<u64>]) -> Value {
    let wait = |timeout_ms: &Option<u64>| expect(step, "go", *timeout_ms);
    timeouts.iter().map(wait).collect()
}

fn expect(step: Step<'_>, event_type: &str, timeout_ms: Option<u64>) -> Value {
    let (name, event_type) = ("listen".to_owned(), event_type.to_owned());
    said(step.raw().start_wait_for_event(&Expectation { name, event_type, timeout_ms }))
}

fn event_types(step: Step<'_>) -> Value {
    let long = "x".repeat(1 << 20);
    ["", "../../go", "go\u{1b}[2J", &long].into_iter().map(|name| expect(step, name, None)).collect()
}
