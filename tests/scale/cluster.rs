//! Hosts in processes of their own over one database, with one authority.

use crate::support::cli::{GUEST, Ran, command, lines, run, write};
use crate::support::postgres::Server;
use crate::support::{TIMEOUT, until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// More instances than any test has.
const ALL: &str = "100000";

/// More requests than any test makes in an hour.
const REQUESTS: &str = "requests-per-hour=1000000";

/// A server, an authority, and folders of hosts.
pub(super) struct Cluster {
    pub(super) server: Server,
    /// The name of the schema.
    pub(super) schema: String,
    url: String,
    folder: TempDir,
    authority: Option<Child>,
    /// Additional environment variables of every host.
    pub(super) variables: Vec<(String, String)>,
}

/// A running host.
pub(super) struct Working {
    name: String,
    child: Child,
}

impl Cluster {
    /// `None`, with a message, if PostgreSQL is not installed.
    pub(super) fn start(policy: Option<&str>) -> Option<Self> {
        let server = Server::start_with(&[])?;
        let url = server.schema();
        Some(Self::over(server, url, policy))
    }

    /// A cluster over a schema of a running server.
    pub(super) fn over(server: Server, url: String, policy: Option<&str>) -> Self {
        let schema = url.rsplit("%3D").next().unwrap_or_default().to_owned();
        let (folder, variables) = (TempDir::new().unwrap(), Vec::new());
        let mut cluster = Self { server, schema, url, folder, authority: None, variables };
        let [key, public] = ["alice", "alice.pub"].map(|name| cluster.path(name).display().to_string());
        let office = cluster.path("authority");
        assert_eq!(run(&office, &["deciders", "new-key", &key]).code, Some(0));
        let added = run(&office, &["deciders", "add", "alice", "--role", "release", "--key", &public]);
        assert_eq!(added.code, Some(0), "{}", added.stderr);
        for name in ["authority", "a", "b", "c", "idle"] {
            fs::create_dir_all(cluster.path(name)).unwrap();
            if let Some(policy) = policy {
                write(&cluster.path(name), "policy.toml", policy);
            }
        }
        let socket = cluster.socket();
        let child = command(&office, &["authority", "--socket", &socket]).stdout(Stdio::null()).spawn();
        cluster.authority = Some(child.unwrap());
        until("the authority listens", || PathBuf::from(&socket).exists());
        cluster
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn socket(&self) -> String {
        self.path("socket").display().to_string()
    }

    /// A command in that host's folder, on the database.
    pub(super) fn command(&self, host: &str, arguments: &[&str]) -> Command {
        let mut command = command(&self.path(host), arguments);
        command.env("PP_HOST_STORE", &self.url).env("PP_HOST_AUTHORITY", self.socket());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// The output of a command in the folder of a host that does not run.
    pub(super) fn run(&self, arguments: &[&str]) -> String {
        let ran: Ran = self.command("idle", arguments).output().unwrap().into();
        assert_eq!(ran.code, Some(0), "{arguments:?}: {}", ran.stderr);
        ran.stdout
    }

    pub(super) fn json(&self, arguments: &[&str]) -> Vec<Value> {
        lines(&self.run(&[arguments, &["--json"]].concat()))
    }

    /// Starts a host. Its log has every fact that it records.
    pub(super) fn work(&self, name: &str) -> Working {
        self.work_with(name, &[])
    }

    pub(super) fn work_with(&self, name: &str, options: &[&str]) -> Working {
        let log = File::options().create(true).append(true).open(self.log(name)).unwrap();
        let mut command = self.command(name, &[&["work", "--json", "--limit", REQUESTS], options].concat());
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        Working { name: name.to_owned(), child }
    }

    /// Starts a host, and waits until it runs: a host cannot start while the database is unreachable.
    pub(super) fn work_begun(&self, name: &str) -> Working {
        let begun = || fs::read_to_string(self.log(name)).unwrap_or_default().matches("working in").count();
        let before = begun();
        let host = self.work(name);
        until("the host works", || begun() > before);
        host
    }

    /// Whether a host has printed these words.
    pub(super) fn has_said(&self, name: &str, words: &str) -> bool {
        fs::read_to_string(self.log(name)).unwrap_or_default().contains(words)
    }

    pub(super) fn log(&self, name: &str) -> PathBuf {
        self.path(&format!("{name}.log"))
    }

    /// The number of facts of that kind that a host has recorded.
    pub(super) fn recorded(&self, name: &str, kind: &str) -> usize {
        let log = fs::read_to_string(self.log(name)).unwrap_or_default();
        let facts = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        facts.filter(|fact| fact["fact"] == kind).count()
    }

    /// Submits the demo workflow.
    pub(super) fn submit(&self) -> String {
        self.run(&["submit", GUEST]).trim().to_owned()
    }

    pub(super) fn approve(&self, request: &str) {
        let key = self.path("alice").display().to_string();
        self.run(&["approve", request, "--as", "alice", "--key", &key]);
    }

    /// The waiting requests.
    pub(super) fn requests(&self) -> Vec<String> {
        let listed = self.json(&["approvals", "list"]);
        listed.iter().map(|request| request["request"].as_str().unwrap().to_owned()).collect()
    }

    /// The number of instances with that status.
    pub(super) fn count(&self, status: &str) -> usize {
        let listed = self.json(&["instances", "list", "--limit", ALL]);
        listed.iter().filter(|instance| instance["status"] == status).count()
    }

    /// Waits until that many instances are complete. The time limit starts again with each one that completes.
    pub(super) fn until_complete(&self, instances: usize) {
        let (mut complete, mut end) = (0, Instant::now() + TIMEOUT);
        while complete < instances {
            let now = self.count("complete");
            if now > complete {
                (complete, end) = (now, Instant::now() + TIMEOUT);
            }
            assert!(Instant::now() < end, "{now} of {instances} are complete: {}", self.state());
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The state of the database and the hosts' logs, for the message of a failed test.
    fn state(&self) -> String {
        let hosts = ["a", "b", "c"].map(|name| {
            let log = fs::read_to_string(self.log(name)).unwrap_or_default();
            let said: Vec<&str> = log.lines().filter(|line| !line.starts_with('{')).collect();
            format!("{name}:\n{}", said[said.len().saturating_sub(20)..].join("\n"))
        });
        format!(
            "{}\n{}\n{}",
            self.run(&["instances", "list", "--limit", ALL]),
            self.run(&["hosts"]),
            hosts.join("\n")
        )
    }

    /// The shards of each host that is alive.
    pub(super) fn shares(&self) -> Vec<u64> {
        let hosts = self.json(&["hosts"]);
        let alive = hosts.iter().filter(|host| host["alive"] == true);
        alive.map(|host| host["shards"].as_u64().unwrap()).filter(|shards| *shards > 0).collect()
    }

    /// Checks that each of that many instances is complete and has acted once, by its journal and by the deployments.
    pub(super) fn check_once_each(&self, instances: usize) {
        self.check_actions(instances, 1);
    }

    /// The same for several actions in each instance: no receipt was spent twice, and none was lost.
    pub(super) fn check_actions(&self, instances: usize, actions: usize) {
        assert_eq!(self.count("complete"), instances);
        let deployments = self.json(&["deployments"]);
        let instances = instances * actions;
        let mut receipts: Vec<_> = deployments.iter().map(|deployment| &deployment["receipt_id"]).collect();
        receipts.sort_by_key(|receipt| receipt.to_string());
        receipts.dedup();
        assert_eq!((deployments.len(), receipts.len()), (instances, instances), "one action an approval");
        let audit = self.run(&["audit", "--json"]);
        for kind in ["redeemed", "performed", "attested"] {
            let found = lines(&audit).iter().filter(|fact| fact["fact"] == kind).count();
            assert_eq!(found, instances, "{kind}");
        }
    }
}

impl Working {
    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Whether the process runs.
    pub(super) fn is_there(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Kills it.
    pub(super) fn kill(mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::take(&mut self.name)
    }

    /// Stops it with SIGTERM.
    pub(super) fn stop(mut self) {
        self.signal(Signal::TERM);
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(authority) = &mut self.authority {
            let _ = authority.kill();
            let _ = authority.wait();
        }
    }
}
