//! Several hosts without failures.

use super::cluster::Cluster;
use super::races::hosts;
use crate::support::cli::{GUEST, command, run};
use crate::support::postgres;
use crate::support::{TIMEOUT, start, until};
use engine::WorkerOptions;
use std::time::Instant;

#[test]
fn hosts_share_the_work_and_a_third_one_submits_and_approves() {
    let Some(cluster) = Cluster::start(None) else { return };
    let [a, b] = ["a", "b"].map(|name| cluster.work(name));
    until("each has half", || cluster.shares() == [128, 128]);
    // The shard of an instance is random: instances are submitted until each host has driven one.
    let recorded = |kind| ["a", "b"].map(|name| cluster.recorded(name, kind));
    let mut submitted = 0;
    while submitted < 8 || recorded("requested").contains(&0) {
        assert!(submitted < 64, "one host drives all: {:?}", recorded("requested"));
        cluster.submit();
        submitted += 1;
        until("it asks", || recorded("requested").iter().sum::<usize>() == submitted);
    }
    cluster.requests().iter().for_each(|request| cluster.approve(request));
    until("all are complete", || cluster.count("complete") == submitted);
    cluster.check_once_each(submitted);
    let shares = recorded("performed");
    assert!(shares.iter().sum::<usize>() == submitted && !shares.contains(&0), "{shares:?}");
    // Each host serves the other's deployments.
    for host in ["a", "b"] {
        let artifacts = cluster.path(host).join("deployments/artifacts");
        until("it is served", || artifacts.read_dir().is_ok_and(|found| found.count() > 0));
    }
    // A host that stops in order leaves the other its work at once.
    a.stop();
    until("all is the other's", || cluster.shares() == [256]);
    b.stop();
}

/// Its own instances wake the busy host more often than it polls.
#[test]
fn a_host_that_is_always_busy_drives_what_another_host_creates() {
    let Some(server) = postgres::shared() else { return };
    let [(_a, busy), (_b, other)] = hosts(&server.schema());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let working = busy.clone();
    let worked = runtime.spawn(async move {
        working.work(WorkerOptions::default(), async { drop(stopped.await) }).await.unwrap();
    });
    let ends = |key| busy.status(&key).unwrap().has_ended();
    let first = start(&busy, "paces", "{}");
    until("it works", || ends(first.clone()));
    let key = start(&other, "paces", "{}");
    let end = Instant::now() + TIMEOUT;
    while !ends(key.clone()) {
        assert!(Instant::now() < end, "it polls only when it has nothing else to do");
        start(&busy, "paces", "{}");
    }
    drop(stop);
    runtime.block_on(worked).unwrap();
}

#[test]
fn run_follows_what_another_host_drives() {
    let Some(cluster) = Cluster::start(Some("[[rule]]\nid = \"all\"\nthen = \"allow\"\n")) else { return };
    let a = cluster.work("a");
    let printed = cluster.run(&["run", GUEST]);
    assert!(printed.contains("completed"), "{printed}");
    cluster.check_once_each(1);
    a.stop();
}

#[test]
fn hosts_with_keys_of_their_own_are_refused() {
    let Some(server) = postgres::shared() else { return };
    let url = server.schema();
    let folder = tempfile::TempDir::new().unwrap();
    let submit = |name: &str| run(&folder.path().join(name), &["--store", &url, "submit", GUEST]);
    assert_eq!(submit("a").code, Some(0), "{}", submit("a").stderr);
    let refused = submit("b");
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("other keys") && refused.stderr.contains("authority"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_bucket_for_artifacts_takes_a_build_with_object_storage_and_a_database() {
    let folder = tempfile::TempDir::new().unwrap();
    let refused = run(folder.path(), &["--artifacts", "s3://artifacts", "instances", "list"]);
    let words = match cfg!(feature = "s3") {
        true => "--artifacts is for a database that is named with --store",
        false => "this pp-host was built without object storage",
    };
    assert!(refused.code != Some(0) && refused.stderr.contains(words), "{}", refused.stderr);
}

#[test]
fn a_database_is_migrated_first_and_no_password_is_shown() {
    let folder = tempfile::TempDir::new().unwrap();
    let tell = |url: &str, arguments: &[&str]| run(folder.path(), &[&["--store", url], arguments].concat());
    for url in ["postgres://ann:hunter2@127.0.0.1:1/none", "mysql://ann:hunter2@127.0.0.1/none"] {
        let ran = tell(url, &["instances", "list"]);
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
    }
    for option in [
        &["--store", "postgres://ann:hunter2@127.0.0.1:1/none"][..],
        &["--store=postgres://127.0.0.1:1/none?password=hunter2"],
    ] {
        let refused = run(folder.path(), &[option, &["instances", "list"]].concat()).stderr;
        assert!(
            refused.contains("other accounts see a command line") && refused.contains("--store @FILE"),
            "{refused}"
        );
    }
    let by_variable = command(folder.path(), &["instances", "list"])
        .env("PP_HOST_STORE", "postgres://ann:hunter2@127.0.0.1:1/none")
        .output()
        .unwrap();
    assert!(
        String::from_utf8(by_variable.stderr).unwrap().contains("cannot use the database at 127.0.0.1:1")
    );
    let Some(server) = postgres::shared() else { return };
    let url = server.empty_schema();
    let refused = tell(&url, &["instances", "list"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("migrate"), "{}", refused.stderr);
    assert_eq!(tell(&url, &["migrate"]).code, Some(0));
    assert_eq!(tell(&url, &["instances", "list"]).code, Some(0));
    let file = crate::support::cli::write(folder.path(), "store", &url);
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert_eq!(tell(&format!("@{file}"), &["instances", "list"]).code, Some(0));
}
