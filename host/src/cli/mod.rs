//! The command line: parses it, executes one of the [`commands`], and exits with the code of its outcome.
//!
//! Output for programs and for people goes to standard output; with `--json`, text for people goes to standard error. Exit codes are in [`Exit`];
//! `verify` has those of the receipt specification instead.

mod commands;
mod options;
mod output;
mod process;
mod session;

pub(crate) use process::rlimits::on_own_stack;

use clap::Parser;
use commands::{Command, verify};
use options::data_dir;
use output::{complain, hint, logs, say};
use process::rlimits;
use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::ExitCode;
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
    // Not among the commands, as people have no use for it. The compiler's process closes all files before it compiles.
    let compiles = std::env::args_os().nth(1).is_some_and(|word| word == sandbox::COMPILE);
    if let Err(too_low) = rlimits::check(compiles).and_then(|()| rlimits::outlive_full_files()) {
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
    let mut again = std::process::Command::new(data_dir::this_program()?);
    if let Some(name) = words.next() {
        again.arg0(name);
    }
    for name in empty {
        again.env_remove(name);
    }
    Err(again.args(words).exec())
}

/// Parses the command line again with its arguments escaped, so that the parser's message repeats escapes: in a script,
/// an argument may come from another party.
fn with_visible_arguments(error: clap::Error) -> clap::Error {
    let visible = |argument: std::ffi::OsString| {
        let quoted = workflow::QuotedWhole(&argument.to_string_lossy()).to_string();
        // The parser adds its own quotation marks.
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
