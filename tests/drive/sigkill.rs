//! A process that is killed, for real and without warning, at each of many points. The next one ends as if nothing had happened.

use crate::drive::crash_after_entry::{SENT, everything, seen};
use crate::support::child;
use crate::support::harness::{BEGINNING, Harness, ManualClock, open};
use engine::capability::{Capability, Deploy, Execution, OnInterruption, PerformError, Performed, Permit};
use engine::issuer::Reversibility;
use engine::{Builder, Host};
use receipt::Decision;
use rustix::process::{Signal, getpid, kill_process};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs};
use store::InstanceKey;
use tempfile::TempDir;
use workflow::Artifact;

const FOLDER: &str = "PP_TEST_FOLDER";
const POINT: &str = "PP_TEST_POINT";

/// The moment at which a process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Point {
    /// When so many entries are on disk.
    After(usize),
    /// The intent is on disk, and nothing has been done: at the so-manieth action.
    BeforeEffect(usize),
    /// The effect has taken place, and no entry records it.
    AfterEffect(usize),
}

impl Point {
    fn word(self) -> String {
        match self {
            Self::After(entries) => format!("entry {entries}"),
            Self::BeforeEffect(action) => format!("before {action}"),
            Self::AfterEffect(action) => format!("after {action}"),
        }
    }

    fn of(word: &str) -> Self {
        let (kind, number) = word.split_once(' ').unwrap();
        let number = number.parse().unwrap();
        match kind {
            "entry" => Self::After(number),
            "before" => Self::BeforeEffect(number),
            _ => Self::AfterEffect(number),
        }
    }
}

fn die() -> ! {
    kill_process(getpid(), Signal::KILL).unwrap();
    unreachable!("nobody survives that")
}

/// A deployment in whose middle the process is killed.
struct KilledDeploy {
    inner: Deploy,
    point: Point,
    actions: AtomicUsize,
}

impl Capability for KilledDeploy {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn reversibility(&self) -> Reversibility {
        self.inner.reversibility()
    }

    fn on_interruption(&self) -> OnInterruption {
        self.inner.on_interruption()
    }

    fn perform(
        &self,
        permit: &Permit,
        artifact: &Artifact,
        attempt: Execution,
    ) -> Result<Performed, PerformError> {
        let action = self.actions.fetch_add(1, Ordering::SeqCst) + 1;
        if self.point == Point::BeforeEffect(action) {
            die();
        }
        let performed = self.inner.perform(permit, artifact, attempt);
        if self.point == Point::AfterEffect(action) {
            die();
        }
        performed
    }
}

fn doomed(builder: Builder, folder: &Path, point: Point) -> Builder {
    let written = AtomicUsize::new(0);
    let inner = Deploy::new(folder.join("deployments"));
    builder.capability(KilledDeploy { inner, point, actions: AtomicUsize::new(0) }).on_fact(move |_| {
        if point == Point::After(written.fetch_add(1, Ordering::SeqCst) + 1) {
            die();
        }
    })
}

/// Not a test: the process that is killed.
#[test]
fn child() {
    let (Ok(folder), Ok(point)) = (env::var(FOLDER), env::var(POINT)) else { return };
    let (folder, clock) = (Path::new(&folder), ManualClock::at(BEGINNING));
    let host = open(folder, &clock, |builder| doomed(builder, folder, Point::of(&point)));
    let harness = Harness { folder: TempDir::new().unwrap(), host, clock };
    let key = harness.program(&everything());
    harness.finish(&key, Decision::Approved, SENT);
}

fn killed(folder: &Path, point: Point) {
    let mut child = child::of(module_path!());
    child.env(FOLDER, folder).env(POINT, point.word());
    let output = child.output().unwrap();
    let words = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.signal(), Some(9), "it did not come to {point:?}: {words}");
}

fn copy(from: &Path, to: &Path) {
    fs::DirBuilder::new().mode(0o700).create(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn the_instance(host: &Host) -> InstanceKey {
    host.store().instances().wait().unwrap().pop().unwrap()
}

#[test]
fn killed_at_any_point_the_end_is_the_same() {
    let harness = Harness::new();
    let key = harness.program(&everything());
    let end = harness.finish(&key, Decision::Approved, SENT);
    let straight = seen(&harness, &key, end);
    let (entries, actions) = (harness.entries(&key).len(), straight.deployments);
    let points: Vec<_> = (2..=entries)
        .map(Point::After)
        .chain((1..=actions).flat_map(|action| [Point::BeforeEffect(action), Point::AfterEffect(action)]))
        .collect();
    assert_eq!(points.len(), 88, "one after each entry but the first, and two around each effect");
    for point in points {
        let folder = TempDir::new().unwrap();
        // The guest is compiled once for all of them.
        copy(&harness.folder.path().join("cache"), &folder.path().join("cache"));
        killed(folder.path(), point);
        let clock = ManualClock::at(BEGINNING);
        let host = open(folder.path(), &clock, |builder| builder);
        let key = the_instance(&host);
        let harness = Harness { folder, host, clock };
        let end = harness.finish(&key, Decision::Approved, SENT);
        assert_eq!(seen(&harness, &key, end), straight, "killed at {point:?}");
    }
}
