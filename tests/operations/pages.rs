//! Queries that answer a page at a time: together the pages are the whole, however long they are.

use crate::support::harness::Harness;
use crate::support::{self, block_on, judgement};
use engine::api::{AuditPlace, AuditRecord, AuditScope, Principal, Query, ReceiptKind, TokenGrant, View};
use engine::trust::Act;
use engine::{Error, Host, InstanceKey, Status};
use receipt::Decision;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;
use tempfile::TempDir;
use workflow::{ReceiptId, TenantId};

/// A host with instances of two tenants that deployed, were denied and deleted, or whose receipt was revoked, and
/// operators' acts in between.
fn host() -> (TempDir, Host) {
    let folder = TempDir::new().unwrap();
    let host = support::storage::builder(folder.path()).open().unwrap();
    let asked = |key: &InstanceKey, decision| {
        let Status::Waiting(wait) = block_on(host.drive(key)).unwrap() else { panic!("{key} does not ask") };
        host.decide(wait.request().unwrap(), &judgement(decision)).unwrap().id
    };
    for tenant in ["acme", "globex", "acme", "globex", "acme"] {
        let start = || support::start_for(&host, tenant, "tenant-workflow", "{}");
        let (deployed, denied, revoked) = (start(), start(), start());
        asked(&deployed, Decision::Approved);
        asked(&denied, Decision::Denied);
        block_on(host.drive(&deployed)).unwrap();
        block_on(host.drive(&denied)).unwrap();
        let reason = "to look at it".to_owned();
        host.record_act("operator", Act::Frozen { tenant: None, reason: reason.clone() }).unwrap();
        host.record_act("operator", Act::Thawed { tenant: None, reason }).unwrap();
        host.revoke(&asked(&revoked, Decision::Approved), "operator", None).unwrap();
        host.delete(&denied, "operator").unwrap();
    }
    (folder, host)
}

/// More records than there are.
const ALL: usize = 100_000;

fn acme() -> TenantId {
    "acme".parse().unwrap()
}

/// The pages of a query, until one says that it is the last.
fn pages<T, P>(mut page: impl FnMut(Option<P>) -> (Vec<T>, Option<P>)) -> Vec<Vec<T>> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let (rows, next) = page(after);
        all.push(rows);
        after = next;
        if after.is_none() {
            return all;
        }
    }
}

#[test]
fn an_audit_is_read_in_pages() {
    let (_folder, host) = host();
    let read = |of: &AuditScope, limit: u32| {
        let pages = pages(|after: Option<AuditPlace>| {
            // A place goes to a caller and comes back as text.
            let after = after.map(|place| place.to_string().parse().unwrap());
            let query = Query::Audit { of: of.clone(), after, limit };
            let View::Audit { records, next } = host.view(&Principal::own(), query).unwrap() else {
                panic!("an audit")
            };
            (records.iter().map(|record| serde_json::to_string(record).unwrap()).collect(), next)
        });
        assert!(
            pages.iter().rev().skip(1).all(|page| page.len() == limit as usize),
            "only the last page is short"
        );
        pages.concat()
    };
    let some = host.audit(None).unwrap().swap_remove(0).key;
    for of in [AuditScope::Host, AuditScope::Tenant(acme()), AuditScope::Instance(some)] {
        let whole = read(&of, u32::MAX);
        let distinct: BTreeSet<_> = whole.iter().collect();
        assert_eq!(distinct.len(), whole.len(), "{of:?}: no record twice");
        for limit in [1, 2, 3, 7] {
            assert_eq!(read(&of, limit), whole, "{of:?} in pages of {limit}");
        }
    }
    let whole = read(&AuditScope::Host, u32::MAX);
    let (acts, deletions) = (5 * 2, 5);
    assert_eq!(whole.len(), host.audit(None).unwrap().len() + acts + deletions);
}

#[test]
fn an_audit_goes_on_with_what_was_recorded_since() {
    let (_folder, host) = host();
    let read = |after: Option<AuditPlace>, limit: u32| {
        let query = Query::Audit { of: AuditScope::Tenant(acme()), after, limit };
        let View::Audit { records, next } = host.view(&Principal::own(), query).unwrap() else {
            panic!("an audit")
        };
        (records, next)
    };
    let (all, none) = read(None, u32::MAX);
    assert!(none.is_none());
    let (_, place) = read(None, u32::try_from(all.len()).unwrap() - 1);
    let new = support::start_for(&host, "acme", "tenant-workflow", "{}");
    support::start_for(&host, "globex", "tenant-workflow", "{}");
    let (since, _) = read(place, u32::MAX);
    let AuditRecord::Fact(last) = since.last().unwrap() else { panic!("{since:?}") };
    assert_eq!((since.len(), &last.key), (3, &new), "the last record, then two of the new instance");
}

#[test]
fn an_audit_goes_on_behind_an_instance_that_was_deleted_since() {
    let (_folder, host) = host();
    for of in [AuditScope::Tenant(acme()), AuditScope::Host] {
        let read = |after: Option<AuditPlace>, limit: usize| {
            let query = Query::Audit { of: of.clone(), after, limit: u32::try_from(limit).unwrap() };
            let View::Audit { records, next } = host.view(&Principal::own(), query).unwrap() else {
                panic!("an audit")
            };
            (records, next)
        };
        let text = |record: &AuditRecord| serde_json::to_string(record).unwrap();
        let (all, _) = read(None, ALL);
        let gone = support::start_for(&host, "acme", "tenant-workflow", "{}");
        let Status::Waiting(wait) = block_on(host.drive(&gone)).unwrap() else { panic!("it asks") };
        host.decide(wait.request().unwrap(), &judgement(Decision::Denied)).unwrap();
        block_on(host.drive(&gone)).unwrap();
        let (_, place) = read(None, all.len() + 2);
        let new = support::start_for(&host, "acme", "tenant-workflow", "{}");
        host.delete(&gone, "operator").unwrap();
        let (behind, _) = read(place.clone(), ALL);
        let behind: Vec<_> = behind.iter().map(text).collect();
        let (whole, _) = read(None, ALL);
        let new = whole.iter().filter(|record| match record {
            AuditRecord::Fact(fact) => fact.key == new,
            AuditRecord::Deletion { instance, .. } => *instance == gone.instance,
            AuditRecord::Act { .. } => false,
        });
        let new: Vec<_> = new.map(text).collect();
        assert_eq!(new.len(), 3);
        assert!(new.iter().all(|record| behind.contains(record)), "{of:?}: {behind:#?}");
        let of_instance = Query::Audit { of: AuditScope::Instance(gone), after: place, limit: 9 };
        let refused = host.view(&Principal::own(), of_instance).unwrap_err();
        assert!(refused.to_string().contains("there is no instance"), "{refused}");
    }
}

#[test]
fn an_audit_goes_on_where_a_deleted_instance_was() {
    let harness = Harness::new();
    let keys: Vec<_> = (0..7)
        .map(|_| {
            harness.clock.pass(Duration::from_mins(10));
            let key = harness.program(&json!([]));
            harness.drive(&key);
            key
        })
        .collect();
    let read = |after: Option<AuditPlace>, limit| {
        let query = Query::Audit { of: AuditScope::Host, after, limit };
        let View::Audit { records, next } = harness.host.view(&Principal::own(), query).unwrap() else {
            panic!("an audit")
        };
        let text = |record: &AuditRecord| serde_json::to_string(record).unwrap();
        (records.iter().map(text).collect::<Vec<_>>(), next)
    };
    let facts = harness.entries(&keys[0]).len();
    let (_, place) = read(None, u32::try_from(4 * facts).unwrap());
    harness.host.delete(&keys[3], "operator").unwrap();
    let (whole, _) = read(None, u32::MAX);
    let (rest, _) = read(place, u32::MAX);
    assert_eq!(rest, whole[3 * facts..], "the later instances, and the deletion");
}

#[test]
fn an_act_that_is_recorded_since_is_read_once_at_whatever_time() {
    let harness = Harness::new();
    let key = harness.program(&json!([]));
    harness.drive(&key);
    let frozen = || Act::Frozen { tenant: None, reason: "an audit".to_owned() };
    harness.host.record_act("operator", frozen()).unwrap();
    harness.host.delete(&key, "operator").unwrap();
    let read = |after: Option<AuditPlace>, limit| {
        let query = Query::Audit { of: AuditScope::Host, after, limit };
        let View::Audit { records, next } = harness.host.view(&Principal::own(), query).unwrap() else {
            panic!("an audit")
        };
        (records, next)
    };
    let (first, place) = read(None, 1);
    assert!(matches!(first[..], [AuditRecord::Act { .. }]), "{first:?}");
    harness
        .host
        .record_act("operator", Act::Thawed { tenant: None, reason: "it is over".to_owned() })
        .unwrap();
    let (rest, none) = read(place, 9);
    let kinds: Vec<_> = rest.iter().map(|record| matches!(record, AuditRecord::Act { .. })).collect();
    assert_eq!((kinds, none), (vec![true, false], None), "{rest:?}");
    let (_, behind) = read(None, 2);
    harness.host.record_act("operator", frozen()).unwrap();
    let (rest, _) = read(behind, 9);
    assert!(
        matches!(
            rest[..],
            [AuditRecord::Deletion { .. }, AuditRecord::Act { .. }]
                | [AuditRecord::Act { .. }, AuditRecord::Deletion { .. }]
        ),
        "{rest:?}"
    );
}

#[test]
fn a_place_of_another_tenant_is_refused() {
    let (_folder, host) = host();
    let facts = host.audit(None).unwrap();
    let other = facts.iter().find(|fact| fact.key.tenant.as_str() == "globex").unwrap();
    let after = Some(format!("{}.{}.0.0.0.0", other.key, other.index).parse().unwrap());
    let query = Query::Audit { of: AuditScope::Tenant(acme()), after, limit: 9 };
    let refused = host.view(&Principal::own(), query).unwrap_err();
    assert!(refused.to_string().contains("there is no instance"), "{refused}");
    for text in [
        "",
        "start",
        "start.1.2",
        "start.x.0.0",
        "start.0.x.0",
        "start.0.0.x",
        "acme.1.2.3.4.5",
        "acme/one.1.2.3.4",
        "acme/one.x.0.0.0.0",
        "acme/one.0.x.0.0.0",
        "a/b/c.1.2.3.4.5",
    ] {
        assert!(text.parse::<AuditPlace>().is_err(), "{text}");
    }
}

#[test]
fn receipts_are_read_in_pages_each_with_its_revocation() {
    let (_folder, host) = host();
    let token = Principal::Token(TokenGrant {
        id: "pp_1".to_owned(),
        tenant: acme(),
        scopes: engine::api::TokenScope::ALL.into_iter().collect(),
    });
    let read = |principal: &Principal, newest_first: bool, limit: u32| {
        pages(|after: Option<ReceiptId>| {
            let query = Query::Receipts { tenant: None, after, newest_first, limit };
            let View::Receipts { receipts, more } = host.view(principal, query).unwrap() else {
                panic!("receipts")
            };
            let next = receipts.last().map(|row| row.receipt_id.clone()).filter(|_| more);
            (receipts, next)
        })
        .concat()
    };
    let names = |principal: &Principal, newest_first: bool, limit: u32| -> Vec<String> {
        read(principal, newest_first, limit).iter().map(|row| row.receipt_id.to_string()).collect()
    };
    for (principal, count) in [(Principal::own(), 5 * 4), (token.clone(), 3 * 4)] {
        let whole = names(&principal, false, u32::MAX);
        assert_eq!(whole.len(), count);
        let mut backwards = whole.clone();
        backwards.reverse();
        for limit in [1, 2, 3] {
            assert_eq!(names(&principal, false, limit), whole, "in pages of {limit}");
            assert_eq!(names(&principal, true, limit), backwards, "backwards in pages of {limit}");
        }
    }
    let rows = read(&Principal::own(), false, 99);
    for pair in rows.windows(2) {
        if let ReceiptKind::Revocation { revokes } = &pair[1].kind {
            assert_eq!(*revokes, pair[0].receipt_id.to_string(), "a revocation follows what it takes back");
        }
    }
    let other = rows.iter().find(|row| row.tenant == "globex").unwrap().receipt_id.clone();
    let refused = host
        .view(&token, Query::Receipts { tenant: None, after: Some(other), newest_first: false, limit: 9 });
    assert!(matches!(refused, Err(Error::NoReceipt(_))), "{refused:?}");
}

#[test]
fn deployments_are_read_in_pages() {
    let (_folder, host) = host();
    let read = |tenant: Option<TenantId>, limit: u32| {
        pages(|after: Option<ReceiptId>| {
            let query = Query::Deployments { tenant: tenant.clone(), after, limit };
            let View::Deployments { deployments, more } = host.view(&Principal::own(), query).unwrap() else {
                panic!("deployments")
            };
            let next =
                deployments.last().map(|row| row.deployment.receipt_id.parse().unwrap()).filter(|_| more);
            (deployments, next)
        })
        .concat()
    };
    for (tenant, count) in [(None, 5), (Some(acme()), 3)] {
        let whole = read(tenant.clone(), u32::MAX);
        assert_eq!(whole.len(), count);
        for limit in [1, 2] {
            assert_eq!(read(tenant.clone(), limit), whole, "in pages of {limit}");
        }
    }
    let query = Query::LiveDeployment {
        tenant: acme(),
        resource: "cloudflare://workers/tenant-acme/generated-app".to_owned(),
    };
    let View::LiveDeployment { deployment } = host.view(&Principal::own(), query).unwrap() else {
        panic!("one")
    };
    assert_eq!(deployment, read(Some(acme()), u32::MAX).into_iter().rfind(|row| row.current));
    let unspent = Query::Deployments { tenant: None, after: Some("rcpt_none".parse().unwrap()), limit: 9 };
    assert!(matches!(host.view(&Principal::own(), unspent), Err(Error::NoReceipt(_))));
}
