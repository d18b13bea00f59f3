//! `pp-host authority`: the issuer's keys in a process of their own.

use crate::cli::options::data_dir::Data;
use crate::cli::output::complain;
use crate::cli::session::policy_file;
use crate::cli::{Exit, output};
use anyhow::Context as _;
use clap::Args;
use engine::SystemClock;
use engine::issuer::IssuerServer;
use std::io::Write as _;
use std::path::PathBuf;
use store::DataFolder;
use store::{FolderError, StoreError};

/// Hold the issuer's keys for hosts in other processes, until stopped.
///
/// Run the authority under an account of its own, with a data folder of its own. The folder has the keys, the deciders, the policy, and a copy
/// of everything that the authority signs. Hosts name its socket with --authority, and have no private key.
#[derive(Debug, Args)]
pub(crate) struct Authority {
    /// The path of the socket.
    #[arg(long, value_name = "PATH")]
    socket: PathBuf,

    /// The number of an account whose hosts may connect. May be given several times. Default: the account that runs
    /// the authority.
    #[arg(long, value_name = "UID")]
    account: Vec<u32>,
}

impl Authority {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let policy = policy_file::load(data)?;
        // A policy in the folder shows that the folder is meant; a mistyped folder would become an authority with new
        // keys.
        let is_new = match DataFolder::read(&data.path) {
            Err(StoreError::Folder(FolderError::NoData(_))) if policy.is_some() => true,
            Err(error @ StoreError::Folder(FolderError::NoData(_))) => {
                return Err(error).context(
                    "an authority's folder begins with its policy, or with pp-host deciders add NAME --role ROLE --key FILE",
                );
            }
            found => found.map(|_| false)?,
        };
        let policy = policy.unwrap_or_else(|| Box::new(::policy::ask_one()));
        let office = IssuerServer::open(&data.path, policy, Box::new(SystemClock))?;
        if is_new {
            complain(&format!("made a new data folder, {data}"));
        }
        let accounts = match self.account.as_slice() {
            [] => vec![engine::issuer::own_account()],
            named => named.to_vec(),
        };
        writeln!(output::stdout(), "listening on {}", self.socket.display())?;
        office.serve(&self.socket, &accounts)?;
        Ok(Exit::Done)
    }
}
