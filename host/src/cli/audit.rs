//! `pp-host audit` and `pp-host logs`.

use crate::cli::Exit;
use crate::cli::data::Data;
use crate::cli::data::Which;
use crate::cli::json_line;
use clap::Args;
use host::store::Store as _;
use std::io::Write as _;

/// Show every fact, of one instance or of all.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    #[command(flatten)]
    which: Which,

    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

impl Audit {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let (_folder, store) = data.read()?;
        let key = self.which.find(&store)?;
        let mut out = anstream::stdout().lock();
        for fact in store.facts(key.as_ref())? {
            match self.json {
                true => writeln!(out, "{}", json_line(&fact)?)?,
                false => writeln!(out, "{}  {}  {}", fact.at, fact.key, fact.entry)?,
            }
        }
        Ok(Exit::Done)
    }
}

/// Show what an instance has printed.
#[derive(Debug, Args)]
pub(crate) struct Logs {
    #[command(flatten)]
    which: Which,
}

impl Logs {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let (_folder, store) = data.read()?;
        let Some(key) = self.which.find(&store)? else {
            anyhow::bail!("name an instance: pp-host logs INSTANCE")
        };
        let mut out = anstream::stdout().lock();
        for line in store.output(&key)?.lines() {
            writeln!(out, "{}", workflow::Escaped(line))?;
        }
        Ok(Exit::Done)
    }
}
