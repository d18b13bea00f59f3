//! Claims in a folder: its owner drives every instance while it has the folder.

use crate::Sqlite;
use std::sync::PoisonError;
use std::time::Duration;
use store::{
    Answer, ClaimStore, Claims, FolderError, HeldShard, HostInfo, HostRecord, Hosts, PreviousHolder,
    Replication, SHARDS, Shard,
};

/// No claim follows another: only one process at a time has the folder's lock.
const EPOCH: u64 = 0;

impl ClaimStore for Sqlite {
    fn register(&self, host: &HostInfo) -> Answer<()> {
        let registered = self.hold().map(|()| {
            *self.host.lock().unwrap_or_else(PoisonError::into_inner) = Some(host.clone());
        });
        Answer::ready(registered.map_err(Into::into))
    }

    fn renew(&self, _ttl: Duration) -> Answer<Claims> {
        let all = Shard::all().map(|shard| HeldShard {
            shard,
            epoch: EPOCH,
            previous: PreviousHolder::Finished,
            settled_in: Duration::ZERO,
        });
        let shards = self.hold().map(|()| all.collect());
        let claims = shards.map(|shards| Claims { shards, valid_for: None, next_lapse: None, notice: None });
        Answer::ready(claims.map_err(Into::into))
    }

    fn release(&self) -> Answer<()> {
        Answer::ready(Ok(()))
    }

    fn hosts(&self) -> Answer<Hosts> {
        let host = self.host.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let record = |(host, last_seen)| HostRecord { host, shards: SHARDS, last_seen, is_alive: true };
        let latest = self.latest();
        let hosts = latest.map(|latest| host.zip(latest).map(record).into_iter().collect());
        Answer::ready(hosts.map(|hosts| Hosts { hosts, replication: Replication::None }))
    }
}

impl Sqlite {
    /// Fails unless this process owns the folder.
    fn hold(&self) -> Result<(), FolderError> {
        if self.writer.is_some() { Ok(()) } else { Err(FolderError::NotOwned) }
    }
}
