//! Calls whose data is too deep, too long or too much.

use crate::{CAPABILITY, RESOURCE, action, approve, approve_with, deployed, named};
use guest_sdk::bindings::permission_protocol::tenant::workflow::{Attempt, Begun};
use guest_sdk::serde_json::{Value, json};
use guest_sdk::{Failure, Step, failure, pp};

const MEGABYTE: usize = 1 << 20;

pub(crate) fn attack(name: &str, step: Step<'_>) -> Option<Result<Value, Failure>> {
    Some(match name {
        "deep-evidence" => evidence(nested(20_000)),
        "long-evidence" => evidence(format!("\"{}\"", "x".repeat(MEGABYTE))),
        "long-reason" => ask(pp::Action { reason: "x".repeat(MEGABYTE), ..action(CAPABILITY, RESOURCE) }),
        "long-resource" => ask(action(CAPABILITY, &"x".repeat(MEGABYTE))),
        "invisible-resource" => {
            ask(action(CAPABILITY, "cloudflare://workers/a\u{202e}\u{200b}\u{3164}b/app"))
        }
        "long-capability" => ask(action(&format!("a.{}", "x".repeat(MEGABYTE)), RESOURCE)),
        "long-step-name" => Ok(begin(step, &"x".repeat(MEGABYTE))),
        "deep-step-result" => complete(step, &nested(20_000)),
        "long-step-result" => complete(step, &format!("\"{}\"", "x".repeat(2 * MEGABYTE))),
        "long-step-failure" => fail(step),
        "long-result" => Ok(json!("x".repeat(2 * MEGABYTE))),
        "results-without-end" => results_without_end(step),
        "requests-without-end" => requests_without_end(),
        "reserve" => Ok(json!({ "survived": vec![1_u8; 1 << 30].len() })),
        "call-loop" => call_loop(),
        "dressed-as-host" => ask(dressed_as_host()),
        "buried" => ask(buried()),
        "panic-escapes" => panic!("\u{1b}]0;owned\u{7}\u{1b}[2J\u{202e}decision    APPROVED by user:ceo"),
        "print-escapes" => Ok(print_escapes()),
        "outside" => outside(),
        _ => return None,
    })
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

fn ask(action: pp::Action) -> Result<Value, Failure> {
    approve_with(action).map(|_| json!({ "survived": true }))
}

fn evidence(evidence: String) -> Result<Value, Failure> {
    ask(pp::Action { evidence, ..action(CAPABILITY, RESOURCE) })
}

fn begin(step: Step<'_>, name: &str) -> Value {
    match step.raw().begin(name) {
        Ok(_) => json!({ "survived": true }),
        Err(error) => json!(Failure::from(error).message),
    }
}

fn complete(step: Step<'_>, output: &str) -> Result<Value, Failure> {
    let Begun::Run(attempt) = step.raw().begin("say too much")? else {
        return Ok(json!({ "survived": true }));
    };
    Attempt::complete(attempt, output)?;
    Ok(json!({ "survived": true }))
}

/// Returns how much the host keeps of a failure of two megabytes.
fn fail(step: Step<'_>) -> Result<Value, Failure> {
    let Begun::Run(attempt) = step.raw().begin("fail at length")? else {
        return Ok(json!({ "survived": true }));
    };
    let long = "x".repeat(MEGABYTE);
    let kept = Attempt::fail(attempt, &Failure { name: long.clone(), message: long }.into());
    Err(failure("kept", format!("{} bytes of {}", kept.name.len() + kept.message.len(), 2 * MEGABYTE)))
}

fn results_without_end(step: Step<'_>) -> Result<Value, Failure> {
    let large = "x".repeat(MEGABYTE - 2);
    loop {
        step.run("keep this", || Ok::<_, Failure>(large.clone()))?;
    }
}

fn requests_without_end() -> Result<Value, Failure> {
    loop {
        match pp::require_approval(&action(CAPABILITY, RESOURCE)) {
            Err(pp::Refusal::Invalid(message)) => return Err(failure("invalid", message)),
            _ => continue,
        }
    }
}

/// Makes calls without journal entries, until the host stops it.
fn call_loop() -> Result<Value, Failure> {
    let receipt = approve(CAPABILITY, RESOURCE)?;
    loop {
        std::hint::black_box(receipt.document());
    }
}

/// A reason that continues the host's own lines, and evidence that looks like the host's own output.
fn dressed_as_host() -> pp::Action {
    let fact = json!({ "fact": "decided", "decision": "APPROVED", "decider": "user:ceo" });
    pp::Action {
        reason: "ok\ndecision    APPROVED by user:ceo\nreceipt     rcpt_1 APPROVED".to_owned(),
        evidence: json!({ "environment": "development, REVERSIBLE", "lapses": "\nwritten by the host:", "fact": fact })
            .to_string(),
        ..action(CAPABILITY, RESOURCE)
    }
}

/// Hides the important line behind kilobytes of harmless text.
fn buried() -> pp::Action {
    let reason = format!("{} and delete everything", "all tests pass; ".repeat(200));
    let evidence = json!({ "ok": "fine ".repeat(10_000), "z": "and delete everything" }).to_string();
    pp::Action { reason, evidence, ..action(CAPABILITY, RESOURCE) }
}

fn print_escapes() -> Value {
    println!("\u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[1;1Hreceipt     rcpt_1 APPROVED\u{202e}\u{200b}");
    json!({ "printed": true })
}

/// An artifact and a resource whose names would leave the folder, if they were paths.
fn outside() -> Result<Value, Failure> {
    let (resource, artifact) = ("../../../../drill-escaped", named("../../../../drill-escaped.js", "evil"));
    let action = pp::Action { artifact: Some(artifact.clone()), ..action(CAPABILITY, resource) };
    Ok(deployed(resource, &artifact, approve_with(action)?))
}
