//! The five promises of the README, each from one end to the other. The other tests take them apart.

mod support;

use engine::{Error, Host, Status};
use receipt::{Artifact, AttestationArtifact, Decision, KeySet};
use sandbox::LoadError;
use support::count;
use tempfile::TempDir;
use workflow::Entry;

#[test]
fn narrow() {
    let (_folder, host) = support::new_host();
    let component = wat::parse_str(r#"(component (import "wasi:sockets/tcp@0.2.0" (instance)))"#).unwrap();
    let Err(Error::Load(LoadError::ForbiddenImports(names))) = host.load(component).map(drop) else {
        panic!()
    };
    assert_eq!(names, ["wasi:sockets/tcp@0.2.0"]);
    let honest = host.load(support::guest("tenant-workflow")).unwrap();
    assert_eq!(honest.program().imports().len(), 3, "the world's own, and nothing else");
}

#[test]
fn no_receipt_no_action() {
    for attack in
        ["forged-receipt", "attempt-as-receipt", "other-artifact", "other-resource", "other-capability"]
    {
        let (_, entries) = support::attack(attack);
        assert_eq!(count(&entries, "redeemed") + count(&entries, "performed"), 0, "{attack}");
    }
    let (_, entries) = support::attack("plain");
    assert_eq!((count(&entries, "redeemed"), count(&entries, "performed")), (1, 1));
}

#[test]
fn at_most_once() {
    let (_, entries) = support::attack("spent-twice");
    assert_eq!((count(&entries, "redeemed"), count(&entries, "performed")), (1, 1));
}

#[test]
fn durable() {
    let folder = TempDir::new().unwrap();
    let host = Host::builder(folder.path()).open().unwrap();
    let key = support::start(&host, "tenant-workflow", "{}");
    assert!(matches!(support::block_on(host.drive(&key)).unwrap(), Status::Waiting(_)));
    let before = support::entries(&host, &key);
    drop(host);
    let host = Host::builder(folder.path()).open().unwrap();
    support::finish(&host, &key, Decision::Approved);
    let after = support::entries(&host, &key);
    assert_eq!(after[..before.len()], before[..], "what was recorded stands");
    assert_eq!(count(&after, "step-completed"), 2, "and no step ran again");
}

/// From the audit and the public keys alone, as a stranger has them: JSON text.
#[test]
fn provable() {
    let folder = TempDir::new().unwrap();
    let host = Host::builder(folder.path()).open().unwrap();
    for decision in [Decision::Approved, Decision::Denied] {
        let key = support::start(&host, "tenant-workflow", "{}");
        support::finish(&host, &key, decision);
    }
    let keys =
        KeySet::parse(&std::fs::read_to_string(folder.path().join("keys/keys.json")).unwrap()).unwrap();
    let (mut decisions, mut outcomes) = (Vec::new(), 0);
    let mut approved = None;
    for fact in host.audit(None).unwrap() {
        match fact.entry {
            Entry::Issued { document, .. } => {
                let verified = receipt::verify(&Artifact::parse(&document).unwrap(), &keys).unwrap();
                decisions.push(verified.decision());
                approved =
                    Some(verified).filter(|verified| verified.decision() == Decision::Approved).or(approved);
            }
            Entry::Attested { document, .. } => {
                let attestation = AttestationArtifact::parse(&document).unwrap();
                receipt::verify_attestation(&attestation, approved.as_ref().unwrap(), &keys).unwrap();
                outcomes += 1;
            }
            _ => {}
        }
    }
    assert_eq!((decisions, outcomes), (vec![Decision::Approved, Decision::Denied], 1));
}
