//! Deployments.

use super::*;
use store::{Deployment, DeploymentFilter, DeploymentPage, RecordedDeployment};

fn deployment(id: &str, resource: &str, order: u64) -> Deployment {
    Deployment {
        id: id.to_owned(),
        tenant: tenant("acme"),
        resource: resource.to_owned(),
        artifact: "app.js".to_owned(),
        artifact_sha256: Digest::of(id.as_bytes()),
        artifact_bytes: 7,
        location: format!("somewhere/{id}"),
        receipt_id: format!("rcpt_{id}"),
        order,
        approved_at: AT,
    }
}

/// Records deployments in the journal of an instance, one a write.
fn record(store: &dyn Store, deployments: &[Deployment]) {
    let at = key("deployer");
    if store.entered(&at).wait().unwrap().is_none() {
        create(store, &at);
    }
    for deployment in deployments {
        let deployed = Batch { deployment: Some(Box::new(deployment.clone())), ..batch(vec![step(0)]) };
        store.append(place(&at, length(store, &at)), &deployed).wait().unwrap();
    }
}

fn all(store: &dyn Store, filter: DeploymentFilter) -> Vec<RecordedDeployment> {
    store.deployments(DeploymentPage { after: 0, limit: 100, filter }).wait().unwrap()
}

fn live(store: &dyn Store, resource: &str) -> Option<String> {
    store.live_deployment(&tenant("acme"), resource).wait().unwrap().map(|deployment| deployment.id)
}

pub(super) fn are_recorded_once(engine: &impl Engine) {
    let store = engine.open();
    let first = deployment("dep_1", "r", 5);
    record(&*store, &[first.clone(), deployment("dep_1", "elsewhere", 9), deployment("dep_2", "r", 6)]);
    let found = all(&*store, DeploymentFilter::All);
    assert_eq!(
        found.iter().map(|found| found.deployment.id.as_str()).collect::<Vec<_>>(),
        ["dep_1", "dep_2"]
    );
    assert_eq!(found[0].deployment, first, "what is on record stays as it is");
    assert_eq!((live(&*store, "elsewhere"), live(&*store, "r")), (None, Some("dep_2".to_owned())));
    let refused = Batch { deployment: Some(Box::new(deployment("dep_3", "r", 7))), ..batch(vec![step(0)]) };
    store.append(place(&key("deployer"), 0), &refused).wait().unwrap_err();
    assert_eq!(all(&*store, DeploymentFilter::All).len(), 2, "nothing of a refused write is there");
    drop(store);
    assert_eq!(all(&*engine.open(), DeploymentFilter::All), found);
}

pub(super) fn serve_the_later_redeemed(engine: &impl Engine) {
    let store = engine.open();
    record(&*store, &[deployment("dep_1", "r", 5), deployment("dep_3", "r", 9), deployment("dep_2", "r", 7)]);
    assert_eq!(
        live(&*store, "r"),
        Some("dep_3".to_owned()),
        "the one redeemed last, whichever is recorded last"
    );
    assert_eq!(live(&*store, "none"), None);
    assert_eq!(store.live_deployment(&tenant("globex"), "r").wait().unwrap(), None);
    let is_live: Vec<_> = all(&*store, DeploymentFilter::All).iter().map(|found| found.is_live).collect();
    assert_eq!(is_live, [false, true, false]);
    let [only] = all(&*store, DeploymentFilter::Live).try_into().unwrap();
    assert_eq!(only.deployment.id, "dep_3");
}

pub(super) fn are_read_in_pages(engine: &impl Engine) {
    let store = engine.open();
    let many: Vec<_> =
        (0..7).map(|number| deployment(&format!("dep_{number}"), &format!("r{number}"), number)).collect();
    record(&*store, &many);
    let (mut after, mut read) = (0, Vec::new());
    loop {
        let page = store
            .deployments(DeploymentPage { after, limit: 3, filter: DeploymentFilter::Live })
            .wait()
            .unwrap();
        let Some(last) = page.last() else { break };
        assert!(last.place > after);
        after = last.place;
        read.extend(page.into_iter().map(|found| found.deployment));
    }
    assert_eq!(read, many);
    let of = |filter| all(&*store, filter).into_iter().map(|found| found.deployment).collect::<Vec<_>>();
    assert_eq!(of(DeploymentFilter::Receipt("rcpt_dep_4".parse().unwrap())), many[4..5]);
    assert_eq!(of(DeploymentFilter::Receipt("rcpt_none".parse().unwrap())), []);
    assert_eq!(
        (of(DeploymentFilter::Tenant(tenant("acme"))), of(DeploymentFilter::Tenant(tenant("globex")))),
        (many, vec![])
    );
}

pub(super) fn may_be_of_a_long_resource(engine: &impl Engine) {
    let (store, resource) = (engine.open(), long_resource());
    record(&*store, &[deployment("dep_1", &resource, 5)]);
    assert_eq!(live(&*store, &resource), Some("dep_1".to_owned()));
    record(&*store, &[deployment("dep_2", &resource, 6), deployment("dep_3", &resource[1..], 7)]);
    assert_eq!(live(&*store, &resource), Some("dep_2".to_owned()));
    assert_eq!(all(&*store, DeploymentFilter::Live).len(), 2);
}
