//! `pp-host deployments`.

use crate::cli::options::data_dir::Data;
use crate::cli::output::json_line;
use crate::cli::{Exit, output};
use clap::Args;
use serde::Serialize;
use std::io::Write;
use store::{Deployment, DeploymentFilter, DeploymentPage, RecordedDeployment};
use workflow::Quoted;

/// List deployments.
#[derive(Debug, Args)]
pub(crate) struct Deployments {
    /// One JSON object per line.
    #[arg(long)]
    json: bool,
}

/// A deployment as programs read it.
#[derive(Debug, Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    deployment: &'a Deployment,
    /// Whether its resource serves it now.
    current: bool,
}

/// The number of deployments that one read returns.
const PAGE: u32 = 500;

impl Deployments {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let (_folder, store) = data.read()?;
        let mut out = output::stdout();
        let mut after = 0;
        loop {
            let page = DeploymentPage { after, limit: PAGE, filter: DeploymentFilter::All };
            let recorded = store.deployments(page).wait()?;
            let Some(last) = recorded.last() else { break };
            after = last.place;
            for recorded in &recorded {
                self.print(&mut out, recorded)?;
            }
        }
        Ok(Exit::Done)
    }

    fn print(&self, out: &mut impl Write, recorded: &RecordedDeployment) -> anyhow::Result<()> {
        let RecordedDeployment { deployment, is_live, .. } = recorded;
        if self.json {
            writeln!(out, "{}", json_line(&Line { deployment, current: *is_live })?)?;
            return Ok(());
        }
        let serving = if *is_live { "current" } else { "replaced" };
        let (id, tenant, resource) = (&deployment.id, &deployment.tenant, Quoted(&deployment.resource));
        writeln!(out, "{id}  {tenant}  {resource}  {serving}")?;
        writeln!(
            out,
            "  artifact  {}, {} bytes, sha256 {}",
            Quoted(&deployment.artifact),
            deployment.artifact_bytes,
            deployment.artifact_sha256
        )?;
        writeln!(out, "  where     {}", deployment.location)?;
        writeln!(out, "  receipt   {}", deployment.receipt_id)?;
        Ok(())
    }
}
