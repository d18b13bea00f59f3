//! `--limit NAME=N` and `--config FILE`: whose limits are which.

use crate::cli::options::data_dir::Data;
use clap::Args;
use engine::limits;
use engine::limits::{Limit, Settings};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::{fs, io};

/// The settings file in the data folder.
const FILE: &str = "pp-host.toml";

/// The variable that names another settings file, also for commands without the option.
const VARIABLE: &str = "PP_HOST_CONFIG";

/// Whether there is no file with this name. A file that cannot be inspected, and a link, count as present.
pub(crate) fn is_absent(file: &Path) -> bool {
    fs::symlink_metadata(file)
        .is_err_and(|error| matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory))
}

/// The limits of one command.
#[derive(Debug, Default, Args)]
pub(crate) struct LimitArgs {
    /// Set a limit for this command, for every tenant
    #[arg(long = "limit", value_name = "NAME=N", help = help())]
    limits: Vec<Change>,

    /// Settings: limits for all tenants and for single tenants. Default: pp-host.toml in the data folder, if it exists.
    #[arg(long, value_name = "FILE", env = VARIABLE)]
    config: Option<PathBuf>,
}

fn help() -> String {
    let names: Vec<_> = limits::ALL.iter().map(|limit| limit.name).collect();
    format!(
        "Set a limit for this command, for every tenant, such as fuel=1000000 or memory-bytes=64MiB. May be given several times. \
         `pp-host limits` explains them. Limits: {}",
        names.join(", ")
    )
}

/// One limit and its value.
#[derive(Debug, Clone)]
struct Change {
    limit: &'static Limit,
    value: u64,
}

impl FromStr for Change {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("a limit is set with NAME=N")?;
        let limit = limits::find(name).map_err(|unknown| unknown.to_string())?;
        let value =
            limit.parse(value).map_err(|invalid| format!("{}: {invalid}", workflow::Quoted(value)))?;
        Ok(Self { limit, value })
    }
}

impl LimitArgs {
    /// The words of a command line that mean the same.
    pub(crate) fn words(&self) -> Vec<OsString> {
        let config = self.config.iter().flat_map(|file| [OsString::from("--config"), file.into()]);
        let limits = self.limits.iter().flat_map(|Change { limit, value }| {
            [OsString::from("--limit"), format!("{}={value}", limit.name).into()]
        });
        config.chain(limits).collect()
    }

    /// The settings of the file, overridden by those of the command line.
    pub(crate) fn settings(&self, data: &Data) -> anyhow::Result<Settings> {
        let default = data.path.join(FILE);
        let variable = || std::env::var_os(VARIABLE).filter(|file| !file.is_empty()).map(PathBuf::from);
        let mut settings = match self.config.clone().or_else(variable) {
            Some(file) => Settings::read(&file)?,
            // Only if there is no file: an unreadable file may contain lower limits.
            None if is_absent(&default) => Settings::default(),
            None => Settings::read(&default)?,
        };
        for Change { limit, value } in &self.limits {
            settings.override_limit(limit, *value)?;
        }
        Ok(settings)
    }
}
