//! A workflow that uses every call. Parameters: `{"does": "<example>"}` for an example, `{"program": […]}` for a program of any calls.

mod examples;
mod program;

use guest_sdk::serde_json::Value;
use guest_sdk::{Event, Failure, Step, Workflow, failure};
use program::Op;
use serde::Deserialize;

struct Durable;

guest_sdk::workflow!(Durable);

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Params {
    Does(String),
    Program(Vec<Op>),
}

impl Workflow for Durable {
    fn run(event: Event, step: Step<'_>) -> Result<Value, Failure> {
        match event.params()? {
            Params::Program(ops) => program::run(&ops, step),
            Params::Does(example) => match example.as_str() {
                "steps" => examples::steps(step),
                "retries" => examples::retries(step),
                "no-retry" => examples::no_retry(step),
                "sleep" => examples::sleep(step),
                "sleep-until" => examples::sleep_until(&event, step),
                "event" => examples::event(step),
                "side-by-side" => examples::side_by_side(step),
                "both" => examples::both(step),
                "race" => examples::race_with_a_timer(step),
                "any" => examples::first_to_succeed(step),
                "approval" => examples::approval(step),
                "approval-or-timeout" => examples::approval_or_timeout(&event, step),
                "rollback" => examples::rollback(step),
                other => Err(failure("unknown-example", other)),
            },
        }
    }
}
