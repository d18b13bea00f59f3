//! `pp-host hosts`.

use crate::cli::options::data_dir::Data;
use crate::cli::output::json_line;
use crate::cli::{Exit, output};
use clap::Args;
use serde_json::json;
use std::io::Write as _;
use store::{HostRecord, HostSigner, Replication};
use workflow::Escaped;

/// Show the hosts of a shared database: which are alive, how much each drives, when it was last seen.
///
/// The hosts that work divide the instances among themselves. A host that is gone stays on record.
#[derive(Debug, Args)]
pub(crate) struct ListHosts {
    /// One JSON object per line.
    #[arg(long)]
    json: bool,
}

impl ListHosts {
    pub(crate) fn execute(&self, data: &Data) -> anyhow::Result<Exit> {
        anyhow::ensure!(
            data.is_shared(),
            "`hosts` needs a shared database: name it with --store URL or PP_HOST_STORE"
        );
        let hosts = data.read()?.1.hosts().wait()?;
        let mut out = output::stdout();
        for record in &hosts.hosts {
            match self.json {
                true => writeln!(out, "{}", json_line(&json_of(record, hosts.replication))?)?,
                false => writeln!(out, "{}", line(record))?,
            }
        }
        if !self.json {
            writeln!(out, "commits: {}", in_words(hosts.replication))?;
        }
        Ok(Exit::Done)
    }
}

fn line(record: &HostRecord) -> String {
    let HostRecord { host, shards, last_seen, is_alive } = record;
    let state = if *is_alive { "alive" } else { "gone" };
    let signer = match host.signer {
        HostSigner::Own(_) => "signs itself",
        HostSigner::Authority(_) => "asks its authority",
    };
    let (name, version) = (Escaped(&host.name), Escaped(&host.version));
    format!("{}  {state:<5}  {shards:>3} shards  seen {last_seen}  {name}  {version}  {signer}", host.id)
}

fn json_of(
    HostRecord { host, shards, last_seen, is_alive }: &HostRecord,
    replication: Replication,
) -> serde_json::Value {
    json!({
        "id": host.id, "name": host.name, "version": host.version, "signer": host.signer, "alive": is_alive,
        "shards": shards, "last_seen": last_seen, "replication": replication,
    })
}

fn in_words(replication: Replication) -> &'static str {
    match replication {
        Replication::None => {
            "not replicated: if the server's disk fails, everything since the last backup is lost"
        }
        Replication::Asynchronous => {
            "on one machine, and on others later: a failover may lose the last ones, and with them that receipts were spent"
        }
        Replication::Synchronous => "on two machines at least before they count",
    }
}
