//! Handles that are used again, dropped twice, or used as a handle of another type.

use crate::{CAPABILITY, RESOURCE, approve};
use guest_sdk::bindings::permission_protocol::tenant::workflow;
use guest_sdk::bindings::permission_protocol::tenant::workflow::{Attempt, Begun};
use guest_sdk::serde_json::{Value, json};
use guest_sdk::{Failure, Step, failure, pp};

pub(crate) fn attack(name: &str, step: Step<'_>) -> Option<Result<Value, Failure>> {
    Some(match name {
        "complete-twice" => complete_twice(step),
        "fail-after-complete" => fail_after_complete(step),
        "drop-twice" => drop_twice(step),
        "receipt-after-drop" => receipt_after_drop(),
        "receipt-as-attempt" => receipt_as_attempt(),
        "leaked-receipts" => leaked_receipts(),
        "dropped-attempts" => dropped_attempts(step),
        "drop-the-step" => drop_the_step(step),
        _ => return None,
    })
}

/// Makes two handles with one number.
fn twins(step: Step<'_>) -> Result<(Attempt, Attempt), Failure> {
    let Begun::Run(attempt) = step.raw().begin("twice")? else {
        return Err(failure("survived", "the step was done before"));
    };
    let handle = attempt.take_handle();
    // SAFETY: the first use is honest, the second is the attack.
    Ok(unsafe { (Attempt::from_handle(handle), Attempt::from_handle(handle)) })
}

fn complete_twice(step: Step<'_>) -> Result<Value, Failure> {
    let (first, second) = twins(step)?;
    Attempt::complete(first, "1")?;
    Attempt::complete(second, "2")?;
    Ok(json!({ "survived": true }))
}

fn fail_after_complete(step: Step<'_>) -> Result<Value, Failure> {
    let (first, second) = twins(step)?;
    Attempt::complete(first, "1")?;
    Attempt::fail(second, &failure("late", "after its end").into());
    Ok(json!({ "survived": true }))
}

fn drop_twice(step: Step<'_>) -> Result<Value, Failure> {
    drop(twins(step)?);
    Ok(json!({ "survived": true }))
}

fn receipt_after_drop() -> Result<Value, Failure> {
    let handle = approve(CAPABILITY, RESOURCE)?.take_handle();
    // SAFETY: the first is dropped, the second is the attack.
    let (first, second) = unsafe { (pp::Receipt::from_handle(handle), pp::Receipt::from_handle(handle)) };
    drop(first);
    Ok(json!({ "survived": second.document() }))
}

fn receipt_as_attempt() -> Result<Value, Failure> {
    let handle = approve(CAPABILITY, RESOURCE)?.take_handle();
    // SAFETY: none. That is the attack.
    Attempt::complete(unsafe { Attempt::from_handle(handle) }, "1")?;
    Ok(json!({ "survived": true }))
}

/// Keeps receipts that it never spends and never drops, until the host has no room for more.
fn leaked_receipts() -> Result<Value, Failure> {
    loop {
        let _leaked = approve(CAPABILITY, RESOURCE)?.take_handle();
    }
}

/// Drops each handle at once: there are never many handles, but many steps that never end.
fn dropped_attempts(step: Step<'_>) -> Result<Value, Failure> {
    loop {
        drop(step.raw().begin("let go")?);
    }
}

/// Drops the borrowed step, which does not belong to the guest, and uses it afterwards.
fn drop_the_step(step: Step<'_>) -> Result<Value, Failure> {
    let handle = step.raw().handle();
    // SAFETY: the first use is the attack, and so is the second.
    let (lent, gone) = unsafe { (workflow::Step::from_handle(handle), workflow::Step::from_handle(handle)) };
    drop(lent);
    gone.begin("after the end")?;
    Ok(json!({ "survived": true }))
}
