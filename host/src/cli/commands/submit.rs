//! `pp-host submit`.

use crate::cli::commands::arguments::Workflow;
use crate::cli::commands::arguments::file_limits::FileLimits;
use crate::cli::options::data_dir::Data;
use crate::cli::output::json_line;
use crate::cli::session::trust_on_record;
use crate::cli::{Exit, output, session};
use clap::Args;
use engine::api::{Created, Operation, OperationOutcome};
use serde_json::json;
use std::io::Write as _;
use workflow::InstanceId;

/// Create an instance and return at once. `pp-host work` or `pp-host drive` drives it.
#[derive(Debug, Args)]
pub(crate) struct Submit {
    #[command(flatten)]
    workflow: Workflow,

    /// The instance's id, unique in its tenant. Submitting the same input under the same id again creates no second
    /// instance. Default: a new id.
    #[arg(long)]
    id: Option<InstanceId>,

    /// One JSON object.
    #[arg(long)]
    json: bool,
}

impl Submit {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let file_limits = FileLimits::of_the_owner(data, &self.workflow.tenant)?;
        let (bytes, params) = self.workflow.read(data, &file_limits)?;
        let operation = Operation::Submit(self.workflow.submission(self.id.clone(), params, bytes.into()));
        let (key, created) = match session::operate(data, operation)? {
            OperationOutcome::Submitted { key, created } => (key, created),
            other => return Err(session::unexpected(&other)),
        };
        let mut out = output::stdout();
        match (self.json, created) {
            (true, created) => {
                let line = json!({ "tenant": key.tenant, "instance": key.instance, "created": created });
                writeln!(out, "{}", json_line(&line)?)?;
            }
            (false, Created::New) => writeln!(out, "{key}")?,
            (false, Created::Existing) => writeln!(out, "{key}  was submitted before, with the same input")?,
        }
        // A host that this command opened itself has printed it.
        if session::works_elsewhere(data) {
            let trust = trust_on_record::read(data)?;
            trust_on_record::print_freezes(data, &trust, |tenant| *tenant == key.tenant);
        }
        Ok(Exit::Done)
    }
}
