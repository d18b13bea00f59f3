//! `pp-host keys`.

use crate::cli::options::data_dir::Data;
use crate::cli::output::hint::Hint;
use crate::cli::{Exit, output, session};
use anyhow::ensure;
use clap::Subcommand;
use engine::api::{Operation, OperationOutcome};
use engine::issuer::Keyring;
use engine::{Clock as _, SystemClock, trust};
use receipt::Scope;
use serde_json::json;
use std::io::Write as _;
use store::DataFolder;
use store::{FolderError, StoreError};
use workflow::Quoted;

/// The keys that verify this host's signatures.
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Print the public key set, in the shape that the receipt specification publishes.
    Export,
    /// List the keys.
    List {
        /// One JSON object per line.
        #[arg(long)]
        json: bool,
    },
    /// Make new signing keys. Signatures of the old ones remain valid.
    Rotate,
    /// Revoke a key: nothing that it ever signed verifies from now on. Give the new key set to every party that pinned the old one.
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
            Self::Rotate => rotate(data)?,
            Self::Revoke { key_id } => {
                let owned = own(data)?;
                let keys = Keyring::public(&data.path.join("keys"))?;
                ensure!(
                    keys.keys().any(|key| key.key_id == *key_id),
                    "there is no key {} (pp-host keys list lists the keys)",
                    Quoted(key_id)
                );
                match owned {
                    Some(folder) => Keyring::revoke(&folder.keys(), key_id, SystemClock.now())?,
                    None => {
                        session::operate(data, Operation::RevokeKey { key_id: key_id.clone() })?;
                    }
                }
                writeln!(
                    output::stdout(),
                    "{key_id} is revoked; publish the new key set: {}",
                    Hint::new(data, &["keys", "export"])
                )?;
            }
        }
        Ok(Exit::Done)
    }
}

/// The folder, if no process owns it: a bad key may keep every host from opening it. `None` if a process owns it,
/// which then changes the keys itself.
fn own(data: &Data) -> anyhow::Result<Option<DataFolder>> {
    if data.authority.is_some() {
        return Err(engine::Error::KeysAtAuthority.into());
    }
    match data.own() {
        Ok(folder) => Ok(Some(folder)),
        Err(StoreError::Folder(FolderError::Locked(_))) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn rotate(data: &Data) -> anyhow::Result<()> {
    let made = match own(data)? {
        Some(folder) => {
            let make = |scope| {
                let seed = engine::random_bytes()?;
                anyhow::Ok(Keyring::rotate(&folder.keys(), scope, &seed, SystemClock.now())?)
            };
            [Scope::Demo, Scope::Production].into_iter().map(make).collect::<Result<Vec<_>, _>>()?
        }
        None => match session::operate(data, Operation::RotateKeys {})? {
            OperationOutcome::Rotated { keys } => keys,
            other => return Err(session::unexpected(&other)),
        },
    };
    let mut out = output::stdout();
    for id in made {
        writeln!(out, "{id} signs {} receipts from now on", trust::scope_of(&id))?;
    }
    Ok(writeln!(out, "publish the new key set: {}", Hint::new(data, &["keys", "export"]))?)
}

fn export(data: &Data) -> anyhow::Result<()> {
    let (folder, _store) = data.read()?;
    let keys = Keyring::public(&folder.keys())?;
    Ok(writeln!(output::stdout(), "{}", keys.to_json())?)
}

fn list(data: &Data, json: bool) -> anyhow::Result<()> {
    let (folder, _store) = data.read()?;
    let mut out = output::stdout();
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
