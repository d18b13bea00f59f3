//! `pp-host approvals`: what waits for a decision, and how decisions have gone.

use crate::cli::commands::decide::so_far;
use crate::cli::options::data_dir::Data;
use crate::cli::options::moment::Since;
use crate::cli::output::hint::Hint;
use crate::cli::output::{complain, hint, json_line};
use crate::cli::{Exit, output, session};
use clap::{Args, Subcommand};
use engine::api::{LoggedRequest, Principal, Query, RequestRow, RequestStatistics, View};
use engine::history::RequestOutcome;
use receipt::Scope;
use sandbox::script::{Bundle, Kind};
use std::io::Write;
use std::num::NonZeroU32;
use store::InstanceKey;
use workflow::{Clipped, Escaped, QuotedWhole, RequestId, TenantId};

/// The waiting requests, and how the others ended.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Approvals {
    #[command(subcommand)]
    what: Option<What>,

    /// One JSON object per request.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the waiting requests, oldest first. This is the default.
    List {
        /// One JSON object per request.
        #[arg(long)]
        json: bool,
    },
    /// List all requests, newest first, and how each ended: when, by whom, with which receipt.
    Log(Log),
    /// Show the text that an approver signs, and the state of the request.
    Show {
        /// The request.
        request: RequestId,

        /// Also show the workflow's source text, if the workflow is a script.
        #[arg(long)]
        source: bool,

        /// One JSON object.
        #[arg(long, conflicts_with = "source")]
        json: bool,
    },
    /// Show how requests have been decided: how many, how fast, by whom.
    Stats {
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
}

/// List all requests and how each ended, newest first.
#[derive(Debug, Args)]
struct Log {
    /// Only requests of this tenant.
    #[arg(long)]
    tenant: Option<TenantId>,

    /// Only requests with this outcome: approved, denied, lapsed, withdrawn.
    #[arg(long)]
    outcome: Option<RequestOutcome>,

    /// Only requests made at this time or later: a time, a day, or how long ago, such as 12h.
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,

    /// Only requests that follow this request in the list.
    #[arg(long, value_name = "REQUEST")]
    after: Option<RequestId>,

    /// The most requests to list.
    #[arg(long, value_name = "N", default_value = "100")]
    limit: NonZeroU32,

    /// One JSON object per request.
    #[arg(long)]
    json: bool,
}

impl Approvals {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        match &self.what {
            None => list(data, self.json)?,
            Some(What::List { json }) => list(data, *json)?,
            Some(What::Log(log)) => log.execute(data)?,
            Some(What::Show { request, source, json }) => {
                show(data, request, *json)?;
                if *source {
                    show_source(data, request)?;
                }
            }
            Some(What::Stats { json }) => stats(data, *json)?,
        }
        Ok(Exit::Done)
    }
}

/// Groups the requests for the same action by the same code: they are one question, asked several times.
fn list(data: &Data, json: bool) -> anyhow::Result<()> {
    let reading = session::read(data)?;
    let View::Requests { requests } = reading.view(&Principal::own(), Query::Requests { tenant: None })?
    else {
        return Err(session::another_view());
    };
    let mut out = output::stdout();
    for row in &requests {
        match (json, row.is_repeat) {
            (true, _) => writeln!(out, "{}", json_line(row)?)?,
            (false, true) => writeln!(out, "{}  the same, asked again", row.request)?,
            (false, false) => tell(&mut out, data, reading.scope(), row)?,
        }
    }
    Ok(())
}

fn tell(out: &mut impl Write, data: &Data, scope: Scope, row: &RequestRow) -> anyhow::Result<()> {
    let RequestRow { request, capability, resource, tenant, expires_at, .. } = row;
    let what = format!("{request}  {capability} on {}  tenant {tenant}", QuotedWhole(resource));
    if row.lapsed {
        return Ok(writeln!(out, "{what}  lapsed {expires_at}: it can no longer be decided")?);
    }
    let so_far = so_far(&row.approved, &row.denied).map_or_else(String::new, |so_far| format!(", {so_far}"));
    writeln!(out, "{what}  {}{so_far}  until {expires_at}", row.policy)?;
    row.warnings
        .iter()
        .try_for_each(|warning| writeln!(out, "  warning  {}", hint::complete(data, warning)))?;
    let key = InstanceKey { tenant: tenant.clone(), instance: row.instance.clone() };
    let hints = hint::decide(data, scope, &key, request);
    Ok(hints.iter().try_for_each(|(decision, hint)| writeln!(out, "  {decision:<8} {hint}"))?)
}

impl Log {
    fn execute(&self, data: &Data) -> anyhow::Result<()> {
        let query = Query::RequestLog {
            tenant: self.tenant.clone(),
            outcome: self.outcome,
            after: self.after.clone(),
            since: self.since.map(Since::at),
            limit: self.limit.get(),
        };
        let View::RequestLog { requests, more } = session::read(data)?.view(&Principal::own(), query)? else {
            return Err(session::another_view());
        };
        let mut out = output::stdout();
        for logged in &requests {
            match self.json {
                true => writeln!(out, "{}", json_line(logged)?)?,
                false => writeln!(out, "{}", logged_line(logged))?,
            }
        }
        if let (true, Some(last)) = (more, requests.last()) {
            complain(&format!("there are more: {}", self.next(data, last)));
        }
        Ok(())
    }

    /// The command that shows the next requests.
    fn next(&self, data: &Data, last: &LoggedRequest) -> Hint {
        let named = [
            ("--after", Some(last.request.to_string())),
            ("--limit", Some(self.limit.to_string())),
            ("--tenant", self.tenant.as_ref().map(ToString::to_string)),
            ("--outcome", self.outcome.map(|outcome| outcome.to_string())),
            ("--since", self.since.map(|since| since.at().to_string())),
        ];
        let words = named.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?])).flatten();
        Hint::new(data, &["approvals", "log"]).with(words).with(self.json.then_some("--json"))
    }
}

fn logged_line(logged: &LoggedRequest) -> String {
    let LoggedRequest { request, tenant, capability, resource, expires_at, .. } = logged;
    let end = match &logged.end {
        Some(end) => end.to_string(),
        None if logged.waiting => format!("waits until {expires_at}"),
        None => "its instance ended or was restarted before it was decided".to_owned(),
    };
    format!("{request}  {capability} on {}  tenant {tenant}  {end}", QuotedWhole(resource))
}

fn show(data: &Data, id: &RequestId, json: bool) -> anyhow::Result<()> {
    let reading = session::read(data)?;
    let query = Query::Request { request: id.clone() };
    let View::Request(detail) = reading.view(&Principal::own(), query)? else {
        return Err(session::another_view());
    };
    let mut out = output::stdout();
    if json {
        return Ok(writeln!(out, "{}", json_line(&detail)?)?);
    }
    writeln!(out, "{}", detail.row.request)?;
    for line in detail.text.lines() {
        writeln!(out, "  {line}")?;
    }
    if let Some(end) = &detail.end {
        return Ok(writeln!(out, "ended          {end}")?);
    }
    writeln!(out, "the signature covers the decision, the decider, the time, and:")?;
    writeln!(out, "  request      sha256 {}", detail.request_sha256)?;
    writeln!(out, "  this text    sha256 {}", detail.text_sha256)?;
    writeln!(out, "  policy       sha256 {}", detail.policy_sha256)?;
    for (what, people) in [("approved by", &detail.row.approved), ("denied by", &detail.row.denied)] {
        people.iter().try_for_each(|person| writeln!(out, "{what:<14} {person}"))?;
    }
    writeln!(out, "now            {}", detail.ruling)?;
    // The present obstacles to a decision by people. They are not part of the signed text, because people change.
    let mut warnings = detail.row.warnings.iter();
    Ok(warnings.try_for_each(|warning| writeln!(out, "  warning  {}", hint::complete(data, warning)))?)
}

/// The most lines of a module that are shown: an approver does not read more in a terminal.
const LINES: usize = 2_000;

/// The source text that the request is about: from the bytes whose digest the request names.
fn show_source(data: &Data, id: &RequestId) -> anyhow::Result<()> {
    let request = session::read(data)?.waiting_request(id)?.request;
    let (_folder, store) = data.read()?;
    let bytes = store.component(&request.component).wait()?;
    let mut out = output::stdout();
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
            writeln!(out, "  {:>5}  {}", index + 1, source_line(&line.replace('\t', "    ")))?;
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

/// The most blanks of an indentation that are shown as blanks. With the line's number they are fewer columns than a terminal has: the
/// first word stands behind the number, and no line, however it is wrapped, begins like one of the host's.
const INDENTATION: usize = 30;

/// A line of source text, with its indentation as it is.
fn source_line(line: &str) -> String {
    let blanks = line.bytes().take(INDENTATION).take_while(|byte| *byte == b' ').count();
    let (indentation, words) = line.split_at(blanks);
    format!("{indentation}{}", Clipped(words))
}

fn stats(data: &Data, as_json: bool) -> anyhow::Result<()> {
    let View::RequestStatistics(statistics) =
        session::read(data)?.view(&Principal::own(), Query::RequestStatistics)?
    else {
        return Err(session::another_view());
    };
    let mut out = output::stdout();
    if as_json {
        return Ok(writeln!(out, "{}", json_line(&statistics)?)?);
    }
    let RequestStatistics { waiting, outcomes, median_seconds, slowest_seconds, decided_by } = statistics;
    writeln!(out, "{:<14}  {waiting}", "waiting")?;
    for (outcome, count) in &outcomes {
        writeln!(out, "{:<14}  {count}", outcome.to_lowercase())?;
    }
    if let (Some(median), Some(slowest)) = (median_seconds, slowest_seconds) {
        writeln!(out, "time to decide  median {median} s, longest {slowest} s")?;
    }
    for (decider, count) in &decided_by {
        writeln!(out, "{:<14}  {}: {count}", "by", Escaped(decider))?;
    }
    Ok(())
}
