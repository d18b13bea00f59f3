//! A second capability, added through the public interface of the engine: the guest's world and the sandbox stay as they are.

use crate::support;
use crate::support::{block_on, judgement};
use engine::Status;
use engine::capability::{Capability, Execution, OnInterruption, PerformError, Performed, Permit};
use engine::issuer::Reversibility;
use receipt::Decision;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use workflow::Artifact;

/// Puts artifacts on a shelf. It takes the same call of the world as a deployment.
struct Shelve(Arc<Mutex<Vec<String>>>);

impl Capability for Shelve {
    fn name(&self) -> &str {
        "library.shelf.put"
    }

    fn acts_on(&self, resource: &str) -> bool {
        resource.starts_with("shelf://")
    }

    fn reversibility(&self) -> Reversibility {
        Reversibility::Irreversible
    }

    fn on_interruption(&self) -> OnInterruption {
        OnInterruption::ReportUnknown
    }

    fn perform(&self, permit: &Permit, artifact: &Artifact, _: Execution) -> Result<Performed, PerformError> {
        let line = format!("{} {}", permit.resource(), artifact.facts().name);
        self.0.lock().unwrap().push(line);
        Ok(Performed { id: "shelf-1".to_owned(), location: "shelf".to_owned(), deployment: None })
    }
}

/// A script that asks for `capability` on `resource`, and acts with the receipt.
fn asks(capability: &str, resource: &str) -> String {
    format!(
        r#"
        const artifact = {{ name: "worker.js", text: "export default 1" }};
        const {{ receipt }} = await env.PP.requireApproval({{
            capability: "{capability}", resource: "{resource}", reason: "r", evidence: {{}}, artifact,
        }});
        return await env.CLOUDFLARE.deploy({{ resource: "{resource}", artifact, receipt }});
        "#
    )
}

/// The end of that workflow with everything approved, the shelf's content, and the number of deployments.
fn ends(capability: &str, resource: &str) -> (Status, Vec<String>, usize) {
    let folder = TempDir::new().unwrap();
    support::compiled::put_engine(folder.path());
    let shelf = Arc::default();
    let host = crate::support::storage::builder(folder.path())
        .capability(Shelve(Arc::clone(&shelf)))
        .open()
        .unwrap();
    let bundle = support::script::workflow(&asks(capability, resource));
    let key = support::script::start(&host, &bundle, &serde_json::json!({}));
    let end = loop {
        match block_on(host.drive(&key)).unwrap() {
            Status::Waiting(wait) => {
                drop(host.decide(wait.request().unwrap(), &judgement(Decision::Approved)).unwrap());
            }
            end => break end,
        }
    };
    drop(host);
    let shelved = shelf.lock().unwrap().clone();
    (end, shelved, support::deployments(folder.path()).len())
}

#[test]
fn the_resource_of_a_call_decides_which_capability_performs_it() {
    let (end, shelved, deployed) = ends("library.shelf.put", "shelf://a");
    assert_eq!(support::result(&end)["id"], "shelf-1", "{end:?}");
    assert_eq!((shelved, deployed), (vec!["shelf://a worker.js".to_owned()], 0));

    let (end, shelved, deployed) = ends(engine::DEPLOY, "cloudflare://workers/acme/app");
    assert!(support::result(&end)["id"].as_str().unwrap().starts_with("dep_"), "{end:?}");
    assert_eq!((shelved, deployed), (Vec::new(), 1));
}

/// An approval of one capability does not permit another.
#[test]
fn a_receipt_for_one_capability_is_refused_by_the_other() {
    for (capability, resource) in
        [(engine::DEPLOY, "shelf://a"), ("library.shelf.put", "cloudflare://workers/acme/app")]
    {
        let (end, shelved, deployed) = ends(capability, resource);
        let Status::Failed(failure) = &end else { panic!("{end:?}") };
        assert!(failure.to_string().contains("capability"), "{failure}");
        assert_eq!((shelved, deployed), (Vec::new(), 0), "{capability} on {resource}");
    }
}
