//! `pp-host policy`: what governs here, checked and explained.

use crate::cli::data_dir::Data;
use crate::cli::{Exit, session};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use engine::trust::Subject;
use policy::Policy as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use workflow::RequestId;

/// The policy's file in the data folder, in each of the languages.
const FILES: [&str; 2] = ["policy.toml", "policy.cedar"];

/// What governs here.
#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Read a policy and say what is wrong with it, or what in it is probably not meant.
    Check {
        /// The policy. Default: the one in the data folder.
        file: Option<PathBuf>,
    },
    /// Say what the policy answers to a request, and why.
    Explain(Explain),
}

/// Say what the policy answers to a request, and why.
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The request.
    #[arg(long)]
    request: RequestId,
}

impl Policy {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        match self {
            Self::Check { file } => check(data, file.as_deref()),
            Self::Explain(explain) => explain.execute(data),
        }
    }
}

/// The policy of the data folder, where there is one.
pub(crate) fn load(data: &Data) -> anyhow::Result<Option<Box<dyn policy::Policy>>> {
    let files: Vec<_> = FILES.iter().map(|name| data.path.join(name)).filter(|file| file.exists()).collect();
    match files.as_slice() {
        [] => Ok(None),
        [file] => read(file).map(Some),
        _ => bail!("there are both {} and {} in {data}: keep the one that is meant", FILES[0], FILES[1]),
    }
}

fn read(file: &Path) -> anyhow::Result<Box<dyn policy::Policy>> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read the policy {}", file.display()))?;
    let wrong = || format!("the policy {} cannot be used", file.display());
    match file.extension().is_some_and(|extension| extension == "cedar") {
        true => cedar(&text).with_context(wrong),
        false => Ok(Box::new(policy::Toml::parse(&text).with_context(wrong)?)),
    }
}

#[cfg(feature = "cedar")]
fn cedar(text: &str) -> anyhow::Result<Box<dyn policy::Policy>> {
    Ok(Box::new(policy::Cedar::parse(text)?))
}

#[cfg(not(feature = "cedar"))]
fn cedar(_: &str) -> anyhow::Result<Box<dyn policy::Policy>> {
    bail!("this pp-host was built without Cedar: build it with --features cedar, or write the policy in TOML")
}

fn check(data: &Data, file: Option<&Path>) -> anyhow::Result<Exit> {
    let policy = match file {
        Some(file) => Some(read(file)?),
        None => load(data)?,
    };
    let mut out = anstream::stdout().lock();
    let Some(policy) = policy else {
        let default = policy::ask_one();
        writeln!(out, "no policy file: {} governs, every action asks one person", default.version())?;
        return Ok(Exit::Done);
    };
    writeln!(out, "{} (sha256 {}) is in order", policy.version(), policy.digest())?;
    for role in policy.roles() {
        writeln!(out, "asks for role {role}")?;
    }
    for warning in policy.warnings() {
        writeln!(out, "warning: {warning}")?;
    }
    Ok(Exit::Done)
}

impl Explain {
    fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let reading = session::read(data)?;
        let document = reading.request(&self.request)?.document()?;
        let subject = Subject::of(&document)?;
        let explanation = reading.policy().explain(&subject.question(&[]));
        write!(anstream::stdout().lock(), "{explanation}")?;
        Ok(Exit::Done)
    }
}
