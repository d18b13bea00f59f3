//! The hostile guest's attacks with started calls, sleeps, waits and retries (`guests/hostile/src/beside.rs`).

use crate::Attack;
use crate::Refusal::{Answers, Ends};
use crate::guests::guest;

pub(crate) fn attacks() -> Vec<Attack> {
    [handles(), waits(), floods(), sizes()].concat()
}

fn handles() -> Vec<Attack> {
    let unknown = || Ends("boundary", "unknown handle");
    vec![
        guest("await-another-number", "Waits for a handle that it made up.", unknown()),
        guest("await-after-drop", "Waits for a handle that it has dropped.", unknown()),
        guest("await-an-attempt", "Waits for a step's attempt.", Ends("boundary", "wrong type")),
        guest(
            "pending-as-receipt",
            "Deploys with the handle of a sleep as the receipt.",
            Ends("boundary", "wrong type"),
        ),
        guest("another-attempt-twice", "Ends a step's second attempt twice.", unknown()),
    ]
}

fn waits() -> Vec<Attack> {
    let invalid = |words| Ends("invalid-wait", words);
    vec![
        guest("await-nothing", "Waits for the first of no handles.", invalid("has to wait for something")),
        guest(
            "await-the-same-twice",
            "Waits for one operation twice.",
            invalid("its result has been delivered"),
        ),
        guest(
            "await-from-inside",
            "Waits inside a step for an operation that it started outside, so that the next run would not get the result.",
            invalid("cannot be waited for here"),
        ),
        guest(
            "attempts-out-of-order",
            "Ends an attempt before the one inside it.",
            Ends("step-order", "has to end before it"),
        ),
    ]
}

fn floods() -> Vec<Attack> {
    vec![
        guest(
            "started-without-end",
            "Starts sleeps and waits for none of them.",
            Ends("rejected", "limit started-calls reached"),
        ),
        guest(
            "requests-beside-without-end",
            "Asks for permission again and again without waiting.",
            Ends("rejected", "limit started-calls reached"),
        ),
        guest(
            "pendings-leaked",
            "Keeps the handles of ended operations.",
            Ends("limit-exceeded", "limit handles reached"),
        ),
        guest(
            "tries-without-end",
            "Has a step tried four billion times, and then as often as the limit allows.",
            Ends("given-up", "after 101 attempts; limit retries reached"),
        ),
    ]
}

fn sizes() -> Vec<Attack> {
    vec![
        guest(
            "sleep-for-ever",
            "Sleeps, delays and attempts of 500 million years, and an attempt of no time.",
            Answers(&[
                "seconds of sleep",
                "seconds between two attempts",
                "seconds for an attempt",
                "--limit sleep-seconds=N",
                "at least one millisecond",
            ]),
        ),
        guest("sleep-into-the-past", "Sleeps until 1970.", Answers(&["that is in the past"])),
        guest(
            "wait-for-ever",
            "Waits for an event for 500 million years, and for no time.",
            Answers(&["limit sleep-seconds reached", "at least one millisecond"]),
        ),
        guest(
            "sleep-names",
            "Sleeps with no name, a name of control characters, an endless name.",
            Answers(&[
                "at least one character",
                "must not have control characters",
                "--limit step-name-chars=N",
            ]),
        ),
        guest(
            "event-types",
            "Waits for events of no type, of a path, of control characters, of a megabyte.",
            Answers(&["is not an event type"]),
        ),
    ]
}
