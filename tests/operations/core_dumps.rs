//! A process with private keys keeps them to itself, and each recorded act is by an account that the system named.

use crate::support;
use crate::support::worker::Worker;
use crate::support::{cli, new_host};
use engine::api::{Account, InstanceCommand, Operation};
use engine::control::{ControlClient, ControlError};
use engine::trust::{Act, RecordedTrustAct};
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

fn freeze(reason: &str) -> Operation {
    Operation::Say { act: Act::Frozen { tenant: None, reason: reason.to_owned() } }
}

#[test]
fn who_does_something_is_the_account_that_the_system_names() {
    let (folder, host) = new_host();
    let _control = host.listen().unwrap();
    ControlClient::connect(folder.path()).unwrap().operate(&freeze("incident")).unwrap();
    let acts = host.store().acts(0).wait().unwrap();
    let said: RecordedTrustAct = serde_json::from_str(&acts.last().unwrap().body).unwrap();
    assert_eq!(said.by, Account::own().as_str());
    // The environment is the caller's own word.
    let data = TempDir::new().unwrap();
    assert_eq!(cli::run(data.path(), &["run", "tests/guests/paces.wasm"]).code, Some(0));
    let ran = cli::command(data.path(), &["freeze", "--reason", "x"])
        .env("USER", "somebody-else")
        .output()
        .unwrap();
    assert!(ran.status.success());
    let audit = cli::run(data.path(), &["audit"]).stdout;
    assert!(!audit.contains("somebody-else"), "{audit}");
}

#[test]
fn words_through_the_control_socket_are_bounded() {
    let (folder, host) = new_host();
    let _control = host.listen().unwrap();
    let refused = ControlClient::connect(folder.path()).unwrap().operate(&freeze(&"x".repeat(1 << 20)));
    let Err(ControlError::Refused(message)) = refused else { unreachable!("{refused:?}") };
    assert!(message.contains("at most 4096 are kept"), "{message}");
    assert!(host.store().acts(0).wait().unwrap().is_empty());
    let key = support::start(&host, "tenant-workflow", "{}");
    let handling = InstanceCommand::Terminate { reason: Some("x".repeat(1 << 20)) };
    let refused = ControlClient::connect(folder.path())
        .unwrap()
        .operate(&Operation::Handle { key: key.clone(), handling });
    assert!(matches!(refused, Err(ControlError::Refused(_))));
    assert_eq!(host.audit(Some(&key)).unwrap().len(), 2, "it was created, and nothing else");
}
