//! Deployments of several hosts to one resource: one of them is live, and what each holds is counted once.

use super::usage_stripes::{artifacts, deploy, deployment};
use super::*;
use crate::support::until;
use engine::{Host, StoreLocation};
use std::sync::{Barrier, Mutex};
use store::{BlobStore as _, DeploymentFilter, DeploymentPage, DeploymentStore as _};

/// Two hosts deploy to the same new resources at once, and a reader continues from the last place that it has seen.
#[test]
fn of_two_hosts_that_deploy_at_once_the_later_redeemed_is_live() {
    const ROUNDS: u64 = 40;
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let (a, b, reader) = (host(&url, "a"), host(&url, "b"), Postgres::open(&url).unwrap());
    create(&a, "of-0");
    create(&b, "of-1");
    let (done, barrier) = (AtomicBool::new(false), Barrier::new(2));
    let barrier = &barrier;
    let read = std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let (mut ids, mut after) = (Vec::new(), 0);
            loop {
                let was_done = done.load(Ordering::Acquire);
                let page = DeploymentPage { after, limit: 3, filter: DeploymentFilter::All };
                let found = reader.deployments(page).wait().unwrap();
                after = found.last().map_or(after, |found| found.place);
                ids.extend(found.iter().map(|found| found.deployment.id.clone()));
                if was_done && found.is_empty() {
                    return ids;
                }
            }
        });
        let deploying = [(&a, 0), (&b, 1)].map(|(store, number)| {
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    barrier.wait();
                    let order = 2 * round + (number + round) % 2;
                    let made = deployment(&format!("d{order}"), &format!("r{}", round / 2), ("same", order));
                    deploy(store, &format!("of-{number}"), &made);
                }
            })
        });
        deploying.into_iter().for_each(|deploying| deploying.join().unwrap());
        done.store(true, Ordering::Release);
        reading.join().unwrap()
    });
    assert_eq!(read.len() as u64, 2 * ROUNDS);
    assert_eq!(read.iter().collect::<BTreeSet<_>>().len(), read.len());
    for resource in 0..ROUNDS / 2 {
        let live = a.live_deployment(&key("any").tenant, &format!("r{resource}")).wait().unwrap();
        assert_eq!(live.map(|live| live.order), Some(4 * resource + 3));
    }
    assert_eq!(artifacts(server, &url, &a), 1_000);
    assert_eq!(miscounted(server, &url), "0|0");
}

/// Holders of places that are not live, and by how much the counted holders differ from those that there are.
fn miscounted(server: &Server, url: &str) -> String {
    let schema = postgres::schema_name(url);
    server.sql(&format!(
        "SET search_path = {schema}; SELECT
            (SELECT count(*) FROM artifact_holders h WHERE holder < 0 AND NOT EXISTS (SELECT FROM live WHERE place = -holder)),
            (SELECT sum(holders) FROM artifacts) - (SELECT count(*) FROM artifact_holders)"
    ))
}

/// A host finds no live deployment of a resource and then sees the one that a second host commits, which a third host replaces before the first commits.
#[test]
fn a_live_deployment_that_another_host_commits_in_between_is_replaced_once() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let schema = postgres::schema_name(&url);
    let [a, b, c] = ["a", "b", "c"].map(|id| (host(&url, id), format!("of-{id}")));
    // Each host's stripe has users of the artifact and headroom, so that no deployment below locks all stripes.
    for (store, name) in [&a, &b, &c] {
        create(store, name);
        append(store, name, 1, &request(name, Quotas::default()), Writer::Outside).wait().unwrap();
        deploy(store, name, &deployment(&format!("first-{name}"), name, ("same", 0)));
    }
    let deployed = |id: &str, order| Some(Box::new(deployment(id, "r", ("same", order))));
    // The locks keep requests from being read, and later from being written: the first host waits after it has looked for what to lock, and then before its
    // last statements.
    let mut session = server.session();
    let lock = |mode| format!("LOCK TABLE {schema}.requests IN {mode} MODE;");
    session.run(&format!("BEGIN; {} SAVEPOINT s; {} SELECT 1;", lock("SHARE"), lock("ACCESS EXCLUSIVE")));
    let waits = format!("FROM pg_locks l WHERE l.relation = '{schema}.requests'::regclass AND NOT l.granted");
    let asking = Batch { deployment: deployed("d2", 2), ..request("again", Quotas::default()) };
    let of_a = append(&a.0, &a.1, 4, &asking, Writer::Outside);
    server.wait_until(&format!("SELECT count(*) {waits} AND mode = 'AccessShareLock'"), "1");
    let made = Batch { deployment: deployed("d1", 1), ..steps([2]) };
    append(&b.0, &b.1, 4, &made, Writer::Outside).wait().unwrap();
    session.run("ROLLBACK TO s; SELECT 1;");
    server.wait_until(&format!("SELECT count(*) {waits} AND mode = 'RowExclusiveLock'"), "1");
    let made = Batch { deployment: deployed("d3", 3), ..steps([2]) };
    let of_c = append(&c.0, &c.1, 4, &made, Writer::Outside);
    let goes_on = format!(
        "SELECT EXISTS (SELECT FROM {schema}.live WHERE redeemed = 3)
            OR EXISTS (SELECT {waits} AND EXISTS (SELECT FROM pg_stat_activity s WHERE l.pid = ANY(pg_blocking_pids(s.pid))))"
    );
    server.wait_until(&goes_on, "t");
    session.run("COMMIT; SELECT 1;");
    of_a.wait().unwrap();
    of_c.wait().unwrap();
    let live = b.0.live_deployment(&key("any").tenant, "r").wait().unwrap();
    assert_eq!((live.map(|live| live.order), &*miscounted(server, &url)), (Some(3), "0|0"));
}

/// A host finds no live deployment of a resource, and before it has read everything, another host's first deployment to the resource is committed.
#[test]
fn what_a_live_deployment_holds_is_read_after_it() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let schema = postgres::schema_name(&url);
    let a = host(&url, "a");
    create(&a, "one");
    deploy(&a, "one", &deployment("d1", "other", ("same", 1)));
    let mut session = server.session();
    session.run(&format!(
        "BEGIN; SET LOCAL search_path = {schema}; LOCK TABLE artifact_holders IN ACCESS EXCLUSIVE MODE; SELECT 1;"
    ));
    let made = Batch { deployment: Some(Box::new(deployment("d3", "r", ("same", 3)))), ..steps([2]) };
    let of_a = append(&a, "one", 3, &made, Writer::Outside);
    let waits =
        format!("FROM pg_locks WHERE relation = '{schema}.artifact_holders'::regclass AND NOT granted");
    server.wait_until(&format!("SELECT count(*) {waits}"), "1");
    // The other host's commit.
    session.run(
        "INSERT INTO deployments SELECT place + 1, 'd2', tenant, 'r', artifact, 'b', bytes, location, 'rcpt_d2', 2, approved_at FROM deployments;
        INSERT INTO live SELECT tenant, resource, place, redeemed FROM deployments WHERE id = 'd2';
        INSERT INTO artifact_holders SELECT -place, sha256 FROM deployments WHERE id = 'd2';
        INSERT INTO artifacts (tenant, sha256, bytes, holders, part) SELECT tenant, sha256, bytes, 1, 7 FROM deployments WHERE id = 'd2';
        UPDATE deployments_head SET last = last + 1;
        COMMIT; SELECT 1;",
    );
    of_a.wait().unwrap();
    let live = a.live_deployment(&key("one").tenant, "r").wait().unwrap();
    assert_eq!((live.map(|live| live.order), &*miscounted(server, &url)), (Some(3), "0|0"));
}

/// The first of two resources serves an artifact whose bytes are lost. A new host says so, and publishes the second.
#[test]
fn an_artifact_that_is_lost_keeps_no_other_resource_from_being_published() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let a = Postgres::open(&url).unwrap();
    create(&a, "one");
    deploy(&a, "one", &deployment("d1", "first", ("lost", 1)));
    let there = deployment("d2", "second", ("there", 2));
    a.keep_blob(&there.artifact_sha256, Arc::from(&b"there"[..])).wait().unwrap();
    deploy(&a, "one", &there);
    let (folder, problems) = (TempDir::new().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let told = Arc::clone(&problems);
    let host = Host::builder(folder.path())
        .store(StoreLocation::Database(url.parse().unwrap()))
        .on_background_error(move |problem| told.lock().unwrap().push(problem.to_owned()))
        .open()
        .unwrap();
    let lost = Digest::of(b"lost").to_string();
    until("the problem is told", || problems.lock().unwrap().iter().any(|problem| problem.contains(&lost)));
    let file = |resource: &str| {
        let name = format!("{}.json", Digest::of(resource.as_bytes()));
        folder.path().join("deployments/current/acme").join(name)
    };
    let published = |resource: &str| file(resource).exists();
    until("the second is published", || published("second"));
    assert!(!published("first"));
    let artifact = folder.path().join("deployments/artifacts").join(there.artifact_sha256.to_string());
    assert_eq!(std::fs::read(artifact).unwrap(), b"there");
    // What comes later is published too, and the lost one when it is there again. What was published is not read again for that.
    std::fs::remove_file(file("second")).unwrap();
    let later = deployment("d3", "third", ("there", 3));
    deploy(&a, "one", &later);
    a.keep_blob(&Digest::of(b"lost"), Arc::from(&b"lost"[..])).wait().unwrap();
    drop(host);
    assert_eq!(["first", "second", "third"].map(published), [true, false, true]);
}
