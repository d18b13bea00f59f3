//! A host that a command opens to change something: the data folder is this process's until the command ends.

pub(crate) mod policy_file;
pub(crate) mod trust_on_record;

use crate::cli::options::data_dir;
use crate::cli::options::data_dir::Data;
use crate::cli::options::limit::LimitArgs;
use crate::cli::output::hint::Hint;
use crate::cli::output::logs::Tracing;
use crate::cli::output::{complain, hint, inform};
use anyhow::Context as _;
use engine::api::{Operation, OperationOutcome, Principal, Query, View};
use engine::control::{Control, ControlClient, ControlError};
use engine::trust::{Act, Trust};
use engine::{Builder, Host, ReadOnlyHost};
use receipt::DecisionStatement;
use std::cell::OnceCell;
use std::thread;
use std::time::{Duration, Instant};
use store::{Fact, FolderError, InstanceKey, StoreError};

/// Opens the folder's host, with its settings and its policy. Creates the folder if it does not exist.
pub(crate) fn open(
    data: &Data,
    limits: &LimitArgs,
    observe: impl Fn(&Fact) + Send + Sync + 'static,
) -> anyhow::Result<Host> {
    opened(data, builder(data, limits)?.on_fact(observe))
}

/// Opens the folder's host to drive due instances in the background: errors are printed on standard error.
pub(crate) fn open_to_work(
    data: &Data,
    limits: &LimitArgs,
    tracing: &Tracing,
    observe: impl Fn(&Fact) + Send + Sync + 'static,
) -> anyhow::Result<Host> {
    data.check_artifacts()?;
    let builder = tracing.of(builder(data, limits)?, observe);
    opened(data, builder.on_instance_error(|key, error| complain(&format!("{key}: {error}"))))
}

fn builder(data: &Data, limits: &LimitArgs) -> anyhow::Result<Builder> {
    let mut builder = Host::builder(&data.path)
        .store(data.location()?)
        .settings(limits.settings(data)?)
        .compiler(data_dir::compiler()?)
        .on_background_error(complain);
    if let Some(socket) = &data.authority {
        builder = builder.authority(socket.clone()).on_authority_change(complain);
    }
    if let Some(account) = data.authority_account {
        builder = builder.authority_account(account);
    }
    if let Some(policy) = policy_file::load(data)? {
        builder = builder.policy(policy);
    }
    Ok(builder)
}

fn opened(data: &Data, builder: Builder) -> anyhow::Result<Host> {
    let host = builder.open()?;
    if host.is_new() {
        inform(&format!("made a new data folder, {data}"));
    }
    host.note().into_iter().for_each(complain);
    trust_on_record::print_freezes(data, &*host.trust()?, |_| true);
    Ok(host)
}

/// [`open`], for a command that prints nothing of what it records.
fn open_quietly(data: &Data, operation: &Operation) -> anyhow::Result<Host> {
    let builder = builder(data, &LimitArgs::default())?;
    opened(data, if begins(operation) { builder } else { builder.existing() })
}

/// Whether an operation may be the first in a folder. With any other, a mistyped folder would become a new, empty one.
fn begins(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::Submit(_)
            | Operation::RecordAct {
                act: Act::DeciderAdded { .. } | Act::DeciderInvited { .. } | Act::TokenCreated { .. }
            }
    )
}

/// Looks into the folder, with or without an owner.
pub(crate) fn read(data: &Data) -> anyhow::Result<ReadOnlyHost> {
    Ok(ReadOnlyHost::open_at(&data.path, &data.location()?, policy_file::load(data)?)?)
}

/// The time limit for waiting for another owner of the folder that does not take operations: about as long as most
/// commands take, or an owner to begin.
const OWNER_TIMEOUT: Duration = Duration::from_secs(2);

/// The interval between the attempts.
const RETRY_INTERVAL: Duration = Duration::from_millis(20);

/// One command's access to a data folder. The folder is opened at most once for writing, and once for reading if
/// another process owns it.
pub(crate) struct Session<'a> {
    data: &'a Data,
    own: OnceCell<Owned>,
    read: OnceCell<ReadOnlyHost>,
}

/// The folder's host in this process. Other processes can operate it at the same time, because a command may wait for
/// its user.
struct Owned {
    /// Before the host, which answers there.
    _control: Option<Control>,
    host: Host,
}

impl<'a> Session<'a> {
    /// A session that has not opened the folder yet.
    pub(crate) fn new(data: &'a Data) -> Self {
        Self { data, own: OnceCell::new(), read: OnceCell::new() }
    }

    /// Performs an operation on the folder's host: the host of the process that owns the folder, or a host in this
    /// process.
    pub(crate) fn operate(&self, operation: Operation) -> anyhow::Result<OperationOutcome> {
        let since = Instant::now();
        loop {
            let locked = match self.own(&operation) {
                Ok(host) => return Ok(host.operate(operation)?),
                Err(error) if is_owned(&error) => error,
                Err(error) => return Err(error),
            };
            match ControlClient::connect(&self.data.path) {
                Ok(owner) => return Ok(owner.operate(&operation)?),
                Err(ControlError::Unreachable { .. }) if since.elapsed() < OWNER_TIMEOUT => {
                    thread::sleep(RETRY_INTERVAL)
                }
                // The owner takes no operations: it will have ended soon.
                Err(ControlError::Unreachable { .. }) => return Err(locked),
                Err(other) => return Err(other.into()),
            }
        }
    }

    /// The statement that an operation prepares, to be signed.
    pub(crate) fn statement(&self, operation: Operation) -> anyhow::Result<DecisionStatement> {
        match self.operate(operation)? {
            OperationOutcome::Statement { statement } => Ok(DecisionStatement::parse(&statement)?),
            other => Err(unexpected(&other)),
        }
    }

    /// Looks something up: in this process's host, if there is one, or in the folder itself. The process that owns the
    /// folder is not asked.
    pub(crate) fn view(&self, query: Query) -> anyhow::Result<View> {
        let asks = Principal::own();
        Ok(match self.own.get() {
            Some(owned) => owned.host.view(&asks, query)?,
            None => self.reading()?.view(&asks, query)?,
        })
    }

    /// The people who may decide.
    pub(crate) fn trust(&self) -> anyhow::Result<Trust> {
        Ok(match self.own.get() {
            Some(owned) => owned.host.trust()?.as_ref().clone(),
            None => self.reading()?.trust().clone(),
        })
    }

    /// Records an operator's act.
    pub(crate) fn say(&self, act: Act) -> anyhow::Result<()> {
        self.operate(Operation::RecordAct { act }).map(drop)
    }

    fn own(&self, operation: &Operation) -> anyhow::Result<&Host> {
        if self.own.get().is_none() {
            let host = open_quietly(self.data, operation)?;
            let _ = self.own.set(Owned { _control: host.listen().ok(), host });
        }
        let owned = self.own.get().map(|owned| &owned.host);
        owned.context("the opened host is gone")
    }

    fn reading(&self) -> anyhow::Result<&ReadOnlyHost> {
        if self.read.get().is_none() {
            let _ = self.read.set(read(self.data)?);
        }
        self.read.get().context("the opened folder is gone")
    }
}

/// Has the folder's host do one thing.
pub(crate) fn operate(data: &Data, operation: Operation) -> anyhow::Result<OperationOutcome> {
    Session::new(data).operate(operation)
}

/// Why a command cannot own the folder, and what to do instead, if the reason is another process that works in it.
pub(crate) fn or_worked_in(data: &Data, instead: &str, error: anyhow::Error) -> anyhow::Error {
    match is_owned(&error) && works_elsewhere(data) {
        true => anyhow::anyhow!("another pp-host has {data}: {instead}"),
        false => error,
    }
}

/// Whether another process works in the folder and takes operations, or another host on the shared state.
pub(crate) fn works_elsewhere(data: &Data) -> bool {
    match data.is_shared() {
        true => data.has_workers().unwrap_or(false),
        false => ControlClient::connect(&data.path).is_ok(),
    }
}

/// How an instance that can continue is continued.
pub(crate) fn go_on(data: &Data, key: &InstanceKey) -> String {
    match (works_elsewhere(data), data.is_shared()) {
        (true, true) => format!("{key} continues in the host that drives it"),
        (false, true) => {
            format!("no host is running; continue {key} with: {}", Hint::new(data, &["work"]))
        }
        (true, false) => format!("{key} continues in the process that drives this folder's instances"),
        (false, false) => format!(
            "no worker is running; continue {key} with: {}",
            Hint::new(data, &["drive", &hint::name(key)])
        ),
    }
}

/// Records an operator's act.
pub(crate) fn say(data: &Data, act: Act) -> anyhow::Result<()> {
    Session::new(data).say(act)
}

fn is_owned(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(engine::Error::Store(StoreError::Folder(FolderError::Locked(_)))))
}

/// The owner of the folder answered another operation: it is a different version of the program.
pub(crate) fn unexpected(answer: &OperationOutcome) -> anyhow::Error {
    anyhow::anyhow!("the host answered with {answer:?}")
}

/// A view of another kind than was asked for.
pub(crate) fn another_view() -> anyhow::Error {
    anyhow::anyhow!("the host answered another operation than the one that was sent")
}
