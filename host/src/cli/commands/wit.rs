//! `pp-host wit`: the world that workflows are written against.

use crate::cli::{Exit, output};
use clap::Args;
use std::io::Write as _;

/// The world of this version, as the host links it.
pub(crate) const WORLD: &str = include_str!("../../../../wit/tenant.wit");

/// Print the world that components are written against, in WIT.
#[derive(Debug, Args)]
pub(crate) struct Wit {}

impl Wit {
    pub(crate) fn execute(&self) -> anyhow::Result<Exit> {
        output::stdout().write_all(WORLD.as_bytes())?;
        Ok(Exit::Done)
    }
}
