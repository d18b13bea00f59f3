//! `pp-host review`.

use crate::cli::commands::arguments::signing_key::SigningKey;
use crate::cli::options::data_dir::Data;
use crate::cli::session::Session;
use crate::cli::{Exit, output};
use clap::Args;
use engine::api::Operation;
use receipt::{Decision, PersonId};
use std::io::Write as _;
use workflow::RequestId;

/// Confirm that you have reviewed an emergency decision that one person made alone.
#[derive(Debug, Args)]
pub(crate) struct Review {
    /// The request.
    request: RequestId,

    /// The reviewer: a decider other than the person who decided.
    #[arg(long = "as", value_name = "NAME")]
    by: PersonId,

    #[command(flatten)]
    key: SigningKey,

    /// Your finding. It is signed.
    #[arg(long)]
    reason: String,

    /// You do not agree with the decision. The decision counts as reviewed.
    #[arg(long)]
    disagree: bool,
}

impl Review {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let decision = if self.disagree { Decision::Denied } else { Decision::Approved };
        let (request, by, reason) = (self.request.clone(), self.by.clone(), self.reason.clone());
        let session = Session::new(data);
        let statement = session.statement(Operation::PrepareReview { request, by, decision, reason })?;
        let envelope = self.key.sign(&session, &self.by, &statement)?.to_json().canonical();
        session.operate(Operation::Review { request: self.request.clone(), envelope })?;
        writeln!(output::stdout(), "{} is reviewed by {}", self.request, self.by)?;
        Ok(Exit::Done)
    }
}
