//! `docs/javascript.md` shows bodies that run.

use crate::support;
use crate::support::script;
use engine::Status;
use receipt::Decision;
use serde_json::{Value, json};
use std::fs;

/// The first block of TypeScript behind a heading of the guide.
fn shown(heading: &str) -> String {
    let page = fs::read_to_string(support::root().join("docs/javascript.md")).unwrap();
    let (_, behind) = page.split_once(&format!("\n### {heading}\n")).unwrap();
    behind.split("```ts\n").nth(1).unwrap().split("```").next().unwrap().to_owned()
}

/// Runs it to its end with an event `paid` sent, and returns what it printed too.
fn ended(heading: &str) -> (Status, Vec<String>) {
    let (harness, text) = (script::harness(), script::text(&shown(heading)));
    let key = script::start(&harness.host, &script::bundle(&[("workflow.ts", &text)]), &json!({}));
    harness.send(&key, "paid", &json!({ "cents": 700 }));
    (harness.finish(&key, Decision::Approved, &[]), harness.printed(&key))
}

fn result(heading: &str) -> Value {
    support::result(&ended(heading).0)
}

#[test]
fn the_examples_of_the_guide_run() {
    assert_eq!(result("Steps and retries"), json!({ "quote": 42 }));
    assert_eq!(result("Sleep"), json!({ "slept": true }));
    assert_eq!(result("Events"), json!({ "paid": 700 }));
    let answers = json!({ "answers": ["north has it", "south has it"], "first": "it is here" });
    assert_eq!(result("Parallel steps"), answers);
    let (end, printed) = ended("Rollback");
    assert!(support::failure(&end).1.starts_with("the hotel is full"), "{end:?}");
    assert_eq!(printed, ["cancelled nothing", "cancelled LH 400"]);
    let deployed = "return this.env.TENANT_ID;";
    let text = shown("Requests and actions").replace("text: code", "text: 'export default {}'");
    assert!(matches!(script::run(&format!("{text}{deployed}")), Status::Completed(_)));
}

#[test]
fn the_page_has_one_example_for_each_heading_of_the_guide() {
    let page = fs::read_to_string(support::root().join("docs/javascript.md")).unwrap();
    let (_, guide) = page.split_once("\n## Guide\n").unwrap();
    let guide = guide.split("\n## ").next().unwrap();
    assert_eq!((guide.matches("\n### ").count(), guide.matches("```ts\n").count()), (6, 6));
}
