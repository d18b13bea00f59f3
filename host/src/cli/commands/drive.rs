//! `pp-host drive`.

use crate::cli::commands::foreground::{DecisionMode, Foreground, ForegroundArgs, Transcript, show};
use crate::cli::options::data_dir::{Data, InstanceArg};
use crate::cli::output::hint;
use crate::cli::{Exit, session};
use anstyle::Style;
use anyhow::Context as _;
use clap::Args;
use engine::Waiting;
use engine::api::{Operation, OperationOutcome, Principal, Query, ReadOnlyHost};
use engine::issuer::Judgement;
use store::InstanceKey;

/// Continue an instance that waits or was interrupted.
#[derive(Debug, Args)]
pub(crate) struct Drive {
    #[command(flatten)]
    which: InstanceArg,

    /// Approve the requests that wait, as the demo decider.
    #[arg(long, group = "mode")]
    approve: bool,

    /// Deny the requests that wait, as the demo decider.
    #[arg(long, group = "mode")]
    deny: bool,

    /// Ask at the terminal, showing what will be signed.
    #[arg(long, group = "mode")]
    ask: bool,

    #[command(flatten)]
    common: ForegroundArgs,
}

impl Drive {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let mode = match () {
            () if self.approve => Some(DecisionMode::Approve),
            () if self.deny => Some(DecisionMode::Deny),
            () if self.ask => Some(DecisionMode::Ask),
            () => None,
        };
        mode.map_or(Ok(()), DecisionMode::check)?;
        let key = self.which.key()?;
        check_exists(data, &key)?;
        if let Some(mode) = mode
            && (data.is_shared() || session::works_elsewhere(data))
        {
            return decide_elsewhere(data, Transcript { json: self.common.json }, &key, mode);
        }
        let name = hint::name(&key);
        let instead = format!(
            "that process continues {key} when it can; pp-host watch {name} shows it, pp-host instances resume {name} ends a pause, and pp-host approvals lists what waits for a decision"
        );
        let foreground = Foreground::open(data, &self.common, (mode, DecisionMode::Wait), &instead)?;
        foreground.transcript.print_labelled(Style::new().bold(), "instance", &key);
        if let (true, Some(end)) =
            (foreground.instance(&key)?.row.status.has_ended(), foreground.facts(&key)?.pop())
        {
            foreground.transcript.print_fact(&end);
        }
        foreground.drive(&key)
    }
}

/// Checks that the instance exists, before a host is opened that would create the folder.
fn check_exists(data: &Data, key: &InstanceKey) -> anyhow::Result<()> {
    let reading = ReadOnlyHost::open_at(&data.path, &data.location()?, None)?;
    let first = Query::Facts { key: key.clone(), from: 0, limit: 1 };
    Ok(reading.view(&Principal::own(), first).map(drop)?)
}

/// Decides the request of an instance that another process drives.
fn decide_elsewhere(
    data: &Data,
    transcript: Transcript,
    key: &InstanceKey,
    mode: DecisionMode,
) -> anyhow::Result<Exit> {
    let waiting = session::read(data)?.waiting()?.into_iter().find(|waiting| waiting.key == *key);
    let Waiting { request, .. } = waiting.with_context(|| format!("{key} waits for no decision"))?;
    show(transcript, mode, &request);
    let Some(Judgement { decision, reason, .. }) = mode.decide(&request)? else { return Ok(Exit::Waiting) };
    let (request, attended) = (request.id, mode.attended());
    match session::operate(data, Operation::DecideAsDemo { request, decision, attended, reason })? {
        OperationOutcome::Issued { receipt, status, expires_at, key } => {
            transcript.print_labelled(
                Style::new().bold(),
                "receipt",
                format_args!("{receipt} {status}, redeemable until {expires_at}"),
            );
            transcript.detail("go on", session::go_on(data, &key));
            Ok(Exit::Done)
        }
        other => Err(session::unexpected(&other)),
    }
}
