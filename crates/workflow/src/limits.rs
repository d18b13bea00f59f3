//! The bounds on a guest's calls. Each has a name, a value and a reason.

use crate::command::step::later;
use crate::{
    Action, Alarm, Call, Command, Entry, EventType, Expectation, Failure, Invocation, Sleep, Start,
    StepConfig,
};
use receipt::{Json, JsonError, Timestamp};
use std::time::Duration;

/// The bounds on one instance's calls and records. The defaults start from those of Cloudflare Workflows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Calls an instance: steps, sleeps, waits, approvals and actions together. Default 10 000, as on Cloudflare.
    pub calls: u32,
    /// Started calls of a workflow that have not ended. Default 1 000: one wait for all of them is a few kilobytes of
    /// journal.
    pub started_calls: u32,
    /// Retries of a step. Default 10 000, as on Cloudflare.
    pub retries: u32,
    /// The longest sleep, wait, attempt or retry delay. Default 365 days, as on Cloudflare.
    pub sleep: Duration,
    /// Bytes in an event's payload. Default 1 MiB, as on Cloudflare.
    pub event_bytes: usize,
    /// Events that no wait has asked for. Default 1 000: a workflow with more does not read its events.
    pub events: usize,
    /// Characters in the name of a step, a sleep or a wait. Default 256, as on Cloudflare.
    pub step_name_chars: usize,
    /// Bytes in a step's or a workflow's result, and in the parameters. Default 1 MiB, as on Cloudflare.
    pub result_bytes: usize,
    /// Bytes in all step results and events of an instance together. Default 64 MiB: every drive reads them all.
    pub journal_bytes: usize,
    /// Bytes in an action's evidence. Default 64 KiB: more than an approver reads.
    pub evidence_bytes: usize,
    /// Bytes in an action's reason and in a failure's message. Default 4 KiB: some 600 words.
    pub reason_bytes: usize,
    /// Bytes in an action's resource. Default 1 KiB: twice a long URL.
    pub resource_bytes: usize,
    /// Bytes in an artifact. Default 64 MiB: six times Cloudflare's largest compressed Worker.
    pub artifact_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls: 10_000,
            started_calls: 1_000,
            retries: 10_000,
            sleep: Duration::from_secs(365 * 86_400),
            event_bytes: 1 << 20,
            events: 1_000,
            step_name_chars: 256,
            result_bytes: 1 << 20,
            journal_bytes: 64 << 20,
            evidence_bytes: 64 << 10,
            reason_bytes: 4 << 10,
            resource_bytes: 1 << 10,
            artifact_bytes: 64 << 20,
        }
    }
}

/// The names of the bounds in errors, settings and on the command line.
pub mod names {
    /// The name of [`Limits::calls`](super::Limits::calls).
    pub const CALLS: &str = "calls";
    /// The name of [`Limits::started_calls`](super::Limits::started_calls).
    pub const STARTED_CALLS: &str = "started-calls";
    /// The name of [`Limits::retries`](super::Limits::retries).
    pub const RETRIES: &str = "retries";
    /// The name of [`Limits::sleep`](super::Limits::sleep).
    pub const SLEEP_SECONDS: &str = "sleep-seconds";
    /// The name of [`Limits::event_bytes`](super::Limits::event_bytes).
    pub const EVENT_BYTES: &str = "event-bytes";
    /// The name of [`Limits::events`](super::Limits::events).
    pub const EVENTS: &str = "events";
    /// The name of [`Limits::step_name_chars`](super::Limits::step_name_chars).
    pub const STEP_NAME_CHARS: &str = "step-name-chars";
    /// The name of [`Limits::result_bytes`](super::Limits::result_bytes).
    pub const RESULT_BYTES: &str = "result-bytes";
    /// The name of [`Limits::journal_bytes`](super::Limits::journal_bytes).
    pub const JOURNAL_BYTES: &str = "journal-bytes";
    /// The name of [`Limits::evidence_bytes`](super::Limits::evidence_bytes).
    pub const EVIDENCE_BYTES: &str = "evidence-bytes";
    /// The name of [`Limits::reason_bytes`](super::Limits::reason_bytes).
    pub const REASON_BYTES: &str = "reason-bytes";
    /// The name of [`Limits::resource_bytes`](super::Limits::resource_bytes).
    pub const RESOURCE_BYTES: &str = "resource-bytes";
    /// The name of [`Limits::artifact_bytes`](super::Limits::artifact_bytes).
    pub const ARTIFACT_BYTES: &str = "artifact-bytes";
}

/// Why a command is refused.
pub(crate) enum CommandRefusal {
    /// The journal is as long as it may be.
    TooManyCalls(String),
    /// The command itself.
    Unacceptable(String),
}

impl Limits {
    /// Checks a command that is not in the journal; `started` is the number of started calls that have not ended, and
    /// times before `now` are the past.
    pub(crate) fn check(
        &self,
        call: Call,
        started: usize,
        command: &Command,
        now: Timestamp,
    ) -> Result<(), CommandRefusal> {
        if call >= self.calls {
            return Err(CommandRefusal::TooManyCalls(over(
                names::CALLS,
                "calls an instance",
                self.calls,
                "more",
            )));
        }
        match command {
            Command::BeginStep { name } => self.check_name("a step", name),
            Command::Sleep(sleep) => self.check_sleep(sleep, now),
            Command::WaitForEvent(expectation) => self.check_expectation(expectation),
            Command::RequireApproval(action) => self.check_action(action),
            Command::Perform(invocation) => self.check_invocation(invocation),
            Command::Start(start) => {
                self.check_started_calls(started).and_then(|()| self.check_start(start, now))
            }
            Command::EndStep { .. } | Command::FailStep { .. } | Command::Await { .. } => Ok(()),
        }
        .map_err(CommandRefusal::Unacceptable)
    }

    /// Checks an event; `waiting` is the number of undelivered events, `kept` the bytes that the instance keeps
    /// already.
    pub(crate) fn check_event(&self, payload: &str, waiting: usize, kept: usize) -> Result<(), Failure> {
        let refused = |message| Err(Failure { name: "invalid-event".to_owned(), message });
        let total = kept.saturating_add(payload.len());
        match payload.len() {
            length if length > self.event_bytes => {
                refused(over(names::EVENT_BYTES, "bytes in an event", self.event_bytes, length))
            }
            _ if waiting >= self.events => {
                refused(over(names::EVENTS, "events that no wait has asked for", self.events, "more"))
            }
            _ if total > self.journal_bytes => refused(self.over_journal(total)),
            _ => match Json::parse(payload) {
                Ok(_) => Ok(()),
                Err(error) => refused(format!("the event's payload cannot be used: {}", json_error(&error))),
            },
        }
    }

    /// The time of the next attempt after this failure; `None` if the instance may keep no more bytes.
    pub(crate) fn retry_at(
        &self,
        kept: usize,
        failure: &Failure,
        delay: u64,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let total = kept.saturating_add(failure.name.len() + failure.message.len());
        (total <= self.journal_bytes).then(|| later(now, delay.min(self.sleep_ms())))
    }

    /// The recorded end of a step. A result that does not fit with the `kept` bytes is a failure.
    pub(crate) fn step_end(&self, kept: usize, result: &Result<String, Failure>) -> Result<String, Failure> {
        let output = self.end("step result", result)?;
        match kept.saturating_add(output.len()) {
            total if total > self.journal_bytes => Err(invalid(self.over_journal(total))),
            _ => Ok(output),
        }
    }

    /// A workflow's end as it is recorded.
    pub(crate) fn workflow_end(&self, result: &Result<String, Failure>) -> Entry {
        match self.end("workflow's result", result) {
            Ok(output) => Entry::Completed { output },
            Err(failure) => Entry::Failed { failure },
        }
    }

    /// Checks the parameters that an instance is started with.
    ///
    /// # Errors
    /// The parameters are not JSON, or too large; the message says which of the two.
    pub fn check_params(&self, params: &str) -> Result<(), Failure> {
        self.check_length("parameters", params)?;
        Json::parse(params).map(drop).map_err(|error| invalid(json_error(&error)))
    }

    fn end(&self, what: &str, result: &Result<String, Failure>) -> Result<String, Failure> {
        match result {
            Ok(output) => self.check_json(what, output).map(|()| output.clone()),
            Err(failure) => Err(self.cut(failure)),
        }
    }

    fn check_name(&self, what: &str, name: &str) -> Result<(), String> {
        let length = name.chars().count();
        match length {
            0 => Err(format!("{what} needs a name of at least one character")),
            _ if length > self.step_name_chars => {
                let what = format!("characters in {what}'s name");
                Err(over(names::STEP_NAME_CHARS, &what, self.step_name_chars, length))
            }
            _ if name.chars().any(char::is_control) => Err(format!(
                "{what}'s name must not have control characters; use letters, digits, spaces and signs"
            )),
            _ => Ok(()),
        }
    }

    fn check_started_calls(&self, started: usize) -> Result<(), String> {
        match started < self.started_calls as usize {
            true => Ok(()),
            false => Err(over(
                names::STARTED_CALLS,
                "started calls that have not ended",
                self.started_calls,
                "more",
            )),
        }
    }

    fn check_start(&self, start: &Start, now: Timestamp) -> Result<(), String> {
        match start {
            Start::Step { name, config } => {
                self.check_name("a step", name).and_then(|()| self.check_config(config))
            }
            Start::Sleep(sleep) => self.check_sleep(sleep, now),
            Start::WaitForEvent(expectation) => self.check_expectation(expectation),
            Start::RequireApproval(action) => self.check_action(action),
        }
    }

    fn check_config(&self, config: &StepConfig) -> Result<(), String> {
        if config.retries > self.retries {
            return Err(over(names::RETRIES, "retries of a step", self.retries, config.retries));
        }
        self.check_span("seconds between two attempts", config.delay_ms)?;
        match config.timeout_ms {
            0 => Err("an attempt needs some time: a timeout of at least one millisecond".to_owned()),
            timeout => self.check_span("seconds for an attempt", timeout),
        }
    }

    fn check_sleep(&self, sleep: &Sleep, now: Timestamp) -> Result<(), String> {
        self.check_name("a sleep", &sleep.name)?;
        match sleep.alarm {
            Alarm::In(ms) => self.check_span("seconds of sleep", ms),
            Alarm::At(at) if at < now => {
                Err(format!("a workflow cannot sleep until {at}: that is in the past, it is {now}"))
            }
            Alarm::At(at) => {
                let ms = at.as_millis().saturating_sub(now.as_millis());
                self.check_span("seconds of sleep", ms.unsigned_abs())
            }
        }
    }

    fn check_expectation(&self, expectation: &Expectation) -> Result<(), String> {
        self.check_name("a wait", &expectation.name)?;
        expectation.event_type.parse::<EventType>().map_err(|invalid| invalid.to_string())?;
        match expectation.timeout_ms {
            0 => Err("a wait needs some time: a timeout of at least one millisecond".to_owned()),
            timeout => self.check_span("seconds of waiting", timeout),
        }
    }

    fn check_span(&self, what: &str, ms: u64) -> Result<(), String> {
        let asked = Duration::from_millis(ms).as_secs_f64();
        match ms > self.sleep_ms() {
            true => Err(over(names::SLEEP_SECONDS, what, self.sleep.as_secs(), asked)),
            false => Ok(()),
        }
    }

    fn sleep_ms(&self) -> u64 {
        u64::try_from(self.sleep.as_millis()).unwrap_or(u64::MAX)
    }

    fn over_journal(&self, total: usize) -> String {
        let what = "bytes in all step results and events together";
        over(names::JOURNAL_BYTES, what, self.journal_bytes, total)
    }

    fn check_action(&self, action: &Action) -> Result<(), String> {
        check_capability(&action.capability)?;
        self.check_resource(&action.resource)?;
        if action.reason.len() > self.reason_bytes {
            return Err(over(
                names::REASON_BYTES,
                "bytes in a reason",
                self.reason_bytes,
                action.reason.len(),
            ));
        }
        if action.evidence.len() > self.evidence_bytes {
            return Err(over(
                names::EVIDENCE_BYTES,
                "bytes of evidence",
                self.evidence_bytes,
                action.evidence.len(),
            ));
        }
        // Numbers must read back exactly as written, because people approve the written text.
        Json::parse_exact(&action.evidence).map_err(|error| match error {
            JsonError::Inexact { .. } => format!("the evidence cannot be signed as it is written: {error}"),
            _ => format!("the evidence is not JSON: {error}"),
        })?;
        match &action.artifact {
            Some(artifact) => self.check_artifact(&artifact.facts().name, artifact.facts().bytes),
            None => Ok(()),
        }
    }

    fn check_invocation(&self, invocation: &Invocation) -> Result<(), String> {
        self.check_resource(&invocation.resource)?;
        self.check_artifact(&invocation.artifact.facts().name, invocation.artifact.facts().bytes)
    }

    fn check_resource(&self, resource: &str) -> Result<(), String> {
        match resource.len() {
            0 => Err("an action needs a resource, such as cloudflare://workers/acme/app".to_owned()),
            length if length > self.resource_bytes => {
                Err(over(names::RESOURCE_BYTES, "bytes in a resource", self.resource_bytes, length))
            }
            _ if resource.chars().any(|c| c.is_control() || c.is_whitespace()) => {
                Err("a resource must not have white space or control characters; percent-encode them"
                    .to_owned())
            }
            _ => Ok(()),
        }
    }

    fn check_artifact(&self, name: &str, bytes: u64) -> Result<(), String> {
        let length = name.chars().count();
        if !(1..=256).contains(&length) || name.chars().any(char::is_control) {
            return Err("an artifact's name has 1 to 256 characters and no control characters".to_owned());
        }
        match bytes > self.artifact_bytes {
            true => Err(over(names::ARTIFACT_BYTES, "bytes in an artifact", self.artifact_bytes, bytes)),
            false => Ok(()),
        }
    }

    fn check_length(&self, what: &str, text: &str) -> Result<(), Failure> {
        if text.len() > self.result_bytes {
            let bound = format!("bytes in the {what}");
            return Err(invalid(over(names::RESULT_BYTES, &bound, self.result_bytes, text.len())));
        }
        Ok(())
    }

    fn check_json(&self, what: &str, text: &str) -> Result<(), Failure> {
        self.check_length(what, text)?;
        Json::parse(text).map(drop).map_err(|error| invalid(format!("the {what} is not JSON: {error}")))
    }

    fn cut(&self, failure: &Failure) -> Failure {
        let cut = |text: &str| match text.len() <= self.reason_bytes {
            true => text.to_owned(),
            false => {
                let end = text.floor_char_boundary(self.reason_bytes);
                format!("{} [{} more bytes not kept]", &text[..end], text.len() - end)
            }
        };
        Failure { name: cut(&failure.name), message: cut(&failure.message) }
    }
}

/// An error in JSON that a person typed: a word that begins like `null` was not meant as one.
fn json_error(error: &JsonError) -> String {
    match error {
        JsonError::Syntax { at, expected: "null" | "true" | "false" } => {
            format!("not JSON at byte {at}: expected a value")
        }
        other => other.to_string(),
    }
}

fn invalid(message: String) -> Failure {
    Failure { name: "invalid-result".to_owned(), message }
}

/// A capability is a dotted name with at least one dot: the part before the last dot is the tool, the rest the
/// operation.
fn check_capability(capability: &str) -> Result<(), String> {
    let segment = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
    };
    // 128 is the longest identifier that a receipt's public projection can carry.
    let fits = capability.len() <= 128 && capability.contains('.') && capability.split('.').all(segment);
    let rule = "a capability is a dotted name such as cloudflare.dynamic-worker.deploy, at most 128 of A-Z a-z 0-9 _ - .";
    fits.then_some(()).ok_or_else(|| rule.to_owned())
}

/// The message for an exceeded limit: its name, its value, the requested amount, and how to raise it.
fn over(name: &str, what: &str, limit: impl std::fmt::Display, asked: impl std::fmt::Display) -> String {
    format!(
        "limit {name} reached: at most {limit} {what}, and {asked} were asked for; an operator raises it with --limit {name}=N, or permanently in pp-host.toml"
    )
}
