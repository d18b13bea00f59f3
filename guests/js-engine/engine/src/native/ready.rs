//! What the host tells of ends, as the prelude reads it.

use crate::bindings::permission_protocol::tenant::pp::Denial;
use crate::bindings::permission_protocol::tenant::pp::Receipt;
use crate::bindings::permission_protocol::tenant::pp::Refusal;
use crate::bindings::permission_protocol::tenant::side_by_side::Ready;
use crate::bindings::permission_protocol::tenant::workflow::Failure;
use crate::bindings::permission_protocol::tenant::workflow::Received;
use crate::world;
use crate::world::First;
use rquickjs::Ctx;
use rquickjs::Object;
use rquickjs::Result;

/// Waits for the first end in the innermost scope: `{ id, kind, … }`.
pub(super) fn first(ctx: Ctx<'_>) -> Result<Object<'_>> {
    let (id, first) = world::with(world::Drive::first);
    let told = super::bare(&ctx)?;
    told.set("id", id)?;
    match first {
        First::Again(number) => {
            kind(&told, "again")?;
            told.set("number", number)?;
        }
        First::Ended(ready) => end(&told, ready)?,
    }
    Ok(told)
}

fn end(told: &Object<'_>, ready: Ready) -> Result<()> {
    match ready {
        Ready::Step(Ok(output)) => {
            kind(told, "done")?;
            told.set("text", output)?;
        }
        Ready::Step(Err(Failure { name, message })) => {
            kind(told, "failed")?;
            told.set("name", name)?;
            told.set("text", message)?;
        }
        Ready::Slept | Ready::Again(_) => kind(told, "slept")?,
        Ready::Received(Received { event_type, payload, timestamp_ms }) => {
            kind(told, "event")?;
            told.set("name", event_type)?;
            told.set("text", payload)?;
            told.set("number", timestamp_ms as f64)?;
        }
        Ready::TimedOut(until) => {
            kind(told, "timed-out")?;
            told.set("number", until as f64)?;
        }
        Ready::Approval(Ok(receipt)) => granted(told, receipt)?,
        Ready::Approval(Err(refusal)) => refused(told, refusal)?,
    }
    Ok(())
}

fn kind(told: &Object<'_>, kind: &str) -> Result<()> {
    told.set("kind", kind)
}

fn granted(told: &Object<'_>, receipt: Receipt) -> Result<()> {
    kind(told, "granted")?;
    told.set("text", receipt.document())?;
    told.set("receipt", receipt.id())
}

fn refused(told: &Object<'_>, refusal: Refusal) -> Result<()> {
    match refusal {
        Refusal::Denied(Denial { request_id, receipt_id, decider, reason }) => {
            kind(told, "denied")?;
            told.set("name", decider)?;
            told.set("text", request_id)?;
            told.set("receipt", receipt_id)?;
            told.set("reason", reason)
        }
        Refusal::Withdrawn(withdrawal) => {
            kind(told, "withdrawn")?;
            told.set("text", withdrawal.request_id)?;
            told.set("reason", withdrawal.reason)
        }
        Refusal::Expired(request) => {
            kind(told, "expired")?;
            told.set("text", request)
        }
        Refusal::Invalid(message) => {
            kind(told, "invalid")?;
            told.set("text", message)
        }
    }
}
