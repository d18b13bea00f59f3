//! Hosts that work over one database, in this process, and what they record.

use crate::MeasureError;
use crate::fixture::{Guest, unlimited};
use engine::issuer::{DemoDecider, Judgement};
use engine::{Host, Start, StoreLocation, WorkerOptions, Workflow};
use receipt::Decision;
use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use store::{Fact, InstanceKey};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use workflow::{Entry, RequestId};

/// The time limit for everything that is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a host has recorded, and when it was on disk.
pub(super) struct News {
    pub(super) what: What,
    pub(super) at: Instant,
}

pub(super) enum What {
    /// The first step of an instance has begun.
    Begun,
    /// A host's instance waits for a decision.
    Asked(usize, RequestId),
    Ended,
    Failed(InstanceKey),
}

/// Hosts with the same keys.
pub(super) struct Hosts {
    pub(super) runtime: Runtime,
    members: Vec<Member>,
    news: UnboundedReceiver<News>,
}

struct Member {
    host: Host,
    workflow: Workflow,
    work: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    /// Held until the host is gone.
    _folder: TempDir,
}

impl Hosts {
    /// Opens so many hosts, which do not work yet. The first host in `parent` makes the keys of all: a database refuses hosts with other ones.
    pub(super) fn open(url: &str, parent: &Path, guest: Guest, count: usize) -> Result<Self, MeasureError> {
        let runtime = Builder::new_multi_thread().enable_all().build()?;
        let (tell, news) = unbounded_channel();
        let mut members: Vec<Member> = Vec::new();
        for number in 0..count {
            let folder = tempfile::Builder::new().prefix("pp-host-bench-").tempdir_in(parent)?;
            let has_keys = parent.join("keys").exists();
            if has_keys {
                copy_keys(parent, folder.path())?;
            }
            let location = StoreLocation::Database(url.parse()?);
            let tell = tell.clone();
            let builder = unlimited(Host::builder(folder.path())).store(location);
            let host = builder.observe(move |fact| observe(number, fact, &tell)).open()?;
            if !has_keys {
                copy_keys(folder.path(), parent)?;
            }
            let workflow = host.load(guest.bytes().to_vec())?;
            members.push(Member { host, workflow, work: None, _folder: folder });
        }
        Ok(Self { runtime, members, news })
    }

    /// Has a host work.
    pub(super) fn work(&mut self, number: usize) {
        let member = &mut self.members[number];
        let (stop, stopped) = oneshot::channel();
        let host = member.host.clone();
        let options = WorkerOptions { at_once: 256, ..WorkerOptions::default() };
        let task = self.runtime.spawn(async move {
            let stopped = async { drop(stopped.await) };
            if let Err(error) = host.work(options, stopped).await {
                eprintln!("a host has ended: {error}");
            }
        });
        member.work = Some((stop, task));
    }

    /// Ends a host's work in order.
    pub(super) fn stop(&mut self, number: usize) -> Result<(), MeasureError> {
        let Some((stop, task)) = self.members[number].work.take() else { return Ok(()) };
        drop(stop);
        Ok(self.runtime.block_on(task)?)
    }

    /// Waits until every host that works has its share of the shards.
    pub(super) fn settle(&self) -> Result<(), MeasureError> {
        self.settle_with(0)
    }

    /// The same with so many hosts in processes of their own.
    pub(super) fn settle_with(&self, processes: usize) -> Result<(), MeasureError> {
        let working = processes + self.members.iter().filter(|member| member.work.is_some()).count();
        let end = Instant::now() + PATIENCE;
        self.runtime.block_on(async {
            loop {
                let found = self.members[0].host.store().hosts().await?;
                let alive = found.hosts.iter().filter(|host| host.is_alive && host.shards > 0);
                let shares: Vec<usize> = alive.map(|host| usize::from(host.shards)).collect();
                if shares.len() == working && shares.iter().all(|share| share * working == 256) {
                    return Ok(());
                }
                if Instant::now() > end {
                    return Err(format!("the hosts do not share the shards: {shares:?}").into());
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
    }

    /// Creates an instance on a host.
    pub(super) async fn create(&self, number: usize, params: &str) -> Result<InstanceKey, MeasureError> {
        let Member { host, workflow, .. } = &self.members[number % self.members.len()];
        create(host, workflow, params).await
    }

    /// The same without waiting for it, as a client of its own. Reports only what goes wrong.
    pub(super) fn create_soon(&self, number: usize, params: &str) {
        let Member { host, workflow, .. } = &self.members[number % self.members.len()];
        let (host, workflow, params) = (host.clone(), workflow.clone(), params.to_owned());
        self.runtime.spawn(async move {
            if let Err(error) = create(&host, &workflow, &params).await {
                eprintln!("an instance is not created: {error}");
            }
        });
    }

    /// Approves a request on a host, and reports only what goes wrong.
    pub(super) fn approve(&self, number: usize, request: RequestId) {
        let host = self.members[number % self.members.len()].host.clone();
        self.runtime.spawn(async move {
            let Ok(name) = "bench".parse() else { return };
            let by = DemoDecider::new(name);
            let judgement = Judgement { decision: Decision::Approved, by, reason: None };
            if let Err(error) = host.decide_async(&request, &judgement).await {
                eprintln!("a request is not approved: {error}");
            }
        });
    }

    /// What is recorded next.
    pub(super) async fn next(&mut self) -> Result<News, MeasureError> {
        match tokio::time::timeout(PATIENCE, self.news.recv()).await {
            Ok(Some(News { what: What::Failed(key), .. })) => {
                Err(format!("instance {key} has failed").into())
            }
            Ok(Some(news)) => Ok(news),
            Ok(None) | Err(_) => Err("the hosts record nothing".into()),
        }
    }

    /// Waits until so many instances have ended, and says when the last one had.
    pub(super) async fn ended(&mut self, mut count: u32) -> Result<Instant, MeasureError> {
        loop {
            let News { what, at } = self.next().await?;
            if let What::Ended = what {
                count -= 1;
            }
            if count == 0 {
                return Ok(at);
            }
        }
    }
}

/// A host in a process of its own: this program with other arguments.
pub(super) struct HostProcess {
    child: Child,
    /// Held until the host is gone.
    _folder: TempDir,
}

impl HostProcess {
    /// The argument that makes this program a host; the URL and the folder follow.
    const ARGUMENT: &str = "--host";

    /// Starts one with the keys in `parent`.
    pub(super) fn start(url: &str, parent: &Path) -> Result<Self, MeasureError> {
        let folder = tempfile::Builder::new().prefix("pp-host-bench-").tempdir_in(parent)?;
        copy_keys(parent, folder.path())?;
        let mut command = Command::new(std::env::current_exe()?);
        let child = command.args([Self::ARGUMENT, url]).arg(folder.path()).spawn()?;
        Ok(Self { child, _folder: folder })
    }

    /// Kills it with SIGKILL.
    pub(super) fn kill(mut self) -> Result<(), MeasureError> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for HostProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Works as a host until the process is killed, where the program's arguments say so.
///
/// # Errors
/// When the host cannot be opened, or ends.
pub fn work_if_host() -> Result<(), MeasureError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [argument, url, folder] = &*arguments else { return Ok(()) };
    if argument != HostProcess::ARGUMENT {
        return Ok(());
    }
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let location = StoreLocation::Database(url.parse()?);
    let host = unlimited(Host::builder(folder)).store(location).open()?;
    let options = WorkerOptions { at_once: 256, ..WorkerOptions::default() };
    runtime.block_on(host.work(options, std::future::pending()))?;
    Err("the host has ended".into())
}

async fn create(host: &Host, workflow: &Workflow, params: &str) -> Result<InstanceKey, MeasureError> {
    let start = Start::new("acme".parse()?, "agent:bench".parse()?, "bench", params);
    Ok(host.create(workflow, start).await?)
}

fn observe(number: usize, fact: &Fact, tell: &UnboundedSender<News>) {
    let what = match &fact.entry {
        Entry::StepStarted { call: 0, .. } => What::Begun,
        Entry::Requested { request, .. } => What::Asked(number, request.clone()),
        Entry::Completed { .. } => What::Ended,
        Entry::Failed { .. } => What::Failed(fact.key.clone()),
        _ => return,
    };
    // The measurement is over where no one listens.
    let _ = tell.send(News { what, at: Instant::now() });
}

fn copy_keys(from: &Path, to: &Path) -> Result<(), MeasureError> {
    fs::create_dir(to.join("keys"))?;
    for key in fs::read_dir(from.join("keys"))? {
        let key = key?;
        fs::copy(key.path(), to.join("keys").join(key.file_name()))?;
    }
    Ok(())
}
