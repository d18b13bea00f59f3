//! `pp-host instances`: what there is, how it stands, and what an operator does to it.

mod list;
mod show;

use crate::cli::Exit;
use crate::cli::data::Data;
use clap::Subcommand;

/// The instances: how they stand, and what is done to them from outside.
#[derive(Debug, Subcommand)]
pub(crate) enum Instances {
    /// List instances, newest first.
    List(list::List),
    /// Show one instance: how it stands, what it waits for, and everything it has asked for.
    Show(show::Show),
}

impl Instances {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        match self {
            Self::List(list) => list.execute(data),
            Self::Show(show) => show.execute(data),
        }
    }
}
