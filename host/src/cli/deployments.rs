//! `pp-host deployments`.

use crate::cli::data_dir::Data;
use crate::cli::{Exit, json_line, output};
use clap::Args;
use std::io::Write as _;
use store::{DeploymentFilter, DeploymentPage, RecordedDeployment};
use workflow::Quoted;

/// List deployments.
#[derive(Debug, Args)]
pub(crate) struct Deployments {
    /// One JSON object per line.
    #[arg(long)]
    json: bool,
}

impl Deployments {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let (_folder, store) = data.read()?;
        let mut out = output::stdout();
        let page = DeploymentPage { after: 0, limit: u32::MAX, filter: DeploymentFilter::All };
        for RecordedDeployment { deployment, is_live, .. } in store.deployments(page).wait()? {
            if self.json {
                writeln!(out, "{}", json_line(&deployment)?)?;
                continue;
            }
            let serving = if is_live { "current" } else { "replaced" };
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
        }
        Ok(Exit::Done)
    }
}
