//! `pp-host migrate`.

use crate::cli::data_dir::Data;
use crate::cli::{Exit, output};
use clap::Args;
use engine::StoreLocation;
use std::io::Write as _;

/// Make the tables of the database named with --store, or bring them up to date. Refuses one of a newer version.
#[derive(Debug, Args)]
pub(crate) struct Migrate {}

impl Migrate {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let StoreLocation::Database(url) = data.location()? else {
            anyhow::bail!(
                "name the database with --store URL or PP_HOST_STORE; a data folder is brought up to date when it is opened"
            );
        };
        url.migrate()?;
        writeln!(output::stdout(), "{url} is up to date")?;
        Ok(Exit::Done)
    }
}
