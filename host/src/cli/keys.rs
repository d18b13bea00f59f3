//! `pp-host keys`.

use crate::cli::Exit;
use crate::cli::data::Data;
use clap::Subcommand;
use host::authority::Keyring;
use std::io::Write as _;

/// Show the keys that verify what this host signs.
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
}

impl Keys {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        let (folder, _store) = data.read()?;
        let keys = Keyring::public(&folder.keys())?;
        let mut out = anstream::stdout().lock();
        match self {
            Self::Export => writeln!(out, "{}", keys.to_json())?,
            Self::List { json } => {
                for key in keys.keys() {
                    let (id, status, created) = (&key.key_id, key.status.as_str(), key.created_at);
                    match json {
                        true => {
                            let line = serde_json::json!({ "key_id": id, "status": status, "created_at": created, "revoked_at": key.revoked_at });
                            writeln!(out, "{line}")?;
                        }
                        false => writeln!(out, "{id}  {status}  since {created}")?,
                    }
                }
            }
        }
        Ok(Exit::Done)
    }
}
