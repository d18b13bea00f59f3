//! `pp-host pack`.

use crate::cli::commands::arguments::file_limits::FileLimits;
use crate::cli::commands::arguments::source;
use crate::cli::options::data_dir::Data;
use crate::cli::{Exit, output};
use anyhow::bail;
use clap::Args;
use std::io::Write as _;
use std::path::PathBuf;

/// Print the bundle of a workflow's source text, as the HTTP API takes it.
#[derive(Debug, Args)]
pub(crate) struct Pack {
    /// The workflow: TypeScript, JavaScript, or a folder of them.
    source: PathBuf,

    /// The class to run, if the main module exports several workflows.
    #[arg(long, value_name = "NAME")]
    class: Option<String>,
}

impl Pack {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        source::refuse_dialect(&self.source)?;
        if !source::is_source(&self.source) {
            bail!("{} is not source text: name a .ts or .js file, or a folder", self.source.display());
        }
        if output::is_terminal() {
            bail!("a bundle is not for a terminal: redirect the output to a file");
        }
        // Without a newline at the end: the digest is the digest of exactly these bytes.
        let bundle = source::bundle(&self.source, self.class.as_deref(), data, &FileLimits::elsewhere(data))?;
        output::exact().write_all(&bundle.bytes())?;
        Ok(Exit::Done)
    }
}
