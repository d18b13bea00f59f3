//! `pp-host instances show`.

use crate::cli::data_dir::{Data, Which};
use crate::cli::hint::Hint;
use crate::cli::limit::LimitArgs;
use crate::cli::{Exit, hint, json_line, output, trust_on_record};
use clap::Args;
use engine::history::{Call, History, was_denied};
use serde_json::{Value, json};
use std::io::Write;
use store::{InstanceSummary, StoreError};
use workflow::{Clipped, Escaped, Pending, Quoted, Status, Wait};

/// Show one instance: its state, its waits, and all its calls.
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    which: Which,

    /// As one JSON object.
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    limits: LimitArgs,
}

impl Show {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let (_folder, store) = data.read()?;
        let key = self.which.key()?;
        let entered = store.entered(&key).wait()?.ok_or_else(|| StoreError::NoInstance(key.to_string()))?;
        let limits = self.limits.settings(data)?.of(&key.tenant).workflow;
        let facts = store.facts(Some(&key)).wait()?;
        let (course, denied) = (History::of(&facts, limits)?, was_denied(&facts));
        let mut out = output::stdout();
        match self.json {
            true => writeln!(out, "{}", json_line(&json(&course, &entered, denied))?)?,
            false => Shown { data, course: &course, entered: &entered, denied }.write(&mut out)?,
        }
        if matches!(&course.status, Status::Waiting(wait) if wait.request().is_some()) {
            let trust = trust_on_record::read(data)?;
            trust_on_record::tell_of_freezes(data, &trust, |tenant| *tenant == key.tenant);
        }
        Ok(Exit::Done)
    }
}

/// An instance for people.
struct Shown<'a> {
    data: &'a Data,
    course: &'a History,
    entered: &'a InstanceSummary,
    denied: bool,
}

impl Shown<'_> {
    fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        let History { key, workflow, actor, component, params, started_at, events, .. } = self.course;
        writeln!(out, "{key}")?;
        let denied = if self.denied { ", an action was denied" } else { "" };
        writeln!(out, "  status     {} since {}{denied}", self.entered.agenda.standing, self.entered.since)?;
        self.write_status(out)?;
        writeln!(out, "  workflow   {}, actor {actor}", Quoted(workflow))?;
        for (what, person) in [("operated", &self.course.operator), ("submitted", &self.course.submitter)] {
            person.iter().try_for_each(|person| writeln!(out, "             {what} by {person}"))?;
        }
        writeln!(out, "  component  sha256 {component}")?;
        writeln!(out, "  params     {}", Clipped(params))?;
        writeln!(out, "  started    {started_at}")?;
        if events.received > 0 {
            writeln!(out, "  events     {} received, {} taken", events.received, events.taken)?;
        }
        for call in &self.course.calls {
            write_call(out, call)?;
        }
        self.write_unknown(out)
    }

    fn write_status(&self, out: &mut impl Write) -> std::io::Result<()> {
        let key = &self.course.key;
        match &self.course.status {
            Status::Queued | Status::Running => Ok(()),
            Status::Waiting(Wait { on }) => {
                on.iter().try_for_each(|pending| writeln!(out, "             for {pending}"))
            }
            Status::Paused { by } => {
                writeln!(out, "             by {}", Escaped(by))?;
                writeln!(
                    out,
                    "             go on: {}",
                    Hint::new(self.data, &["instances", "resume", &hint::name(key)])
                )
            }
            Status::Diverged { call, message } => {
                writeln!(out, "             at call #{call}: {}", Quoted(message))?;
                let restart = Hint::new(self.data, &["instances", "restart", &hint::name(key)]);
                let (here, back) = (
                    restart.clone().with(["--here", "--component", "GUEST"]),
                    restart.with(["--from", "STEP"]),
                );
                writeln!(out, "             go on with a guest that takes the old path: {here}")?;
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
        let key = &self.course.key;
        for unknown in self.course.unknown.iter().filter(|unknown| unknown.finding.is_none()) {
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
    let void = if call.void { ", counts no longer" } else { "" };
    writeln!(out, "  #{:<4} {}{tried}{void}", call.number, call.asked)?;
    writeln!(out, "        {}  {}", call.changed, call.stage)
}

fn json(course: &History, entered: &InstanceSummary, denied: bool) -> Value {
    let calls: Vec<_> = course.calls.iter().map(call).collect();
    let unknown: Vec<_> = course
        .unknown
        .iter()
        .map(
            |unknown| json!({ "call": unknown.call, "receipt": unknown.receipt, "finding": unknown.finding }),
        )
        .collect();
    let mut line = json!({
        "tenant": course.key.tenant,
        "instance": course.key.instance,
        "status": entered.agenda.standing,
        "since": entered.since,
        "due": entered.agenda.due,
        "denied": denied,
        "workflow": course.workflow,
        "actor": course.actor,
        "operator": course.operator.as_ref().map(ToString::to_string),
        "submitter": course.submitter.as_ref().map(ToString::to_string),
        "component": course.component,
        "params": course.params,
        "started_at": course.started_at,
        "changed_at": course.changed_at,
        "events": { "received": course.events.received, "taken": course.events.taken },
        "calls": calls,
        "unknown": unknown,
    });
    for (name, value) in end(&course.status) {
        line[name] = value;
    }
    line
}

/// The details of a status.
fn end(status: &Status) -> Vec<(&'static str, Value)> {
    match status {
        Status::Queued | Status::Running => Vec::new(),
        Status::Waiting(Wait { on }) => vec![("waits_for", on.iter().map(pending).collect())],
        Status::Paused { by } => vec![("by", json!(by))],
        Status::Diverged { call, message } => vec![("diverged_at", json!(call)), ("message", json!(message))],
        Status::Completed(output) => vec![("output", json!(output))],
        Status::Failed(failure) => vec![("failure", json!(failure))],
        Status::Terminated { by, reason } => vec![("by", json!(by)), ("reason", json!(reason))],
    }
}

fn pending(pending: &Pending) -> Value {
    match pending {
        Pending::Approval { call, request, expires_at } => {
            json!({ "for": "decision", "call": call, "request": request, "until": expires_at })
        }
        Pending::Event { call, name, event_type, until } => {
            json!({ "for": "event", "call": call, "name": name, "type": event_type, "until": until })
        }
        Pending::Sleep { call, name, until } => {
            json!({ "for": "sleep", "call": call, "name": name, "until": until })
        }
        Pending::Retry { call, name, attempt, at } => {
            json!({ "for": "retry", "call": call, "name": name, "attempt": attempt, "until": at })
        }
    }
}

fn call(call: &Call) -> Value {
    json!({
        "call": call.number,
        "asked": call.asked,
        "began_at": call.began,
        "changed_at": call.changed,
        "attempts": call.attempts,
        "stage": call.stage.word(),
        "says": call.stage.to_string(),
        "request": call.stage.request(),
        "receipt": call.stage.receipt(),
        "void": call.void,
    })
}
