//! What `pp-host run` and `pp-host drive` have in common: this process drives one instance, shows its facts, and decides its requests.

mod ask;
mod decision_mode;
mod screen;
mod transcript;

pub(crate) use decision_mode::DecisionMode;
pub(crate) use transcript::Transcript;

use crate::cli::commands::watch;
use crate::cli::options::data_dir::Data;
use crate::cli::options::limit::LimitArgs;
use crate::cli::output::hint::Hint;
use crate::cli::output::{complain, hint};
use crate::cli::process::signals::ExitMessage;
use crate::cli::{Exit, session};
use anstyle::Style;
use anyhow::{Context as _, bail};
use clap::Args;
use engine::api::{InstanceDetail, Operation, OperationOutcome, Principal, Query, RequestDetail, View};
use engine::control::Control;
use engine::issuer::{IssueError, Judgement, Keyring, Request};
use engine::{Clock as _, Error, Host, Status, SystemClock, history};
use receipt::Scope;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::{Fact, InstanceKey};
use workflow::{ReceiptId, RequestId, Wait};

/// The options of both.
#[derive(Debug, Args)]
pub(crate) struct ForegroundArgs {
    /// Every fact as one JSON object per line on standard output; messages for people go to standard error.
    #[arg(long)]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) limits: LimitArgs,
}

/// A host, a decider, and the output.
pub(crate) struct Foreground<'a> {
    pub(crate) host: Host,
    /// Lets other processes signal the instance during the run, if the folder can have a socket.
    _control: Option<Control>,
    facts: FactCounter,
    mode: DecisionMode,
    pub(crate) transcript: Transcript,
    data: &'a Data,
    limits: &'a LimitArgs,
}

impl<'a> Foreground<'a> {
    /// Opens the host. On a host where people decide, there are no demo decisions. `instead` says what to do if another process has the folder.
    pub(crate) fn open(
        data: &'a Data,
        common: &'a ForegroundArgs,
        (named, default): (Option<DecisionMode>, DecisionMode),
        instead: &str,
    ) -> anyhow::Result<Self> {
        let transcript = Transcript { json: common.json };
        let facts = FactCounter::default();
        let counter = facts.clone();
        let observe = move |fact: &Fact| {
            transcript.print_fact(fact);
            counter.increment();
        };
        let host = session::open(data, &common.limits, observe)
            .map_err(|error| session::or_worked_in(data, instead, error))?;
        let mode = match (host.scope()?, named) {
            (Scope::Demo, named) => named.unwrap_or(default),
            (Scope::Production, None | Some(DecisionMode::Wait)) => DecisionMode::Wait,
            (Scope::Production, Some(_)) => bail!(
                "decisions in {data} are signed by people or taken by its policy: leave out --approve, --deny and --ask, and decide with pp-host approve REQUEST --as NAME"
            ),
        };
        if mode == DecisionMode::Wait && host.scope()? == Scope::Production && data.authority.is_none() {
            transcript.detail("issuer", "signs in this process; pp-host authority keeps its key in another");
        }
        Ok(Self { _control: host.listen().ok(), host, facts, mode, transcript, data, limits: &common.limits })
    }

    /// Drives the instance, and decides its requests, until it ends or no decision comes.
    pub(crate) fn drive(&self, key: &InstanceKey) -> anyhow::Result<Exit> {
        if self.data.is_shared() {
            return self.follow(key);
        }
        let exit_message = ExitMessage::listen()?;
        exit_message
            .set(format!("{key} was interrupted; its work is recorded: continue with {}", self.go_on(key)));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build()?;
        let exit = loop {
            match runtime.block_on(self.host.drive(key))? {
                Status::Completed(_) | Status::Failed(_) if history::was_denied(&self.facts(key)?) => {
                    break Exit::Denied;
                }
                Status::Completed(_) => break Exit::Done,
                Status::Failed(_) => break Exit::Error,
                Status::Terminated { .. } | Status::Diverged { .. } => break Exit::Error,
                Status::Paused { by } => bail!(
                    "{key} was paused by {by}: continue it with pp-host instances resume {}",
                    hint::name(key)
                ),
                Status::Queued | Status::Running => anyhow::bail!("instance {key} neither ended nor waits"),
                Status::Waiting(wait) => match wait.request() {
                    Some(request) => match self.decided(key, &self.request(request)?.made)? {
                        true => {}
                        false => break Exit::Waiting,
                    },
                    None => self.pass_time(key, wait)?,
                },
            }
        };
        if exit == Exit::Waiting {
            self.transcript.detail("go on", self.go_on(key));
        }
        self.transcript.print_labelled(
            Style::new().bold(),
            "kept in",
            format_args!("{} (journal.sqlite, keys/, deployments/)", self.data),
        );
        Ok(exit)
    }

    /// Follows an instance that another host drives or will drive.
    fn follow(&self, key: &InstanceKey) -> anyhow::Result<Exit> {
        if !self.data.has_workers()? {
            let work = Hint::new(self.data, &["work"]);
            complain(&format!(
                "no host works on this database: {key} continues as soon as a host does: {work}"
            ));
        }
        watch::follow_one(self.data, key, self.transcript.json)
    }

    /// Shows a request, and decides it if this process may decide.
    fn decided(&self, key: &InstanceKey, request: &Request) -> anyhow::Result<bool> {
        show(self.transcript, self.mode, request);
        let Some(judgement) = self.mode.decide(request)? else {
            for warning in self.request(&request.id)?.row.warnings {
                self.transcript.detail("warning", hint::complete(self.data, &warning));
            }
            for (decision, hint) in hint::decide(self.data, self.host.scope()?, key, &request.id) {
                self.transcript.detail(decision, hint);
            }
            return Ok(false);
        };
        let Judgement { decision, reason, .. } = judgement;
        let (request, attended) = (request.id.clone(), self.mode.attended());
        match self.host.operate(Operation::DecideAsDemo { request, decision, attended, reason }) {
            Err(Error::Issue(frozen @ IssueError::Frozen(_))) => {
                self.transcript.detail("frozen", hint::complete(self.data, &frozen.to_string()));
                Ok(false)
            }
            Ok(OperationOutcome::Issued { receipt, .. }) => self.verified(receipt).map(|()| true),
            other => Err(session::unexpected(&other?)),
        }
    }

    /// Waits until time alone lets the instance continue, or a signal arrives.
    fn pass_time(&self, key: &InstanceKey, wait: Wait) -> anyhow::Result<()> {
        let before = self.facts.count();
        self.transcript.print_labelled(Style::new().bold(), "waits", format_args!("for {wait}"));
        let now = SystemClock.now().as_millis();
        let due = wait.due().map_or(now, receipt::Timestamp::as_millis);
        let left = Duration::from_millis(u64::try_from(due - now).unwrap_or(0).max(1));
        if left > LONG || wait.due().is_none() {
            self.transcript.detail("stop", "^C is safe: everything so far is recorded");
            self.transcript.detail("go on", self.go_on(key));
        }
        // The signal may have arrived before this process listened.
        if self.instance(key)?.history.status == Status::Waiting(wait) {
            self.facts.wait_for_more(before, left);
        }
        Ok(())
    }

    /// The command that continues an instance with the same options.
    fn go_on(&self, key: &InstanceKey) -> Hint {
        Hint::new(self.data, &["drive", &hint::name(key)]).with(self.limits.words())
    }

    /// Verifies a new receipt as an outside verifier would: with the public keys, from the signed bytes.
    fn verified(&self, receipt: ReceiptId) -> anyhow::Result<()> {
        let View::Receipt(row) = self.view(Query::Receipt { receipt })? else {
            return Err(session::another_view());
        };
        let stored = row.kept.receipt;
        let keys = Keyring::public(&self.data.path.join("keys"))?;
        let verified = receipt::verify(&stored.artifact, &keys)?;
        let opening = stored.opening().context("the salt stored with the receipt is damaged")?;
        verified.open(&opening)?;
        self.transcript.detail("verified", "signature, key, canonical form, projection, commitment");
        Ok(())
    }

    pub(crate) fn instance(&self, key: &InstanceKey) -> anyhow::Result<Box<InstanceDetail>> {
        match self.view(Query::Instance { key: key.clone() })? {
            View::Instance(detail) => Ok(detail),
            _ => Err(session::another_view()),
        }
    }

    fn request(&self, id: &RequestId) -> anyhow::Result<Box<RequestDetail>> {
        match self.view(Query::Request { request: id.clone() })? {
            View::Request(detail) => Ok(detail),
            _ => Err(session::another_view()),
        }
    }

    /// All facts of an instance, in order.
    pub(crate) fn facts(&self, key: &InstanceKey) -> anyhow::Result<Vec<Fact>> {
        match self.view(Query::Facts { key: key.clone(), from: 0, limit: u32::MAX })? {
            View::Facts { facts } => Ok(facts),
            _ => Err(session::another_view()),
        }
    }

    fn view(&self, query: Query) -> anyhow::Result<View> {
        Ok(self.host.view(&Principal::own(), query)?)
    }
}

/// Shows a request before it is decided, unless the person is asked, which shows it too.
pub(crate) fn show(transcript: Transcript, mode: DecisionMode, request: &Request) {
    if mode != DecisionMode::Ask {
        transcript.request(request);
    }
}

/// The longest time that passes without a message.
const LONG: Duration = Duration::from_secs(5);

/// The number of recorded facts, to wait for the next.
#[derive(Clone, Default)]
struct FactCounter(Arc<(Mutex<u64>, Condvar)>);

impl FactCounter {
    fn lock(&self) -> MutexGuard<'_, u64> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn increment(&self) {
        *self.lock() += 1;
        self.0.1.notify_all();
    }

    fn count(&self) -> u64 {
        *self.lock()
    }

    /// Waits for more facts than `before`, and at most that long.
    fn wait_for_more(&self, before: u64, longest: Duration) {
        drop(self.0.1.wait_timeout_while(self.lock(), longest, |heard| *heard <= before));
    }
}
