//! `pp-host instances`: lists instances, shows their state, and operates them.

mod control;
mod list;
mod show;

use crate::cli::Exit;
use crate::cli::options::data_dir::Data;
use clap::Subcommand;
use engine::api::InstanceCommand;

/// The instances: their state, and commands on them.
#[derive(Debug, Subcommand)]
pub(crate) enum Instances {
    /// List instances, newest first.
    List(list::List),
    /// Show one instance: its state, its waits, and all its calls.
    Show(show::Show),
    /// Pause an instance until it is resumed.
    Pause(control::PlainCommand),
    /// Resume an instance that was paused, or that has diverged.
    Resume(control::PlainCommand),
    /// End an instance in any state.
    Terminate(control::Terminate),
    /// Restart a workflow from an earlier place, or from its beginning.
    Restart(control::Restart),
    /// Delete an ended instance. Its receipts are kept, with their state.
    Delete(control::PlainCommand),
    /// Send an instance an event.
    SendEvent(control::SendEvent),
    /// Record a finding about an action whose outcome was unknown.
    Resolve(control::Resolve),
}

impl Instances {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        match self {
            Self::List(list) => list.execute(data),
            Self::Show(show) => show.execute(data),
            Self::Pause(plain) => plain.handle(data, InstanceCommand::Pause),
            Self::Resume(plain) => plain.handle(data, InstanceCommand::Resume),
            Self::Terminate(terminate) => terminate.execute(data),
            Self::Restart(restart) => restart.execute(data),
            Self::Delete(plain) => plain.handle(data, InstanceCommand::Delete),
            Self::SendEvent(send) => send.execute(data),
            Self::Resolve(resolve) => resolve.execute(data),
        }
    }
}
