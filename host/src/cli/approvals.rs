//! `pp-host approvals`: what waits for a decision, and how decisions have gone.

use crate::cli::data_dir::Data;
use crate::cli::decisions::so_far;
use crate::cli::{Exit, json_line, session};
use clap::{Args, Subcommand};
use engine::Waiting;
use engine::issuer::Request;
use engine::trust::Shortfall;
use receipt::PersonId;
use sandbox::script::{Bundle, Kind};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use store::{JournalStore as _, RequestFilter, RequestStore as _};
use workflow::{Clipped, Entry, Escaped, QuotedWhole, RequestId};

/// What waits for a decision.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Approvals {
    #[command(subcommand)]
    what: Option<What>,

    /// One JSON object a request.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List what waits, oldest first: the same as without a word.
    List {
        /// One JSON object a request.
        #[arg(long)]
        json: bool,
    },
    /// Show exactly what would be signed: the text that an approver has to see, and how it stands.
    Show {
        /// The request.
        request: RequestId,

        /// Show the source text of the workflow too, where it is a script.
        #[arg(long)]
        source: bool,
    },
    /// Show how requests have been decided: how many, how fast, by whom.
    Stats {
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
}

impl Approvals {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        match &self.what {
            None => list(data, self.json)?,
            Some(What::List { json }) => list(data, *json)?,
            Some(What::Show { request, source }) => {
                show(data, request)?;
                if *source {
                    show_source(data, request)?;
                }
            }
            Some(What::Stats { json }) => stats(data, *json)?,
        }
        Ok(Exit::Done)
    }
}

/// Requests for the same thing by the same code stand together: they are one question, asked several times.
fn list(data: &Data, json: bool) -> anyhow::Result<()> {
    let reading = session::read(data)?;
    let mut folded: BTreeMap<_, Vec<Waiting>> = BTreeMap::new();
    let mut order = Vec::new();
    for waiting in reading.waiting()? {
        let same = identity(&waiting.request);
        if !folded.contains_key(&same) {
            order.push(same.clone());
        }
        folded.entry(same).or_default().push(waiting);
    }
    let mut out = anstream::stdout().lock();
    for same in order {
        let Some(alike) = folded.get(&same) else { continue };
        for (index, Waiting { request, count, shortfalls, .. }) in alike.iter().enumerate() {
            let names =
                |people: &BTreeSet<PersonId>| people.iter().map(ToString::to_string).collect::<Vec<_>>();
            let answer = count.ruling.answer.to_string();
            if json {
                let line = json!({
                    "request": request.id, "tenant": request.tenant, "instance": request.instance,
                    "capability": request.capability, "resource": request.resource,
                    "alike": alike.len(), "policy": answer,
                    "approved": names(&count.approved), "denied": names(&count.denied),
                    "warnings": shortfalls.iter().map(ToString::to_string).collect::<Vec<_>>(),
                    "created_at": request.created_at, "expires_at": request.expires_at,
                });
                writeln!(out, "{}", json_line(&line)?)?;
                continue;
            }
            if index > 0 {
                writeln!(out, "{}  the same, asked again", request.id)?;
                continue;
            }
            let so_far = so_far(&count.approved, &count.denied);
            let so_far = so_far.map_or_else(String::new, |so_far| format!(", {so_far}"));
            writeln!(
                out,
                "{}  {} on {}  tenant {}  {answer}{so_far}  until {}",
                request.id,
                request.capability,
                QuotedWhole(&request.resource),
                request.tenant,
                request.expires_at
            )?;
            warn(&mut out, shortfalls)?;
        }
    }
    Ok(())
}

fn identity(request: &Request) -> (String, String, String, String, Option<String>, String) {
    (
        request.tenant.to_string(),
        request.actor.to_string(),
        request.capability.clone(),
        request.resource.clone(),
        request.artifact.as_ref().map(|artifact| artifact.sha256.to_string()),
        request.component.to_string(),
    )
}

fn show(data: &Data, id: &RequestId) -> anyhow::Result<()> {
    let reading = session::read(data)?;
    let Waiting { request, count, shortfalls, .. } = reading.standing(id)?;
    let mut out = anstream::stdout().lock();
    writeln!(out, "{}", request.id)?;
    for line in request.to_string().lines() {
        writeln!(out, "  {line}")?;
    }
    writeln!(out, "signed will be, beside the decision, who decides and when:")?;
    writeln!(out, "  request      sha256 {}", receipt::request_digest(&request.document()?))?;
    writeln!(out, "  this text    sha256 {}", request.view_digest())?;
    writeln!(out, "  policy       sha256 {}", reading.policy().digest())?;
    for (what, people) in [("approved by", &count.approved), ("denied by", &count.denied)] {
        people.iter().try_for_each(|person| writeln!(out, "{what:<14} {person}"))?;
    }
    writeln!(out, "now            {}", count.ruling)?;
    warn(&mut out, &shortfalls)
}

/// What keeps people from deciding it, as things stand. It is not in what is signed: people come and go.
fn warn(out: &mut impl Write, shortfalls: &[Shortfall]) -> anyhow::Result<()> {
    Ok(shortfalls.iter().try_for_each(|shortfall| writeln!(out, "  warning  {shortfall}"))?)
}

/// Lines of a module that are shown. An approver reads no more, and a terminal is no place to.
const LINES: usize = 2_000;

/// The text that was approved or is to be: from the bytes whose digest the request names.
fn show_source(data: &Data, id: &RequestId) -> anyhow::Result<()> {
    let request = session::read(data)?.standing(id)?.request;
    let (_folder, store) = data.read()?;
    let bytes = store.component(&request.component).wait()?;
    let mut out = anstream::stdout().lock();
    if !Bundle::is_meant(&bytes) {
        writeln!(out, "source         none: the workflow is a component, and not a script")?;
        return Ok(());
    }
    for (name, module) in Bundle::read(&bytes)?.modules {
        writeln!(out, "source of {}, sha256 {}", Escaped(&name), module.digest())?;
        if module.kind == Kind::Data {
            writeln!(out, "  {} bytes that are no text", module.content.len())?;
            continue;
        }
        let text = String::from_utf8_lossy(&module.content);
        for (index, line) in text.lines().take(LINES).enumerate() {
            writeln!(out, "  {:>5}  {}", index + 1, Clipped(&line.replace('\t', "    ")))?;
        }
        match text.lines().count().saturating_sub(LINES) {
            0 => {}
            more => {
                writeln!(out, "         … and {more} more lines: WHAT IS NOT SHOWN HERE IS APPROVED TOO")?
            }
        }
    }
    Ok(())
}

/// What became of requests. Times run from the request to its end.
#[derive(Debug, Default)]
struct Stats {
    outcomes: BTreeMap<&'static str, u64>,
    seconds: Vec<i64>,
    by: BTreeMap<String, u64>,
}

fn stats(data: &Data, as_json: bool) -> anyhow::Result<()> {
    let (_folder, store) = data.read()?;
    let mut stats = Stats::default();
    let mut made = BTreeMap::new();
    for fact in store.facts(None).wait()? {
        match &fact.entry {
            Entry::Requested { request, .. } => drop(made.insert(request.clone(), fact.at)),
            Entry::Decided { request, decision, decider, .. } => {
                *stats.outcomes.entry(decision.as_str()).or_default() += 1;
                // People are counted by what they signed.
                if !decider.starts_with("user:") {
                    *stats.by.entry(decider.clone()).or_default() += 1;
                }
                let took = made.get(request).map(|at| fact.at.as_millis() - at.as_millis());
                stats.seconds.extend(took.map(|millis| millis / 1000));
            }
            Entry::Signed { decider, .. } => *stats.by.entry(format!("user:{decider}")).or_default() += 1,
            Entry::Lapsed { .. } => *stats.outcomes.entry("LAPSED").or_default() += 1,
            Entry::Withdrawn { .. } => *stats.outcomes.entry("WITHDRAWN").or_default() += 1,
            _ => {}
        }
    }
    let waiting = store.requests(RequestFilter::Waiting).wait()?.len();
    stats.seconds.sort_unstable();
    let median = stats.seconds.get(stats.seconds.len() / 2).copied();
    let mut out = anstream::stdout().lock();
    if as_json {
        let line = json!({
            "waiting": waiting, "outcomes": stats.outcomes, "median_seconds": median,
            "slowest_seconds": stats.seconds.last(), "decided_by": stats.by,
        });
        return Ok(writeln!(out, "{}", json_line(&line)?)?);
    }
    writeln!(out, "waiting      {waiting}")?;
    for (outcome, count) in &stats.outcomes {
        writeln!(out, "{:<12} {count}", outcome.to_lowercase())?;
    }
    if let (Some(median), Some(slowest)) = (median, stats.seconds.last()) {
        writeln!(out, "decided in   {median} s half of the time, {slowest} s at the slowest")?;
    }
    for (decider, count) in &stats.by {
        writeln!(out, "by           {}: {count}", Escaped(decider))?;
    }
    Ok(())
}
