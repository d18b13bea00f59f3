//! Notices of several hosts' requests: each is sent by the host that drives its instance, and by the one that takes it over.

use super::cluster::Cluster;
use crate::support::cli::{lines, write};
use crate::support::until;
use std::collections::BTreeMap;
use std::fs;

/// Configures a host to notify by that shell script.
fn notifies(cluster: &Cluster, host: &str, script: &str) {
    let settings = format!(
        "[notify]\ncommand = [\"sh\", \"-c\", \"{script}\"]\nremind-before = 0\nurl = \"https://approve.example.com\"\n"
    );
    write(&cluster.path(host), "pp-host.toml", &settings);
}

/// The number of notices of each request.
fn told(cluster: &Cluster) -> BTreeMap<String, usize> {
    let mut told = BTreeMap::new();
    for file in ["a.notices", "b.notices"] {
        for notice in lines(&fs::read_to_string(cluster.path(file)).unwrap_or_default()) {
            *told.entry(notice["data"]["request"].as_str().unwrap().to_owned()).or_insert(0) += 1;
        }
    }
    told
}

#[test]
fn one_host_notifies_of_each_request_and_another_goes_on_where_it_ends() {
    let Some(cluster) = Cluster::start(None) else { return };
    for host in ["a", "b"] {
        let file = cluster.path(&format!("{host}.notices"));
        notifies(&cluster, host, &format!("cat >> {}", file.display()));
    }
    let [a, b] = ["a", "b"].map(|name| cluster.work(name));
    until("each has half", || cluster.shares() == [128, 128]);
    (0..8).for_each(|_| drop(cluster.submit()));
    until("all are told of", || told(&cluster).len() == 8);
    assert!(told(&cluster).values().all(|times| *times == 1), "{:?}", told(&cluster));
    // A host whose command never ends is killed while it sends.
    a.stop();
    notifies(&cluster, "a", "exec sleep 600");
    let a = cluster.work("a");
    until("each has half", || cluster.shares() == [128, 128]);
    (0..8).for_each(|_| drop(cluster.submit()));
    until("all ask", || cluster.requests().len() == 16);
    a.kill();
    until("the other tells of all", || told(&cluster).len() == 16);
    assert!(told(&cluster).values().all(|times| *times == 1), "{:?}", told(&cluster));
    b.stop();
}
