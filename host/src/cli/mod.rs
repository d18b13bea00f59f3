//! The command line: one file a subcommand.
//!
//! Output for programs and for people goes to standard output; with `--json`, text for people goes to standard error. Exit codes are in [`Exit`];
//! `verify` has those of the receipt specification instead.

mod approvals;
mod args;
mod ask;
mod audit;
mod authority;
mod backup;
mod bench;
mod bounds;
mod data_dir;
mod decide;
mod deciders;
mod decisions;
mod deployments;
mod drill;
mod feed;
mod hint;
mod hosts;
mod inspect;
mod instances;
mod jsonc;
mod keys;
mod limit;
mod limits;
mod log_line;
mod logs;
mod migrate;
mod moment;
mod new;
mod output;
mod pack;
mod passkeys;
mod policy;
mod policy_file;
mod progress;
mod receipts;
mod run;
mod screen;
mod serve;
mod session;
mod shells;
mod signals;
mod submit;
mod tokens;
mod transcript;
mod trust_on_record;
mod verify;
mod watch;
mod word;
mod work;
mod world;

pub(crate) use bounds::on_own_stack;

use clap::{Parser, Subcommand};
use receipt::Decision;
use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{self, ExitCode};
use tracing::Level;

/// Runs tenant workflows in a sandbox, and performs no consequential action without a verified receipt.
#[derive(Debug, Parser)]
#[command(name = "pp-host", bin_name = "pp-host", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    data: data_dir::Data,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a workflow until it ends or waits.
    Run(run::Run),
    /// Continue an instance that waits or was interrupted.
    Resume(run::Resume),
    /// Create an instance and return at once.
    Submit(submit::Submit),
    /// Drive everything that is due, until stopped.
    Work(work::Work),
    /// Drive everything that is due, and serve an API and the page on which people decide.
    Serve(serve::Serve),
    /// Follow facts as they are recorded.
    Watch(watch::Watch),
    /// The instances: their state, and commands on them.
    #[command(subcommand)]
    Instances(instances::Instances),
    /// Describe a component and its imports, without running it.
    Inspect(inspect::Inspect),
    /// Show what waits for a decision.
    Approvals(approvals::Approvals),
    /// Approve a request, with your own key.
    Approve(decisions::Decide),
    /// Deny a request, with your own key.
    Deny(decisions::Decide),
    /// Confirm that you have reviewed an emergency decision that one person made alone.
    Review(decisions::Review),
    /// Take a request back before it is decided.
    Withdraw(decisions::Withdraw),
    /// Take a receipt back before it is spent.
    Revoke(decisions::Revoke),
    /// Stop approvals and actions until `pp-host thaw`.
    Freeze(decisions::Freeze),
    /// End a freeze.
    Thaw(decisions::Freeze),
    /// Hold the issuer's keys for hosts in other processes, until stopped.
    Authority(authority::Authority),
    /// The people who decide, and their keys.
    #[command(subcommand)]
    Deciders(deciders::Deciders),
    /// Tokens for programs that use the API of `pp-host serve`.
    #[command(subcommand)]
    Tokens(tokens::Tokens),
    /// The policy in force.
    #[command(subcommand)]
    Policy(policy::Policy),
    /// Show every fact, of one instance or of all.
    Audit(audit::Audit),
    /// Show what an instance has printed.
    Logs(audit::Logs),
    /// List, show and export receipts.
    #[command(subcommand)]
    Receipts(receipts::Receipts),
    /// List deployments.
    Deployments(deployments::Deployments),
    /// Show every limit: its value, where that comes from, and why.
    Limits(limits::Limits),
    /// Show the keys that verify this host's signatures.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Show the hosts that work on one database.
    Hosts(hosts::ListHosts),
    /// Make the tables of a database, or bring them up to date.
    Migrate(migrate::Migrate),
    /// Copy the data folder to a new one, while it is in use.
    Backup(backup::Backup),
    /// Measure what durability costs on this machine.
    Bench(bench::Bench),
    /// Try the attack suite against this binary, on this machine, in temporary folders.
    Drill(drill::Drill),
    /// Make a folder with a workflow that runs without changes.
    New(new::New),
    /// Print the bundle of a workflow's source text, as the HTTP API takes it.
    Pack(pack::Pack),
    /// Print the world that components are written against, in WIT.
    Wit(world::Wit),
    /// Print a script that completes commands in a shell.
    Completions(shells::Completions),
    /// Print the manual page, or that of one command.
    Man(shells::Man),
    /// Verify receipts and attestations offline, with keys that you have pinned.
    Verify(verify::Verify),
}

/// The exit codes of every subcommand but `verify`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// Done; for a run: the workflow completed.
    Done = 0,
    /// An error, or the workflow failed.
    Error = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// The instance waits for a decision.
    Waiting = 3,
    /// An action was denied, and the workflow ended without it.
    Denied = 4,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Parses, dispatches, reports.
pub(crate) fn main() -> ExitCode {
    // Not among the commands: people have no use for it. It gives up all files before it compiles.
    let compiles = std::env::args_os().nth(1).is_some_and(|word| word == sandbox::COMPILE);
    if let Err(too_low) = bounds::check(compiles).and_then(|()| bounds::outlive_full_files()) {
        complain(&too_low);
        return Exit::Error.into();
    }
    if compiles {
        return sandbox::compile_for_parent();
    }
    if let Err(error) = without_empty_variables() {
        complain(&format!("cannot start again without the variables that are empty: {error}"));
        return Exit::Error.into();
    }
    let Cli { data, command } = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(error),
    };
    // Nearly every command opens a folder with keys, or a decider's.
    if let Err(error) = engine::forbid_core_dumps() {
        complain(&format!(
            "cannot keep this process from writing core dumps, which would hold its keys: {error}"
        ));
        return Exit::Error.into();
    }
    if let Command::Verify(verify) = command {
        return output::finish(verify.execute(), verify::USAGE).into();
    }
    let exit = command.execute(&data).unwrap_or_else(|error| {
        say(Level::ERROR, &hint::complete(&data, &format!("{error:#}")));
        Exit::Error
    });
    logs::finish();
    output::finish(exit as u8, Exit::Error as u8).into()
}

impl Command {
    fn execute(self, data: &data_dir::Data) -> anyhow::Result<Exit> {
        match self {
            Self::Run(run) => run.execute(data),
            Self::Resume(resume) => resume.execute(data),
            Self::Submit(submit) => submit.execute(data),
            Self::Work(work) => work.execute(data),
            Self::Serve(serve) => serve.execute(data),
            Self::Watch(watch) => watch.execute(data),
            Self::Instances(instances) => instances.execute(data),
            Self::Inspect(inspect) => inspect.execute(data),
            Self::Approvals(approvals) => approvals.execute(data),
            Self::Approve(decide) => decide.execute(data, Decision::Approved),
            Self::Deny(decide) => decide.execute(data, Decision::Denied),
            Self::Review(review) => review.execute(data),
            Self::Withdraw(withdraw) => withdraw.execute(data),
            Self::Revoke(revoke) => revoke.execute(data),
            Self::Freeze(freeze) => freeze.freeze(data),
            Self::Thaw(thaw) => thaw.thaw(data),
            Self::Authority(authority) => authority.execute(data),
            Self::Deciders(deciders) => deciders.execute(data),
            Self::Tokens(tokens) => tokens.execute(data),
            Self::Policy(policy) => policy.execute(data),
            Self::Audit(audit) => audit.execute(data),
            Self::Logs(logs) => logs.execute(data),
            Self::Receipts(receipts) => receipts.execute(data),
            Self::Deployments(deployments) => deployments.execute(data),
            Self::Limits(limits) => limits.execute(data),
            Self::Keys(keys) => keys.execute(data),
            Self::Hosts(hosts) => hosts.execute(data),
            Self::Migrate(migrate) => migrate.execute(data),
            Self::Backup(backup) => backup.execute(data),
            Self::Bench(bench) => bench.execute(data),
            Self::Drill(drill) => drill.execute(),
            Self::New(new) => new.execute(data),
            Self::Pack(pack) => pack.execute(data),
            Self::Wit(wit) => wit.execute(),
            Self::Completions(completions) => completions.execute(),
            Self::Man(man) => man.execute(),
            // Has exit codes of its own.
            Self::Verify(_) => Ok(Exit::Done),
        }
    }
}

/// An empty variable of this program counts as one that is not set. The parser would take it for a value, and a process with threads cannot
/// safely change its environment: it starts again without it.
fn without_empty_variables() -> io::Result<()> {
    let ours = |name: &OsStr| name.as_encoded_bytes().starts_with(b"PP_HOST_");
    let set = std::env::vars_os().filter(|(name, value)| ours(name) && value.is_empty());
    let empty: Vec<_> = set.map(|(name, _)| name).collect();
    if empty.is_empty() {
        return Ok(());
    }
    let mut words = std::env::args_os();
    let mut again = process::Command::new(data_dir::this_program()?);
    if let Some(name) = words.next() {
        again.arg0(name);
    }
    for name in empty {
        again.env_remove(name);
    }
    Err(again.args(words).exec())
}

/// A problem, in one line on standard error.
fn complain(message: &str) {
    say(Level::WARN, message);
}

/// What an operator may want to know, in one line on standard error.
fn inform(message: &str) {
    say(Level::INFO, message);
}

/// One line on standard error, with all characters that a terminal would interpret escaped. Where the log is JSON, it is a line of the log.
fn say(level: Level, message: &str) {
    if logs::takes(level, message) {
        return;
    }
    let _ = writeln!(anstream::stderr(), "pp-host: {}", workflow::Escaped(message));
}

/// JSON for a program whose output may go to a terminal: invisible characters are escaped, as JSON allows in every
/// string.
fn json_line(value: &impl serde::Serialize) -> serde_json::Result<String> {
    Ok(visible_json(&serde_json::to_string(value)?))
}

/// The same JSON with escapes in its strings: for invisible characters, and for consecutive blanks, with which words
/// could look like a line of their own.
fn visible_json(json: &str) -> String {
    let (mut units, mut place, mut visible) = ([0; 2], Place::Between, String::with_capacity(json.len()));
    for character in json.chars() {
        let blank = place == Place::Inside && character == ' ' && visible.ends_with(' ');
        if !blank && (character == '\n' || workflow::is_visible(character)) {
            visible.push(character);
        } else {
            visible.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
        place = place.after(character);
    }
    visible
}

/// The position of a character in a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Between strings.
    Between,
    /// Inside a string.
    Inside,
    /// Inside a string, behind a backslash.
    Escaped,
}

impl Place {
    fn after(self, character: char) -> Self {
        match (self, character) {
            (Self::Between, '"') | (Self::Escaped, _) => Self::Inside,
            (Self::Inside, '"') => Self::Between,
            (Self::Inside, '\\') => Self::Escaped,
            (place, _) => place,
        }
    }
}

/// Parses the command line again with its arguments escaped, so that the parser's message repeats escapes: in a script,
/// an argument may come from another party.
fn with_visible_arguments(error: clap::Error) -> clap::Error {
    let visible = |argument: std::ffi::OsString| {
        let quoted = workflow::QuotedWhole(&argument.to_string_lossy()).to_string();
        // The parser brings quotation marks of its own.
        let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(&quoted);
        inner.replace('\'', "\\'")
    };
    Cli::try_parse_from(std::env::args_os().map(visible)).err().unwrap_or(error)
}

/// `verify` gives 2 another meaning, so its usage errors get the specification's 64.
fn usage(error: clap::Error) -> ExitCode {
    let error = if error.use_stderr() { with_visible_arguments(error) } else { error };
    let verifying = std::env::args_os().any(|argument| argument == "verify");
    if !error.use_stderr() {
        let _ = write!(output::stdout(), "{}", error.render().ansi());
        let lost = if verifying { verify::USAGE } else { Exit::Error as u8 };
        return output::finish(Exit::Done as u8, lost).into();
    }
    let _ = error.print();
    if verifying { verify::USAGE.into() } else { Exit::Usage.into() }
}
