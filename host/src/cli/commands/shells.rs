//! `pp-host completions` and `pp-host man`: from the same description of the command line that parses it.

use crate::cli::{Cli, Exit, output};
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use std::io::Write as _;

/// Print a script that completes commands in a shell.
///
/// For bash: `pp-host completions bash > ~/.local/share/bash-completion/completions/pp-host`.
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

/// Print the manual page, or that of one command: `pp-host man | man -l -`.
#[derive(Debug, Args)]
pub(crate) struct Man {
    /// The command: `approvals`, `approvals show`. Default: the program.
    command: Vec<String>,
}

impl Completions {
    pub(crate) fn execute(&self) -> anyhow::Result<Exit> {
        // The generator stops at a write that fails; this one never does.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "pp-host", &mut script);
        output::stdout().write_all(&script)?;
        Ok(Exit::Done)
    }
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
        // By itself it names a command by its last word.
        let program = concat!("pp-host ", env!("CARGO_PKG_VERSION"));
        clap_mangen::Man::new(command).source(program).render(&mut page)?;
        output::stdout().write_all(&page)?;
        Ok(Exit::Done)
    }
}
