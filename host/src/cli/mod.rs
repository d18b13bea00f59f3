//! The command line: one file a subcommand.
//!
//! What a program reads goes to standard output, what a person reads too, unless `--json` claims it. Exit codes are in [`Exit`];
//! `verify` has those of the receipt specification instead.

mod approvals;
mod args;
mod audit;
mod authority;
mod backup;
mod bench;
mod data_dir;
mod decide;
mod deciders;
mod decisions;
mod deployments;
mod drill;
mod feed;
mod inspect;
mod instances;
mod keys;
mod limit;
mod limits;
mod pack;
mod passkeys;
mod policy;
mod policy_file;
mod progress;
mod receipts;
mod run;
mod serve;
mod session;
mod submit;
mod tokens;
mod transcript;
mod trust_on_record;
mod verify;
mod watch;
mod work;

use clap::{Parser, Subcommand};
use receipt::Decision;
use rustix::process::Signal;
use std::io::Write as _;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// Runs tenant workflows in a sandbox, and lets nothing consequential happen without a verified receipt.
#[derive(Debug, Parser)]
#[command(name = "pp-host", version, max_term_width = 100)]
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
    /// Go on with an instance that waits or was interrupted.
    Resume(run::Resume),
    /// Create an instance and return at once.
    Submit(submit::Submit),
    /// Drive everything that is due, until stopped.
    Work(work::Work),
    /// Drive everything that is due, and serve an API and the page on which people decide.
    Serve(serve::Serve),
    /// Follow what happens, live.
    Watch(watch::Watch),
    /// The instances: how they stand, and what is done to them from outside.
    #[command(subcommand)]
    Instances(instances::Instances),
    /// Show what a component is and what it could reach, without running it.
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
    /// Approve nothing and do nothing, until thawed.
    Freeze(decisions::Freeze),
    /// End a freeze.
    Thaw(decisions::Freeze),
    /// Hold the issuer's keys for hosts in other processes, until stopped.
    Authority(authority::Authority),
    /// The people who decide, and their keys.
    #[command(subcommand)]
    Deciders(deciders::Deciders),
    /// Tokens with which programs use the API of `pp-host serve`.
    #[command(subcommand)]
    Tokens(tokens::Tokens),
    /// What governs here.
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
    /// Show the keys that verify what this host signs.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Copy the data folder to a new one, while it is in use.
    Backup(backup::Backup),
    /// Measure what durability costs on this machine.
    Bench(bench::Bench),
    /// Try the attack suite against this binary, on this machine, in temporary folders.
    Drill(drill::Drill),
    /// Verify receipts and attestations offline, with keys that you have pinned.
    Verify(verify::Verify),
    /// Compile a component from standard input, for the process that has started this one.
    #[command(name = sandbox::COMPILE, hide = true)]
    Compile,
}

/// The exit codes of every subcommand but `verify`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// Done; for a run: the workflow completed.
    Done = 0,
    /// Something went wrong, or the workflow failed.
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
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(error),
    };
    if let Err(error) = outlive_full_files() {
        complain(&format!("cannot set up a signal handler: {error}"));
        return Exit::Error.into();
    }
    let data = &cli.data;
    // Nearly every command opens a folder with keys, or a decider's.
    if !matches!(cli.command, Command::Compile)
        && let Err(error) = engine::forbid_core_dumps()
    {
        complain(&format!(
            "cannot keep this process from writing core dumps, which would hold its keys: {error}"
        ));
        return Exit::Error.into();
    }
    let exit = match cli.command {
        Command::Verify(verify) => return verify.execute(),
        Command::Drill(drill) => drill.execute(),
        Command::Backup(backup) => backup.execute(data),
        Command::Bench(bench) => bench.execute(data),
        Command::Compile => return sandbox::compile_for_parent(),
        Command::Inspect(inspect) => inspect.execute(data),
        Command::Run(run) => run.execute(data),
        Command::Resume(resume) => resume.execute(data),
        Command::Submit(submit) => submit.execute(data),
        Command::Work(work) => work.execute(data),
        Command::Serve(serve) => serve.execute(data),
        Command::Watch(watch) => watch.execute(data),
        Command::Instances(instances) => instances.execute(data),
        Command::Approvals(approvals) => approvals.execute(data),
        Command::Approve(decide) => decide.execute(data, Decision::Approved),
        Command::Deny(decide) => decide.execute(data, Decision::Denied),
        Command::Review(review) => review.execute(data),
        Command::Withdraw(withdraw) => withdraw.execute(data),
        Command::Revoke(revoke) => revoke.execute(data),
        Command::Freeze(freeze) => freeze.freeze(data),
        Command::Thaw(thaw) => thaw.thaw(data),
        Command::Authority(authority) => authority.execute(data),
        Command::Deciders(deciders) => deciders.execute(data),
        Command::Tokens(tokens) => tokens.execute(data),
        Command::Policy(policy) => policy.execute(data),
        Command::Audit(audit) => audit.execute(data),
        Command::Logs(logs) => logs.execute(data),
        Command::Receipts(receipts) => receipts.execute(data),
        Command::Deployments(deployments) => deployments.execute(data),
        Command::Limits(limits) => limits.execute(data),
        Command::Keys(keys) => keys.execute(data),
    };
    match exit {
        Ok(exit) => exit.into(),
        // Whoever read our output has stopped reading: not an error of ours.
        Err(error) if is_broken_pipe(&error) => Exit::Done.into(),
        Err(error) => {
            complain(&format!("{error:#}"));
            Exit::Error.into()
        }
    }
}

/// A file that may not grow further (`ulimit -f`) is an error of the write, which says so. Without a handler the kernel ends the process
/// at that write, without a word. That nobody reads a pipe any more is such an error already: the standard library ignores the signal.
fn outlive_full_files() -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _inside = runtime.enter();
    // The handler stays when the runtime and this listener are gone.
    signal(SignalKind::from_raw(Signal::XFSZ.as_raw())).map(drop)
}

/// One line on standard error. Whatever is in it, a terminal sees text only.
fn complain(message: &str) {
    let _ = writeln!(anstream::stderr(), "pp-host: {}", workflow::Escaped(message));
}

/// JSON for a program that may well be a terminal: what cannot be seen stands as an escape, as JSON allows in every string.
fn json_line(value: &impl serde::Serialize) -> serde_json::Result<String> {
    Ok(visible_json(&serde_json::to_string(value)?))
}

/// The same JSON with escapes in its strings: for what cannot be seen, and for blanks that follow a blank, with which words could look like
/// a line of their own.
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

/// Where in a JSON text a character is.
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

/// Parses the command line again with its arguments escaped, so that whatever the parser says repeats escapes: an argument may come from
/// somebody else, in a script.
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
    let _ = error.print();
    let verifying = std::env::args_os().any(|argument| argument == "verify");
    match (error.use_stderr(), verifying) {
        (false, _) => Exit::Done.into(),
        (true, true) => ExitCode::from(verify::USAGE),
        (true, false) => Exit::Usage.into(),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
    causes.any(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
