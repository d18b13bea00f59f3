//! `pp-host man`: a page of the manual, from the same description of the command line that parses it.

use crate::cli::{Cli, Exit, output};
use clap::{Args, CommandFactory as _};
use std::io::Write as _;

/// Print the manual page of the program or of one command: `pp-host man | man -l -`.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The command: `approvals`, `approvals show`. Default: the program.
    command: Vec<String>,
}

impl Man {
    pub(crate) fn execute(&self) -> anyhow::Result<Exit> {
        let mut command = Cli::command();
        command.build();
        for word in &self.command {
            let found = command.find_subcommand(word).cloned();
            command =
                found.ok_or_else(|| anyhow::anyhow!("there is no command {word:?}: see pp-host --help"))?;
        }
        let mut page = Vec::new();
        // Without this, the generator names a command by its last word.
        let program = concat!("pp-host ", env!("CARGO_PKG_VERSION"));
        clap_mangen::Man::new(command).source(program).render(&mut page)?;
        output::stdout().write_all(&page)?;
        Ok(Exit::Done)
    }
}
