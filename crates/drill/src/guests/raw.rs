//! Attacks below the level of a language's bindings: core modules that break the component model's rules by hand, and
//! modules that use up resources. `guests/hostile/raw/*.wat`, each inside `frame.wat`.

use crate::fixture::ATTACKER;
use crate::{Attack, Attacker, Ending, LimitProfile, Method, Refusal, SetupError};

/// A workflow with room for one core module.
const FRAME: &str = include_str!("../../../../guests/hostile/frame.wat");

/// The line of the frame that the module takes the place of.
const PLACE: &str = "  ;; ATTACK";

/// An attack in a file of its name; the file's first line describes it.
macro_rules! raw {
    ($name:literal, $bounds:ident, $refusal:expr) => {{
        const TEXT: &str = include_str!(concat!("../../../../guests/hostile/raw/", $name, ".wat"));
        Attack {
            name: $name,
            tries: first_line(TEXT),
            attacker: Attacker::Guest,
            refusal: $refusal,
            method: Method::Raw(LimitProfile::$bounds, TEXT),
        }
    }};
}

pub(crate) fn attacks() -> Vec<Attack> {
    [boundary(), exhaustion(), faults()].concat()
}

/// The module as a workflow.
pub(crate) fn component(module: &str) -> Result<Vec<u8>, SetupError> {
    Ok(wat::parse_str(FRAME.replacen(PLACE, module, 1))?)
}

/// The first line of a text, which is a comment.
pub(crate) fn first_line(text: &'static str) -> &'static str {
    text.lines().next().unwrap_or_default().trim_start_matches(";; ")
}

fn boundary() -> Vec<Attack> {
    let breaks = |words| Refusal::Ends("boundary", words);
    vec![
        raw!("invalid-utf8", Tight, breaks("utf-8")),
        raw!("overlong-utf8", Tight, breaks("utf-8")),
        raw!("surrogate-utf8", Tight, breaks("utf-8")),
        raw!("string-outside", Tight, breaks("out of bounds")),
        raw!("string-of-gigabytes", Tight, breaks("out of bounds")),
        raw!("list-of-gigabytes", Tight, breaks("out of bounds")),
        raw!("answer-outside", Tight, breaks("out of bounds")),
        raw!("neither-some-nor-none", Tight, breaks("discriminant")),
        raw!("step-of-zero", Tight, breaks("unknown handle")),
        raw!("step-of-the-last-number", Tight, breaks("unknown handle")),
        raw!("step-kept", Tight, breaks("borrow handles still remain")),
        raw!("result-outside", Tight, breaks("out of bounds")),
        raw!("result-unaligned", Tight, breaks("aligned")),
        raw!("result-of-no-kind", Tight, breaks("discriminant")),
        raw!("result-not-utf8", Tight, breaks("utf-8")),
        raw!("result-of-gigabytes", Tight, breaks("out of bounds")),
        raw!("realloc-outside", Tight, breaks("realloc")),
        raw!("realloc-calls-host", Tight, Refusal::Ends("trapped", "cannot leave component instance")),
        raw!("post-calls-host", Tight, Refusal::Ends("trapped", "cannot leave component instance")),
        raw!("start-calls-host", Tight, breaks("unknown handle")),
        raw!("await-gigabytes", Tight, breaks("out of bounds")),
        raw!("await-outside", Tight, breaks("out of bounds")),
        raw!("await-zeros", Tight, breaks("unknown handle")),
        raw!("woken-outside", Tight, breaks("out of bounds")),
    ]
}

fn exhaustion() -> Vec<Attack> {
    let over = |words| Refusal::Ends("limit-exceeded", words);
    vec![
        raw!("start-spins", Tight, over("limit fuel reached")),
        raw!("memory-grow", Tight, over("limit memory-bytes reached")),
        raw!("table-grow", Tight, over("limit table-elements reached")),
        raw!("declared-memory", Tight, over("limit memory-bytes reached")),
        raw!("declared-table", Tight, Refusal::Words("limit table-elements is")),
        raw!("many-memories", Tight, Refusal::Words("limit memories is")),
        raw!("many-instances", Tight, Refusal::Words("limit core-instances is")),
        raw!("grow-without-end", Clock, over("limit wall-clock-seconds reached")),
        raw!("rejected-without-end", Tight, over("limit calls reached")),
        raw!("artifacts-without-end", Tight, over("limit fuel reached")),
        raw!("names-without-end", Tight, over("limit text-bytes reached")),
        raw!("await-the-same", Tight, over("limit handles reached")),
        raw!("bulk-fill", Clock, over("limit wall-clock-seconds reached")),
    ]
}

fn faults() -> Vec<Attack> {
    vec![
        raw!("recursion", Tight, Refusal::Ends("stack-overflow", "limit stack-bytes reached")),
        raw!("wrong-type-call", Tight, Refusal::Ends("trapped", "indirect call type mismatch")),
        raw!("read-outside", Tight, Refusal::Ends("trapped", "outside its memory")),
        start_asks(),
    ]
}

/// A guest that asks during instantiation waits like any other: `parked` reports whether it does.
fn start_asks() -> Attack {
    const TEXT: &str = include_str!("../../../../guests/hostile/raw/start-asks.wat");
    let method = Method::Shared(|fixture| {
        let (key, request) = fixture.parked(ATTACKER, &component(TEXT)?, "{}")?;
        Ok(Ending::Refused(format!("{key} waits for a decision about {request}")))
    });
    let refusal = Refusal::Words("waits for a decision");
    Attack { name: "start-asks", tries: first_line(TEXT), attacker: Attacker::Guest, refusal, method }
}
