//! `pp-host instances show`.

use crate::cli::options::data_dir::{Data, InstanceArg};
use crate::cli::options::limit::LimitArgs;
use crate::cli::output::hint::Hint;
use crate::cli::output::{hint, json_line};
use crate::cli::session::trust_on_record;
use crate::cli::{Exit, output, session};
use clap::Args;
use engine::api::{InstanceRow, Principal, Query, ReadOnlyHost, View};
use engine::history::{Call, History};
use std::io::Write;
use workflow::{Clipped, Escaped, Quoted, Status, Wait};

/// Show one instance: its state, its waits, and all its calls.
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    which: InstanceArg,

    /// As one JSON object.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    limits: LimitArgs,
}

impl Show {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let (key, settings) = (self.which.key()?, self.limits.settings(data)?);
        let reading = ReadOnlyHost::open_at(&data.path, &data.location()?, None)?.settings(settings);
        let View::Instance(detail) = reading.view(&Principal::own(), Query::Instance { key: key.clone() })?
        else {
            return Err(session::another_view());
        };
        let mut out = output::stdout();
        match self.json {
            true => writeln!(out, "{}", json_line(&detail)?)?,
            false => Shown { data, row: &detail.row, history: &detail.history, denied: detail.denied }
                .write(&mut out)?,
        }
        if matches!(&detail.history.status, Status::Waiting(wait) if wait.request().is_some()) {
            let trust = trust_on_record::read(data)?;
            trust_on_record::print_freezes(data, &trust, |tenant| *tenant == key.tenant);
        }
        Ok(Exit::Done)
    }
}

/// An instance for people.
struct Shown<'a> {
    data: &'a Data,
    row: &'a InstanceRow,
    history: &'a History,
    denied: bool,
}

impl Shown<'_> {
    fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        let History { key, workflow, actor, component, params, started_at, events, .. } = self.history;
        writeln!(out, "{key}")?;
        let denied = if self.denied { ", an action was denied" } else { "" };
        writeln!(out, "  status     {} since {}{denied}", self.row.status, self.row.since)?;
        self.write_status(out)?;
        writeln!(out, "  workflow   {}, actor {actor}", Quoted(workflow))?;
        for (what, person) in [("operated", &self.history.operator), ("submitted", &self.history.submitter)] {
            person.iter().try_for_each(|person| writeln!(out, "             {what} by {person}"))?;
        }
        writeln!(out, "  component  sha256 {component}")?;
        writeln!(out, "  params     {}", Clipped(params))?;
        writeln!(out, "  started    {started_at}")?;
        if events.received > 0 {
            writeln!(out, "  events     {} received, {} taken", events.received, events.taken)?;
        }
        for call in &self.history.calls {
            write_call(out, call)?;
        }
        self.write_unknown(out)
    }

    fn write_status(&self, out: &mut impl Write) -> std::io::Result<()> {
        let key = &self.history.key;
        match &self.history.status {
            Status::Queued | Status::Running => Ok(()),
            Status::Waiting(Wait { on }) => {
                on.iter().try_for_each(|pending| writeln!(out, "             for {pending}"))
            }
            Status::Paused { by } => {
                writeln!(out, "             by {}", Escaped(by))?;
                writeln!(
                    out,
                    "             continue: {}",
                    Hint::new(self.data, &["instances", "resume", &hint::name(key)])
                )
            }
            Status::Diverged { call, message } => {
                writeln!(out, "             at call #{call}: {}", Quoted(message))?;
                let restart = Hint::new(self.data, &["instances", "restart", &hint::name(key)]);
                let (here, back) = (
                    restart.clone().with(["--keep-calls", "--component", "GUEST"]),
                    restart.with(["--from", "STEP"]),
                );
                writeln!(out, "             continue with a guest that takes the old path: {here}")?;
                writeln!(out, "             or from an earlier place: {back}")
            }
            Status::Completed(output) => writeln!(out, "  result     {}", Clipped(output)),
            Status::Failed(failure) => writeln!(out, "  failure    {failure}"),
            Status::Terminated { by, reason } => {
                write!(out, "             by {}", Escaped(by))?;
                reason.iter().try_for_each(|reason| write!(out, ": {}", Quoted(reason)))?;
                writeln!(out)
            }
        }
    }

    fn write_unknown(&self, out: &mut impl Write) -> std::io::Result<()> {
        let key = &self.history.key;
        for unknown in self.history.unknown.iter().filter(|unknown| unknown.finding.is_none()) {
            writeln!(
                out,
                "unknown      whether call #{} took place: look at the target, and say so",
                unknown.call
            )?;
            for finding in ["happened", "did-not-happen"] {
                let words = ["instances", "resolve", &hint::name(key), "--receipt", unknown.receipt.as_str()];
                let hint = Hint::new(self.data, &words).with(["--finding", finding, "--reason", "WORDS"]);
                writeln!(out, "  {finding:<14} {hint}")?;
            }
        }
        Ok(())
    }
}

fn write_call(out: &mut impl Write, call: &Call) -> std::io::Result<()> {
    let tried = if call.attempts > 1 { format!(" (attempt {})", call.attempts) } else { String::new() };
    let superseded = if call.superseded { ", counts no longer" } else { "" };
    writeln!(out, "  #{:<4} {}{tried}{superseded}", call.number, call.asked)?;
    writeln!(out, "        {}  {}", call.changed, call.stage)
}
