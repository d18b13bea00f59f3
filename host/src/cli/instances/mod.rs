//! `pp-host instances`: what there is, how it stands, and what an operator does to it.

mod control;
mod list;
mod show;

use crate::cli::Exit;
use crate::cli::data_dir::Data;
use clap::Subcommand;
use engine::api::InstanceCommand;

/// The instances: how they stand, and what is done to them from outside.
#[derive(Debug, Subcommand)]
pub(crate) enum Instances {
    /// List instances, newest first.
    List(list::List),
    /// Show one instance: how it stands, what it waits for, and everything it has asked for.
    Show(show::Show),
    /// Have an instance stand still until it is resumed.
    Pause(control::Plain),
    /// Let an instance go on that was paused, or that took another path than before.
    Resume(control::Plain),
    /// End an instance, wherever it is.
    Terminate(control::Terminate),
    /// Have a workflow go back to an earlier place, or to its beginning.
    Restart(control::Restart),
    /// Delete an instance that has ended. Its receipts stay, and what became of them.
    Delete(control::Plain),
    /// Send an instance an event.
    SendEvent(control::SendEvent),
    /// Record what was found out about an action whose outcome was unknown.
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
