//! A process with private keys writes no core dump, and other processes cannot read its memory.

use crate::support::cli;
use crate::support::worker::Worker;
use rustix::process::{DumpableBehavior, Resource, Signal, dumpable_behavior, getrlimit};
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use tempfile::TempDir;

#[test]
fn core_dumps_are_forbidden_permanently() {
    engine::forbid_core_dumps().unwrap();
    let limit = getrlimit(Resource::Core);
    assert_eq!((limit.current, limit.maximum), (Some(0), Some(0)));
    assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    engine::forbid_core_dumps().unwrap();
}

#[test]
fn a_worker_that_crashes_leaves_no_core() {
    let data = TempDir::new().unwrap();
    assert_eq!(cli::run(data.path(), &["run", "tests/guests/paces.wasm"]).code, Some(0));
    let worker = Worker::begin(data.path());
    let limits = fs::read_to_string(format!("/proc/{}/limits", worker.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "{core}");
    worker.signal(Signal::ABORT);
    let (_, ended) = worker.ended();
    assert_eq!((ended.signal(), ended.core_dumped()), (Some(Signal::ABORT.as_raw()), false));
}
