//! The demo tenant, as an agent might have written it minutes ago: it builds a worker, asks for permission to deploy it, and
//! deploys it.
//!
//! Parameters, all optional: `{"resource": "cloudflare://workers/tenant-acme/generated-app"}`.

use guest_sdk::serde_json::{Value, json};
use guest_sdk::{Event, Failure, Step, Workflow, deploy, failure, pp};
use serde::{Deserialize, Serialize};

struct TenantDeployWorkflow;

guest_sdk::workflow!(TenantDeployWorkflow);

#[derive(Deserialize)]
struct Params {
    #[serde(default = "default_resource")]
    resource: String,
}

fn default_resource() -> String {
    "cloudflare://workers/tenant-acme/generated-app".to_owned()
}

/// The result of the build step.
#[derive(Serialize, Deserialize)]
struct Build {
    artifact: String,
    source: String,
}

/// The result of the deploy step.
#[derive(Serialize, Deserialize)]
struct Deployed {
    id: String,
    location: String,
    sha256: String,
    receipt: String,
}

impl Workflow for TenantDeployWorkflow {
    fn run(event: Event, step: Step<'_>) -> Result<Value, Failure> {
        let params: Params = event.params()?;
        let build = step.run("build generated worker", build)?;
        let artifact = pp::Artifact { name: build.artifact.clone(), bytes: build.source.into_bytes() };

        let approval = pp::require_approval(&pp::Action {
            capability: "cloudflare.dynamic-worker.deploy".to_owned(),
            resource: params.resource.clone(),
            reason: "AI-generated tenant workflow wants to deploy dynamic Worker code".to_owned(),
            evidence: json!({
                "build": { "artifact": build.artifact, "bytes": artifact.bytes.len() },
                "diffSummary": "+ generated fetch handler, + outbound API call",
            })
            .to_string(),
            artifact: Some(artifact.clone()),
        });
        let receipt = match approval {
            Ok(receipt) => receipt,
            Err(refusal) => return blocked(refusal),
        };

        let deployed = step.run("deploy dynamic worker", || deploy(&params.resource, &artifact, receipt))?;
        Ok(json!({ "status": "deployed", "deploy": deployed }))
    }
}

fn build() -> Result<Build, Failure> {
    let source = "export default {\n  async fetch(request) {\n    const upstream = await fetch(\"https://api.example.com/v1/quote\");\n    \
                  return new Response(await upstream.text(), { headers: { \"x-generated-by\": \"agent\" } });\n  },\n};\n";
    Ok(Build { artifact: "worker-bundle.js".to_owned(), source: source.to_owned() })
}

fn deploy(
    resource: &str,
    artifact: &pp::Artifact,
    receipt: pp::Receipt,
) -> Result<Deployed, deploy::DeployError> {
    let deployment = deploy::deploy(resource, artifact, receipt)?;
    Ok(Deployed {
        id: deployment.id,
        location: deployment.location,
        sha256: deployment.artifact_sha256,
        receipt: deployment.receipt_id,
    })
}

fn blocked(refusal: pp::Refusal) -> Result<Value, Failure> {
    match refusal {
        pp::Refusal::Denied(denial) => Ok(json!({
            "status": "blocked",
            "request": denial.request_id,
            "receipt": denial.receipt_id,
            "decider": denial.decider,
        })),
        pp::Refusal::Withdrawn(withdrawal) => {
            Ok(json!({ "status": "blocked", "request": withdrawal.request_id, "cause": "withdrawn" }))
        }
        pp::Refusal::Expired(request) => {
            Ok(json!({ "status": "blocked", "request": request, "cause": "expired" }))
        }
        pp::Refusal::Invalid(message) => Err(failure("invalid-action", message)),
    }
}
