//! Programs of all calls that a workflow has, for tests that interrupt them at any point.
//!
//! Each body that runs prints a line. Every outcome is in the result, but identifiers and times, which differ from run to run, are not.

use guest_sdk::serde_json::{Value, json};
use guest_sdk::{Failure, Pending, Step, Tries, WaitError, all, deploy, failure, pp, race};
use serde::Deserialize;
use std::time::Duration;

/// One operation of a program.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Op {
    /// A step that is tried once.
    Once { name: String },
    /// A step that fails `fails` times before it succeeds, with `retries` retries.
    Try { name: String, fails: u32, retries: u32 },
    /// A step that fails `fails` times, with a rollback that fails `sticks` times. Each has one retry.
    Undo { name: String, fails: u32, sticks: u32 },
    /// A step whose first attempt computes for ever, with a timeout of `ms` milliseconds. If `inside` is set, that attempt computes inside a
    /// nested step.
    Spin { name: String, ms: u64, retries: u32, inside: bool },
    /// A sleep, in milliseconds.
    Sleep(u64),
    /// A wait for an event.
    Event { name: String, ms: u64 },
    /// A request for permission, and the deployment that it permits.
    Deploy(String),
    /// Starts all operations, and waits for all of them.
    All(Vec<Op>),
    /// Starts all operations, and waits for the first of them.
    Race(Vec<Op>),
    /// A step that runs the operations inside it.
    Inside { name: String, fails: u32, ops: Vec<Op> },
    /// A workflow error: a decision on a side effect of a step's body, which replay skips.
    Forget(String),
    /// The workflow's own failure.
    Fail(String),
}

pub(crate) fn run(ops: &[Op], step: Step<'_>) -> Result<Value, Failure> {
    ops.iter().map(|op| one(op, step)).collect()
}

fn one(op: &Op, step: Step<'_>) -> Result<Value, Failure> {
    Ok(match op {
        Op::Once { name } => ended(step.run(name, || body(name, 1, 0))),
        Op::Sleep(ms) => step.sleep("sleep", Duration::from_millis(*ms)).map(|()| json!("slept"))?,
        Op::Event { name, ms } => {
            let timeout = Duration::from_millis(*ms);
            happened(step.wait_for_event(name, name, timeout).map(|event| event.payload))?
        }
        Op::Deploy(name) => {
            let decision = pp::require_approval(&action(name));
            deployed(name, decision, step)?
        }
        Op::All(ops) => all(start_all(ops, step)?).into_iter().collect::<Result<_, _>>()?,
        Op::Race(ops) => {
            let won = race(start_all(ops, step)?);
            json!([won.index, won.value?])
        }
        Op::Inside { name, fails, ops } => {
            let made = step.run_with(name, tries(3), |attempt| {
                let inside = run(ops, step)?;
                body(name, attempt, *fails)
                    .map(|made| json!([made, inside]))
                    .map_err(|why| failure("broken", why))
            });
            ended(made)
        }
        Op::Spin { name, ms, retries, inside } => {
            let tries = tries(*retries).timeout(Duration::from_millis(*ms));
            ended(step.run_with(name, tries, |attempt| match (attempt, inside) {
                (1, false) => spin(name),
                (1, true) => step.run("inside", || spin(name)).map_err(|why| why.message),
                _ => body(name, attempt, 0),
            }))
        }
        Op::Forget(name) => forget(name, step)?,
        Op::Fail(name) => return Err(failure(name, "as it was told to")),
        Op::Try { .. } | Op::Undo { .. } => start(op, step)?.wait()?,
    })
}

type Going<'w> = Pending<'w, Result<Value, Failure>>;

fn start_all<'w>(ops: &'w [Op], step: Step<'w>) -> Result<Vec<Going<'w>>, Failure> {
    ops.iter().map(|op| start(op, step)).collect()
}

fn start<'w>(op: &'w Op, step: Step<'w>) -> Result<Going<'w>, Failure> {
    Ok(match op {
        Op::Try { name, fails, retries } => {
            let going = step.start(name, tries(*retries), |attempt| body(name, attempt, *fails))?;
            going.map(|made| Ok(ended(made)))
        }
        Op::Undo { name, fails, sticks } => undoable(name, (*fails, *sticks), step)?,
        Op::Sleep(ms) => step.start_sleep("sleep", Duration::from_millis(*ms))?.map(|()| Ok(json!("slept"))),
        Op::Event { name, ms } => step
            .start_wait_for_event(name, name, Duration::from_millis(*ms))?
            .map(|event| happened(event.map(|event| event.payload))),
        Op::Deploy(name) => {
            pp::start_require_approval(&action(name))?.map(move |decision| deployed(name, decision, step))
        }
        _ => return Err(failure("invalid-params", "it cannot be started and left")),
    })
}

fn tries(retries: u32) -> Tries {
    Tries::new().retries(retries).delay(Duration::from_millis(10))
}

fn spin(name: &str) -> Result<String, String> {
    println!("ran {name} 1");
    loop {
        std::hint::black_box(name);
    }
}

fn body(name: &str, attempt: u32, fails: u32) -> Result<String, String> {
    println!("ran {name} {attempt}");
    match attempt <= fails {
        true => Err(format!("{name} failed {attempt}")),
        false => Ok(format!("{name} {attempt}")),
    }
}

fn undoable<'w>(name: &'w str, (fails, sticks): (u32, u32), step: Step<'w>) -> Result<Going<'w>, Failure> {
    let undone = name.to_owned();
    let with_rollback = step.with_rollback(move |undo| {
        let output: Option<String> = undo.output;
        body(&format!("undo {undone} of {output:?} for {}", undo.error.name), undo.attempt, sticks).map(drop)
    });
    let going =
        with_rollback.tried(tries(1)).start(name, tries(1), move |attempt| body(name, attempt, fails))?;
    Ok(going.map(|made| Ok(ended(made))))
}

fn forget(name: &str, step: Step<'_>) -> Result<Value, Failure> {
    let mut remembered = false;
    step.run(name, || {
        remembered = true;
        Ok::<_, Failure>(())
    })?;
    if remembered {
        step.run("remembered", || Ok::<_, Failure>(()))?;
    }
    step.sleep("sleep", Duration::from_millis(1))?;
    Ok(json!("survived"))
}

fn ended<T: Into<Value>>(made: Result<T, Failure>) -> Value {
    made.map_or_else(|failure| json!({ "failed": failure.to_string() }), Into::into)
}

fn happened(event: Result<Value, WaitError>) -> Result<Value, Failure> {
    match event {
        Ok(payload) => Ok(json!({ "event": payload })),
        Err(WaitError::TimedOut(_)) => Ok(json!("timed out")),
        Err(other) => Err(other.into()),
    }
}

fn action(name: &str) -> pp::Action {
    pp::Action {
        capability: "cloudflare.dynamic-worker.deploy".to_owned(),
        resource: format!("cloudflare://workers/durable/{name}"),
        reason: "the program says so".to_owned(),
        evidence: "{}".to_owned(),
        artifact: Some(artifact(name)),
    }
}

fn artifact(name: &str) -> pp::Artifact {
    pp::Artifact { name: format!("{name}.js"), bytes: name.as_bytes().to_vec() }
}

fn deployed(
    name: &str,
    decision: Result<pp::Receipt, pp::Refusal>,
    step: Step<'_>,
) -> Result<Value, Failure> {
    let receipt = match decision {
        Ok(receipt) => receipt,
        Err(pp::Refusal::Denied(_)) => return Ok(json!("denied")),
        Err(pp::Refusal::Withdrawn(_)) => return Ok(json!("withdrawn")),
        Err(pp::Refusal::Expired(_)) => return Ok(json!("expired")),
        Err(pp::Refusal::Invalid(message)) => return Err(failure("invalid", message)),
    };
    let resource = action(name).resource;
    let made = step.run(&format!("deploy {name}"), || {
        deploy::deploy(&resource, &artifact(name), receipt).map(|deployment| deployment.artifact_sha256)
    });
    Ok(ended(made))
}
