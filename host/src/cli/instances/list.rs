//! `pp-host instances list`.

use crate::cli::data_dir::Data;
use crate::cli::{Exit, json_line};
use clap::Args;
use serde_json::json;
use std::io::Write as _;
use store::{InstanceState, InstanceSummary, ScheduleStore as _, Selection};
use workflow::TenantId;

/// List instances, newest first.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Of this tenant only.
    #[arg(long)]
    tenant: Option<TenantId>,

    /// That stand so: queued, running, waiting, paused, diverged, errored, complete, terminated.
    #[arg(long)]
    status: Option<InstanceState>,

    /// As many as that.
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u32,

    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

impl List {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let (_folder, store) = data.read()?;
        // One more than is shown, to know whether there are more.
        let limit = Some(self.limit.saturating_add(1));
        let selection = Selection { tenant: self.tenant.clone(), standing: self.status, limit };
        let found = store.list(&selection).wait()?;
        let shown = usize::try_from(self.limit).unwrap_or(usize::MAX).min(found.len());
        let mut out = anstream::stdout().lock();
        for InstanceSummary { key, agenda, since } in &found[..shown] {
            if self.json {
                let line = json!({
                    "tenant": key.tenant, "instance": key.instance, "status": agenda.standing, "since": since, "due": agenda.due,
                });
                writeln!(out, "{}", json_line(&line)?)?;
                continue;
            }
            let until = match (agenda.standing, agenda.due) {
                (InstanceState::Waiting, Some(due)) => format!(", until {due} at the latest"),
                _ => String::new(),
            };
            writeln!(out, "{:<10}  {key}  since {since}{until}", agenda.standing)?;
        }
        drop(out);
        if shown < found.len() {
            crate::cli::complain(&format!("there are more: --limit N shows more than {}", self.limit));
        }
        Ok(Exit::Done)
    }
}
