//! `pp-host revoke`.

use crate::cli::options::data_dir::Data;
use crate::cli::{Exit, output, session};
use clap::Args;
use engine::api::{Operation, OperationOutcome};
use std::io::Write as _;
use workflow::ReceiptId;

/// Revoke a receipt before it is spent.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The receipt.
    receipt: ReceiptId,

    /// The reason. It is committed in the signed revocation.
    #[arg(long)]
    reason: Option<String>,
}

impl Revoke {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let (receipt, reason) = (self.receipt.clone(), self.reason.clone());
        match session::operate(data, Operation::Revoke { receipt, reason })? {
            OperationOutcome::Revoked { revocation } => {
                writeln!(output::stdout(), "{} is revoked by {revocation}", self.receipt)?;
                Ok(Exit::Done)
            }
            other => Err(session::unexpected(&other)),
        }
    }
}
