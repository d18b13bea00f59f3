//! A process that is killed around an effect on a target that counts: an effect that comes twice is twice in the target's record.

use crate::support;
use crate::support::{child, compiled};
use engine::capability::{Capability, Execution, OnInterruption, PerformError, Performed, Permit};
use engine::issuer::Reversibility;
use engine::{Builder, Host};
use receipt::Decision;
use rustix::process::{Signal, getpid, kill_process};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::{env, fs};
use store::InstanceKey;
use tempfile::TempDir;
use workflow::Artifact;

const FOLDER: &str = "PP_TEST_EFFECT_FOLDER";
const MOMENT: &str = "PP_TEST_EFFECT_MOMENT";
const TARGET: &str = "PP_TEST_EFFECT_TARGET";

/// A target's treatment of the idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// It has an effect once a key.
    KnowsTheKey,
    /// It has an effect whenever it is asked.
    IgnoresTheKey,
}

/// The moment at which the process is killed. In both, the receipt is spent and the journal has no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The target has not been asked.
    BeforeActing,
    /// The target has acted.
    AfterActing,
}

/// A target that writes a line for each effect that it has.
struct Counting {
    record: PathBuf,
    target: Target,
    killed: Option<Moment>,
}

impl Counting {
    fn act(&self, key: &str) {
        let known = self.target == Target::KnowsTheKey && effects_in(&self.record).iter().any(|k| k == key);
        if !known {
            let mut record = OpenOptions::new().create(true).append(true).open(&self.record).unwrap();
            writeln!(record, "{key}").unwrap();
        }
    }
}

impl Capability for Counting {
    fn name(&self) -> &str {
        engine::DEPLOY
    }

    fn reversibility(&self) -> Reversibility {
        Reversibility::Irreversible
    }

    fn on_interruption(&self) -> OnInterruption {
        match self.target {
            Target::KnowsTheKey => OnInterruption::PerformAgain,
            Target::IgnoresTheKey => OnInterruption::ReportUnknown,
        }
    }

    fn perform(&self, _: &Permit, _: &Artifact, attempt: Execution) -> Result<Performed, PerformError> {
        if self.killed == Some(Moment::BeforeActing) {
            die();
        }
        let key = attempt.idempotency_key.to_string();
        self.act(&key);
        if self.killed == Some(Moment::AfterActing) {
            die();
        }
        Ok(Performed { id: key, location: "in the record".to_owned(), deployment: None })
    }
}

fn die() -> ! {
    kill_process(getpid(), Signal::KILL).unwrap();
    unreachable!("SIGKILL cannot be survived")
}

fn record(folder: &Path) -> PathBuf {
    folder.join("effects")
}

fn effects_in(record: &Path) -> Vec<String> {
    fs::read_to_string(record).unwrap_or_default().lines().map(ToOwned::to_owned).collect()
}

fn acting_on(folder: &Path, target: Target, killed: Option<Moment>) -> Builder {
    crate::support::storage::builder(folder.join("data")).capability(Counting {
        record: record(folder),
        target,
        killed,
    })
}

/// Not a test: the process that is killed.
#[test]
fn child() {
    let (Ok(folder), Ok(moment), Ok(target)) = (env::var(FOLDER), env::var(MOMENT), env::var(TARGET)) else {
        return;
    };
    let moment = if moment == "before" { Moment::BeforeActing } else { Moment::AfterActing };
    let target = if target == "knows" { Target::KnowsTheKey } else { Target::IgnoresTheKey };
    let host = acting_on(Path::new(&folder), target, Some(moment)).open().unwrap();
    let key = support::start(&host, "tenant-workflow", "{}");
    support::finish(&host, &key, Decision::Approved);
}

/// A data folder whose process was killed around its effect.
pub struct Killed {
    folder: TempDir,
    target: Target,
}

/// Runs the demo guest with everything approved, in a process that is killed at that moment.
pub fn killed(target: Target, moment: Moment) -> Killed {
    let folder = TempDir::new().unwrap();
    compiled::put_guests(&folder.path().join("data"));
    let mut process = child::of(module_path!());
    let moment = if moment == Moment::BeforeActing { "before" } else { "after" };
    let knows = if target == Target::KnowsTheKey { "knows" } else { "ignores" };
    process.env(FOLDER, folder.path()).env(MOMENT, moment).env(TARGET, knows);
    let output = process.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.signal(), Some(9), "it was not killed {moment} acting: {said}");
    Killed { folder, target }
}

impl Killed {
    /// The host opens again.
    pub fn reopened(&self) -> (Host, InstanceKey) {
        let host = acting_on(self.folder.path(), self.target, None).open().unwrap();
        let key = host.store().instances().wait().unwrap().pop().unwrap();
        (host, key)
    }

    /// The number of effects that the target has recorded.
    pub fn effects(&self) -> usize {
        effects_in(&record(self.folder.path())).len()
    }
}
