//! `pp-host keys`.

use crate::cli::Exit;
use crate::cli::data_dir::Data;
use clap::Subcommand;
use engine::issuer::Keyring;
use engine::{Clock as _, SystemClock};
use receipt::Scope;
use serde_json::json;
use std::io::Write as _;

/// The keys that verify what this host signs.
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Print the public key set, in the shape that the receipt specification publishes.
    Export,
    /// List the keys.
    List {
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Make new keys the ones that sign. What the old ones signed stays good.
    Rotate,
    /// Revoke a key: nothing that it ever signed verifies from now on. Hand the new key set to everybody who pinned the old one.
    Revoke {
        /// The key's id.
        key_id: String,
    },
}

impl Keys {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        match self {
            Self::Export => export(data)?,
            Self::List { json } => list(data, *json)?,
            Self::Rotate => {
                let folder = data.own()?;
                let mut out = anstream::stdout();
                for scope in [Scope::Demo, Scope::Production] {
                    let seed = engine::random_bytes()?;
                    let id = Keyring::rotate(&folder.keys(), scope, &seed, SystemClock.now())?;
                    writeln!(out, "{id} signs {scope} receipts from now on")?;
                }
                writeln!(out, "publish the new key set: pp-host keys export")?;
            }
            Self::Revoke { key_id } => {
                let folder = data.own()?;
                Keyring::revoke(&folder.keys(), key_id, SystemClock.now())?;
                writeln!(
                    anstream::stdout(),
                    "{key_id} is revoked; publish the new key set: pp-host keys export"
                )?;
            }
        }
        Ok(Exit::Done)
    }
}

fn export(data: &Data) -> anyhow::Result<()> {
    let (folder, _store) = data.read()?;
    let keys = Keyring::public(&folder.keys())?;
    Ok(writeln!(anstream::stdout(), "{}", keys.to_json())?)
}

fn list(data: &Data, json: bool) -> anyhow::Result<()> {
    let (folder, _store) = data.read()?;
    let mut out = anstream::stdout().lock();
    for key in Keyring::public(&folder.keys())?.keys() {
        let (id, status, created) = (&key.key_id, key.status.as_str(), key.created_at);
        let revoked = key.revoked_at;
        match json {
            true => {
                let line =
                    json!({ "key_id": id, "status": status, "created_at": created, "revoked_at": revoked });
                writeln!(out, "{line}")?;
            }
            false => writeln!(out, "{id}  {status:<7}  since {created}")?,
        }
    }
    Ok(())
}
