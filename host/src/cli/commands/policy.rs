//! `pp-host policy`: checks, shows and explains the policy in force.

use crate::cli::options::data_dir::{Data, TENANT};
use crate::cli::options::limit::{LimitArgs, is_absent};
use crate::cli::output::{hint, json_line};
use crate::cli::session::policy_file;
use crate::cli::{Exit, output, session};
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use engine::limits::Settings;
use engine::trust::{Subject, Trust};
use engine::{Clock as _, SystemClock, trust};
use policy::{Artifact, Component, Considered, Demand, Environment, Novelty, RuleId};
use receipt::Digest;
use serde_json::json;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use store::{FolderError, Selection, StoreError};
use workflow::{ActorId, Escaped, RequestId, TenantId};

/// The policy in force.
#[derive(Debug, Subcommand)]
pub(crate) enum Policy {
    /// Read a policy and print its errors and probable mistakes.
    Check {
        /// The policy's file. Default: the policy in the data folder.
        file: Option<PathBuf>,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Show the policy in force: its file, its digest, its text.
    Show {
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Print the policy's answer to a request, or to an action that was not requested yet, and why.
    Explain(Explain),
}

/// Print the policy's answer to a request, or to an action that was not requested yet, and why.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true))]
pub(crate) struct Explain {
    /// The request.
    #[arg(long, group = "what")]
    request: Option<RequestId>,

    /// Instead of a request: the capability of an action, such as cloudflare.dynamic-worker.deploy.
    #[arg(long, group = "what", requires = "resource")]
    capability: Option<String>,

    /// The resource.
    #[arg(long, requires = "capability")]
    resource: Option<String>,

    /// The agent or person on whose behalf the workflow acts.
    #[arg(long, alias = "by", default_value = "agent:local", requires = "capability")]
    actor: ActorId,

    /// The tenant whose workflow would ask.
    #[arg(long, default_value = TENANT, requires = "capability")]
    tenant: TenantId,

    /// The environment: development, staging or production. Default: the environment of this data folder.
    #[arg(long, value_name = "WHERE", requires = "capability")]
    environment: Option<Environment>,

    /// Whether the code is known: approved before, by people whose approval still counts. Default: new.
    #[arg(long, value_name = "known|new", requires = "capability")]
    component: Option<KnownArg>,

    /// Whether the action's artifact is known. Default: no artifact.
    #[arg(long, value_name = "known|new", requires = "capability")]
    artifact: Option<KnownArg>,

    /// The size of the artifact.
    #[arg(long, value_name = "BYTES", default_value_t = 0, requires = "artifact")]
    artifact_bytes: u64,

    /// One JSON object.
    #[arg(long)]
    json: bool,
}

/// Whether code or bytes were approved before.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum KnownArg {
    Known,
    New,
}

impl From<KnownArg> for Novelty {
    fn from(known: KnownArg) -> Self {
        match known {
            KnownArg::Known => Self::Known,
            KnownArg::New => Self::New,
        }
    }
}

impl Policy {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        match self {
            Self::Check { file, json } => check(data, file.as_deref(), *json),
            Self::Show { json } => show(data, *json),
            Self::Explain(explain) => explain.execute(data),
        }
    }
}

fn check(data: &Data, file: Option<&Path>, json: bool) -> anyhow::Result<Exit> {
    let policy = match file {
        Some(file) => Some(policy_file::parse(file, fs::read_to_string(file))?),
        None => in_folder(data)?,
    };
    let mut out = output::stdout();
    let is_default = policy.is_none();
    let policy = policy.unwrap_or_else(|| Box::new(policy::ask_one()));
    let warnings = warnings(data, &*policy)?;
    let (version, roles) = (policy.version(), policy.roles());
    if json {
        let roles: Vec<_> = roles.iter().map(ToString::to_string).collect();
        let line = json!({
            "policy": version, "sha256": policy.digest(), "default": is_default, "roles": roles, "warnings": warnings,
        });
        writeln!(out, "{}", json_line(&line)?)?;
        return Ok(Exit::Done);
    }
    match is_default {
        true => writeln!(out, "no policy file: {version} governs, every action asks one person")?,
        false => writeln!(out, "{version} (sha256 {}) is in order", policy.digest())?,
    }
    roles.iter().try_for_each(|role| writeln!(out, "asks for role {role}"))?;
    // Every folder without deciders has this warning about the default policy.
    if !is_default {
        warnings
            .iter()
            .try_for_each(|warning| writeln!(out, "warning: {}", hint::complete(data, warning)))?;
    }
    Ok(Exit::Done)
}

/// The policy of the data folder. Refuses a missing folder: if its name is mistyped, there would be no policy, and every action would seem to
/// ask one person.
fn in_folder(data: &Data) -> anyhow::Result<Option<Box<dyn policy::Policy>>> {
    if is_absent(&data.path) {
        return Err(StoreError::from(FolderError::NoData(data.path.clone())).into());
    }
    policy_file::load(data)
}

/// What a policy is compared with: this host's environment, and the people and tenants of an existing folder.
struct PolicyContext {
    settings: Settings,
    found: Option<(Trust, BTreeSet<TenantId>)>,
}

impl PolicyContext {
    fn read(data: &Data, named: &[Demand]) -> anyhow::Result<Self> {
        let settings = LimitArgs::default().settings(data)?;
        let (_folder, store) = match data.read() {
            Ok(found) => found,
            // A folder that does not exist yet has no people to compare with.
            Err(error)
                if matches!(error.downcast_ref(), Some(StoreError::Folder(FolderError::NoData(_)))) =>
            {
                return Ok(Self { settings, found: None });
            }
            Err(error) => return Err(error),
        };
        let mut trust = Trust::default();
        trust.extend(&store.acts(0).wait()?)?;
        let has_instances = |tenant: Option<&TenantId>| -> anyhow::Result<bool> {
            let one = Selection { tenant: tenant.cloned(), limit: Some(1), ..Selection::default() };
            Ok(!store.list(&one).wait()?.is_empty())
        };
        let mut unknown = BTreeSet::new();
        // Before the first instance, every tenant is unknown.
        if has_instances(None)? {
            for tenant in named.iter().flat_map(|demand| &demand.tenants) {
                if !settings.names(tenant) && !trust.names(tenant) && !has_instances(Some(tenant))? {
                    unknown.insert(tenant.clone());
                }
            }
        }
        Ok(Self { settings, found: Some((trust, unknown)) })
    }
}

/// Probable mistakes in a policy, and rules that cannot be met here.
fn warnings(data: &Data, policy: &dyn policy::Policy) -> anyhow::Result<Vec<String>> {
    let demands = policy.demands();
    let here = PolicyContext::read(data, &demands)?;
    let own = policy.warnings().iter().map(ToString::to_string);
    Ok(own.chain(demands.iter().flat_map(|demand| unmet(demand, &here))).collect())
}

fn show(data: &Data, json: bool) -> anyhow::Result<Exit> {
    let policy = in_folder(data)?.unwrap_or_else(|| Box::new(policy::ask_one()));
    let file = policy_file::find(data)?;
    let text = file.as_deref().map(store::ownership::read_to_string).transpose()?;
    let file = file.map(|file| file.display().to_string());
    let mut out = output::stdout();
    if json {
        let line =
            json!({ "policy": policy.version(), "sha256": policy.digest(), "file": file, "text": text });
        writeln!(out, "{}", json_line(&line)?)?;
        return Ok(Exit::Done);
    }
    writeln!(out, "policy  {}", policy.version())?;
    writeln!(out, "sha256  {}", policy.digest())?;
    match (file, text) {
        (Some(file), Some(text)) => {
            writeln!(out, "file    {}", Escaped(&file))?;
            text.lines().try_for_each(|line| writeln!(out, "  {}", Escaped(line)))?;
        }
        _ => writeln!(out, "file    none: every action asks one person")?,
    }
    Ok(Exit::Done)
}

/// The demands that this host's people and capabilities cannot meet, and the rules that can match nothing on this host.
fn unmet(demand: &Demand, PolicyContext { settings, found }: &PolicyContext) -> Vec<String> {
    let rule = match (&demand.rule, demand.line) {
        (Some(rule), Some(line)) => format!("line {line}: rule {rule}: "),
        (Some(rule), None) => format!("rule {rule}: "),
        (None, _) => String::new(),
    };
    let mut warnings = Vec::new();
    let here = engine::capability::built_in_names();
    if !here.iter().any(|name| demand.fits(name)) {
        warnings.push(format!(
            "{rule}this host does not have the capability {}; it has {}",
            demand.capabilities(),
            here.join(", ")
        ));
    }
    let environment = settings.environment();
    if !demand.environments.is_empty() && !demand.environments.contains(&environment) {
        warnings.push(format!(
            "{rule}it never matches here, where the environment is {environment}: environment = \"{}\" in pp-host.toml changes that",
            demand.environments[0]
        ));
    }
    let Some((trust, unknown)) = found else { return warnings };
    for tenant in demand.tenants.iter().filter(|tenant| unknown.contains(*tenant)) {
        warnings
            .push(format!("{rule}no instance, setting or decider on this host belongs to a tenant {tenant}"));
    }
    let Some(ask) = demand.ask.as_ref() else { return warnings };
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
        let policy = in_folder(data)?.unwrap_or_else(|| Box::new(policy::ask_one()));
        let subject = match &self.request {
            Some(request) => {
                let request = session::read(data)?.request(request)?;
                Subject::of(&request.document()?, &request.known)?
            }
            None => self.action(LimitArgs::default().settings(data)?.environment()),
        };
        let explanation = policy.explain(&subject.question(&[]));
        let mut out = output::stdout();
        if !self.json {
            write!(out, "{explanation}")?;
            return Ok(Exit::Done);
        }
        let rule = |considered: &Considered| {
            json!({
                "rule": considered.rule.as_str(), "line": considered.line, "says": considered.kind.as_str(),
                "fate": considered.outcome.to_string(),
            })
        };
        let ruling = &explanation.ruling;
        let line = json!({
            "policy": policy.version(),
            "sha256": policy.digest(),
            "answer": ruling.answer.to_string(),
            "rules": ruling.rules.iter().map(RuleId::as_str).collect::<Vec<_>>(),
            "message": ruling.message,
            "considered": explanation.rules.iter().map(rule).collect::<Vec<_>>(),
        });
        writeln!(out, "{}", json_line(&line)?)?;
        Ok(Exit::Done)
    }

    /// An action that was not requested. A policy sees of digests only whether they are known.
    fn action(&self, here: Environment) -> Subject {
        let sha256 = Digest::of(&[]);
        Subject {
            tenant: self.tenant.clone(),
            actor: self.actor.clone(),
            operator: None,
            submitter: None,
            capability: self.capability.clone().unwrap_or_default(),
            resource: self.resource.clone().unwrap_or_default(),
            environment: self.environment.unwrap_or(here),
            artifact: self.artifact.map(|known| Artifact {
                sha256,
                bytes: self.artifact_bytes,
                novelty: known.into(),
            }),
            component: Component { sha256, novelty: self.component.unwrap_or(KnownArg::New).into() },
        }
    }
}
