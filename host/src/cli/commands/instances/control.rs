//! `pp-host instances pause`, `resume`, `terminate`, `restart`, `delete`, `send-event` and `resolve`.

use crate::cli::commands::arguments;
use crate::cli::commands::arguments::JsonArg;
use crate::cli::commands::arguments::file_limits::FileLimits;
use crate::cli::options::data_dir::{Data, InstanceArg};
use crate::cli::output::json_line;
use crate::cli::{Exit, output, session};
use clap::{Args, ValueEnum};
use engine::api::{InstanceCommand, Operation, OperationOutcome, RestartPoint};
use serde_json::json;
use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use store::InstanceKey;
use workflow::{EventType, ReceiptId};

/// A command on an instance without further arguments.
#[derive(Debug, Args)]
pub(crate) struct PlainCommand {
    #[command(flatten)]
    which: InstanceArg,

    #[command(flatten)]
    format: FormatArgs,
}

/// The output format.
#[derive(Debug, Args)]
struct FormatArgs {
    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// End an instance in any state.
#[derive(Debug, Args)]
pub(crate) struct Terminate {
    #[command(flatten)]
    which: InstanceArg,

    /// The reason.
    #[arg(long)]
    reason: Option<String>,

    #[command(flatten)]
    format: FormatArgs,
}

/// Restart a workflow from an earlier place, or from its beginning.
///
/// Its calls from there on no longer count, and are made again. Decisions, redemptions and effects still count; waiting
/// requests are withdrawn. An ended instance continues from there.
#[derive(Debug, Args)]
pub(crate) struct Restart {
    #[command(flatten)]
    which: InstanceArg,

    /// The step, sleep or wait to go back to, by its name: it is done again. Default: the beginning.
    #[arg(long, value_name = "NAME")]
    from: Option<String>,

    /// The number of the call among the calls of that name, from 1.
    #[arg(long, value_name = "N", default_value = "1", requires = "from")]
    nth: NonZeroUsize,

    /// Do not go back: all earlier calls count, and other code continues.
    #[arg(long, alias = "here", conflicts_with = "from", requires = "component")]
    keep_calls: bool,

    /// Other code to continue with. Default: the component that it was loaded with.
    #[arg(long, value_name = "GUEST")]
    component: Option<PathBuf>,

    #[command(flatten)]
    format: FormatArgs,
}

/// Send an instance an event.
#[derive(Debug, Args)]
pub(crate) struct SendEvent {
    #[command(flatten)]
    which: InstanceArg,

    /// The event's type.
    #[arg(value_name = "TYPE")]
    event_type: EventType,

    /// The payload: JSON, or @FILE to read it from a file.
    #[arg(long, value_name = "JSON|@FILE", default_value = "null")]
    payload: JsonArg,

    #[command(flatten)]
    format: FormatArgs,
}

/// Record a finding about an action whose outcome was unknown. The signed attestation is not changed.
#[derive(Debug, Args)]
pub(crate) struct Resolve {
    #[command(flatten)]
    which: InstanceArg,

    /// The receipt that the action spent: `instances show` names it.
    #[arg(long)]
    receipt: ReceiptId,

    /// The finding.
    #[arg(long)]
    finding: Finding,

    /// The person who found it out, if it was not the account that runs this. Both are recorded.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,

    /// How that person knows it.
    #[arg(long)]
    reason: String,

    #[command(flatten)]
    format: FormatArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Finding {
    /// The action took place.
    Happened,
    /// The action did not take place.
    DidNotHappen,
}

impl PlainCommand {
    pub(crate) fn handle(&self, data: &Data, handling: InstanceCommand) -> anyhow::Result<Exit> {
        handle(data, self.which.key()?, handling, &self.format)
    }
}

impl Terminate {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let terminate = InstanceCommand::Terminate { reason: self.reason.clone() };
        handle(data, self.which.key()?, terminate, &self.format)
    }
}

impl Restart {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let key = self.which.key()?;
        let component = match &self.component {
            Some(path) => {
                arguments::component(path, None, data, &FileLimits::of_the_owner(data, &key.tenant)?)?
            }
            None => Vec::new(),
        };
        let point = match &self.from {
            Some(name) => RestartPoint::Call { name: name.clone(), nth: self.nth.get() - 1 },
            None if self.keep_calls => RestartPoint::Current,
            None => RestartPoint::Beginning,
        };
        let restart = InstanceCommand::Restart { point, component: component.into() };
        handle(data, key, restart, &self.format)
    }
}

impl SendEvent {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let key = self.which.key()?;
        let payload = self.payload.event(&FileLimits::of_the_owner(data, &key.tenant)?)?;
        let send = InstanceCommand::SendEvent { event_type: self.event_type.clone(), payload };
        handle(data, key, send, &self.format)
    }
}

impl Resolve {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let finding = match self.finding {
            Finding::Happened => workflow::Finding::Succeeded,
            Finding::DidNotHappen => workflow::Finding::Failed,
        };
        let (receipt, reason) = (self.receipt.clone(), self.reason.clone());
        let resolve = InstanceCommand::Resolve { receipt, finding, found_by: self.by.clone(), reason };
        handle(data, self.which.key()?, resolve, &self.format)
    }
}

fn handle(
    data: &Data,
    key: InstanceKey,
    handling: InstanceCommand,
    format: &FormatArgs,
) -> anyhow::Result<Exit> {
    let is_all = matches!(handling, InstanceCommand::Pause | InstanceCommand::Terminate { .. });
    let done = match &handling {
        InstanceCommand::SendEvent { event_type, .. } => format!("event {event_type} is received"),
        InstanceCommand::Pause => "is paused".to_owned(),
        InstanceCommand::Resume => "is resumed".to_owned(),
        InstanceCommand::Terminate { .. } => "is terminated".to_owned(),
        InstanceCommand::Restart { .. } => "is sent back".to_owned(),
        InstanceCommand::Resolve { receipt, .. } => {
            format!("the action that {receipt} permitted is resolved")
        }
        InstanceCommand::Delete => "is deleted; its receipts stay".to_owned(),
    };
    let state = match session::operate(data, Operation::ControlInstance { key: key.clone(), handling })? {
        OperationOutcome::State { state } => Some(state),
        OperationOutcome::Done => None,
        other => return Err(session::unexpected(&other)),
    };
    let mut out = output::stdout();
    match (format.json, state) {
        (true, state) => {
            let line = json!({ "tenant": key.tenant, "instance": key.instance, "status": state });
            writeln!(out, "{}", json_line(&line)?)?;
        }
        (false, Some(state)) if !is_all => writeln!(out, "{key}  {done}; it is {state}")?,
        (false, _) => writeln!(out, "{key}  {done}")?,
    }
    Ok(Exit::Done)
}
