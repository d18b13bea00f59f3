//! The primary is lost, and a standby is promoted in its place.

use super::cluster::{Cluster, Working};
use crate::support::cli::{GUEST, Ran};
use crate::support::postgres::{self, Server};
use crate::support::until;
use store_postgres::Postgres;

const ALLOW: &str = "[[rule]]\nid = \"all\"\nthen = \"allow\"\n";

/// The number of workflows, each of which asks for one action.
const LOAD: usize = 16;

/// Hosts whose URL names a primary and its standby. With `is_synchronous`, a commit waits for the standby.
pub(super) fn replicated(policy: Option<&str>, is_synchronous: bool) -> Option<(Cluster, Server)> {
    let primary = Server::start_with(&[])?;
    let standby = primary.standby();
    if is_synchronous {
        primary.set("synchronous_standby_names", "*");
        primary.wait_until("SELECT sync_state FROM pg_stat_replication", "sync");
    }
    let schema = primary.schema();
    let url = primary.url_with(&standby, &schema);
    Some((Cluster::over(primary, url, policy), standby))
}

#[test]
fn nothing_is_lost_or_done_twice_when_a_synchronous_standby_is_promoted_under_load() {
    let Some((mut cluster, standby)) = replicated(Some(ALLOW), true) else { return };
    let mut hosts: Vec<Working> = ["a", "b", "c"].iter().map(|name| cluster.work(name)).collect();
    until("each has a share", || cluster.shares().len() == 3);
    let hosts_shown = cluster.run(&["hosts"]);
    assert!(hosts_shown.contains("on two machines at least"), "{hosts_shown}");
    for number in 0..LOAD {
        cluster.submit();
        if number == LOAD / 2 {
            cluster.server.kill();
            standby.promote();
        }
    }
    cluster.until_complete(LOAD);
    cluster.check_once_each(LOAD);
    for name in ["a", "b", "c"] {
        until("the host says so", || cluster.has_said(name, "a standby of the database was promoted"));
    }
    assert!(hosts.iter_mut().all(Working::is_there));
}

/// The standby lacks the last commits: a request's approval, its spent receipt, its action. No host repeats the action by itself.
#[test]
fn hosts_stop_when_a_standby_is_promoted_that_lacks_commits() {
    let Some((mut cluster, standby)) = replicated(None, false) else { return };
    let hosts = ["a", "b"].map(|name| cluster.work(name));
    until("each has a share", || cluster.shares().len() == 2);
    cluster.submit();
    until("it asks", || cluster.requests().len() == 1);
    standby.wait_until(&format!("SELECT count(*) FROM {}.requests", cluster.schema), "1");
    standby.stop_following(&cluster.server);
    cluster.approve(&cluster.requests()[0]);
    until("it is complete", || cluster.count("complete") == 1);
    let performed =
        |cluster: &Cluster| ["a", "b"].map(|name| cluster.recorded(name, "performed")).iter().sum::<usize>();
    assert_eq!(performed(&cluster), 1);
    cluster.server.kill();
    standby.promote();
    for name in ["a", "b"] {
        until("the host says so", || cluster.has_said(name, "receipts that were spent may be unspent"));
    }
    // The approval is lost and is made again: the action would be done a second time.
    until("it asks again", || cluster.requests().len() == 1);
    cluster.approve(&cluster.requests()[0]);
    until("no host has a share", || cluster.shares().is_empty());
    assert_eq!((performed(&cluster), cluster.count("complete")), (1, 0));
    // An operator has checked the targets, and restarts the hosts.
    hosts.into_iter().for_each(|host| drop(host.kill()));
    let again = cluster.work("a");
    until("it is complete", || cluster.count("complete") == 1);
    assert_eq!(performed(&cluster), 2);
    drop(again);
}

/// The other address has another database: another installation, or a restored one.
#[test]
fn a_host_that_finds_another_database_in_the_place_of_its_own_does_nothing_more() {
    let (Some(primary), Some(other)) = (Server::start_with(&[]), Server::start_with(&[])) else { return };
    let schema = primary.schema();
    let name = postgres::schema_name(&schema);
    other.sql(&format!("CREATE SCHEMA {name}"));
    Postgres::migrate(&format!("{}?options=-csearch_path%3D{name}", other.url())).unwrap();
    let url = primary.url_with(&other, &schema);
    let mut cluster = Cluster::over(primary, url, Some(ALLOW));
    let mut host = cluster.work("a");
    until("it has all", || cluster.shares() == [256]);
    cluster.server.kill();
    until("the host says so", || {
        cluster.has_said("a", "start pp-host again once the right server is in service")
    });
    assert!(host.is_there());
    for table in ["hosts", "instances", "acts", "writers"] {
        assert_eq!(other.sql(&format!("SELECT count(*) FROM {name}.{table}")), "0", "{table}");
    }
}

#[test]
fn a_host_that_requires_synchronous_commits_does_nothing_without_them() {
    let Some((cluster, standby)) = replicated(Some(ALLOW), true) else { return };
    let mut host = cluster.work_with("a", &["--require-synchronous"]);
    until("it has all", || cluster.shares() == [256]);
    cluster.submit();
    until("it is complete", || cluster.count("complete") == 1);
    cluster.server.set("synchronous_standby_names", "");
    until("the host says why", || {
        cluster.has_said("a", "are not synchronous, which --require-synchronous demands")
    });
    until("its claims are over", || cluster.shares().is_empty());
    cluster.submit();
    let refused: Ran =
        cluster.command("idle", &["--require-synchronous", "submit", GUEST]).output().unwrap().into();
    assert!(
        refused.code == Some(1) && refused.stderr.contains("set synchronous_standby_names"),
        "{}",
        refused.stderr
    );
    assert_eq!((cluster.count("complete"), cluster.recorded("a", "performed")), (1, 1));
    cluster.server.set("synchronous_standby_names", "*");
    until("both are complete", || cluster.count("complete") == 2);
    assert!(host.is_there());
    drop(standby);
}
