//! The examples of `docs/workflows.md`. A test compares the two.

use guest_sdk::serde_json::{Value, json};
use guest_sdk::{
    Backoff, Event, Failure, Fault, Step, Tries, WaitError, any, deploy, join, pp, race, try_all,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

#[derive(Serialize, Deserialize)]
struct Order {
    item: String,
    pieces: u32,
}

/// A step runs once. Every later run gets its recorded result.
pub(crate) fn steps(step: Step<'_>) -> Result<Value, Failure> {
    let order: Order =
        step.run("take the order", || Ok::<_, Failure>(Order { item: "lamp".to_owned(), pieces: 3 }))?;
    let price: u32 = step.run("price it", || match order.pieces {
        0 => Err("nothing was ordered"),
        pieces => Ok(pieces * 19),
    })?;
    Ok(json!({ "item": order.item, "price": price }))
}

/// A step that fails is tried again: here up to three times, after one, two and four minutes.
pub(crate) fn retries(step: Step<'_>) -> Result<Value, Failure> {
    let tries = Tries::new().retries(3).delay(MINUTE).backoff(Backoff::Exponential).timeout(10 * MINUTE);
    let quote: u32 = step.run_with("fetch a quote", tries, |attempt| match attempt {
        1 | 2 => Err("the exchange does not answer"),
        _ => Ok(42),
    })?;
    Ok(json!({ "quote": quote }))
}

/// A step can say when it is to be tried again, or that another attempt would not help.
pub(crate) fn no_retry(step: Step<'_>) -> Result<Value, Failure> {
    let charged = step.run_with("charge the card", Tries::new(), |attempt| match attempt {
        1 => Err(Fault::after(HOUR, "the bank asks for an hour")),
        _ => Err::<u32, _>(Fault::never("the card was stolen")),
    });
    Ok(json!({ "charged": charged.map_err(|failure| failure.message).err() }))
}

/// A sleep costs only a line on disk.
pub(crate) fn sleep(step: Step<'_>) -> Result<Value, Failure> {
    step.sleep("cool down", 30 * 24 * HOUR)?;
    Ok(json!({ "slept": true }))
}

/// Sleeps until a time. A time in the past is an error.
pub(crate) fn sleep_until(event: &Event, step: Step<'_>) -> Result<Value, Failure> {
    step.sleep_until("the day after", event.started_at() + 24 * HOUR)?;
    let past = step.sleep_until("the day before", event.started_at());
    Ok(json!({ "past": past.is_err() }))
}

#[derive(Serialize, Deserialize)]
struct Payment {
    cents: u32,
}

/// An event that arrived before the wait is delivered at once. If no event arrives, the wait times out.
pub(crate) fn event(step: Step<'_>) -> Result<Value, Failure> {
    match step.wait_for_event::<Payment>("the payment", "paid", HOUR) {
        Ok(paid) => Ok(json!({ "paid": paid.payload.cents })),
        Err(WaitError::TimedOut(_)) => Ok(json!({ "paid": null })),
        Err(other) => Err(other.into()),
    }
}

/// Both steps run at the same time: while one waits for its next attempt, the other continues.
pub(crate) fn side_by_side(step: Step<'_>) -> Result<Value, Failure> {
    let mut shops = Vec::new();
    for shop in ["north", "south"] {
        shops.push(step.start(&format!("ask {shop}"), Tries::new(), move |attempt| {
            match (shop, attempt) {
                ("north", 1) => Err("closed for lunch"),
                _ => Ok(format!("{shop} has it")),
            }
        })?);
    }
    let answers: Vec<String> = try_all(shops)?;
    Ok(json!(answers))
}

/// Waits for two operations of different kinds.
pub(crate) fn both(step: Step<'_>) -> Result<Value, Failure> {
    let paid = step.start_wait_for_event::<Payment>("the payment", "paid", 24 * HOUR)?;
    let packed = step.start("pack it", Tries::new(), |_| Ok::<_, Failure>("in a box".to_owned()))?;
    let (paid, packed) = join(paid, packed);
    Ok(json!({ "paid": paid?.payload.cents, "packed": packed? }))
}

/// Waits for the first of two operations. Every later run has the same winner.
pub(crate) fn race_with_a_timer(step: Step<'_>) -> Result<Value, Failure> {
    let paid = step.start_wait_for_event::<Payment>("the payment", "paid", 24 * HOUR)?;
    let patience = step.start_sleep("patience", HOUR)?;
    let won = race([paid.map(|paid| paid.is_ok()), patience.map(|()| false)]);
    Ok(json!({ "paid": won.value }))
}

/// Returns the first success, or all failures if no step succeeds.
pub(crate) fn first_to_succeed(step: Step<'_>) -> Result<Value, Failure> {
    let mirrors = ["a", "b", "c"].map(|mirror| {
        step.start(&format!("fetch from {mirror}"), Tries::once(), move |_| match mirror {
            "b" => Ok(mirror.to_owned()),
            _ => Err("it is down"),
        })
    });
    let mirrors = mirrors.into_iter().collect::<Result<Vec<_>, _>>()?;
    match any(mirrors) {
        Ok(mirror) => Ok(json!({ "fetched": mirror })),
        Err(failures) => Ok(json!({ "down": failures.len() })),
    }
}

fn app() -> pp::Artifact {
    pp::Artifact { name: "app.js".to_owned(), bytes: b"export default {}".to_vec() }
}

fn to_deploy(artifact: &pp::Artifact) -> pp::Action {
    pp::Action {
        capability: "cloudflare.dynamic-worker.deploy".to_owned(),
        resource: "cloudflare://workers/shop/app".to_owned(),
        reason: "the new shop is ready".to_owned(),
        evidence: json!({ "tests": "passed" }).to_string(),
        artifact: Some(artifact.clone()),
    }
}

/// A risky action needs a receipt, and the receipt needs a decision.
pub(crate) fn approval(step: Step<'_>) -> Result<Value, Failure> {
    let (artifact, action) = (app(), to_deploy(&app()));
    let receipt = pp::require_approval(&action)?;
    let deployed = step.run("deploy", || {
        let deployment = deploy::deploy(&action.resource, &artifact, receipt)?;
        Ok::<_, deploy::DeployError>(deployment.artifact_sha256)
    })?;
    Ok(json!({ "deployed": deployed }))
}

/// The workflow does other work while the request waits, and stops waiting after an hour.
pub(crate) fn approval_or_timeout(event: &Event, step: Step<'_>) -> Result<Value, Failure> {
    let decision = pp::start_require_approval(&to_deploy(&app()))?;
    step.run("warm the cache meanwhile", || Ok::<_, Failure>(true))?;
    let patience = step.start_sleep_until("patience", event.started_at() + HOUR)?;
    let won = race([decision.map(Some), patience.map(|()| None)]);
    Ok(match won.value {
        Some(Ok(receipt)) => json!({ "approved": !receipt.id().is_empty() }),
        Some(Err(refusal)) => json!({ "refused": refusal.to_string() }),
        None => json!({ "approved": null }),
    })
}

/// If the workflow fails, its steps are undone, the last first.
pub(crate) fn rollback(step: Step<'_>) -> Result<Value, Failure> {
    let flight: String = step
        .with_rollback(|undo| cancel(undo.output))
        .run("book a flight", || Ok::<_, Failure>("LH 400".to_owned()))?;
    let room: String = step
        .with_rollback(|undo| cancel(undo.output))
        .tried(Tries::new().retries(2))
        .run_with("book a room", Tries::once(), |_| Err("the hotel is full"))?;
    Ok(json!({ "flight": flight, "room": room }))
}

/// A stand-in for a call to the booking service. A step that failed has booked nothing.
fn cancel(booking: Option<String>) -> Result<(), Failure> {
    println!("cancelled {}", booking.unwrap_or("nothing".to_owned()));
    Ok(())
}
