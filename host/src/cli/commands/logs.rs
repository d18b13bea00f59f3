//! `pp-host logs`.

use crate::cli::options::data_dir::{Data, InstanceArg};
use crate::cli::output::json_line;
use crate::cli::{Exit, output};
use clap::Args;
use serde_json::json;
use std::io::Write as _;
use workflow::Escaped;

/// Show the output of an instance.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    #[command(flatten)]
    which: InstanceArg,

    /// One JSON object per line.
    #[arg(long)]
    json: bool,
}

impl Logs {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let (_folder, store) = data.read()?;
        let mut out = output::stdout();
        let key = self.which.key()?;
        for line in store.output(&key).wait()?.lines() {
            match self.json {
                true => {
                    let line = json!({ "tenant": key.tenant, "instance": key.instance, "line": line });
                    writeln!(out, "{}", json_line(&line)?)?;
                }
                false => writeln!(out, "{}", Escaped(line))?,
            }
        }
        Ok(Exit::Done)
    }
}
