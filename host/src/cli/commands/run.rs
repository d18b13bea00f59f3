//! `pp-host run`.

use crate::cli::commands::arguments::Workflow;
use crate::cli::commands::arguments::file_limits::FileLimits;
use crate::cli::commands::foreground::{DecisionMode, Foreground, ForegroundArgs};
use crate::cli::options::data_dir::Data;
use crate::cli::output::progress;
use crate::cli::{Exit, session};
use anyhow::Context as _;
use clap::Args;
use engine::api::{Operation, OperationOutcome};
use workflow::Quoted;

/// Run a workflow until it ends or waits.
#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    workflow: Workflow,

    /// Deny every action, to see what the workflow does without it.
    #[arg(long, group = "mode")]
    deny: bool,

    /// Ask at the terminal, showing what will be signed.
    #[arg(long, group = "mode")]
    ask: bool,

    /// Park at the first action that needs a decision, and exit with 3.
    #[arg(long, group = "mode")]
    wait: bool,

    #[command(flatten)]
    common: ForegroundArgs,
}

impl Run {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let mode = match () {
            () if self.deny => Some(DecisionMode::Deny),
            () if self.ask => Some(DecisionMode::Ask),
            () if self.wait => Some(DecisionMode::Wait),
            () => None,
        };
        mode.map_or(Ok(()), DecisionMode::check)?;
        let Workflow { guest, tenant, .. } = &self.workflow;
        let file_limits = FileLimits::here(data, &self.common.limits, tenant)?;
        let (bytes, params) = self.workflow.read(data, &file_limits)?;
        let instead =
            "give it the workflow with pp-host submit, and see what becomes of it with pp-host watch";
        let foreground = Foreground::open(data, &self.common, (mode, DecisionMode::Approve), instead)?;
        let loaded = progress::while_compiling(bytes.len(), || foreground.host.load_for(tenant, bytes));
        let workflow = loaded.with_context(|| guest.display().to_string())?;
        foreground.transcript.loaded(&Quoted(&self.workflow.name()).to_string(), workflow.program());
        let submit = Operation::Submit(self.workflow.submission(None, params, workflow.bytes().into()));
        let key = match foreground.host.operate(submit)? {
            OperationOutcome::Submitted { key, .. } => key,
            other => return Err(session::unexpected(&other)),
        };
        foreground.transcript.detail("instance", &key.instance);
        foreground.drive(&key)
    }
}
