//! `pp-host deployments`.

use crate::cli::data_dir::Data;
use crate::cli::{Exit, json_line};
use clap::Args;
use engine::capability::Deploy;
use std::io::Write as _;
use workflow::Quoted;

/// List deployments.
#[derive(Debug, Args)]
pub(crate) struct Deployments {
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
}

impl Deployments {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let (folder, _store) = data.read()?;
        let deploy = Deploy::new(folder.deployments());
        let mut out = anstream::stdout().lock();
        for deployment in deploy.list()? {
            if self.json {
                writeln!(out, "{}", json_line(&deployment)?)?;
                continue;
            }
            let current = deploy.current(&deployment.tenant, &deployment.resource)?;
            let serving = if current.is_some_and(|current| current.id == deployment.id) {
                "current"
            } else {
                "replaced"
            };
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
