//! What the sessions of one store have in common: the server, this host, its claim, the server's clock.

use crate::clock::{ServerClock, boot_time};
use crate::connection::Connection;
use crate::error::{PostgresError, Trouble};
use crate::journals;
use crate::location::Location;
use crate::server::Server;
use std::sync::atomic::AtomicI64;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::{HostId, StoreError};

/// What is known on every session.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) place: Location,
    pub(crate) clock: ServerClock,
    /// The place below which readers of all facts miss none.
    pub(crate) horizon: AtomicI64,
    server: Mutex<Server>,
    host: Mutex<Option<HostId>>,
    claim: Mutex<String>,
}

impl Shared {
    /// Looks at the server for the first time.
    pub(crate) async fn start(place: Location, db: &Connection) -> Result<Self, Trouble> {
        let (server, claim) = (Mutex::new(Server::of(db).await?), Mutex::new(new_claim(db).await?));
        let (clock, horizon) = (ServerClock::default(), AtomicI64::new(0));
        let shared = Self { place, clock, horizon, server, host: Mutex::default(), claim };
        shared.look_at_clock(db).await?;
        Ok(shared)
    }

    /// Opens a session, trying again for so long. Where a standby was promoted in between, commits that were acknowledged may be lost with the old
    /// server, and what this host claimed with them: its claims are over, and are made anew.
    pub(crate) async fn connect(&self, patience: Duration) -> Result<Connection, Trouble> {
        let db = self.place.connect_within(patience).await?;
        let (now, claim) = (Server::of(&db).await?, new_claim(&db).await?);
        if locked(&self.server).compare(&now)? {
            *locked(&self.claim) = claim;
            self.look_at_clock(&db).await?;
        }
        Ok(db)
    }

    /// Looks at the server's clock.
    pub(crate) async fn look_at_clock(&self, db: &Connection) -> Result<(), Trouble> {
        let asked = boot_time();
        self.clock.set(journals::now(db).await?, asked);
        Ok(())
    }

    /// What this process claims shards with.
    pub(crate) fn claim(&self) -> String {
        locked(&self.claim).clone()
    }

    pub(crate) fn set_host(&self, host: HostId) {
        *locked(&self.host) = Some(host);
    }

    /// This host, once it is registered.
    pub(crate) fn host(&self) -> Result<HostId, StoreError> {
        let words = "a host is to be registered before it claims instances";
        locked(&self.host).clone().ok_or_else(|| PostgresError::Server(words.to_owned()).into())
    }
}

async fn new_claim(db: &Connection) -> Result<String, Trouble> {
    let row = db.one("SELECT gen_random_uuid()::text", Vec::new()).await?;
    Ok(row.ok_or(StoreError::Stopped)?.get(0))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
