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
mod policy;
mod receipts;
mod run;
mod session;
mod submit;
mod transcript;
mod verify;
mod watch;
mod work;

use clap::{Parser, Subcommand};
use receipt::Decision;
use std::io::Write as _;
use std::process::ExitCode;

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
    /// Say that you have looked at what somebody decided alone.
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
        Err(error) => return usage(&error),
    };
    let data = &cli.data;
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

/// One line on standard error. Whatever is in it, a terminal sees text only.
fn complain(message: &str) {
    let _ = writeln!(anstream::stderr(), "pp-host: {}", workflow::Escaped(message));
}

/// JSON for a program that may well be a terminal: what cannot be seen stands as an escape, as JSON allows in every string.
fn json_line(value: &impl serde::Serialize) -> serde_json::Result<String> {
    Ok(visible_json(&serde_json::to_string(value)?))
}

fn visible_json(json: &str) -> String {
    let mut units = [0; 2];
    json.chars().fold(String::with_capacity(json.len()), |mut visible, character| {
        if character == '\n' || workflow::is_visible(character) {
            visible.push(character);
        } else {
            visible.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
        visible
    })
}

/// `verify` gives 2 another meaning, so its usage errors get the specification's 64.
fn usage(error: &clap::Error) -> ExitCode {
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
