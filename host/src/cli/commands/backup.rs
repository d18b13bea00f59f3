//! `pp-host backup`.

use crate::cli::options::data_dir::Data;
use crate::cli::output::json_line;
use crate::cli::{Exit, output};
use clap::Args;
use serde_json::json;
use std::io::Write as _;
use std::path::PathBuf;
use store::DataFolder;
use store_sqlite::back_up;
use workflow::Escaped;

/// Copy the data folder to a new one, while it is in use.
///
/// The copy is a data folder: name it with --data, and it continues from the moment of the copy. It has the private
/// keys; protect it like the folder. Files that are kept elsewhere (a settings file named with --config, an authority's
/// folder) are not in it.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The destination. Must not exist.
    to: PathBuf,

    /// One JSON object.
    #[arg(long)]
    json: bool,
}

impl Backup {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        anyhow::ensure!(
            !data.is_shared(),
            "a database is backed up with its own programs (pg_basebackup, pg_dump): copy the keys folder of each host too, and leave out --store"
        );
        let copied = back_up(&DataFolder::read(&data.path)?, &self.to)?;
        let left_out: Vec<_> = copied.left_out.iter().map(|name| name.display().to_string()).collect();
        let mut out = output::stdout();
        if self.json {
            let line = json!({ "files": copied.files, "bytes": copied.bytes, "left_out": left_out });
            writeln!(out, "{}", json_line(&line)?)?;
            return Ok(Exit::Done);
        }
        let to = self.to.display().to_string();
        writeln!(out, "copied {} files, {} bytes, to {}", copied.files, copied.bytes, Escaped(&to))?;
        if !left_out.is_empty() {
            writeln!(out, "  left out {}", Escaped(&left_out.join(", ")))?;
        }
        Ok(Exit::Done)
    }
}
