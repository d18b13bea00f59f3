//! `pp-host migrate`.

use crate::cli::options::data_dir::Data;
use crate::cli::output::hint::Hint;
use crate::cli::output::json_line;
use crate::cli::{Exit, output};
use anyhow::Context as _;
use clap::Args;
use engine::{MovedState, StoreLocation};
use serde_json::json;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use store::TransferCounts;
use workflow::Escaped;

/// Create or upgrade the tables of the database that --store names. Refuses a database of a newer version.
///
/// With --from, moves the complete state of a data folder to the database, with its names, sequence numbers and times. The database has to be
/// empty. The folder is left unchanged, and no command writes to its journal any more. With --store, the folder stays a host's folder, with its keys.
#[derive(Debug, Args)]
pub(crate) struct Migrate {
    /// The data folder to move to the database. No process may be using it. The same command repeats a move that was interrupted.
    #[arg(long, value_name = "FOLDER")]
    from: Option<PathBuf>,

    /// Print one JSON object: how much was moved.
    #[arg(long, requires = "from")]
    json: bool,
}

impl Migrate {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let StoreLocation::Database(url) = data.location()? else {
            anyhow::bail!(
                "name the database with --store URL or PP_HOST_STORE; a data folder is upgraded when it is opened"
            );
        };
        let Some(from) = &self.from else {
            url.migrate()?;
            writeln!(output::stdout(), "{url} is up to date")?;
            return Ok(Exit::Done);
        };
        let moved = url.move_folder(from).with_context(|| format!("{} was not moved", from.display()))?;
        self.report(from, &url.to_string(), &moved, &Hint::in_folder(data, from, &["work"]))?;
        Ok(Exit::Done)
    }

    fn report(&self, from: &Path, to: &str, moved: &MovedState, work: &Hint) -> anyhow::Result<()> {
        let MovedState { counts, was_moved_before } = moved;
        let mut out = output::stdout();
        if self.json {
            let line = json!({ "to": to, "was_moved_before": was_moved_before, "counts": counts });
            writeln!(out, "{}", json_line(&line)?)?;
            return Ok(());
        }
        let TransferCounts {
            instances,
            facts,
            requests,
            receipts,
            acts,
            deletions,
            deployments,
            components,
            artifacts,
        } = counts;
        let from = from.display().to_string();
        let from = Escaped(&from);
        match was_moved_before {
            false => writeln!(out, "moved {from} to {to}")?,
            true => writeln!(out, "{from} was moved to {to} before")?,
        }
        let verdict = if *was_moved_before { "there by now" } else { "compared, fact by fact" };
        writeln!(out, "  {instances} instances, {facts} facts ({verdict})")?;
        writeln!(out, "  {requests} requests, {receipts} receipts, {acts} acts, {deletions} deletions")?;
        writeln!(out, "  {deployments} deployments, {components} components, {artifacts} artifacts")?;
        writeln!(out, "{from} is unchanged, and no command writes to it any more: {work}")?;
        writeln!(out, "its keys are in {from}/keys: hosts that sign need a copy of them (docs/scale.md)")?;
        Ok(())
    }
}
