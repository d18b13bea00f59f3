//! `pp-host withdraw`.

use crate::cli::options::data_dir::Data;
use crate::cli::{Exit, output, session};
use clap::Args;
use engine::api::Operation;
use std::io::Write as _;
use workflow::RequestId;

/// Withdraw a request before it is decided.
#[derive(Debug, Args)]
pub(crate) struct Withdraw {
    /// The request.
    request: RequestId,

    /// The reason.
    #[arg(long)]
    reason: Option<String>,
}

impl Withdraw {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let (request, reason) = (self.request.clone(), self.reason.clone());
        session::operate(data, Operation::Withdraw { request, reason })?;
        writeln!(output::stdout(), "{} is withdrawn", self.request)?;
        Ok(Exit::Done)
    }
}
