//! The calls to the host.

use super::Natives;
use super::ready;
use crate::bindings::permission_protocol::script::source;
use crate::bindings::permission_protocol::tenant::deploy;
use crate::bindings::permission_protocol::tenant::pp;
use crate::bindings::permission_protocol::tenant::pp::Action;
use crate::bindings::permission_protocol::tenant::pp::Artifact;
use crate::bindings::permission_protocol::tenant::workflow::Alarm;
use crate::bindings::permission_protocol::tenant::workflow::Attempt;
use crate::bindings::permission_protocol::tenant::workflow::Backoff;
use crate::bindings::permission_protocol::tenant::workflow::Expectation;
use crate::bindings::permission_protocol::tenant::workflow::Failure;
use crate::bindings::permission_protocol::tenant::workflow::Retry;
use crate::bindings::permission_protocol::tenant::workflow::StepError;
use crate::bindings::permission_protocol::tenant::workflow::StepOptions;
use crate::world;
use rquickjs::Ctx;
use rquickjs::Exception;
use rquickjs::Object;
use rquickjs::Result;
use rquickjs::TypedArray;

pub(super) fn offer(natives: &Natives<'_, '_>) -> Result<()> {
    natives.offer("start", start)?;
    natives.offer("startSleep", |ctx: Ctx<'_>, name: String, ms: f64| {
        sleep(&ctx, &name, Alarm::After(whole(ms)))
    })?;
    natives.offer("startSleepUntil", |ctx: Ctx<'_>, name: String, ms: f64| {
        sleep(&ctx, &name, Alarm::At(whole(ms)))
    })?;
    natives.offer("startWait", wait)?;
    natives.offer("startApproval", ask)?;
    natives.offer("complete", complete)?;
    natives.offer("fail", fail)?;
    natives.offer("first", ready::first)?;
    natives.offer("deploy", perform)
}

/// A number of milliseconds. What is too large is more than the host allows.
fn whole(ms: f64) -> u64 {
    ms as u64
}

fn refused(ctx: &Ctx<'_>, message: &str) -> rquickjs::Error {
    Exception::throw_message(ctx, message)
}

/// Starts a step. Its number if its first attempt is to be made now, and the number's complement if it was made before.
fn start(
    ctx: Ctx<'_>,
    name: String,
    retries: Option<f64>,
    delay: Option<f64>,
    backoff: Option<u32>,
    timeout: Option<f64>,
) -> Result<i32> {
    let options = StepOptions {
        retries: retries.map(|limit| limit as u32),
        delay_ms: delay.map(whole),
        backoff: backoff.map(|backoff| match backoff {
            0 => Backoff::Constant,
            1 => Backoff::Linear,
            _ => Backoff::Exponential,
        }),
        timeout_ms: timeout.map(whole),
    };
    world::with(|drive| {
        let started = drive.step().start(&name, options).map_err(|message| refused(&ctx, &message))?;
        let (number, is_open) = drive.started(started);
        Ok(if is_open { number as i32 } else { !(number as i32) })
    })
}

fn sleep(ctx: &Ctx<'_>, name: &str, alarm: Alarm) -> Result<u32> {
    world::with(|drive| {
        let pending = drive.step().start_sleep(name, alarm).map_err(|message| refused(ctx, &message))?;
        Ok(drive.goes_on(pending))
    })
}

fn wait(ctx: Ctx<'_>, name: String, event_type: String, timeout: Option<f64>) -> Result<u32> {
    let expectation = Expectation { name, event_type, timeout_ms: timeout.map(whole) };
    world::with(|drive| {
        let pending =
            drive.step().start_wait_for_event(&expectation).map_err(|message| refused(&ctx, &message))?;
        Ok(drive.goes_on(pending))
    })
}

fn ask(
    ctx: Ctx<'_>,
    capability: String,
    resource: String,
    reason: String,
    evidence: String,
    name: Option<String>,
    bytes: Option<TypedArray<'_, u8>>,
) -> Result<u32> {
    let artifact =
        name.map(|name| Artifact { name, bytes: bytes.as_ref().map(super::content).unwrap_or_default() });
    let action = Action { capability, resource, reason, evidence, artifact };
    let pending = pp::start_require_approval(&action).map_err(|message| refused(&ctx, &message))?;
    Ok(world::with(|drive| drive.goes_on(pending)))
}

/// The body of a step has ended with a result.
fn complete(ctx: Ctx<'_>, number: u32, output: String) -> Result<()> {
    let Some(attempt) = world::with(|drive| drive.leave(number)) else { return Ok(()) };
    Attempt::complete(attempt, &output).map_err(|error| match error {
        StepError::Rejected(message) => refused(&ctx, &message),
        StepError::Failed(failure) => refused(&ctx, &failure.message),
    })
}

/// The body of a step has failed. `retry` is -1 for what the step's options say, -2 for never, or milliseconds.
fn fail(number: u32, name: String, message: String, retry: f64) {
    let Some(attempt) = world::with(|drive| drive.leave(number)) else { return };
    let failure = Failure { name, message };
    match retry {
        -1.0 => drop(Attempt::fail(attempt, &failure)),
        -2.0 => drop(Attempt::fail_with(attempt, &failure, Retry::Never)),
        ms => drop(Attempt::fail_with(attempt, &failure, Retry::After(whole(ms)))),
    }
}

fn perform<'js>(
    ctx: Ctx<'js>,
    resource: String,
    name: String,
    bytes: TypedArray<'js, u8>,
    id: String,
) -> Result<Object<'js>> {
    let ended = super::bare(&ctx)?;
    let Some(receipt) = source::granted(&id) else {
        told(&ended, "invalid", format!("deploy: {id:?} is no receipt that this workflow holds"))?;
        return Ok(ended);
    };
    let artifact = Artifact { name, bytes: super::content(&bytes) };
    match deploy::deploy(&resource, &artifact, receipt) {
        Ok(done) => {
            ended.set("kind", "done")?;
            ended.set("name", done.id)?;
            ended.set("text", done.location)?;
            ended.set("digest", done.artifact_sha256)?;
            ended.set("receipt", done.receipt_id)?;
        }
        Err(deploy::DeployError::Refused(refusal)) => {
            ended.set("kind", "refused")?;
            ended.set("name", check(refusal.check))?;
            ended.set("text", refusal.message)?;
        }
        Err(deploy::DeployError::Invalid(message)) => told(&ended, "invalid", message)?,
        Err(deploy::DeployError::Failed(message)) => told(&ended, "failed", message)?,
        Err(deploy::DeployError::Unknown(message)) => told(&ended, "unknown", message)?,
    }
    Ok(ended)
}

fn told(ended: &Object<'_>, kind: &str, message: String) -> Result<()> {
    ended.set("kind", kind)?;
    ended.set("text", message)
}

fn check(check: deploy::Check) -> &'static str {
    match check {
        deploy::Check::Verification => "verification",
        deploy::Check::Decision => "decision",
        deploy::Check::Scope => "scope",
        deploy::Check::Tenant => "tenant",
        deploy::Check::Instance => "instance",
        deploy::Check::Code => "code",
        deploy::Check::Capability => "capability",
        deploy::Check::Resource => "resource",
        deploy::Check::Artifact => "artifact",
        deploy::Check::Expiry => "expiry",
        deploy::Check::Redemption => "redemption",
        deploy::Check::Revocation => "revocation",
        deploy::Check::Approvals => "approvals",
        deploy::Check::Policy => "policy",
        deploy::Check::Freeze => "freeze",
    }
}
