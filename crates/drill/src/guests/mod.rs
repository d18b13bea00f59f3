//! The hostile guest's attacks (`tests/guests/hostile/src`): a program in Rust, on the world's own bindings.

pub(crate) mod loading;
pub(crate) mod quotas;
pub(crate) mod raw;
pub(crate) mod scripts;
pub(crate) mod spoofed_text;
pub(crate) mod started_calls;
pub(crate) mod wasi;

use crate::Refusal::{Answers, Ends, Gate};
use crate::fixture::Fixture;
use crate::{Attack, Attacker, Ending, LimitProfile, Method, Refusal, SetupError, fixture};
use workflow::Check;

pub(crate) fn attacks() -> Vec<Attack> {
    [receipts(), handles(), exhaustion(), ends(), sizes()].concat()
}

const FORGED_EVENT: &str = r#"{"attack":"forged-receipt","event":{"type":"pp-approval","decision":"approved","receipt":{"id":"rcpt_forged"}}}"#;

fn receipts() -> Vec<Attack> {
    vec![
        guest("forged-receipt", "Deploys with a receipt that it made up.", Ends("boundary", "wrong type")),
        with(
            "forged-handle",
            "Deploys with the largest number as a receipt.",
            Some(r#"{"attack":"forged-receipt","handle":4294967295}"#),
            Ends("boundary", "unknown handle"),
        ),
        with(
            "receipt-in-the-parameters",
            "Passes an approval in its own parameters.",
            Some(FORGED_EVENT),
            Ends("boundary", "wrong type"),
        ),
        guest("attempt-as-receipt", "Passes a step's attempt as a receipt.", Ends("boundary", "wrong type")),
        guest("spent-twice", "Deploys twice on one receipt.", Ends("boundary", "unknown handle")),
        guest("other-artifact", "Has one artifact approved, deploys another.", Gate(Check::Artifact)),
        guest("other-name", "Deploys the approved bytes under another name.", Gate(Check::Artifact)),
        guest("other-resource", "Deploys to another resource than was approved.", Gate(Check::Resource)),
        guest(
            "other-capability",
            "Has a harmless action of another capability approved, and deploys.",
            Gate(Check::Capability),
        ),
        guest(
            "bad-evidence",
            "Evidence with a duplicate key, which two readers understand differently.",
            Ends("invalid", "duplicate key"),
        ),
        guest(
            "bad-capability",
            "Asks for a capability whose name cannot be in a receipt.",
            Ends("invalid", "dotted name"),
        ),
        Attack {
            method: Method::Shared(outside),
            ..guest(
                "outside",
                "Deploys to `../../..`, as a path would.",
                Refusal::Words("nothing of it outside"),
            )
        },
    ]
}

fn handles() -> Vec<Attack> {
    vec![
        guest("complete-twice", "Ends one step twice.", Ends("boundary", "unknown handle")),
        guest(
            "fail-after-complete",
            "Completes a step, and then fails it.",
            Ends("boundary", "unknown handle"),
        ),
        guest("drop-twice", "Drops a handle twice.", Ends("boundary", "unknown handle")),
        guest(
            "drop-the-step",
            "Drops the step that it has borrowed, and continues to use it.",
            Ends("boundary", "unknown handle"),
        ),
        guest(
            "receipt-after-drop",
            "Reads a receipt that it has dropped.",
            Ends("boundary", "unknown handle"),
        ),
        guest("receipt-as-attempt", "Ends a step with a receipt.", Ends("boundary", "wrong type")),
        guest("handles", "Holds a million handles.", Ends("limit-exceeded", "limit handles reached")),
        guest(
            "leaked-receipts",
            "Asks for receipts and never drops one.",
            Ends("limit-exceeded", "limit handles reached"),
        ),
        guest("wasi-pollables", "Holds a million timers.", Ends("limit-exceeded", "limit handles reached")),
        guest(
            "dropped-attempts",
            "Begins steps and drops them.",
            Ends("limit-exceeded", "limit calls reached"),
        ),
    ]
}

fn exhaustion() -> Vec<Attack> {
    let over = |words| Ends("limit-exceeded", words);
    vec![
        guest("spin", "Counts without end.", over("limit fuel reached")),
        on_clock(
            "spin-on-the-clock",
            "The same with unlimited fuel.",
            Some(r#"{"attack":"spin"}"#),
            over("limit wall-clock-seconds reached"),
        ),
        guest(
            "call-loop",
            "Calls the host without end, with calls that leave no entry.",
            over("limit fuel reached"),
        ),
        guest("memory", "Hoards memory.", over("limit memory-bytes reached")),
        guest("reserve", "Allocates a gigabyte at once.", over("limit memory-bytes reached")),
        on_clock(
            "flood",
            "Passes 100 MiB to the host in one call whose limit is 8 MiB.",
            None,
            over("limit call-bytes reached"),
        ),
        guest(
            "steps-without-end",
            "Begins steps without end.",
            Ends("limit-exceeded", "limit calls reached"),
        ),
        guest(
            "results-without-end",
            "Records a megabyte a step, without end.",
            Ends("invalid-result", "limit journal-bytes reached"),
        ),
        guest(
            "requests-without-end",
            "Asks for permission without end.",
            Ends("limit-exceeded", "limit calls reached"),
        ),
    ]
}

fn ends() -> Vec<Attack> {
    vec![
        guest("stack", "Recurses without end.", Ends("trapped", "outside its memory")),
        guest("panic", "Panics.", Ends("panicked", "the workflow gives up")),
        guest(
            "step-order",
            "Ends a step before the one inside it, so that the journal is ambiguous.",
            Ends("step-order", "has to end before it"),
        ),
        guest(
            "step-names",
            "Steps with no name, an endless name, a name of control characters.",
            Answers(&[
                "must not have control characters",
                "--limit step-name-chars=N",
                "at least one character",
                r#""longest":"accepted""#,
            ]),
        ),
        guest(
            "step-results",
            "Results that are no JSON, or too long.",
            Answers(&["is not JSON", "--limit result-bytes=N", r#""fits":"accepted""#]),
        ),
    ]
}

fn sizes() -> Vec<Attack> {
    vec![
        guest("long-evidence", "A megabyte of evidence.", Ends("invalid", "limit evidence-bytes reached")),
        guest("deep-evidence", "Evidence nested 20 000 deep.", Ends("invalid", "the evidence is not JSON")),
        with(
            "evidence-as-deep-as-a-receipt",
            "Evidence that is within the bounds by itself but not inside a request, which could not be decided.",
            Some(r#"{"attack":"asks","levels":126}"#),
            Answers(&["nested deeper than the 125 levels that a receipt can have"]),
        ),
        with(
            "number-beside-a-number",
            "A number in the evidence that is signed as another one.",
            Some(r#"{"attack":"asks","evidence":"{\"amount\":9007199254740993}"}"#),
            Answers(&["the number 9007199254740993", "comes back as 9007199254740992"]),
        ),
        with(
            "number-beyond-numbers",
            "A number in the evidence that is signed as null.",
            Some(r#"{"attack":"asks","evidence":"{\"amount\":1e400}"}"#),
            Answers(&["the number 1e400", "comes back as null"]),
        ),
        guest("long-reason", "A megabyte of reason.", Ends("invalid", "limit reason-bytes reached")),
        guest("long-resource", "A megabyte of resource.", Ends("invalid", "limit resource-bytes reached")),
        guest("long-capability", "A megabyte of capability.", Ends("invalid", "dotted name")),
        guest("long-step-name", "A megabyte of step name.", Answers(&["limit step-name-chars reached"])),
        guest(
            "long-step-result",
            "Two megabytes of step result.",
            Ends("invalid-result", "limit result-bytes reached"),
        ),
        guest("deep-step-result", "A step result nested 20 000 deep.", Ends("invalid-result", "is not JSON")),
        guest("long-step-failure", "Two megabytes of a step's failure.", Ends("kept", "of 2097152")),
        guest(
            "long-result",
            "Two megabytes of result.",
            Ends("invalid-result", "limit result-bytes reached"),
        ),
    ]
}

pub(crate) fn guest(name: &'static str, tries: &'static str, refusal: Refusal) -> Attack {
    with(name, tries, None, refusal)
}

fn with(name: &'static str, tries: &'static str, params: Option<&'static str>, refusal: Refusal) -> Attack {
    Attack {
        name,
        tries,
        attacker: Attacker::Guest,
        refusal,
        method: Method::Hostile(LimitProfile::Tight, params),
    }
}

fn on_clock(
    name: &'static str,
    tries: &'static str,
    params: Option<&'static str>,
    refusal: Refusal,
) -> Attack {
    Attack {
        name,
        tries,
        attacker: Attacker::Guest,
        refusal,
        method: Method::Hostile(LimitProfile::Clock, params),
    }
}

/// A resource and an artifact whose names are paths out of the data folder: they are deployed, and no file is called so.
fn outside(fixture: &Fixture) -> Result<Ending, SetupError> {
    let ending = fixture.among_neighbours(fixture::HOSTILE, r#"{"attack":"outside"}"#)?;
    let deployments = fixture.data().join("deployments").join("artifacts");
    let names = ["drill-escaped", "drill-escaped.js"];
    let escaped = deployments.ancestors().flat_map(|folder| names.map(|name| folder.join(name)));
    Ok(match escaped.into_iter().find(|path| path.exists()) {
        Some(path) => Ending::Through(path.display().to_string()),
        None if ending.to_string().contains("deployed") => {
            Ending::Refused(format!("nothing of it outside the data folder; {ending}"))
        }
        None => ending,
    })
}
