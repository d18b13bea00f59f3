//! A database that is there and refuses, one that is there and says nothing, and hosts that are not who they say.

use super::cluster::{Cluster, Working};
use super::paused_host::builder;
use super::races::same_keys;
use crate::support::postgres::{self, schema_name};
use crate::support::{self, until};
use engine::WorkerOptions;
use rustix::process::Signal;
use std::fs;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;

const ALLOW: &str = "[[rule]]\nid = \"all\"\nthen = \"allow\"\n";

/// The database refuses each entry of one instance. That instance is reported and left alone for a while; the others go on.
#[test]
fn an_instance_that_the_database_refuses_is_reported_and_postponed() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let (schema, folder) = (schema_name(&url), TempDir::new().unwrap());
    let (told, errors) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
    let (said, failed) = (Arc::clone(&told), Arc::clone(&errors));
    let host = builder(&url, folder.path())
        .on_instance_error(move |key, error| failed.lock().unwrap().push((key.clone(), error.to_string())))
        .on_background_error(move |words| said.lock().unwrap().push(words.to_owned()))
        .open()
        .unwrap();
    let refused = support::start(&host, "paces", "{}");
    server.sql(&format!(
        "CREATE FUNCTION {schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'not this one'; END $$;
        CREATE TRIGGER refuse BEFORE UPDATE ON {schema}.instances FOR EACH ROW
            WHEN (new.instance = '{}' AND new.next > old.next) EXECUTE FUNCTION {schema}.refuse()",
        refused.instance
    ));
    let other = support::start(&host, "paces", "{}");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let working = host.clone();
    let worked = runtime.spawn(async move {
        working.work(WorkerOptions::default(), async { drop(stopped.await) }).await.unwrap();
    });
    until("the other ends", || host.status(&other).unwrap().has_ended());
    until("the error is reported", || !errors.lock().unwrap().is_empty());
    let errors = errors.lock().unwrap().clone();
    assert!(
        errors.iter().all(|(key, error)| *key == refused && error.contains("not this one")),
        "{errors:?}"
    );
    let postponed =
        format!("SELECT due > at FROM {schema}.instances WHERE instance = '{}'", refused.instance);
    server.wait_until(&postponed, "t");
    assert_eq!(*told.lock().unwrap(), Vec::<String>::new(), "the database is not away");
    drop(stop);
    runtime.block_on(worked).unwrap();
}

/// The processes of the server stand still, as on a frozen machine behind a proxy.
#[test]
fn a_host_ends_on_its_signal_while_the_database_answers_nothing() {
    let Some(cluster) = Cluster::start(Some(ALLOW)) else { return };
    let mut host = cluster.work_begun("a");
    until("it has all", || cluster.shares() == [256]);
    let frozen = cluster.server.freeze();
    until("the host notices", || cluster.has_said("a", "cannot renew the claims"));
    host.signal(Signal::TERM);
    until("the host ends", || !host.is_there());
    drop(frozen);
}

/// A host that stands still for as long as the database does works again when that does.
#[test]
fn a_host_outlives_a_database_that_answered_nothing() {
    let Some(cluster) = Cluster::start(Some(ALLOW)) else { return };
    let mut host = cluster.work_begun("a");
    until("it has all", || cluster.shares() == [256]);
    let frozen = cluster.server.freeze();
    until("the host notices", || cluster.has_said("a", "cannot renew the claims"));
    drop(frozen);
    cluster.submit();
    until("it is complete", || cluster.count("complete") == 1);
    assert!(host.is_there());
    cluster.check_once_each(1);
}

/// The folder of a running host was copied to another machine, with the file that has the host's name.
#[test]
fn of_two_hosts_with_one_name_one_works_and_the_other_says_why_not() {
    let Some(cluster) = Cluster::start(Some(ALLOW)) else { return };
    let first = cluster.work_begun("a");
    until("it has all", || cluster.shares() == [256]);
    let claims = || {
        cluster.server.sql(&format!(
            "SELECT min(epoch), max(epoch), count(DISTINCT claim) FROM {}.claims",
            cluster.schema
        ))
    };
    let before = claims();
    same_keys(&cluster.path("a"), &cluster.path("b"));
    fs::copy(cluster.path("a").join("host"), cluster.path("b").join("host")).unwrap();
    let second: Working = cluster.work_begun("b");
    until("the second says so", || cluster.has_said("b", "remove the file host"));
    (0..4).for_each(|_| drop(cluster.submit()));
    until("all are complete", || cluster.count("complete") == 4);
    assert_eq!((claims(), cluster.recorded("b", "redeemed")), (before, 0));
    cluster.check_once_each(4);
    first.stop();
    cluster.submit();
    until("the second works", || cluster.count("complete") == 5);
    assert_eq!(cluster.recorded("b", "redeemed"), 1);
    drop(second);
}
