//! The facts of a run as they happen: lines for people, or one JSON object a line for programs.

use crate::cli::output;
use crate::cli::output::json_line;
use anstyle::{AnsiColor, Style};
use engine::issuer::Request;
use sandbox::Program;
use serde_json::Value;
use std::fmt::Display;
use std::io::Write;
use store::Fact;
use workflow::{Clipped, Effect, Entry, Escaped, Quoted, RecordedCommand};

/// Prints a run for people.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Transcript {
    /// Facts go to standard output as JSON, and the people's lines to standard error.
    pub(crate) json: bool,
}

const LABEL: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

impl Transcript {
    /// Prints one fact.
    pub(crate) fn print_fact(self, fact: &Fact) {
        if self.json
            && let Ok(line) = json_line(fact)
        {
            let _ = writeln!(output::stdout(), "{line}");
        }
        self.print_entry(&fact.entry);
    }

    /// Prints the component, before any of its code runs.
    pub(crate) fn loaded(self, name: &str, program: &Program) {
        self.print_labelled(LABEL, "workflow", name);
        self.detail("sha256", program.digest());
        if let Some(script) = program.script() {
            self.detail("script", format_args!("on engine sha256 {}", script.engine.engine));
            for (name, sha256, bytes) in &script.modules {
                self.detail("module", format_args!("{}, {bytes} bytes, sha256 {sha256}", Escaped(name)));
            }
        }
        for import in program.imports() {
            self.detail("imports", Escaped(import));
        }
        match program.wasi_imports().count() {
            0 => self.detail("wasi", "no WASI"),
            count => self.detail(
                "wasi",
                format_args!("{count} interfaces, all inert: no files, no network, no environment"),
            ),
        }
    }

    /// A request, as an approver sees it.
    pub(crate) fn request(self, request: &Request) {
        self.print_labelled(LABEL, "approval", format_args!("{} waits for a decision", request.id));
        for line in request.to_string().lines() {
            self.line(format_args!("  {line}"));
        }
    }

    /// A line that begins with a label.
    pub(crate) fn print_labelled(self, style: Style, label: &str, text: impl Display) {
        self.line(format_args!("{style}{label:<12}{style:#}{text}"));
    }

    /// A line below a labelled one.
    pub(crate) fn detail(self, label: &str, text: impl Display) {
        self.line(format_args!("  {label:<10}{text}"));
    }

    fn line(self, text: impl Display) {
        let _ = match self.json {
            true => writeln!(anstream::stderr(), "{text}"),
            false => writeln!(output::stdout(), "{text}"),
        };
    }

    fn print_entry(self, entry: &Entry) {
        match entry {
            // `loaded` and `request` print these, with more detail.
            Entry::Loaded { .. } | Entry::Requested { .. } => {}
            Entry::Started { tenant, actor, .. } => {
                self.print_labelled(LABEL, "started", format_args!("tenant {tenant}, actor {actor}"))
            }
            Entry::StepStarted { name, .. } => {
                self.print_labelled(LABEL, "step", format_args!("{} …", Quoted(name)))
            }
            Entry::StepCompleted { call, output } => self.print_labelled(
                LABEL,
                "step",
                format_args!("#{call} completed, {} bytes of result recorded", output.len()),
            ),
            Entry::StepFailed { call, failure } => {
                self.print_labelled(BAD, "step", format_args!("#{call} failed: {failure}"))
            }
            Entry::Rejected { asked, message, .. } => {
                self.print_labelled(BAD, "rejected", format_args!("{asked}: {}", Quoted(message)))
            }
            Entry::Decided { decision, decider, reason, .. } => {
                self.decided(decision.as_str(), decider, reason.as_deref())
            }
            Entry::Issued { receipt, decision, key_id, expires_at, .. } => {
                self.print_labelled(
                    if *decision == receipt::Decision::Approved { GOOD } else { BAD },
                    "receipt",
                    format_args!("{receipt} {decision}"),
                );
                self.detail("key", key_id);
                self.detail("expires", expires_at);
            }
            Entry::Lapsed { request } => {
                self.print_labelled(BAD, "lapsed", format_args!("{request}: no decision in time"))
            }
            Entry::Signed { request, decision, decider, .. } => {
                let style = if *decision == receipt::Decision::Approved { GOOD } else { BAD };
                self.print_labelled(
                    style,
                    "signed",
                    format_args!("{request}: {decision} by {}", Escaped(decider)),
                );
            }
            Entry::Withdrawn { request, by, .. } => {
                self.print_labelled(BAD, "withdrawn", format_args!("{request} by {}", Escaped(by)))
            }
            Entry::Redeemed { receipt, .. } => self.print_labelled(
                LABEL,
                "gate",
                format_args!("{receipt} verified and spent: it permits this one action"),
            ),
            Entry::Refused { asked, check, message, .. } => self.refused(asked, *check, message),
            Entry::Performed { receipt, effect, .. } => self.performed(receipt.as_str(), effect),
            Entry::Attested { key_id, document, .. } => {
                let document: Value = serde_json::from_str(document).unwrap_or_default();
                let outcome =
                    document["attestation_artifact"]["outcome"].as_str().unwrap_or_default().to_owned();
                self.print_labelled(
                    LABEL,
                    "attested",
                    format_args!("{}, signed with {key_id}", Escaped(&outcome)),
                );
            }
            Entry::Completed { output } => self.print_labelled(GOOD, "result", Clipped(output)),
            Entry::Failed { failure } => self.print_labelled(BAD, "failed", failure),
            other => self.plainly(other),
        }
    }

    /// Prints an entry as an audit does.
    fn plainly(self, entry: &Entry) {
        let line = entry.to_string();
        match line.split_once(' ') {
            Some((label, text)) => self.print_labelled(LABEL, label, text.trim_start()),
            None => self.line(line),
        }
    }

    fn decided(self, decision: &str, decider: &str, reason: Option<&str>) {
        let style = if decision == "APPROVED" { GOOD } else { BAD };
        self.print_labelled(style, "decision", format_args!("{decision} by {}", Escaped(decider)));
        if decider.starts_with("demo:") {
            self.detail("scope", "demo: signed by no decider's key, and no production gate accepts it");
        }
        if let Some(reason) = reason {
            self.detail("reason", Quoted(reason));
        }
    }

    fn refused(self, asked: &RecordedCommand, check: workflow::Check, message: &str) {
        self.print_labelled(BAD, "gate", format_args!("refused by the {check} check: {}", Quoted(message)));
        self.detail("asked", asked);
    }

    fn performed(self, receipt: &str, effect: &Effect) {
        match effect {
            Effect::Succeeded { output, .. } => {
                let output: Value = serde_json::from_str(output).unwrap_or_default();
                let text = |name: &str| output[name].as_str().unwrap_or_default().to_owned();
                self.print_labelled(GOOD, "deployed", Escaped(&text("id")));
                self.detail("where", Escaped(&text("location")));
                self.detail("sha256", Escaped(&text("artifact_sha256")));
                self.detail("receipt", receipt);
            }
            Effect::Failed { message, .. } => {
                self.print_labelled(BAD, "failed", format_args!("nothing was done: {}", Quoted(message)))
            }
            Effect::Unknown { message } => self.print_labelled(
                BAD,
                "unknown",
                format_args!("it is unknown whether it was done: {}", Quoted(message)),
            ),
        }
    }
}
