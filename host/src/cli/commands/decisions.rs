//! `pp-host approve`, `deny`, `review`, `withdraw`, `revoke`, `freeze` and `thaw`.

use crate::cli::commands::arguments::bounds;
use crate::cli::options::data_dir::Data;
use crate::cli::output::hint::Hint;
use crate::cli::session::Session;
use crate::cli::{Exit, output, session};
use anyhow::{Context as _, bail};
use clap::Args;
use engine::api::{Operation, OperationOutcome, Query, View};
use engine::trust::{Act, Trust};
use receipt::{
    Decision, DecisionStatement, Envelope, KeyHolder, KeyId, PersonId, PublicKey, RawSignature, Role,
    SignError, StatementSigner,
};
use signer::{Agent, DeciderKey, KeyFile};
use std::io::Write as _;
use std::path::PathBuf;
use workflow::{ReceiptId, RequestId, TenantId};

/// Sign a decision about a request.
#[derive(Debug, Args)]
pub(crate) struct Decide {
    /// The request.
    request: RequestId,

    /// The decider: a name that `pp-host deciders list` shows.
    #[arg(long = "as", value_name = "NAME", required_unless_present = "envelope")]
    by: Option<PersonId>,

    #[command(flatten)]
    key: Key,

    /// The role. Default: the one that the policy asks for.
    #[arg(long)]
    role: Option<Role>,

    /// Decide alone, in the role break-glass. Needs a reason, and a second person's review before anything else of the
    /// tenant's is approved.
    #[arg(long, conflicts_with = "role", requires = "reason")]
    break_glass: bool,

    /// The reason, in your words. It is signed.
    #[arg(long)]
    reason: Option<String>,

    /// Print the statement that would be signed, and sign nothing: to be signed elsewhere.
    #[arg(long, conflicts_with = "envelope")]
    statement: bool,

    /// A signed statement in its envelope, from elsewhere.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["by", "key", "ssh_agent", "role", "break_glass", "reason"])]
    envelope: Option<PathBuf>,
}

/// The decider's key.
#[derive(Debug, Args)]
pub(crate) struct Key {
    /// The file of the private key: PKCS#8 in PEM, or OpenSSH's own.
    #[arg(long, value_name = "FILE", conflicts_with = "ssh_agent")]
    key: Option<PathBuf>,

    /// The key is in ssh-agent.
    #[arg(long)]
    ssh_agent: bool,
}

/// Confirm that you have reviewed an emergency decision that one person made alone.
#[derive(Debug, Args)]
pub(crate) struct Review {
    /// The request.
    request: RequestId,

    /// The reviewer: a decider, and not the one who decided.
    #[arg(long = "as", value_name = "NAME")]
    by: PersonId,

    #[command(flatten)]
    key: Key,

    /// Your finding. It is signed.
    #[arg(long)]
    reason: String,

    /// You do not agree with it. It counts as reviewed.
    #[arg(long)]
    disagree: bool,
}

/// Take a request back before it is decided.
#[derive(Debug, Args)]
pub(crate) struct Withdraw {
    /// The request.
    request: RequestId,

    /// The reason.
    #[arg(long)]
    reason: Option<String>,
}

/// Take a receipt back before it is spent.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// The receipt.
    receipt: ReceiptId,

    /// The reason. It is committed in the signed revocation.
    #[arg(long)]
    reason: Option<String>,
}

/// Stop approvals and actions until `pp-host thaw`.
#[derive(Debug, Args)]
pub(crate) struct Freeze {
    /// For one tenant. Default: for all.
    #[arg(long)]
    tenant: Option<TenantId>,

    /// The reason.
    #[arg(long)]
    reason: String,
}

impl Decide {
    pub(crate) fn execute(&self, data: &Data, decision: Decision) -> anyhow::Result<Exit> {
        let session = Session::new(data);
        let envelope = match (&self.envelope, &self.by) {
            (Some(file), _) => {
                let text = bounds::settings(file)?;
                Envelope::parse(&text).with_context(|| file.display().to_string())?
            }
            (None, Some(by)) => {
                let statement = self.draw_up(&session, by, decision)?;
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
        // The folder has no owner any more when the hint is printed.
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

    fn draw_up(
        &self,
        session: &Session<'_>,
        by: &PersonId,
        decision: Decision,
    ) -> anyhow::Result<DecisionStatement> {
        let (request, by, reason) = (self.request.clone(), by.clone(), self.reason.clone());
        let role = if self.break_glass { Some(Role::BREAK_GLASS.parse()?) } else { self.role.clone() };
        let operation =
            Operation::PrepareStatement { request, by: by.clone(), role: role.clone(), decision, reason };
        let statement = drawn_up(session, operation)?;
        let asked = statement.decision == decision
            && statement.decider == by
            && statement.reason == self.reason
            && role.is_none_or(|role| statement.role == role);
        match asked && is_about(session, &self.request, &statement)? {
            true => Ok(statement),
            false => bail!("the host drew up something else than was asked for: nothing was signed"),
        }
    }
}

/// The decisions so far; empty where there are none.
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

/// Checks that a statement is about that request as it is in the folder: its text, and the view of an approver.
fn is_about(session: &Session<'_>, id: &RequestId, statement: &DecisionStatement) -> anyhow::Result<bool> {
    let View::Request(request) = session.view(Query::Request { request: id.clone() })? else {
        bail!("request {id} was answered with something else");
    };
    let matter = &statement.matter;
    Ok(matter.request_id == id.as_str()
        && matter.request == request.request_sha256
        && matter.view == request.text_sha256)
}

fn drawn_up(session: &Session<'_>, operation: Operation) -> anyhow::Result<DecisionStatement> {
    match session.operate(operation)? {
        OperationOutcome::Statement { statement } => Ok(DecisionStatement::parse(&statement)?),
        other => Err(session::unexpected(&other)),
    }
}

impl Key {
    fn sign(
        &self,
        session: &Session<'_>,
        by: &PersonId,
        statement: &DecisionStatement,
    ) -> anyhow::Result<Envelope> {
        let trust = session.trust()?;
        let person = trust.deciders().person(by).with_context(|| format!("{by} is no decider here"))?;
        let key = match &self.key {
            Some(file) => DeciderKey::File(KeyFile::open(file, signer::ask_on_terminal)?),
            None if self.ssh_agent => self.in_agent(person)?,
            None => bail!("say where {by}'s key is: --key FILE or --ssh-agent"),
        };
        let public = PublicKey::ed25519(&key.public_key())?;
        check_own_key(&trust, by, public.key_id())?;
        Ok(receipt::sign_decision(statement, &Hand { key, public })?)
    }

    /// The first of the person's keys that the agent has.
    fn in_agent(&self, person: &receipt::Person) -> anyhow::Result<DeciderKey> {
        let agent = Agent::from_environment()?;
        let mut missing = None;
        for own in person.keys.iter().filter(|own| own.revoked_at.is_none() && own.key.as_passkey().is_none())
        {
            let public = signer::PublicKey::parse(&own.key.to_pem())?;
            match agent.key(&public) {
                Ok(key) => return Ok(DeciderKey::Agent(key)),
                Err(error) => missing = Some(error),
            }
        }
        match missing {
            Some(error) => Err(error.into()),
            None => {
                bail!("{} has no key that counts: pp-host deciders add {} --key FILE", person.id, person.id)
            }
        }
    }
}

/// Refuses a key of another person, and names its holder.
fn check_own_key(trust: &Trust, by: &PersonId, key_id: KeyId) -> anyhow::Result<()> {
    let Some(KeyHolder { person, key }) = trust.deciders().key(key_id) else {
        bail!("key {key_id} is not one of {by}'s, nor anybody's here (pp-host deciders list shows them)");
    };
    match (person.id == *by, person.removed_at, key.revoked_at) {
        (true, None, None) => Ok(()),
        (true, Some(at), _) => bail!("{by} was removed at {at}, and decides nothing any more"),
        (true, None, Some(at)) => {
            bail!("key {key_id} of {by} was revoked at {at}: sign with another (pp-host deciders list)")
        }
        (false, None, _) => {
            bail!("key {key_id} is {}'s, not {by}'s: use --as {}, or another key", person.id, person.id)
        }
        (false, Some(at), _) => {
            bail!("key {key_id} is that of {}, who was removed at {at}: it signs nothing any more", person.id)
        }
    }
}

/// A decider's key as something that signs statements.
struct Hand {
    key: DeciderKey,
    public: PublicKey,
}

impl StatementSigner for Hand {
    fn public_key(&self) -> PublicKey {
        self.public.clone()
    }

    fn sign(&self, message: &[u8]) -> Result<RawSignature, SignError> {
        self.key.sign(message).map(Into::into).map_err(|error| SignError(error.to_string()))
    }
}

impl Review {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let decision = if self.disagree { Decision::Denied } else { Decision::Approved };
        let (request, by, reason) = (self.request.clone(), self.by.clone(), self.reason.clone());
        let session = Session::new(data);
        let statement = drawn_up(&session, Operation::PrepareReview { request, by, decision, reason })?;
        let envelope = self.key.sign(&session, &self.by, &statement)?.to_json().canonical();
        session.operate(Operation::Review { request: self.request.clone(), envelope })?;
        writeln!(output::stdout(), "{} is reviewed by {}", self.request, self.by)?;
        Ok(Exit::Done)
    }
}

impl Withdraw {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let (request, reason) = (self.request.clone(), self.reason.clone());
        session::operate(data, Operation::Withdraw { request, reason })?;
        writeln!(output::stdout(), "{} is withdrawn", self.request)?;
        Ok(Exit::Done)
    }
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

impl Freeze {
    pub(crate) fn freeze(&self, data: &Data) -> anyhow::Result<Exit> {
        let act = Act::Frozen { tenant: self.tenant.clone(), reason: self.reason.clone() };
        session::say(data, act)?;
        writeln!(
            output::stdout(),
            "frozen for {}: nothing is approved and nothing is done until {}",
            self.whom(),
            self.thawing(data)
        )?;
        Ok(Exit::Done)
    }

    pub(crate) fn thaw(&self, data: &Data) -> anyhow::Result<Exit> {
        let act = Act::Thawed { tenant: self.tenant.clone(), reason: self.reason.clone() };
        session::say(data, act)?;
        writeln!(output::stdout(), "thawed for {}", self.whom())?;
        Ok(Exit::Done)
    }

    /// The command that ends the freeze.
    fn thawing(&self, data: &Data) -> Hint {
        let tenant = self.tenant.iter().flat_map(|tenant| ["--tenant".to_owned(), tenant.to_string()]);
        Hint::new(data, &["thaw"]).with(tenant).with(["--reason", "WORDS"])
    }

    fn whom(&self) -> String {
        self.tenant.as_ref().map_or_else(|| "every tenant".to_owned(), |tenant| format!("tenant {tenant}"))
    }
}
