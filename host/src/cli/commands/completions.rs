//! `pp-host completions`: a script for a shell, from the same description of the command line that parses it.

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

impl Completions {
    pub(crate) fn execute(&self) -> anyhow::Result<Exit> {
        // The generator panics at a write that fails; this writer never fails.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "pp-host", &mut script);
        output::stdout().write_all(&script)?;
        Ok(Exit::Done)
    }
}
