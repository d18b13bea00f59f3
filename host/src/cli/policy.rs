//! `pp-host policy`: what governs here, checked and explained.

use crate::cli::data_dir::Data;
use crate::cli::{Exit, deciders, session};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use engine::trust::{Subject, Trust};
use engine::{Clock as _, SystemClock, trust};
use policy::{Demand, Policy as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};
use store::StoreError;
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
        // Who can write to it decides what is allowed.
        [file] => parse(file, store::ownership::read_to_string(file)).map(Some),
        _ => bail!("there are both {} and {} in {data}: keep the one that is meant", FILES[0], FILES[1]),
    }
}

fn parse(file: &Path, text: io::Result<String>) -> anyhow::Result<Box<dyn policy::Policy>> {
    let text = text.with_context(|| format!("cannot read the policy {}", file.display()))?;
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
        Some(file) => Some(parse(file, fs::read_to_string(file))?),
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
    let trust = match deciders::read(data) {
        Ok(trust) => Some(trust),
        // What people there are is known of a folder that exists.
        Err(error) if matches!(error.downcast_ref(), Some(StoreError::NoData(_))) => None,
        Err(error) => return Err(error),
    };
    for demand in policy.demands() {
        for warning in unmet(&demand, trust.as_ref()) {
            writeln!(out, "warning: {warning}")?;
        }
    }
    Ok(Exit::Done)
}

/// What the people and the capabilities here cannot meet.
fn unmet(demand: &Demand, trust: Option<&Trust>) -> Vec<String> {
    let rule = match (&demand.rule, demand.line) {
        (Some(rule), Some(line)) => format!("line {line}: rule {rule}: "),
        (Some(rule), None) => format!("rule {rule}: "),
        (None, _) => String::new(),
    };
    let mut warnings = Vec::new();
    if !demand.fits(engine::DEPLOY) {
        warnings.push(format!(
            "{rule}nothing here has the capability {}; there is {}",
            demand.capabilities(),
            engine::DEPLOY
        ));
    }
    let Some((ask, trust)) = demand.ask.as_ref().zip(trust) else { return warnings };
    let tenants = match demand.tenants.as_slice() {
        [] => vec![None],
        named => named.iter().map(Some).collect(),
    };
    for tenant in tenants {
        let of = tenant.map_or_else(String::new, |tenant| format!(" for tenant {tenant}"));
        let missing = trust::shortfalls(ask, trust, tenant, |_| false, SystemClock.now());
        warnings.extend(missing.iter().map(|shortfall| format!("{rule}this cannot be met{of}: {shortfall}")));
    }
    warnings
}

impl Explain {
    fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let reading = session::read(data)?;
        let request = reading.request(&self.request)?;
        let subject = Subject::of(&request.document()?, &request.known)?;
        let explanation = reading.policy().explain(&subject.question(&[]));
        write!(anstream::stdout().lock(), "{explanation}")?;
        Ok(Exit::Done)
    }
}
