//! `--data`, and finding things in there by name.

use clap::Args;
use sandbox::Compiler;
use std::io;
use std::path::{Path, PathBuf};
use store::{InstanceKey, StoreError};
use store_sqlite::{DataFolder, Sqlite};
use workflow::{InstanceId, TenantId};

/// The tenant where none is named.
pub(crate) const TENANT: &str = "local";

/// Where everything is kept.
#[derive(Debug, Args)]
pub(crate) struct Data {
    /// The data folder: journal, keys, deployments. The first run, submit, work or deciders add makes it.
    #[arg(
        long = "data",
        value_name = "DIR",
        env = "PP_HOST_DATA",
        default_value = ".pp-host",
        global = true
    )]
    pub(crate) path: PathBuf,

    /// The socket of the process that holds the issuer's keys: see `pp-host authority`. Default: this process holds them.
    #[arg(long, value_name = "SOCKET", env = "PP_HOST_AUTHORITY", global = true)]
    pub(crate) authority: Option<PathBuf>,

    /// The account, by its number, that the process behind that socket runs under. Default: the account of this process.
    #[arg(long, value_name = "UID", env = "PP_HOST_AUTHORITY_ACCOUNT", global = true)]
    pub(crate) authority_account: Option<u32>,
}

impl Data {
    /// The folder and its journal, to read, while another process may be writing.
    pub(crate) fn read(&self) -> Result<(DataFolder, Sqlite), StoreError> {
        let folder = DataFolder::read(&self.path)?;
        let store = Sqlite::open(&folder)?;
        Ok((folder, store))
    }

    /// The folder, to write to, where there is one.
    pub(crate) fn own(&self) -> Result<DataFolder, StoreError> {
        DataFolder::own_existing(&self.path)
    }
}

/// This program, as a compiler: the very file that runs, even where another has been installed in its place since.
pub(crate) fn compiler() -> io::Result<Compiler> {
    let running = Path::new("/proc/self/exe");
    let program = if running.exists() { running.to_owned() } else { std::env::current_exe()? };
    Ok(Compiler::Child { program })
}

/// An instance by its id. An id means nothing without its tenant.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The instance's id.
    instance: InstanceId,

    /// The tenant that it belongs to.
    #[arg(long, default_value = TENANT)]
    tenant: TenantId,
}

impl Which {
    /// The instance meant.
    pub(crate) fn key(&self) -> InstanceKey {
        InstanceKey { tenant: self.tenant.clone(), instance: self.instance.clone() }
    }
}

/// An instance by its id, or all there are.
#[derive(Debug, Args)]
pub(crate) struct OneOrAll {
    /// The instance's id. Default: all instances of all tenants.
    instance: Option<InstanceId>,

    /// The tenant that it belongs to.
    #[arg(long, default_value = TENANT)]
    tenant: TenantId,
}

impl OneOrAll {
    /// The instance meant, where one is named.
    pub(crate) fn key(&self) -> Option<InstanceKey> {
        let instance = self.instance.clone()?;
        Some(InstanceKey { tenant: self.tenant.clone(), instance })
    }
}

impl std::fmt::Display for Data {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.path.display())
    }
}
