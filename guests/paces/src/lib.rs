//! A workflow with a given number of steps and then, optionally, an approval and a deployment.
//!
//! Parameters, all optional: `{"steps": 3, "result": "text of each step's result", "approve": true, "deploy": true, "resource": "…"}`.

use guest_sdk::serde_json::{Value, json};
use guest_sdk::{Event, Failure, Step, Workflow, deploy, failure, pp};
use serde::Deserialize;

struct Paces;

guest_sdk::workflow!(Paces);

#[derive(Deserialize)]
struct Params {
    #[serde(default)]
    steps: u32,
    #[serde(default)]
    result: String,
    #[serde(default)]
    approve: bool,
    #[serde(default)]
    deploy: bool,
    #[serde(default = "default_resource")]
    resource: String,
}

fn default_resource() -> String {
    "cloudflare://workers/paces/app".to_owned()
}

impl Workflow for Paces {
    fn run(event: Event, step: Step<'_>) -> Result<Value, Failure> {
        let params: Params = event.params()?;
        for _ in 0..params.steps {
            step.run("pace", || Ok::<_, String>(params.result.clone()))?;
        }
        if params.approve {
            approve(&params)?;
        }
        Ok(json!({ "steps": params.steps }))
    }
}

fn approve(params: &Params) -> Result<(), Failure> {
    let artifact = pp::Artifact { name: "app.js".to_owned(), bytes: b"export default {}".to_vec() };
    let receipt = pp::require_approval(&pp::Action {
        capability: "cloudflare.dynamic-worker.deploy".to_owned(),
        resource: params.resource.clone(),
        reason: "the next pace".to_owned(),
        evidence: "{}".to_owned(),
        artifact: Some(artifact.clone()),
    })
    .map_err(|_| failure("refused", "no approval"))?;
    if params.deploy {
        deploy::deploy(&params.resource, &artifact, receipt)
            .map_err(|_| failure("refused", "no deployment"))?;
    }
    Ok(())
}
