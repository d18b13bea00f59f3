//! `pp-host audit` and `pp-host logs`.

use crate::cli::data_dir::{Data, OneOrAll, Which};
use crate::cli::feed::line;
use crate::cli::{Exit, json_line};
use clap::Args;
use engine::trust::RecordedTrustAct;
use receipt::Timestamp;
use serde_json::{Value, json};
use std::io::Write;
use store::{ActStore as _, Deleted, JournalStore as _, RecordedAct};
use store_sqlite::Sqlite;
use workflow::{Escaped, Quoted};

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
        let mut beside = match key {
            None => beside(&store)?,
            Some(_) => Vec::new(),
        }
        .into_iter()
        .peekable();
        let mut out = anstream::stdout().lock();
        for fact in store.facts(key.as_ref()).wait()? {
            while let Some((_, beside)) = beside.next_if(|(at, _)| *at <= fact.at) {
                self.write(&mut out, &beside)?;
            }
            match self.json {
                true => writeln!(out, "{}", json_line(&fact)?)?,
                false => writeln!(out, "{}", line(&fact))?,
            }
        }
        beside.try_for_each(|(_, beside)| self.write(&mut out, &beside))?;
        Ok(Exit::Done)
    }

    fn write(&self, out: &mut impl Write, beside: &Beside) -> anyhow::Result<()> {
        match self.json {
            true => writeln!(out, "{}", json_line(&beside.json)?)?,
            false => writeln!(out, "{}", beside.words)?,
        }
        Ok(())
    }
}

/// What happened beside the instances that there are.
struct Beside {
    words: String,
    json: Value,
}

/// What operators said, and what was deleted, in order.
fn beside(store: &Sqlite) -> anyhow::Result<Vec<(Timestamp, Beside)>> {
    let mut all = Vec::new();
    for RecordedAct { at, body, .. } in store.acts(0).wait()? {
        let RecordedTrustAct { by, act } = serde_json::from_str(&body)?;
        let words = format!("{at}  {}  {act}", Escaped(&by));
        all.push((at, Beside { words, json: json!({ "at": at, "by": by, "act": act }) }));
    }
    for Deleted { key, at, by, facts } in store.deletions().wait()? {
        let words = format!("{at}  {key}  deleted     by {}, {facts} facts", Quoted(&by));
        let json = json!({
            "at": at, "tenant": key.tenant, "instance": key.instance, "deleted": facts, "by": by,
        });
        all.push((at, Beside { words, json }));
    }
    all.sort_by_key(|(at, _)| *at);
    Ok(all)
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
        for line in store.output(&self.which.key()).wait()?.lines() {
            writeln!(out, "{}", workflow::Escaped(line))?;
        }
        Ok(Exit::Done)
    }
}
