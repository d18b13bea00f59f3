//! `--data`, and finding things in there by name.

use anyhow::bail;
use clap::Args;
use host::InstanceKey;
use host::sandbox::Compiler;
use host::store::DataFolder;
use host::store::Sqlite;
use host::store::StoreError;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use workflow::InstanceId;
use workflow::TenantId;

/// Where everything is kept.
#[derive(Debug, Args)]
pub(crate) struct Data {
    /// The data folder: journal, keys, deployments. Made on first use.
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
        DataFolder::read(&self.path)?;
        DataFolder::own(&self.path)
    }
}

/// This program, as a compiler: the very file that runs, even where another has been installed in its place since.
pub(crate) fn compiler() -> io::Result<Compiler> {
    let running = Path::new("/proc/self/exe");
    let program = if running.exists() { running.to_owned() } else { std::env::current_exe()? };
    Ok(Compiler::Child { program })
}

/// An instance by its id, and by its tenant where the id alone is not enough.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The instance's id.
    pub(crate) instance: Option<InstanceId>,

    /// The tenant that it belongs to; needed only when two tenants have an instance of that id.
    #[arg(long)]
    pub(crate) tenant: Option<TenantId>,
}

impl Which {
    /// The instance meant.
    pub(crate) fn find(&self, store: &dyn host::store::Store) -> anyhow::Result<Option<InstanceKey>> {
        let Some(id) = &self.instance else { return Ok(None) };
        let of_tenant = |key: &InstanceKey| self.tenant.as_ref().is_none_or(|tenant| key.tenant == *tenant);
        let mut found: Vec<_> =
            store.instances()?.into_iter().filter(|key| key.instance == *id && of_tenant(key)).collect();
        match (found.pop(), found.as_slice()) {
            (Some(key), []) => Ok(Some(key)),
            (Some(_), _) => bail!("several tenants have an instance {id}: say which with --tenant"),
            (None, _) => Err(StoreError::NoInstance(id.to_string()).into()),
        }
    }
}

impl std::fmt::Display for Data {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.path.display())
    }
}
