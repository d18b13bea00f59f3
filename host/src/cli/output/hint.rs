//! Commands that are printed to be pasted into a shell: quoted, and with every option that they need to reach the same data folder.

use crate::cli::Cli;
use crate::cli::options::data_dir::{Data, TENANT};
use crate::cli::options::shell_quoted::ShellQuoted;
use clap::CommandFactory as _;
use receipt::Scope;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use store::InstanceKey;
use workflow::RequestId;

/// The name of this program.
const PROGRAM: &str = "pp-host";

/// A command of this program for people to paste. Words in capitals are placeholders.
#[derive(Debug, Clone)]
pub(crate) struct Hint(Vec<OsString>);

impl Hint {
    /// The command of these words, on that data folder.
    pub(crate) fn new(data: &Data, words: &[&str]) -> Self {
        Self(data.options().into_iter().chain(words.iter().map(OsString::from)).collect())
    }

    /// This command on another data folder.
    pub(crate) fn in_folder(data: &Data, path: &Path, words: &[&str]) -> Self {
        Self(data.options_in(path).into_iter().chain(words.iter().map(OsString::from)).collect())
    }

    /// This command with further words.
    pub(crate) fn with(mut self, words: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.0.extend(words.into_iter().map(Into::into));
        self
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PROGRAM)?;
        self.0.iter().try_for_each(|word| write!(f, " {}", ShellQuoted(word)))
    }
}

/// An instance's name as every command takes it.
pub(crate) fn name(key: &InstanceKey) -> String {
    match key.tenant.as_str() {
        TENANT => key.instance.to_string(),
        _ => key.to_string(),
    }
}

/// The commands that approve and deny a request in a folder of that scope.
pub(crate) fn decide(
    data: &Data,
    scope: Scope,
    key: &InstanceKey,
    request: &RequestId,
) -> [(&'static str, Hint); 2] {
    ["approve", "deny"].map(|decision| {
        let hint = match scope {
            Scope::Demo => Hint::new(data, &["drive", &name(key), &format!("--{decision}")]),
            Scope::Production => {
                Hint::new(data, &[decision, request.as_str(), "--as", "NAME", "--key", "FILE"])
            }
        };
        (decision, hint)
    })
}

/// A text of the engine with commands of this program in it, which name no options: adds to each the options that it
/// needs to reach the data folder.
pub(crate) fn complete(data: &Data, text: &str) -> String {
    let options: String = data.options().iter().map(|word| format!(" {}", ShellQuoted(word))).collect();
    if options.is_empty() {
        return text.to_owned();
    }
    let (commands, mut completed) = (Cli::command(), String::new());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(PROGRAM) {
        completed.extend([before, PROGRAM]);
        let word = after.strip_prefix(' ').map(|after| {
            after.split(|c: char| !c.is_ascii_alphabetic() && c != '-').next().unwrap_or_default()
        });
        if word.is_some_and(|word| commands.find_subcommand(word).is_some_and(is_of_a_folder)) {
            completed.push_str(&options);
        }
        rest = after;
    }
    completed + rest
}

/// Whether a command uses this data folder. The authority has a folder of its own.
fn is_of_a_folder(command: &clap::Command) -> bool {
    !["verify", "drill", "authority"].contains(&command.get_name())
}
