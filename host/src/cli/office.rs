//! A host that a command opens to change something: the data folder is this process's until the command ends.

use crate::cli::data;
use crate::cli::data::Data;
use crate::cli::limit::LimitArgs;
use crate::cli::policy;
use host::Fact;
use host::Host;
use host::control::ControlError;
use host::control::Remote;
use host::operate::Answer;
use host::operate::Operation;
use host::store::StoreError;
use host::trust::Act;

/// Opens the folder's host, with its settings and its policy.
pub(crate) fn open(
    data: &Data,
    limits: &LimitArgs,
    observe: impl Fn(&Fact) + Send + Sync + 'static,
) -> anyhow::Result<Host> {
    let mut builder = Host::builder(&data.path)
        .settings(limits.settings(data)?)
        .compiler(data::compiler()?)
        .observe(observe);
    if let Some(socket) = &data.authority {
        builder = builder.authority(socket.clone());
    }
    if let Some(policy) = policy::load(data)? {
        builder = builder.policy(policy);
    }
    let host = builder.open()?;
    if let Some(note) = host.note() {
        crate::cli::complain(note);
    }
    Ok(host)
}

/// The same for a command that tells nothing of what it records.
pub(crate) fn open_quietly(data: &Data) -> anyhow::Result<Host> {
    open(data, &LimitArgs::default(), |_| {})
}

/// Has the folder's host do something: the one that owns it in another process, or one of our own.
pub(crate) fn operate(data: &Data, operation: Operation) -> anyhow::Result<Answer> {
    match open_quietly(data) {
        Ok(host) => Ok(host.operate(operation)?),
        Err(error) if is_owned(&error) => match Remote::connect(&data.path) {
            Ok(owner) => Ok(owner.operate(&operation)?),
            // The owner takes no operations: it will have ended soon.
            Err(ControlError::Unreachable { .. }) => Err(error),
            Err(other) => Err(other.into()),
        },
        Err(error) => Err(error),
    }
}

/// Records what an operator says.
pub(crate) fn say(data: &Data, act: Act) -> anyhow::Result<()> {
    operate(data, Operation::Say { by: account(), act }).map(drop)
}

fn is_owned(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(host::Error::Store(StoreError::Locked(_))))
}

/// An answer to another question than was asked. The owner of the folder is of another make.
pub(crate) fn unexpected(answer: &Answer) -> anyhow::Error {
    anyhow::anyhow!("the host answered with {answer:?}")
}

/// The account that runs this. It proves nothing, and is recorded as such.
pub(crate) fn account() -> String {
    let named = std::env::var("USER").ok().filter(|name| {
        (1..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    });
    named.unwrap_or_else(|| "operator".to_owned())
}
