//! Built-ins that the prelude wraps or replaces behave as JavaScript and the web define: promises, dates, structured clones.
//! The expected answers are those of another engine (`conformance/answers.mjs`).

use crate::support;
use crate::support::script;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;

const MAIN: &str = "import { WorkflowEntrypoint } from 'cloudflare:workers';\nimport { answers } from './cases.js';\n\
    export class Workflow extends WorkflowEntrypoint { async run() { return answers(); } }\n";

/// Known differences: QuickJS keeps the time if a field of a date is set to NaN, and the engine transfers no buffers.
fn known() -> BTreeMap<&'static str, Value> {
    BTreeMap::from([
        (
            "setters",
            json!([
                "1709164800000",
                "1709168523004",
                "1706490123004",
                "5",
                "3369600005",
                "NaN",
                "3369600005"
            ]),
        ),
        (
            "transferred buffers move",
            json!("threw DataCloneError: A transferred object could not be cloned."),
        ),
    ])
}

#[test]
fn promises_dates_and_clones_answer_as_in_another_engine() {
    let folder = support::root().join("tests/scripts/conformance");
    let cases = fs::read_to_string(folder.join("cases.js")).unwrap();
    let answers: BTreeMap<String, Value> =
        serde_json::from_slice(&fs::read(folder.join("answers.json")).unwrap()).unwrap();
    let end = script::run_bundle(&script::bundle(&[("main.js", MAIN), ("cases.js", &cases)]));
    let (ours, known) = (support::result(&end), known());
    assert!(answers.len() >= 45, "{} cases", answers.len());
    assert_eq!(ours.as_object().unwrap().len(), answers.len());
    for (name, answer) in &answers {
        assert_eq!(ours[name], *known.get(name.as_str()).unwrap_or(answer), "{name}");
    }
}
