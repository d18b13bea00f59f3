//! A host that a command opens to change something: the data folder is this process's until the command ends.

use crate::cli::data_dir::Data;
use crate::cli::limit::LimitArgs;
use crate::cli::{complain, data_dir, policy};
use engine::api::{Operation, OperationOutcome};
use engine::control::{ControlClient, ControlError};
use engine::trust::Act;
use engine::{Builder, Host, ReadOnlyHost};
use std::thread;
use std::time::{Duration, Instant};
use store::{Fact, InstanceKey, StoreError};

/// Opens the folder's host, with its settings and its policy. Makes a folder where there is none.
pub(crate) fn open(
    data: &Data,
    limits: &LimitArgs,
    observe: impl Fn(&Fact) + Send + Sync + 'static,
) -> anyhow::Result<Host> {
    opened(data, builder(data, limits)?.observe(observe))
}

/// The same to drive whatever is due, when nobody waits for it: what goes wrong is told on standard error.
pub(crate) fn open_to_work(
    data: &Data,
    limits: &LimitArgs,
    observe: impl Fn(&Fact) + Send + Sync + 'static,
) -> anyhow::Result<Host> {
    let builder = builder(data, limits)?.observe(observe);
    opened(data, builder.trouble(|key, error| complain(&format!("{key}: {error}"))))
}

fn builder(data: &Data, limits: &LimitArgs) -> anyhow::Result<Builder> {
    let mut builder =
        Host::builder(&data.path).settings(limits.settings(data)?).compiler(data_dir::compiler()?);
    if let Some(socket) = &data.authority {
        builder = builder.authority(socket.clone()).authority_changes(complain);
    }
    if let Some(account) = data.authority_account {
        builder = builder.authority_account(account);
    }
    if let Some(policy) = policy::load(data)? {
        builder = builder.policy(policy);
    }
    Ok(builder)
}

fn opened(data: &Data, builder: Builder) -> anyhow::Result<Host> {
    let host = builder.open()?;
    if host.is_new() {
        complain(&format!("made a new data folder, {data}"));
    }
    host.note().into_iter().for_each(complain);
    Ok(host)
}

/// The same for a command that tells nothing of what it records.
fn open_quietly(data: &Data, operation: &Operation) -> anyhow::Result<Host> {
    let builder = builder(data, &LimitArgs::default())?;
    opened(data, if begins(operation) { builder } else { builder.existing() })
}

/// Whether an operation may be the first in a folder. With any other, a mistyped folder would be a new one that it has no effect on.
fn begins(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Submit(_) | Operation::Say { act: Act::DeciderAdded { .. } | Act::DeciderInvited { .. } }
    )
}

/// Looks into the folder, whoever owns it.
pub(crate) fn read(data: &Data) -> anyhow::Result<ReadOnlyHost> {
    Ok(ReadOnlyHost::open(&data.path, policy::load(data)?)?)
}

/// How long somebody else may own the folder who takes no operations: as long as most commands take, or as the owner takes to begin.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often it is tried again meanwhile.
const AGAIN: Duration = Duration::from_millis(20);

/// Has the folder's host do something: the one that owns it in another process, or one of our own.
pub(crate) fn operate(data: &Data, operation: Operation) -> anyhow::Result<OperationOutcome> {
    let since = Instant::now();
    loop {
        let locked = match open_quietly(data, &operation) {
            Ok(host) => return Ok(host.operate(operation)?),
            Err(error) if is_owned(&error) => error,
            Err(error) => return Err(error),
        };
        match ControlClient::connect(&data.path) {
            Ok(owner) => return Ok(owner.operate(&operation)?),
            Err(ControlError::Unreachable { .. }) if since.elapsed() < PATIENCE => thread::sleep(AGAIN),
            // The owner takes no operations: it will have ended soon.
            Err(ControlError::Unreachable { .. }) => return Err(locked),
            Err(other) => return Err(other.into()),
        }
    }
}

/// Why a command cannot have the folder for itself, where that is because another process works in it.
pub(crate) fn or_worked_in(data: &Data, error: anyhow::Error) -> anyhow::Error {
    match is_owned(&error) && works_elsewhere(data) {
        true => anyhow::anyhow!(
            "another pp-host has {data}: give it the workflow with pp-host submit, and see what becomes of it with pp-host watch"
        ),
        false => error,
    }
}

/// Whether another process works in the folder, and takes operations.
pub(crate) fn works_elsewhere(data: &Data) -> bool {
    ControlClient::connect(&data.path).is_ok()
}

/// How an instance goes on that can.
pub(crate) fn go_on(data: &Data, key: &InstanceKey) -> String {
    match (works_elsewhere(data), key.tenant.as_str()) {
        (true, _) => format!("{key} goes on where pp-host work runs"),
        (false, data_dir::TENANT) => format!("go on with pp-host resume {}", key.instance),
        (false, tenant) => format!("go on with pp-host resume {} --tenant {tenant}", key.instance),
    }
}

/// Records what an operator says.
pub(crate) fn say(data: &Data, act: Act) -> anyhow::Result<()> {
    operate(data, Operation::Say { act }).map(drop)
}

fn is_owned(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(engine::Error::Store(StoreError::Locked(_))))
}

/// An answer to another question than was asked. The owner of the folder is of another make.
pub(crate) fn unexpected(answer: &OperationOutcome) -> anyhow::Error {
    anyhow::anyhow!("the host answered with {answer:?}")
}
