//! What a tenant has is counted in stripes, one for each writer: quotas are exact, and no host's commit waits for another's.

use super::*;
use crate::support::root;
use std::collections::BTreeMap;
use std::sync::Barrier;
use std::sync::mpsc::channel;
use store::{
    Deployment, DeploymentStore as _, KeptArtifact, RequestStore as _, ScheduleStore as _, UsageStore as _,
    Written,
};

/// The writes that each of two hosts submits at once.
const WRITES: usize = 60;

/// A quota that two hosts use up.
const ROOM: u64 = 70;

fn create_in(store: &Postgres, name: &str, quotas: Quotas) -> Commit {
    let bytes: Arc<[u8]> = Arc::from(&b"component"[..]);
    let component = (Digest::of(&bytes), bytes);
    store.create(&Create { key: key(name), component, at: AT, entries: vec![started(0)], quotas })
}

fn usage(store: &Postgres) -> store::Usage {
    store.usage(&key("any").tenant).wait().unwrap()
}

/// Ends an instance whose journal has so many entries.
fn end(store: &Postgres, name: &str, after: usize) {
    let schedule = Some(ScheduleRow { state: InstanceState::Complete, due: None });
    let entries = vec![Entry::Completed { output: "1".to_owned() }];
    let batch = Batch { entries, schedule, ..Batch::default() };
    append(store, name, after, &batch, Writer::Outside).wait().unwrap();
}

fn delete(store: &Postgres, name: &str) {
    let facts = store.facts(Some(&key(name))).wait().unwrap();
    let bytes = facts.iter().map(|fact| serde_json::to_string(&fact.entry).unwrap().len()).sum();
    let place = JournalPosition { key: key(name), after: facts.len(), at: AT };
    let components = vec![Digest::of(b"component")];
    store.write(Write::Delete { place, components, bytes, by: "ops".to_owned() }).wait().unwrap();
}

/// Both hosts submit writes at once, named by host and number. Each is written, or refused by a quota.
fn at_once(hosts: [&Postgres; 2], write: impl Fn(&Postgres, &str) -> Commit + Sync) -> Vec<String> {
    let barrier = Barrier::new(hosts.len());
    let (barrier, write) = (&barrier, &write);
    std::thread::scope(|scope| {
        let writing = hosts.iter().enumerate().map(|(number, store)| {
            scope.spawn(move || {
                let names: Vec<String> = (0..WRITES).map(|index| format!("h{number}-{index}")).collect();
                barrier.wait();
                let mut written = Vec::new();
                // Some together, some one after another.
                for names in names.chunks(7) {
                    let commits: Vec<_> = names.iter().map(|name| write(store, name)).collect();
                    for (name, commit) in names.iter().zip(commits) {
                        match commit.wait() {
                            Ok(_) => written.push(name.clone()),
                            Err(StoreError::Quota(_)) => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
                written
            })
        });
        let writing: Vec<_> = writing.collect();
        writing.into_iter().flat_map(|writing| writing.join().unwrap()).collect()
    })
}

#[test]
fn two_hosts_have_as_many_instances_as_the_quota_says() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let (a, b) = (host(&url, "a"), host(&url, "b"));
    let quotas = Quotas { instances: ROOM, ..Quotas::default() };
    let created = at_once([&a, &b], |store, name| create_in(store, name, quotas.clone()));
    assert_eq!((created.len() as u64, usage(&a).instances), (ROOM, ROOM));
    // What has ended on another host than that which created it makes headroom on both.
    created.iter().for_each(|name| end(if name.starts_with("h0") { &b } else { &a }, name, 1));
    assert_eq!(usage(&b).instances, 0);
    let again = at_once([&a, &b], |store, name| create_in(store, &format!("again-{name}"), quotas.clone()));
    assert_eq!((again.len() as u64, usage(&a).instances), (ROOM, ROOM));
}

#[test]
fn two_hosts_keep_as_many_bytes_as_the_quota_says() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let (a, b) = (host(&url, "a"), host(&url, "b"));
    for (number, store) in [&a, &b].into_iter().enumerate() {
        (0..WRITES).for_each(|index| create(store, &format!("h{number}-{index}")));
    }
    let (before, each) = (usage(&a).stored_bytes, serde_json::to_string(&step(0)).unwrap().len() as u64);
    let quotas = Quotas { stored_bytes: before + ROOM * each + each / 2, ..Quotas::default() };
    let batch = Batch { quotas: Some(quotas), ..steps([0]) };
    let written = at_once([&a, &b], |store, name| append(store, name, 1, &batch, Writer::Outside));
    assert_eq!((written.len() as u64, usage(&b).stored_bytes), (ROOM, before + ROOM * each));
}

#[test]
fn two_hosts_ask_as_often_as_the_quotas_say() {
    for (pending_approvals, requests_per_hour) in [(ROOM, 1_000), (1_000, ROOM)] {
        let Some(server) = postgres::shared() else { return };
        let url = server.schema();
        let (a, b) = (host(&url, "a"), host(&url, "b"));
        for (number, store) in [&a, &b].into_iter().enumerate() {
            (0..WRITES).for_each(|index| create(store, &format!("h{number}-{index}")));
        }
        let quotas = Quotas { pending_approvals, requests_per_hour, ..Quotas::default() };
        let asked = at_once([&a, &b], |store, name| {
            append(store, name, 1, &request(name, quotas.clone()), Writer::Outside)
        });
        assert_eq!((asked.len() as u64, usage(&b).pending_approvals), (ROOM, ROOM));
        assert_eq!(a.asked_since(&key("any").tenant, AT).wait().unwrap(), ROOM);
        assert_eq!(b.asked(&key("any").tenant, "a.b", "r").wait().unwrap().times, ROOM);
    }
}

/// A write that is not answered while something is locked.
fn is_answered(commit: Commit) -> bool {
    let (answer, answers) = channel::<Written>();
    // A thread that still waits when the test fails ends with the server.
    std::thread::spawn(move || drop(answer.send(commit.wait())));
    answers.recv_timeout(TIMEOUT).is_ok_and(|written| written.is_ok())
}

#[test]
fn no_write_waits_for_another_hosts_commit_in_the_same_tenant() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let schema = postgres::schema_name(&url);
    let (a, b) = (host(&url, "a"), host(&url, "b"));
    b.renew(TTL).wait().unwrap();
    for (store, name) in [(&a, "of-a"), (&b, "of-b")] {
        create(store, name);
        append(store, name, 1, &request(name, Quotas::default()), Writer::Outside).wait().unwrap();
    }
    // The rows of the first host's stripe are locked, as by a commit that takes long.
    let mut session = server.session();
    session.run("BEGIN; SELECT 1;");
    for table in ["usage_parts", "rates", "subjects", "precedents", "holdings", "artifacts"] {
        let rows = format!("SELECT FROM {schema}.{table} WHERE part = 0 FOR UPDATE");
        session.run(&format!("SELECT count(*) FROM ({rows}) l;"));
    }
    assert!(is_answered(append(&b, "of-b", 2, &steps([1]), Writer::Driver)), "a step");
    let more =
        Batch { schedule: Some(ScheduleRow { state: InstanceState::Queued, due: None }), ..steps([2]) };
    assert!(is_answered(append(&b, "of-b", 3, &more, Writer::Driver)), "a step with more");
    assert!(is_answered(create_in(&b, "of-b-2", Quotas::default())), "a new instance");
    let asking = append(&b, "of-b-2", 1, &request("of-b-2", Quotas::default()), Writer::Outside);
    assert!(is_answered(asking), "a request");
    session.run("COMMIT; SELECT 1;");
}

/// Processes that were killed have left rows, most of them in the first stripes.
#[test]
fn writers_that_start_at_once_have_parts_of_their_own() {
    const WRITERS: i16 = 8;
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let schema = postgres::schema_name(&url);
    server.sql(&format!(
        "INSERT INTO {schema}.writers (writer, last, part, seen)
            SELECT 'gone-' || n, 0, n % 3, now() - interval '1 hour' FROM generate_series(1, 30) AS n"
    ));
    let barrier = Barrier::new(usize::from(WRITERS.unsigned_abs()));
    let open = || {
        barrier.wait();
        Postgres::open(&url).unwrap()
    };
    let _stores: Vec<Postgres> = std::thread::scope(|scope| {
        let opening: Vec<_> = (0..WRITERS).map(|_| scope.spawn(open)).collect();
        opening.into_iter().map(|opening| opening.join().unwrap()).collect()
    });
    let stripes = format!("SELECT count(DISTINCT part) FROM {schema}.writers WHERE writer NOT LIKE 'gone%'");
    assert_eq!(server.sql(&stripes), WRITERS.to_string());
}

/// Two hosts are users of one component, and one of them removes both.
#[test]
fn a_component_is_gone_with_its_last_user_on_any_host() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let (a, b) = (host(&url, "a"), host(&url, "b"));
    let component = Digest::of(b"component");
    for (store, name) in [(&a, "one"), (&b, "two"), (&b, "three")] {
        create(store, name);
        end(store, name, 1);
    }
    for name in ["three", "one"] {
        delete(&a, name);
        b.component(&component).wait().unwrap();
    }
    create(&a, "four");
    delete(&a, "two");
    b.component(&component).wait().unwrap();
    end(&b, "four", 1);
    delete(&b, "four");
    a.component(&component).wait().unwrap_err();
    assert_eq!(usage(&a), store::Usage::default(), "nothing is left of them");
}

pub(super) fn deployment(id: &str, resource: &str, (bytes, order): (&str, u64)) -> Deployment {
    Deployment {
        id: id.to_owned(),
        tenant: key("any").tenant,
        resource: resource.to_owned(),
        artifact: "app.js".to_owned(),
        artifact_sha256: Digest::of(bytes.as_bytes()),
        artifact_bytes: 1_000,
        location: "somewhere".to_owned(),
        receipt_id: format!("rcpt_{id}"),
        order,
        approved_at: AT,
    }
}

/// Keeps the artifact and deploys it, as an action's two writes do.
pub(super) fn deploy(store: &Postgres, name: &str, deployment: &Deployment) {
    let after = length(store, name);
    let (sha256, bytes) = (deployment.artifact_sha256, deployment.artifact_bytes);
    let artifact = Some(Box::new(KeptArtifact { sha256, bytes, quotas: Quotas::default() }));
    append(store, name, after, &Batch { artifact, ..steps([0]) }, Writer::Outside).wait().unwrap();
    let deployed = Batch { deployment: Some(Box::new(deployment.clone())), ..steps([1]) };
    append(store, name, after + 1, &deployed, Writer::Outside).wait().unwrap();
}

/// The bytes that a tenant keeps beside its journals.
pub(super) fn artifacts(server: &Server, url: &str, store: &Postgres) -> u64 {
    let schema = postgres::schema_name(url);
    let journals = format!(
        "SELECT coalesce(sum(octet_length(body) - count + 1), 0) + coalesce((SELECT sum(size) FROM {schema}.components), 0) FROM {schema}.entries"
    );
    usage(store).stored_bytes - server.sql(&journals).parse::<u64>().unwrap()
}

/// An artifact counts once for a tenant, whichever hosts hold it, and is gone with its last holder.
#[test]
fn an_artifact_that_two_hosts_hold_counts_once() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let (a, b) = (host(&url, "a"), host(&url, "b"));
    for name in ["one", "two", "three"] {
        create(&a, name);
    }
    deploy(&a, "one", &deployment("d1", "r", ("first", 1)));
    assert_eq!(artifacts(server, &url, &a), 1_000);
    deploy(&b, "two", &deployment("d2", "r", ("first", 2)));
    assert_eq!(artifacts(server, &url, &a), 1_000, "the same bytes");
    deploy(&b, "three", &deployment("d3", "r", ("second", 3)));
    assert_eq!(artifacts(server, &url, &a), 2_000);
    for (name, after) in [("one", 3), ("two", 3)] {
        end(&a, name, after);
    }
    delete(&b, "one");
    assert_eq!(artifacts(server, &url, &a), 2_000, "another instance has deployed it");
    delete(&a, "two");
    assert_eq!(artifacts(server, &url, &a), 1_000);
    let keeps = |bytes: &[u8]| b.keeps_artifact(&Digest::of(bytes)).wait().unwrap();
    assert_eq!((keeps(b"first"), keeps(b"second")), (false, true));
    // The one that is live on one host is replaced on the other.
    create(&a, "four");
    deploy(&a, "four", &deployment("d4", "r", ("third", 4)));
    end(&a, "three", 3);
    delete(&a, "three");
    assert_eq!((artifacts(server, &url, &b), keeps(b"second")), (1_000, false));
}

/// Two hosts bring the same components and artifacts at once, so that each may be the first in its stripe, and none in the tenant.
#[test]
fn what_two_hosts_bring_at_once_counts_once() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let (a, b) = (host(&url, "a"), host(&url, "b"));
    for (store, name) in [(&a, "of-a"), (&b, "of-b")] {
        create(store, name);
    }
    at_once([&a, &b], |store, name| {
        let bytes: Arc<[u8]> = Arc::from(name.rsplit('-').next().unwrap().repeat(1_000).as_bytes());
        let component = (Digest::of(&bytes), bytes);
        let (key, entries) = (key(name), vec![started(0)]);
        store.create(&Create { key, component, at: AT, entries, quotas: Quotas::default() })
    });
    assert_eq!(artifacts(server, &url, &a), 0, "each component counts once");
    at_once([&a, &b], |store, name| {
        let (sha256, quotas) = (Digest::of(name.rsplit('-').next().unwrap().as_bytes()), Quotas::default());
        let artifact = Some(Box::new(KeptArtifact { sha256, bytes: 1_000, quotas }));
        append(store, name, 1, &Batch { artifact, ..steps([0]) }, Writer::Outside)
    });
    assert_eq!(artifacts(server, &url, &a), 1_000 * WRITES as u64);
}

/// A database of the version before is upgraded with what it has.
#[test]
fn a_tenants_usage_is_the_same_after_an_upgrade() {
    let Some(server) = postgres::shared() else { return };
    let url = server.empty_schema();
    let schema = postgres::schema_name(&url);
    let files = root().join("crates/store-postgres/src/schema");
    let steps: BTreeMap<u32, String> = (1..=5)
        .map(|version| (version, std::fs::read_to_string(files.join(format!("{version}.sql"))).unwrap()))
        .collect();
    let rows = "UPDATE pp_host_schema SET version = 5;
        INSERT INTO instances VALUES (1, 'acme', 'one', 0, 1, 0, 4, NULL, 0, false);
        INSERT INTO usage VALUES ('acme', 1, 0, 5000);
        INSERT INTO components VALUES ('{component}', 9, 'component');
        INSERT INTO holdings VALUES ('acme', '{component}', 1);
        INSERT INTO subjects VALUES ('acme', 'a.b r', 3);
        INSERT INTO rates VALUES ('acme', 28333333, 3);
        UPDATE claims SET finished = false WHERE shard = 7;
        SELECT setval('instance_ids', 1);";
    let rows = rows.replace("{component}", &Digest::of(b"component").to_string());
    let all: String = steps.into_values().collect();
    server.sql(&format!("SET search_path = {schema}; {all} {rows}"));
    assert!(Postgres::open(&url).unwrap_err().to_string().contains("pp-host migrate"));
    Postgres::migrate(&url).unwrap();
    let unsettled = server.sql(&format!("SELECT shard FROM {schema}.claims WHERE settled > '-infinity'"));
    assert_eq!(unsettled, "7", "its holder before may be in the middle of an action");
    let (a, b) = (host(&url, "a"), host(&url, "b"));
    assert_eq!((usage(&a).instances, usage(&a).stored_bytes), (1, 5_000));
    assert_eq!(b.asked(&key("any").tenant, "a.b", "r").wait().unwrap().times, 3);
    let quotas = Quotas { instances: 3, ..Quotas::default() };
    for (store, name) in [(&b, "two"), (&a, "three")] {
        create_in(store, name, quotas.clone()).wait().unwrap();
    }
    assert!(matches!(create_in(&a, "four", quotas).wait(), Err(StoreError::Quota(_))));
    let entry = serde_json::to_string(&started(0)).unwrap().len() as u64;
    assert_eq!(usage(&b).stored_bytes, 5_000 + 2 * entry, "the component is kept already");
    assert_eq!(a.entered(&key("one")).wait().unwrap().unwrap().key, key("one"));
}
