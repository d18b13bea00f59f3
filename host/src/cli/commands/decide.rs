//! `pp-host approve` and `pp-host deny`.

use crate::cli::commands::arguments::file_limits;
use crate::cli::commands::arguments::signing_key::SigningKey;
use crate::cli::options::data_dir::Data;
use crate::cli::session::Session;
use crate::cli::{Exit, output, session};
use anyhow::{Context as _, bail};
use clap::Args;
use engine::api::{Operation, OperationOutcome, Query, View};
use receipt::{Decision, DecisionStatement, Envelope, PersonId, Role};
use std::io::Write as _;
use std::path::PathBuf;
use workflow::RequestId;

/// Sign a decision about a request.
#[derive(Debug, Args)]
pub(crate) struct Decide {
    /// The request.
    request: RequestId,

    /// The decider: a name that `pp-host deciders list` shows.
    #[arg(long = "as", value_name = "NAME", required_unless_present = "envelope")]
    by: Option<PersonId>,

    #[command(flatten)]
    key: SigningKey,

    /// The role. Default: the role that the policy asks for.
    #[arg(long)]
    role: Option<Role>,

    /// Decide alone, in the role break-glass. Needs a reason, and a second person's review before anything else of the
    /// tenant's is approved.
    #[arg(long, conflicts_with = "role", requires = "reason")]
    break_glass: bool,

    /// The reason, in your words. It is signed.
    #[arg(long)]
    reason: Option<String>,

    /// Print the statement to be signed elsewhere, and sign nothing.
    #[arg(long, conflicts_with = "envelope")]
    statement: bool,

    /// A signed statement in its envelope, from elsewhere.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["by", "key", "ssh_agent", "role", "break_glass", "reason"])]
    envelope: Option<PathBuf>,
}

impl Decide {
    pub(crate) fn execute(&self, data: &Data, decision: Decision) -> anyhow::Result<Exit> {
        let session = Session::new(data);
        let envelope = match (&self.envelope, &self.by) {
            (Some(file), _) => {
                let text = file_limits::settings(file)?;
                Envelope::parse(&text).with_context(|| file.display().to_string())?
            }
            (None, Some(by)) => {
                let statement = self.statement_of(&session, by, decision)?;
                if self.statement {
                    writeln!(output::stdout(), "{}", statement.canonical())?;
                    return Ok(Exit::Done);
                }
                self.key.sign(&session, by, &statement)?
            }
            (None, None) => bail!("say who decides: --as NAME"),
        };
        let mut out = output::stdout();
        let envelope = envelope.to_json().canonical();
        let outcome = session.operate(Operation::Sign { request: self.request.clone(), envelope })?;
        // When the hint is printed, the folder has no owner any more.
        drop(session);
        match outcome {
            OperationOutcome::Kept { approved, denied, ruling } => {
                writeln!(out, "signed; request {} waits for more decisions", self.request)?;
                for (count, people) in [("approvals", &approved), ("denials", &denied)] {
                    if !people.is_empty() {
                        writeln!(out, "  {count:<9} {}: {}", people.len(), names(people))?;
                    }
                }
                writeln!(out, "  policy    {ruling}")?;
            }
            OperationOutcome::Issued { receipt, status, expires_at, key } => {
                writeln!(out, "receipt {receipt} {status}, redeemable until {expires_at}")?;
                writeln!(out, "  request {} is decided; {}", self.request, session::go_on(data, &key))?;
            }
            other => return Err(session::unexpected(&other)),
        }
        Ok(Exit::Done)
    }

    fn statement_of(
        &self,
        session: &Session<'_>,
        by: &PersonId,
        decision: Decision,
    ) -> anyhow::Result<DecisionStatement> {
        let (request, by, reason) = (self.request.clone(), by.clone(), self.reason.clone());
        let role = if self.break_glass { Some(Role::BREAK_GLASS.parse()?) } else { self.role.clone() };
        let operation =
            Operation::PrepareStatement { request, by: by.clone(), role: role.clone(), decision, reason };
        let statement = session.statement(operation)?;
        let asked = statement.decision == decision
            && statement.decider == by
            && statement.reason == self.reason
            && role.is_none_or(|role| statement.role == role);
        match asked && is_about(session, &self.request, &statement)? {
            true => Ok(statement),
            false => bail!("the host returned a statement about something else; nothing was signed"),
        }
    }
}

/// The decisions so far; `None` if there are none.
pub(crate) fn so_far<'a>(
    approved: impl IntoIterator<Item = &'a PersonId>,
    denied: impl IntoIterator<Item = &'a PersonId>,
) -> Option<String> {
    fn by<'a>(what: &str, people: impl IntoIterator<Item = &'a PersonId>) -> Option<String> {
        let names = names(people);
        (!names.is_empty()).then(|| format!("{what} by {names}"))
    }
    let so_far: Vec<_> = [by("approved", approved), by("denied", denied)].into_iter().flatten().collect();
    (!so_far.is_empty()).then(|| so_far.join("; "))
}

fn names<'a>(people: impl IntoIterator<Item = &'a PersonId>) -> String {
    people.into_iter().map(PersonId::as_str).collect::<Vec<_>>().join(", ")
}

/// Checks that a statement is about this request as the folder has it: its text, and the view of an approver.
fn is_about(session: &Session<'_>, id: &RequestId, statement: &DecisionStatement) -> anyhow::Result<bool> {
    let View::Request(request) = session.view(Query::Request { request: id.clone() })? else {
        bail!("the host answered the query for request {id} with something else");
    };
    let matter = &statement.matter;
    Ok(matter.request_id == id.as_str()
        && matter.request == request.request_sha256
        && matter.view == request.text_sha256)
}
