//! `--data`, and finding things in there by name.

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use clap::builder::FalseyValueParser;
use engine::{ArtifactsUrl, StoreLocation, StoreUrl};
use sandbox::Compiler;
use std::convert::Infallible;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use store::{DataFolder, InstanceKey, Store, StoreError, ownership};
use workflow::{InstanceId, InvalidId, TenantId};

/// The tenant if none is named.
pub(crate) const TENANT: &str = "local";

/// The variable that names the data folder if `--data` does not.
const DATA_VARIABLE: &str = "PP_HOST_DATA";

/// The data folder if neither names one.
const DATA_DEFAULT: &str = ".pp-host";

/// The heading of the options that every command has.
const HEADING: &str = "Data and store";

/// The place where the state is kept.
#[derive(Debug, Args)]
pub(crate) struct Data {
    /// The data folder: journal, keys, deployments. The first run, submit, work, serve, deciders add, deciders invite or
    /// tokens create makes it.
    // An argument of a command with the same id would be taken for this one.
    #[arg(
        id = "data-folder",
        long = "data",
        value_name = "DIR",
        env = DATA_VARIABLE,
        default_value = DATA_DEFAULT,
        global = true,
        help_heading = HEADING
    )]
    pub(crate) path: PathBuf,

    /// The database that keeps the state of several hosts, in place of the journal in the data folder: postgres://USER@HOST/DATABASE, or
    /// @FILE to read that from a file. A password is better in that file, in PGPASSFILE or in this variable: other accounts see a command
    /// line.
    #[arg(long, value_name = "URL|@FILE", env = "PP_HOST_STORE", hide_env_values = true, global = true, help_heading = HEADING)]
    pub(crate) store: Option<StoreArg>,

    /// Refuse a database that acknowledges a commit before it is on the disk of a second machine. Without this option, a failover may lose the
    /// last commits, and with them the record that receipts were spent.
    #[arg(long, env = "PP_HOST_REQUIRE_SYNCHRONOUS", value_parser = FalseyValueParser::new(), global = true, help_heading = HEADING)]
    pub(crate) require_synchronous: bool,

    /// A bucket of S3-compatible object storage that keeps the artifacts of several hosts: s3://BUCKET/PREFIX, the same at every host. Credentials
    /// and the endpoint are read from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT_URL, or come with a role. Default:
    /// the database keeps them.
    // `verify` has artifacts of its own.
    #[arg(
        id = "artifacts-bucket",
        long = "artifacts",
        value_name = "URL",
        env = "PP_HOST_ARTIFACTS",
        global = true,
        help_heading = HEADING
    )]
    pub(crate) artifacts: Option<ArtifactsUrl>,

    /// The socket of the process that holds the issuer's keys: see `pp-host authority`. Default: this process holds them.
    #[arg(long, value_name = "SOCKET", env = "PP_HOST_AUTHORITY", global = true, help_heading = HEADING)]
    pub(crate) authority: Option<PathBuf>,

    /// The number of the account that the process behind that socket runs under. Default: the account of this process.
    #[arg(long, value_name = "UID", env = "PP_HOST_AUTHORITY_ACCOUNT", global = true, help_heading = HEADING)]
    pub(crate) authority_account: Option<u32>,
}

impl Data {
    /// The options with which a later command reaches the same folder and the same authority. A variable of this
    /// command's environment may be missing then.
    pub(crate) fn options(&self) -> Vec<OsString> {
        self.options_in(&self.path)
    }

    /// The options for another data folder.
    pub(crate) fn options_in(&self, path: &Path) -> Vec<OsString> {
        let mut options = Vec::new();
        let mut option = |name: &str, value: OsString| options.extend([OsString::from(name), value]);
        let variable = std::env::var_os(DATA_VARIABLE).filter(|value| !value.is_empty());
        if path != Path::new(DATA_DEFAULT) || variable.is_some_and(|value| value != DATA_DEFAULT) {
            option("--data", path.into());
        }
        if let Some(StoreArg(store)) = &self.store
            && (store.starts_with('@') || store.parse().is_ok_and(|url: StoreUrl| !url.has_password()))
        {
            option("--store", store.into());
        }
        if let Some(bucket) = &self.artifacts {
            option("--artifacts", bucket.to_string().into());
        }
        if let Some(socket) = &self.authority {
            option("--authority", socket.clone().into());
        }
        if let Some(account) = self.authority_account {
            option("--authority-account", account.to_string().into());
        }
        if self.require_synchronous {
            options.push("--require-synchronous".into());
        }
        options
    }

    /// The location of the state.
    pub(crate) fn location(&self) -> anyhow::Result<StoreLocation> {
        let Some(store) = &self.store else {
            for (option, is_given) in [
                ("--require-synchronous", self.require_synchronous),
                ("--artifacts", self.artifacts.is_some()),
            ] {
                ensure!(!is_given, "{option} is for a database that is named with --store or PP_HOST_STORE");
            }
            return Ok(StoreLocation::Folder);
        };
        let mut url = store.url()?;
        if self.require_synchronous {
            url = url.requiring_synchronous();
        }
        if let Some(bucket) = &self.artifacts {
            url = url.with_artifacts_in(bucket.clone());
        }
        Ok(StoreLocation::Database(url))
    }

    /// Refuses a bucket for artifacts that cannot be used. For commands that run for long.
    pub(crate) fn check_artifacts(&self) -> anyhow::Result<()> {
        match self.location()? {
            StoreLocation::Database(url) => Ok(url.check_artifacts()?),
            StoreLocation::Folder => Ok(()),
        }
    }

    /// Whether other hosts may work on the same state.
    pub(crate) fn is_shared(&self) -> bool {
        self.store.is_some()
    }

    /// The folder, and the state to read, while another process may be writing.
    pub(crate) fn read(&self) -> anyhow::Result<(DataFolder, Box<dyn Store>)> {
        let location = self.location()?;
        let folder = location.read_folder(&self.path)?;
        let store = location.open(&folder)?;
        Ok((folder, store))
    }

    /// The folder, to write to, if it exists.
    pub(crate) fn own(&self) -> Result<DataFolder, StoreError> {
        match self.is_shared() {
            true => DataFolder::own_without_journal(&self.path),
            false => DataFolder::own_existing(&self.path),
        }
    }

    /// The hosts that work on the shared state now.
    pub(crate) fn has_workers(&self) -> anyhow::Result<bool> {
        let hosts = self.read()?.1.hosts().wait()?.hosts;
        Ok(hosts.iter().any(|record| record.is_alive && record.shards > 0))
    }
}

/// A database as the command line names it. Neither its debug output nor the parser's messages have the password.
#[derive(Clone)]
pub(crate) struct StoreArg(String);

impl FromStr for StoreArg {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl std::fmt::Debug for StoreArg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StoreArg(..)")
    }
}

/// Why a password is not taken from a command line.
const VISIBLE_PASSWORD: &str = "--store has a password in it, and other accounts see a command line: change the password, and give it in the variable PP_HOST_STORE, in a file that only this account reads (--store @FILE), or in PGPASSFILE";

impl StoreArg {
    /// Whether it was not read from the environment.
    fn is_on_the_command_line(&self) -> bool {
        let names =
            |argument: OsString| argument.to_str().is_some_and(|argument| argument.ends_with(&self.0));
        std::env::args_os().any(names)
    }

    /// The URL: as given, or the first line of the file.
    pub(crate) fn url(&self) -> anyhow::Result<StoreUrl> {
        let Some(path) = self.0.strip_prefix('@') else {
            let url: StoreUrl = self.0.parse().context("--store, or PP_HOST_STORE")?;
            anyhow::ensure!(!url.has_password() || !self.is_on_the_command_line(), VISIBLE_PASSWORD);
            return Ok(url);
        };
        let text =
            ownership::read_to_string(Path::new(path)).with_context(|| format!("cannot read {path}"))?;
        text.lines().next().unwrap_or_default().trim().parse().with_context(|| path.to_owned())
    }
}

/// This program, as the compiler.
pub(crate) fn compiler() -> io::Result<Compiler> {
    Ok(Compiler::Child { program: this_program()? })
}

/// The very file that runs, even if another has been installed in its place since.
pub(crate) fn this_program() -> io::Result<PathBuf> {
    let running = Path::new("/proc/self/exe");
    if running.exists() { Ok(running.to_owned()) } else { std::env::current_exe() }
}

/// An instance as commands print it: `ID`, or `TENANT/ID`.
#[derive(Debug, Clone)]
pub(crate) struct InstanceName {
    tenant: Option<TenantId>,
    instance: InstanceId,
}

impl FromStr for InstanceName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let (tenant, instance) = match text.split_once('/') {
            Some((tenant, instance)) => (Some(tenant.parse()?), instance),
            None => (None, text),
        };
        Ok(Self { tenant, instance: instance.parse()? })
    }
}

impl InstanceName {
    /// The named instance, in that tenant if one is named.
    pub(crate) fn key(&self, tenant: Option<&TenantId>) -> anyhow::Result<InstanceKey> {
        let tenant = match (&self.tenant, tenant) {
            (Some(own), Some(other)) if own != other => {
                bail!("{own}/{} names tenant {own} and --tenant names {other}: give only one", self.instance)
            }
            (Some(tenant), _) | (None, Some(tenant)) => tenant.clone(),
            (None, None) => TENANT.parse()?,
        };
        Ok(InstanceKey { tenant, instance: self.instance.clone() })
    }
}

/// An instance by its id. An id means nothing without its tenant.
#[derive(Debug, Args)]
pub(crate) struct InstanceArg {
    /// The instance: its id, or TENANT/ID as lists show it.
    instance: InstanceName,

    /// The tenant that it belongs to. Default: local.
    #[arg(long)]
    tenant: Option<TenantId>,
}

impl InstanceArg {
    /// The instance meant.
    pub(crate) fn key(&self) -> anyhow::Result<InstanceKey> {
        self.instance.key(self.tenant.as_ref())
    }
}

/// An instance by its id, or all there are.
#[derive(Debug, Args)]
pub(crate) struct InstanceFilter {
    /// The instance: its id, or TENANT/ID as lists show it. Default: all instances of all tenants.
    instance: Option<InstanceName>,

    /// The tenant that it belongs to. Default: local.
    #[arg(long, requires = "instance")]
    tenant: Option<TenantId>,
}

impl InstanceFilter {
    /// The instance meant, if one is named.
    pub(crate) fn key(&self) -> anyhow::Result<Option<InstanceKey>> {
        self.instance.as_ref().map(|instance| instance.key(self.tenant.as_ref())).transpose()
    }
}

impl std::fmt::Display for Data {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.path.display())
    }
}
