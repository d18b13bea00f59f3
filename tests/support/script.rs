//! Workflows as source text: bundles of them, and hosts on which the engine need not be compiled again.

use crate::support;
use crate::support::compiled;
use crate::support::harness::{BEGINNING, Harness, ManualClock, open};
use ::sandbox::script::{Bundle, Kind, Module, current_engine};
use ::store::InstanceKey;
use engine::{Builder, Host, Start, Status};
use receipt::Decision;
use serde_json::Value;
use std::collections::BTreeMap;
use tempfile::TempDir;

/// A bundle of these modules. The first is the main one.
pub fn bundle(modules: &[(&str, &str)]) -> Bundle {
    let module = |(name, text): &(&str, &str)| {
        let module = Module { kind: Kind::of(name).unwrap(), content: text.as_bytes().to_vec() };
        ((*name).to_owned(), module)
    };
    Bundle {
        engine: current_engine(),
        main: modules[0].0.to_owned(),
        class: None,
        modules: modules.iter().map(module).collect::<BTreeMap<_, _>>(),
    }
}

/// A workflow whose `run` has this body. `event`, `step` and `env` are there.
pub fn workflow(body: &str) -> Bundle {
    bundle(&[("workflow.js", &text(body))])
}

/// The text of such a workflow. The body begins in line 5.
pub fn text(body: &str) -> String {
    format!(
        "import {{ WorkflowEntrypoint }} from 'cloudflare:workers';\nimport {{ NonRetryableError }} from 'cloudflare:workflows';\n\
         export class Workflow extends WorkflowEntrypoint {{\nasync run(event, step) {{ const env = this.env; void NonRetryableError; \n{body}\n}}\n}}\n"
    )
}

/// A harness whose host has the engine.
pub fn harness() -> Harness {
    harness_with(|builder| builder)
}

pub fn harness_with(settings: impl FnOnce(Builder) -> Builder) -> Harness {
    let (folder, clock) = (TempDir::new().unwrap(), ManualClock::at(BEGINNING));
    compiled::put_engine(folder.path());
    let host = open(folder.path(), &clock, settings);
    Harness { folder, host, clock }
}

/// Starts an instance of a bundle for tenant `acme`.
pub fn start(host: &Host, bundle: &Bundle, params: &Value) -> InstanceKey {
    let workflow = host.load(bundle.bytes()).unwrap();
    let (tenant, actor) = ("acme".parse().unwrap(), "agent:builder".parse().unwrap());
    host.start(&workflow, Start::new(tenant, actor, "script", params.to_string())).unwrap()
}

/// Runs a body to its end, with everything approved.
pub fn run(body: &str) -> Status {
    run_bundle(&workflow(body))
}

pub fn run_bundle(bundle: &Bundle) -> Status {
    let harness = harness();
    let key = start(&harness.host, bundle, &Value::Object(serde_json::Map::new()));
    harness.finish(&key, Decision::Approved, &[])
}

/// The result of a body.
pub fn returns(body: &str) -> Value {
    support::result(&run(body))
}

/// The failure of a body: name and message.
pub fn fails(body: &str) -> (String, String) {
    support::failure(&run(body))
}
