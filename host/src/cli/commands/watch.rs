//! `pp-host watch`.

use crate::cli::options::data_dir::{Data, InstanceFilter};
use crate::cli::output::fact_printer::line;
use crate::cli::output::json_line;
use crate::cli::{Exit, output};
use clap::Args;
use engine::history::was_denied;
use std::io::Write as _;
use std::time::Duration;
use std::{io, thread};
use store::{Fact, InstanceKey, Store};
use workflow::Entry;

/// Follow facts as they are recorded, until stopped; or the facts of one instance, from its beginning to its end.
///
/// If an instance is named, the command ends when the instance ends, with the exit code of `run`: 0 when the workflow completed, 1 when it
/// failed or was terminated, 4 when an action was denied and the workflow ended without it.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    #[command(flatten)]
    which: InstanceFilter,

    /// One JSON object per line.
    #[arg(long)]
    json: bool,
}

/// The interval at which the journal is read: a person notices no delay, and a read without a result costs some
/// microseconds.
const LOOK: Duration = Duration::from_millis(100);

/// The number of facts that one read returns.
const AT_ONCE: u32 = 100;

impl Watch {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let (_folder, store) = data.read()?;
        match self.which.key()? {
            Some(key) => follow(&*store, &key, self.json),
            None => follow_all(&*store, self.json),
        }
    }
}

/// Follows one instance to its end.
pub(crate) fn follow_one(data: &Data, key: &InstanceKey, json: bool) -> anyhow::Result<Exit> {
    let (_folder, store) = data.read()?;
    follow(&*store, key, json)
}

/// How an instance ended, if it has ended.
fn end(facts: &[Fact]) -> Option<Exit> {
    let last = facts.iter().rev().find(|fact| !matches!(fact.entry, Entry::Resolved { .. }))?;
    match &last.entry {
        Entry::Completed { .. } | Entry::Failed { .. } if was_denied(facts) => Some(Exit::Denied),
        Entry::Completed { .. } => Some(Exit::Done),
        Entry::Failed { .. } | Entry::Terminated { .. } => Some(Exit::Error),
        _ => None,
    }
}

fn follow(store: &dyn Store, key: &InstanceKey, json: bool) -> anyhow::Result<Exit> {
    let mut seen: Vec<Fact> = Vec::new();
    loop {
        let new = store.facts_from(key, seen.len() as u64, AT_ONCE).wait()?;
        new.iter().try_for_each(|fact| tell(fact, json))?;
        let idle = new.is_empty();
        seen.extend(new);
        match end(&seen) {
            Some(exit) if idle => return Ok(exit),
            None if !output::is_read() => return Ok(Exit::Done),
            None if idle => thread::sleep(LOOK),
            _ => {}
        }
    }
}

fn follow_all(store: &dyn Store, json: bool) -> anyhow::Result<Exit> {
    let mut last = store.last_seq().wait()?;
    loop {
        let new = store.facts_after(last, AT_ONCE).wait()?;
        new.iter().try_for_each(|fact| tell(fact, json))?;
        match new.last() {
            _ if !output::is_read() => return Ok(Exit::Done),
            Some(fact) => last = fact.seq,
            None => thread::sleep(LOOK),
        }
    }
}

fn tell(fact: &Fact, json: bool) -> io::Result<()> {
    let mut out = output::stdout();
    match json {
        true => writeln!(out, "{}", json_line(fact)?),
        false => writeln!(out, "{}", line(fact)),
    }
}
