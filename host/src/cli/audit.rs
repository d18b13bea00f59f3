//! `pp-host audit` and `pp-host logs`.

use crate::cli::Exit;
use crate::cli::data::Data;
use crate::cli::data::OneOrAll;
use crate::cli::data::Which;
use crate::cli::json_line;
use clap::Args;
use host::store::RecordedAct;
use host::store::Store as _;
use host::trust::Said;
use serde_json::json;
use std::io::Write;
use workflow::Escaped;

/// Show every fact, of one instance or of all.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    #[command(flatten)]
    which: OneOrAll,

    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

impl Audit {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let (_folder, store) = data.read()?;
        let key = self.which.key();
        // What operators said is about everybody.
        let acts = if key.is_none() { store.acts(0)? } else { Vec::new() };
        let mut acts = acts.into_iter().peekable();
        let mut out = anstream::stdout().lock();
        for fact in store.facts(key.as_ref())? {
            while let Some(act) = acts.next_if(|act| act.at <= fact.at) {
                self.said(&mut out, &act)?;
            }
            match self.json {
                true => writeln!(out, "{}", json_line(&fact)?)?,
                false => writeln!(out, "{}  {}  {}", fact.at, fact.key, fact.entry)?,
            }
        }
        acts.try_for_each(|act| self.said(&mut out, &act))?;
        Ok(Exit::Done)
    }

    fn said(&self, out: &mut impl Write, recorded: &RecordedAct) -> anyhow::Result<()> {
        let Said { by, act } = serde_json::from_str(&recorded.body)?;
        match self.json {
            true => writeln!(out, "{}", json_line(&json!({ "at": recorded.at, "by": by, "act": act }))?)?,
            false => writeln!(out, "{}  {}  {act}", recorded.at, Escaped(&by))?,
        }
        Ok(())
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
        let mut out = anstream::stdout().lock();
        for line in store.output(&self.which.key())?.lines() {
            writeln!(out, "{}", workflow::Escaped(line))?;
        }
        Ok(Exit::Done)
    }
}
