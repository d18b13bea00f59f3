//! A host that a command opens to change something: the data folder is this process's until the command ends.

use crate::cli::data;
use crate::cli::data::Data;
use crate::cli::limit::LimitArgs;
use crate::cli::policy;
use host::Fact;
use host::Host;

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

/// The account that runs this. It proves nothing, and is recorded as such.
pub(crate) fn account() -> String {
    let named = std::env::var("USER").ok().filter(|name| {
        (1..=64).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    });
    named.unwrap_or_else(|| "operator".to_owned())
}
