//! `pp-host audit`.

use crate::cli::options::data_dir::{Data, InstanceFilter};
use crate::cli::options::moment::Since;
use crate::cli::output::fact_printer::line;
use crate::cli::output::hint::Hint;
use crate::cli::output::{complain, hint, json_line};
use crate::cli::{Exit, output};
use clap::Args;
use engine::trust::{RecordedTrustAct, Trust};
use receipt::Timestamp;
use serde_json::{Value, json};
use std::io::Write;
use std::num::NonZeroU64;
use store::{Deleted, Fact, InstanceKey, RecordedAct, Store, StoreError};
use workflow::{Escaped, Quoted};

/// Show every fact, of one instance or of all, oldest first; and each deletion.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    #[command(flatten)]
    which: InstanceFilter,

    /// Only facts after the fact with this number, which `--json` shows as `seq`. Deletions and operators' acts have no number: the command
    /// shows those that may be later.
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    after: u64,

    /// Only facts recorded at this time or later: a time, a day, or how long ago, such as 12h.
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,

    /// The most facts to print. Default: all.
    #[arg(long, value_name = "N")]
    limit: Option<NonZeroU64>,

    /// One JSON object per line.
    #[arg(long)]
    json: bool,
}

/// The number of facts that one read returns.
const AT_ONCE: u32 = 1_000;

impl Audit {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let (_folder, store) = data.read()?;
        let key = self.which.key()?;
        let mut beside = self.other_records(&*store, key.as_ref())?.into_iter().peekable();
        let (mut out, mut shown) = (output::stdout(), 0);
        let mut last = self.after;
        loop {
            let (some, is_last) = self.some(&*store, key.as_ref(), last)?;
            for fact in some {
                if self.limit.is_some_and(|limit| shown == limit.get()) {
                    complain(&format!("there are more: {}", self.next(data, key.as_ref(), last)));
                    return Ok(Exit::Done);
                }
                last = fact.seq;
                while let Some((_, beside)) = beside.next_if(|(at, _)| *at <= fact.at) {
                    self.write(&mut out, &beside)?;
                }
                if self.is_meant(fact.at) {
                    shown += 1;
                    match self.json {
                        true => writeln!(out, "{}", json_line(&fact)?)?,
                        false => writeln!(out, "{}", line(&fact))?,
                    }
                }
            }
            if is_last || !output::is_open() {
                break;
            }
        }
        beside.try_for_each(|(_, beside)| self.write(&mut out, &beside))?;
        Ok(Exit::Done)
    }

    /// The facts after the given fact, and whether they are the last.
    fn some(
        &self,
        store: &dyn Store,
        key: Option<&InstanceKey>,
        after: u64,
    ) -> anyhow::Result<(Vec<Fact>, bool)> {
        if key.is_some() {
            let all = match store.facts(key).wait() {
                // Only the instance's deletion is still on record.
                Err(StoreError::NoInstance(_)) if !deletions(store, key)?.is_empty() => Vec::new(),
                facts => facts?,
            };
            return Ok((all.into_iter().filter(|fact| fact.seq > after).collect(), true));
        }
        let some = store.facts_after(after, AT_ONCE).wait()?;
        let is_last = some.len() < AT_ONCE as usize;
        Ok((some, is_last))
    }

    fn is_meant(&self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| at >= since.at())
    }

    /// The records that follow the fact to continue from, each before the first fact of its time or later.
    fn other_records(
        &self,
        store: &dyn Store,
        key: Option<&InstanceKey>,
    ) -> anyhow::Result<Vec<(Timestamp, OtherRecord)>> {
        let before = store.facts_after(self.after.saturating_sub(1), 1).wait()?;
        let before = before.first().filter(|fact| fact.seq == self.after).map(|fact| fact.at);
        let mut all = deletions(store, key)?;
        if key.is_none() {
            all.extend(acts(store)?);
            all.sort_by_key(|(at, _)| *at);
        }
        all.retain(|(at, _)| self.is_meant(*at) && before.is_none_or(|before| *at > before));
        Ok(all)
    }

    /// The command that shows the next facts.
    fn next(&self, data: &Data, key: Option<&InstanceKey>, last: u64) -> Hint {
        let named = [
            ("--after", Some(last.to_string())),
            ("--limit", self.limit.map(|limit| limit.to_string())),
            ("--since", self.since.map(|since| since.at().to_string())),
        ];
        let words = named.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?])).flatten();
        let hint = Hint::new(data, &["audit"]).with(key.map(hint::name)).with(words);
        hint.with(self.json.then_some("--json"))
    }

    fn write(&self, out: &mut impl Write, beside: &OtherRecord) -> anyhow::Result<()> {
        match self.json {
            true => writeln!(out, "{}", json_line(&beside.json)?)?,
            false => writeln!(out, "{}", beside.words)?,
        }
        Ok(())
    }
}

/// A record that is not a fact of an existing instance.
struct OtherRecord {
    words: String,
    json: Value,
}

/// Operators' acts, in order.
fn acts(store: &dyn Store) -> anyhow::Result<Vec<(Timestamp, OtherRecord)>> {
    let mut all = Vec::new();
    let acts = store.acts(0).wait()?;
    // Fails if one is missing, or does not fit those before it.
    Trust::default().extend(&acts)?;
    for RecordedAct { at, body, .. } in acts {
        let RecordedTrustAct { by, act } = serde_json::from_str(&body)?;
        let words = format!("{at}  {}  {act}", Escaped(&by));
        all.push((at, OtherRecord { words, json: json!({ "at": at, "by": by, "act": act }) }));
    }
    Ok(all)
}

/// Deletions, in order: of one name, which several instances may have had, or of all.
fn deletions(
    store: &dyn Store,
    meant: Option<&InstanceKey>,
) -> anyhow::Result<Vec<(Timestamp, OtherRecord)>> {
    let tenant = meant.map(|meant| &meant.tenant);
    let mut all = Vec::new();
    for Deleted { key, at, by, facts, end } in
        store.deletions(tenant, Timestamp::from_millis(0), u32::MAX).wait()?
    {
        if meant.is_some_and(|meant| *meant != key) {
            continue;
        }
        let ended = end.map_or_else(String::new, |end| format!(", {} since {}", end.state, end.at));
        let words = format!("{at}  {key}  deleted     by {}, {facts} facts{ended}", Quoted(&by));
        let json = json!({
            "at": at, "tenant": key.tenant, "instance": key.instance, "deleted": facts, "by": by,
            "state": end.map(|end| end.state), "ended_at": end.map(|end| end.at),
        });
        all.push((at, OtherRecord { words, json }));
    }
    Ok(all)
}
