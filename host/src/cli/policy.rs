//! `pp-host policy`: what governs here, checked and explained.

use crate::cli::data_dir::Data;
use crate::cli::{Exit, policy_file, session, trust_on_record};
use clap::{Args, Subcommand};
use engine::trust::{Subject, Trust};
use engine::{Clock as _, SystemClock, trust};
use policy::{Demand, Policy as _};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use store::StoreError;
use workflow::RequestId;

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

fn check(data: &Data, file: Option<&Path>) -> anyhow::Result<Exit> {
    let policy = match file {
        Some(file) => Some(policy_file::parse(file, fs::read_to_string(file))?),
        None => policy_file::load(data)?,
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
    let trust = match trust_on_record::read(data) {
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
    let here = engine::capability::built_in_names();
    if !here.iter().any(|name| demand.fits(name)) {
        warnings.push(format!(
            "{rule}nothing here has the capability {}; there is {}",
            demand.capabilities(),
            here.join(", ")
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
