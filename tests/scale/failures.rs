//! Hosts and servers that are killed or stopped in the middle of their work.

use super::cluster::{Cluster, Working};
use super::failover::replicated;
use crate::support::postgres::Server;
use crate::support::until;
use rustix::process::Signal;
use serde_json::json;
use std::time::Duration;

const ALLOW: &str = "[[rule]]\nid = \"all\"\nthen = \"allow\"\n";

/// Workflows of the load by default (`PP_TEST_LOAD` sets another number), and actions of each.
const LOAD: usize = 24;
const ACTIONS: usize = 10;

fn load() -> usize {
    std::env::var("PP_TEST_LOAD").ok().and_then(|load| load.parse().ok()).unwrap_or(LOAD)
}

/// The next number of a fixed pseudo-random sequence.
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 33).unwrap()
}

/// The servers of a load: a primary with a synchronous standby, which takes its place.
struct Servers {
    cluster: Cluster,
    standby: Server,
    is_promoted: bool,
}

impl Servers {
    /// Kills the primary, and starts it again.
    fn kill(&mut self) {
        let server = if self.is_promoted { &mut self.standby } else { &mut self.cluster.server };
        server.kill();
        server.restart();
    }

    /// Kills the primary and promotes the standby.
    fn promote(&mut self) {
        self.cluster.server.kill();
        self.standby.promote();
        self.is_promoted = true;
    }
}

#[test]
fn each_action_happens_once_whichever_hosts_and_servers_are_killed() {
    let Some((cluster, standby)) = replicated(Some(ALLOW), true) else { return };
    let mut servers = Servers { cluster, standby, is_promoted: false };
    let mut hosts: Vec<Working> = ["a", "b", "c"].iter().map(|name| servers.cluster.work(name)).collect();
    until("each has a share", || servers.cluster.shares().len() == 3);
    let mut random = 7;
    let load = load();
    let deploys: Vec<_> = (0..ACTIONS).map(|number| json!({ "deploy": format!("app-{number}") })).collect();
    let program = json!({ "program": deploys }).to_string();
    for round in 0..load {
        servers.cluster.run(&["submit", "tests/guests/durable.wasm", "--params", &program]);
        if round % 3 == 0 {
            let name = hosts.swap_remove(next(&mut random) % hosts.len()).kill();
            hosts.push(servers.cluster.work_begun(&name));
        }
        match round {
            _ if round == load / 2 => servers.promote(),
            _ if round % 10 == 5 => servers.kill(),
            _ => {}
        }
    }
    assert!(hosts.iter_mut().all(Working::is_there), "a host that works outlives its database");
    // One host is not restarted: the others take over its instances.
    hosts.pop().unwrap().kill();
    servers.cluster.until_complete(load);
    servers.cluster.check_actions(load, ACTIONS);
}

/// The database becomes unreachable, which stops a host before its first renewal, or before its first poll of due
/// instances.
#[test]
fn a_host_outlives_its_database_from_its_first_moment() {
    let Some(mut cluster) = Cluster::start(Some(ALLOW)) else { return };
    let mut hosts = Vec::new();
    for (name, lock) in [("a", "claims IN EXCLUSIVE MODE"), ("b", "instances")] {
        let mut session = cluster.server.session();
        session.run(&format!("BEGIN; LOCK TABLE {}.{lock}; SELECT 1;", cluster.schema));
        hosts.push(cluster.work_begun(name));
        cluster.server.kill();
        until("the host notices", || cluster.has_said(name, "cannot renew the claims"));
        cluster.server.restart();
    }
    cluster.submit();
    until("it is complete", || cluster.count("complete") == 1);
    assert!(hosts.iter_mut().all(Working::is_there));
    cluster.check_once_each(1);
}

#[test]
fn a_host_that_was_stopped_beyond_its_claims_neither_acts_nor_appends() {
    let Some(cluster) = Cluster::start(None) else { return };
    let stopped = cluster.work("a");
    until("it has all", || cluster.shares() == [256]);
    (0..4).for_each(|_| drop(cluster.submit()));
    until("all ask", || cluster.requests().len() == 4);
    stopped.signal(Signal::STOP);
    let other = cluster.work("b");
    until("the other has all", || cluster.shares() == [256]);
    cluster.requests().iter().for_each(|request| cluster.approve(request));
    until("all are complete", || cluster.count("complete") == 4);
    assert_eq!(cluster.recorded("a", "performed"), 0);
    stopped.signal(Signal::CONT);
    until("they share again", || cluster.shares() == [128, 128]);
    // Long enough for its pending work.
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(cluster.recorded("a", "redeemed") + cluster.recorded("a", "performed"), 0);
    cluster.check_once_each(4);
    drop(other);
}
